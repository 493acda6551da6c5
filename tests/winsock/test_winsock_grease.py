"""Requests carry what nobody may mind, so that nobody learns to mind it (protocol.md 14)."""

from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import NetworkEvent, SocketFlag, WsaError
from mpwire.wire.messages import JoinReq
from mpwire.wire.numbers import HeaderFlag, is_grease_tlv, is_mandatory_tlv

ROOT = ("10.0.0.1", 61717)
LEAF_FLAGS = SocketFlag.C_LEAF | SocketFlag.D_LEAF


def test_grease_is_sent_and_changes_nothing() -> None:
    bus = Bus(seed=11)
    root, leaf = bus.provider(ROOT[0]), bus.provider("10.0.0.2")
    r = root.socket(SocketFlag.C_ROOT | SocketFlag.D_ROOT)
    root.bind(r, ROOT)
    root.listen(r, 200, bus.now_s)
    for _ in range(60):
        s = leaf.socket(LEAF_FLAGS)
        leaf.event_select(s, 1, ALL_EVENTS, bus.now_s)
        leaf.join_leaf(s, ROOT, bus.now_s)
        bus.run(0.1)
        root.accept(r, None, bus.now_s)
        bus.run(0.1)
        joined = leaf.enum_network_events(s)[0]
        assert joined == (NetworkEvent.FD_CONNECT, WsaError.SUCCESS)
    requests = [one.message for one in bus.trace if one.name == "JoinReq"]
    greased = [one for one in requests if isinstance(one, JoinReq) and one.extra]
    assert 0.3 * len(requests) < len(greased) < 0.7 * len(requests)
    assert {len(one.extra) for one in greased} == {1}
    codes = {code for one in greased for code, _ in one.extra}
    assert len(codes) > 5
    assert all(is_grease_tlv(code) and not is_mandatory_tlv(code) for code in codes)
    flagged = [one for one in requests if one.flags == HeaderFlag.G]
    assert 0.3 * len(requests) < len(flagged) < 0.7 * len(requests)
