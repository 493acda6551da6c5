"""While a long run is read its hosts are seen alone, as long as a window of frames tells enough."""

from pathlib import Path

import pytest

from mpwire.capture import RunFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.passing import Unclear, seen_from_hosts
from mpwire.capture.records import Counters, Decision, Sentinel
from mpwire.capture.runfile import Frame
from mpwire.sim import packets
from tests.capture.test_capture_deliveries import frame, run_of
from tests.capture.test_capture_onway import GROUP, MAC, RIGHT, Tale, datagram

OF_ROUTER = ("10.77.2.1", 9)
Given = list[tuple[int, str, int | None]]


@pytest.fixture
def tale(tmp_path: Path) -> Tale:
    """Begin a run over two routers in a row."""
    return Tale(tmp_path)


def given(run: RunFile, window_frames: int = 100) -> Given:
    """List what hosts were given, as told while reading."""
    items = (item for _, item in seen_from_hosts(run, window_frames))
    return [(one.frame, one.receiver, one.delivered) for one in items if isinstance(one, Decision)]


def told(run: RunFile) -> Given:
    """List what hosts were given, as the whole run tells."""
    return [
        (one.frame, one.receiver, one.delivered)
        for one in end_to_end(run).of(Decision)
        if one.delivered is not None
    ]


def test_a_way_over_two_routers_is_one_step(tale: Tale) -> None:
    first, second = tale.way(b"one"), tale.way(b"two")
    tale.writer.record(Sentinel(host="r.one", stage="start", request=1, reply=2))
    tale.writer.record(Counters(host="b", interface={}, udp={}, capture={}))
    run = tale.read()
    assert given(run) == told(run) == [(1, "b", 6), (7, "b", 12)]
    items = [item for _, item in seen_from_hosts(run)]
    numbers = [item.number for item in items if isinstance(item, Frame)]
    assert numbers == [first[0], first[-1], second[0], second[-1]]
    assert [type(item) for item in items if isinstance(item, Sentinel | Counters)] == [Counters]


def test_equal_datagrams_keep_their_order(tale: Tale) -> None:
    tale.hop("a", "r.one", datagram(b"x", 64))
    tale.hop("a", "r.one", datagram(b"x", 64))
    tale.hop("r.two", "b", datagram(b"x", 63))
    tale.hop("r.two", "b", datagram(b"x", 63))
    run = tale.read()
    assert given(run) == told(run) == [(1, "b", 6), (3, "b", 8)]


def test_what_goes_to_a_group_leaves_a_router_at_several_ports(tale: Tale) -> None:
    tale.hop("a", "r.two", datagram(b"all", 3, GROUP))
    tale.hop("r.one", "b", datagram(b"all", 2, GROUP))
    tale.hop("r.two", "b", datagram(b"all", 2, GROUP))
    run = tale.read()
    assert given(run) == told(run) == [(1, "b", 4), (1, "b", 6)]


def test_what_routers_make_themselves_was_sent_by_no_host(tale: Tale) -> None:
    tale.hop("s.far", "b", packets.udp_frame((MAC, MAC), OF_ROUTER, RIGHT, b"mine", 64))
    tale.hop("s.far", "b", b"\xff" * 12 + b"\x08\x06" + bytes(28))
    tale.hop("a", "r.one", datagram(b"cut", 64), "impaired: cut")
    run = tale.read()
    assert given(run) == told(run) == []


@pytest.mark.parametrize(
    ("sender", "hops"), [("s.far", 62), ("r.two", 64)], ids=["another router", "another packet"]
)
def test_what_a_router_seems_not_to_have_been_given_is_unclear(
    tale: Tale, sender: str, hops: int
) -> None:
    tale.hop("a", "r.one", datagram(b"one", 64))
    tale.hop(sender, "b", datagram(b"one", hops))
    with pytest.raises(Unclear):
        given(tale.read())


def test_what_a_router_sends_on_more_often_than_it_came_is_unclear(tale: Tale) -> None:
    tale.hop("a", "r.one", datagram(b"one", 64))
    for _ in range(2):
        tale.hop("r.two", "b", datagram(b"one", 63))
    with pytest.raises(Unclear):
        given(tale.read())


def test_what_passed_is_forgotten_and_may_come_again(tale: Tale) -> None:
    """The window is shorter than the run, and enough."""
    for _ in range(9):
        tale.way(b"again")
    run = tale.read()
    assert given(run, 6) == told(run)
    assert len(told(run)) == 9


def test_what_a_router_kept_must_not_come_again(tale: Tale) -> None:
    """Of two that are equal nobody could tell later which was sent on."""
    tale.hop("a", "r.one", datagram(b"kept", 64))
    for _ in range(4):
        tale.way(b"others")
    tale.way(b"kept")
    run = tale.read()
    assert given(run) == told(run)
    with pytest.raises(Unclear):
        given(run, 6)


def test_what_is_older_than_the_window_is_unclear(tale: Tale) -> None:
    (held,) = tale.hop("a", "b", datagram(b"held", 64), "held")
    for _ in range(4):
        tale.way(b"others")
    arrived = tale.writer.frame("b", "in", datagram(b"held", 64), tale.now_ns)
    tale.writer.record(Decision(frame=held, receiver="b", delivered=arrived))
    run = tale.read()
    assert given(run)[-1] == (held, "b", arrived)
    with pytest.raises(Unclear):
        given(run, 6)


def test_a_delivery_to_a_router_of_which_nothing_is_said_is_unclear(tale: Tale) -> None:
    tale.writer.frame("r.one", "in", datagram(b"x", 64), 1)
    tale.hop("r.two", "b", datagram(b"x", 63))
    with pytest.raises(Unclear):
        given(tale.read())


def test_of_equal_frames_on_a_bridge_the_newest_has_arrived(tmp_path: Path) -> None:
    one, other = frame("b", "a", "one"), frame("group", "c", "other")
    moves = [("a", "out", one), ("a", "out", one), ("b", "in", one), ("b", "in", one)]
    moves += [("c", "out", other), ("a", "in", other), ("b", "in", other), ("a", "out", one)]
    run = run_of(tmp_path, moves)
    assert sorted(given(run)) == told(run) == [(1, "b", 4), (2, "b", 3), (5, "a", 6), (5, "b", 7)]
    assert given(run, 2) == given(run)


def test_what_arrives_over_a_bridge_and_was_not_sent_is_unclear(tmp_path: Path) -> None:
    moves = [("a", "out", datagram(b"x", 9)), ("b", "in", datagram(b"y", 9))]
    with pytest.raises(Unclear):
        given(run_of(tmp_path, moves))


def test_a_bridge_may_say_things_itself(tmp_path: Path) -> None:
    run = run_of(tmp_path, [("b", "in", frame("b", "a", "of the kernel"))])
    assert given(run) == told(run) == []


def test_the_capture_of_another_program_stays_as_it_is(tale: Tale) -> None:
    tale.way(b"one")
    run = tale.read()
    run.records = []
    assert [item for _, item in seen_from_hosts(run)] == list(run.frames)
