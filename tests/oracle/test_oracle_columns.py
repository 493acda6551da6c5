"""Choose from octets what is usual, and nothing that any decoder would call otherwise."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpwire.capture.frames import Datagram, decode_frame
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.messages import Data, DataAck, Message, Nack, Sync
from tests.oracle.oracle_story import Send, ethernet, summed

columns = pytest.importorskip(
    "mpwire.oracle.columns", reason="this machine cannot run it: numpy is not installed"
)

USUAL: tuple[Message, ...] = (
    Data(origin=1, sender_id=1, dflags=0, hop=0, payload=b"seven o", destination_tag=5),
    Data(origin=1, sender_id=1, dflags=0, hop=0, payload=b"", destination_tag=5),
    Data(origin=3, sender_id=1, dflags=2, hop=1, payload=b"relayed", destination_tag=5),
    DataAck(origin=1, sender_id=2, rcv_next=9, window=200, destination_tag=6),
    Sync(origin=1, sender_id=1, seq=9, trail_seq=1, sflags=1, attempt=4, destination_tag=5),
    Nack(origin=1, sender_id=2, ranges=((7, 9),), destination_tag=6),
)
KINDS = [0, 0, 1, 2, 3, 4]
FILLING = bytes(64)


def framed(message: Message | None, octets: bytes | None = None) -> bytes:
    """Wrap a message as a story does."""
    return ethernet(Send("x", "root", "leaf1", message, octets))


def chosen(*frames: bytes, lead: int = 0) -> list[tuple[int, int]]:
    """Return place and kind of what is chosen of some frames that stand after each other."""
    octets, starts = bytes(lead), []
    for frame in frames:
        starts.append(len(octets))
        octets += frame
    lengths = [len(frame) for frame in frames]
    found = columns.columns_of(octets + FILLING, starts, lengths, lengths)
    if found is None:
        return []
    return list(zip(found.places.tolist(), found.kinds.tolist(), strict=True))


@pytest.mark.parametrize("lead", [0, 1])
def test_usual_messages_are_chosen(lead: int) -> None:
    """Choose all, at even and at odd places."""
    frames = [framed(message) for message in USUAL]
    assert chosen(*frames, lead=lead) == list(enumerate(KINDS))


def test_what_is_read_is_what_was_sent() -> None:
    """Compare the columns with the message."""
    frame = framed(USUAL[0])
    found = columns.columns_of(frame + FILLING, [0], [len(frame)], [len(frame)])
    assert found is not None
    assert (found.tags[0], found.sender_ids[0], found.payloads[0]) == (5, 1, 7)
    assert found.ports[0] == 61717 << 16 | 61717
    assert found.sources[0] == 0x0A4D0001
    assert found.destinations[0] == 0x0A4D0002


def test_what_was_cut_is_not_chosen() -> None:
    """Capture less than there was on the wire, or say so."""
    frame = framed(USUAL[0])
    assert columns.columns_of(frame + FILLING, [0], [len(frame)], [len(frame) + 1]) is None
    assert columns.columns_of(frame + FILLING, [-1], [len(frame)], [len(frame)]) is None
    assert columns.columns_of(frame[:60], [0], [60], [60]) is None
    assert chosen(frame[:-1]) == []
    assert chosen(frame[:60], frame) == [(1, 0)]


def test_octets_behind_the_datagram_do_not_matter() -> None:
    """Fill a short frame up as Ethernet does."""
    assert chosen(framed(USUAL[3]) + bytes(6)) == [(0, 2)]


def repaired(frame: bytes) -> bytes:
    """Give a frame the UDP checksum that its octets have."""
    udp = frame[38:40]
    covered = frame[26:34] + b"\0\x11" + udp + frame[34:40] + b"\0\0" + frame[42:]
    return frame[:40] + struct.pack("!H", (0xFFFF - summed(covered)) or 0xFFFF) + frame[42:]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_nothing_unusual_is_ever_chosen(data: st.DataObject) -> None:
    """Change octets anywhere: what is chosen all the same decodes, and to what it is taken for."""
    message = data.draw(st.sampled_from(USUAL))
    frame = bytearray(framed(message))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(12, len(frame) - 1))
        frame[place] = data.draw(st.sampled_from([0, 1, 2, 4, 0x0A, 0x40, 0x80, 0xFE, 0xFF]))
    octets = repaired(bytes(frame)) if data.draw(st.booleans()) else bytes(frame)
    for _, kind in chosen(octets):
        datagram = decode_frame(1, octets)
        assert isinstance(datagram, Datagram)
        assert (datagram.df, datagram.cut, datagram.fragment) == (True, False, None)
        assert datagram.checksum == "ok"
        found = decode_untrusted(datagram.payload)
        assert type(found) is (Data, Data, DataAck, Sync, Nack)[kind]
        assert (found.flags, found.extra, found.auth) == (0, (), None)
        assert found.attempt == 1 or isinstance(found, Sync)
        if isinstance(found, Data):
            assert found.sealed is None
            assert found.dflags == 2 * kind
            assert (found.origin == found.sender_id) == (kind == 0)
            assert found.hop == kind


@settings(max_examples=150, deadline=None)
@given(octets=st.binary(min_size=44, max_size=120), lead=st.integers(0, 3))
def test_checksums_are_those_of_the_decoder(octets: bytes, lead: int) -> None:
    """Let any payload be right, and wrong by one."""
    data = Data(origin=1, sender_id=1, dflags=0, hop=0, payload=octets, destination_tag=5)
    frame = framed(data)
    assert chosen(frame, lead=lead) == [(0, 0)]
    wrong = bytearray(frame)
    wrong[90] ^= 1
    assert chosen(bytes(wrong), lead=lead) == []
