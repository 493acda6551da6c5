"""What a switch sees in frames, and octets that change on the way."""

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.names import LinkType
from mpwire.lab.craft import checksum, echo_request
from mpwire.lab.decide import Change, Sighting
from mpwire.lab.sight import changed, octets_changed, payload_at, sighting
from mpwire.wire.codec import encode
from mpwire.wire.messages import Ack, Data, Message

ACK = Ack(session_id=7, destination_tag=9, sender_id=1, seq=3, acked_type=0x14)
DATA = Data(session_id=7, destination_tag=9, sender_id=1, origin=1, dflags=3, hop=1, payload=b"x")


def udp(payload: bytes, version: int, flags_and_offset: int = 0x4000) -> bytes:
    """Build a frame with right checksums."""
    length = 8 + len(payload)
    if version == 4:
        addresses = bytes([10, 77, 0, 2, 10, 77, 0, 3])
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, flags_and_offset, 64, 17, 0)
        ip = ip[:10] + struct.pack("!H", checksum(ip + addresses)) + addresses
    else:
        addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
        ip = struct.pack("!IHBB", 6 << 28, length, 17, 64) + addresses
    header = struct.pack("!HHHH", 61717, 61717, length, 0)
    total = checksum(addresses + struct.pack("!HH", 17, length) + header + payload)
    header = header[:6] + struct.pack("!H", total or 0xFFFF)
    ethertype = b"\x08\0" if version == 4 else b"\x86\xdd"
    return bytes(12) + ethertype + ip + header + payload


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("message", "name", "flags"),
    [(ACK, "ACK", set()), (DATA, "DATA", {"REPAIR", "RELAYED"})],
)
def test_a_message_is_seen_with_its_flags(
    version: int, message: Message, name: str, flags: set[str]
) -> None:
    payload = encode(message)
    frame = udp(payload, version)
    assert sighting(frame) == Sighting(len(frame), name, frozenset(flags), len(payload))
    assert sighting(frame + bytes(4)).payload_octets == len(payload)


def test_header_flags_are_seen() -> None:
    payload = bytearray(encode(ACK))
    payload[4] |= 0x81
    assert sighting(udp(bytes(payload), 4)).flags == {"R", "G"}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(60),
        echo_request(bytes(6), IPv4Address("10.0.0.1"), 1),
        udp(b"no message", 4),
        udp(encode(ACK)[:20], 4),
        udp(encode(ACK), 4, 0x2000),
        udp(encode(ACK)[:3] + b"\xfe" + encode(ACK)[4:], 4),
        udp(encode(ACK), 6)[:50],
    ],
)
def test_other_frames_hold_no_message(frame: bytes) -> None:
    assert sighting(frame) == Sighting(len(frame))


@given(st.binary(max_size=120))
def test_no_octets_are_too_strange_to_look_at(frame: bytes) -> None:
    assert sighting(frame).octets == len(frame)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("unnoticed", [True, False])
def test_a_change_shows_in_the_checksum_unless_nobody_is_to_notice(
    version: int, unnoticed: bool
) -> None:
    payload = encode(DATA)
    frame = udp(payload, version)
    for octet in range(len(payload)):
        decoded = decode_frame(
            LinkType.ETHERNET, changed(frame, [Change(octet, unnoticed=unnoticed)])
        )
        assert isinstance(decoded, Datagram)
        assert decoded.checksum == ("ok" if unnoticed else "bad")
        differing = [
            n
            for n, pair in enumerate(zip(decoded.payload, payload, strict=True))
            if pair[0] != pair[1]
        ]
        assert differing == [octet]
    start = payload_at(frame)
    assert start is not None
    assert frame[start:] == payload


@pytest.mark.parametrize(("unnoticed", "checksum"), [((False, True), "ok"), ((True, False), "bad")])
def test_changes_are_made_in_order_and_the_last_leaves_the_checksum(
    unnoticed: tuple[bool, bool], checksum: str
) -> None:
    payload = encode(DATA)
    changes = [Change(octet, unnoticed=last) for octet, last in zip((9, 4), unnoticed, strict=True)]
    decoded = decode_frame(LinkType.ETHERNET, changed(udp(payload, 4), changes))
    assert isinstance(decoded, Datagram)
    assert decoded.checksum == checksum
    assert [n for n, octet in enumerate(payload) if decoded.payload[n] != octet] == [4, 9]
    assert octets_changed(changes) == [9, 4]
