"""R1-R18: datagrams that are wrong by themselves."""

import socket
from typing import Any, Final

from mpwire.io import udp
from mpwire.io.udp import UdpSocket
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import alter, bend, wrap
from mpwire.winsock import joining
from mpwire.wire.codec import TLV_HEADER
from mpwire.wire.messages import (
    Accept,
    Close,
    CloseAck,
    Data,
    JoinReq,
    Pending,
    Reject,
)
from mpwire.wire.numbers import HEADER_OCTETS, HeaderFlag, TlvType
from mpwire.wire.tables import MESSAGE_FORMATS

Tlv = tuple[int, bytes]
SO_NO_CHECK: Final = 11
"""Linux: send UDP over IPv4 without a checksum."""


def _body_end(data: bytes) -> int:
    return HEADER_OCTETS + MESSAGE_FORMATS[data[3]].body.packing.size


def _tlvs(data: bytes) -> list[Tlv]:
    found, start = [], _body_end(data)
    while start < len(data):
        code, length = TLV_HEADER.unpack_from(data, start)
        found.append((code, data[start + 4 : start + 4 + length]))
        start += 4 + length + (-length & 3)
    return found


def _built(data: bytes, tlvs: list[Tlv]) -> bytes:
    """Return a datagram with other TLVs and the Length that belongs to them."""
    rest = b"".join(
        TLV_HEADER.pack(code, len(value)) + value + bytes(-len(value) & 3) for code, value in tlvs
    )
    return _sized(data[: _body_end(data)] + rest)


def _sized(data: bytes) -> bytes:
    return data[:6] + len(data).to_bytes(2) + data[8:]


def _octet(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes((value,)) + data[at + 1 :]


@patch("R1", "rooted-lan", "leaf1")
def version_of_tomorrow() -> None:
    """CLOSE says that it is of version 2."""
    bend(Close, lambda data: _octet(data, 2, 2))


@patch("R1", "rooted-lan", "root")
def magic_misspelt() -> None:
    """CLOSE_ACK begins with other octets than the magic."""
    bend(CloseAck, lambda data: b"MP" + data[2:])


@patch("R2", "rooted-lan", "leaf1")
def length_without_header() -> None:
    """Length of DATA counts what follows the common header only."""
    bend(Data, lambda data: data[:6] + (len(data) - HEADER_OCTETS).to_bytes(2) + data[8:])


@patch("R3", "rooted-lan", "leaf3")
def body_cut_short() -> None:
    """CLOSE_ACK ends before its last field."""
    bend(CloseAck, lambda data: _sized(data[: _body_end(data) - 4]))


@patch("R4", "rooted-lan", "leaf1")
def datagram_too_large() -> None:
    """JOIN_REQ is padded to 1300 octets."""

    def fatten(data: bytes) -> bytes:
        others = [tlv for tlv in _tlvs(data) if tlv[0] != TlvType.PAD]
        room = 1300 - len(_built(data, others)) - 4
        return _built(data, [*others, (TlvType.PAD, bytes(room))])

    bend(JoinReq, fatten)


@patch("R5", "rooted-lan", "leaf1")
def fragmentation_allowed() -> None:
    """Datagrams leave without Don't Fragment."""
    put(udp, "IP_PMTUDISC_DO", 0)


@patch("R6", "rooted-lan", "leaf1")
def checksum_left_out() -> None:
    """Datagrams leave without a UDP checksum."""

    def careless(original: Any, self: UdpSocket) -> None:
        original(self)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)

    wrap(UdpSocket, "_set_options", careless)


@patch("R7", "rooted-lan", "leaf1")
def tlv_overruns() -> None:
    """The last TLV of DATA says that it is longer than the datagram."""

    def overrun(data: bytes) -> bytes:
        at = _body_end(data) + 2
        return data[:at] + (len(data)).to_bytes(2) + data[at + 2 :]

    bend(Data, overrun)


@patch("R8", "rooted-lan", "leaf3")
def padding_with_leftovers() -> None:
    """What fills JOIN_REQ up is whatever was in memory."""

    def dirty(data: bytes) -> bytes:
        return _built(
            data,
            [
                (code, b"\xaa" * len(value) if code == TlvType.PAD else value)
                for code, value in _tlvs(data)
            ],
        )

    bend(JoinReq, dirty)


@patch("R9", "rooted-lan", "root")
def tlvs_out_of_order() -> None:
    """The TLVs of ACCEPT stand in descending order."""
    bend(Accept, lambda data: _built(data, _tlvs(data)[::-1]))


@patch("R10", "rooted-lan", "leaf1")
def timers_left_out() -> None:
    """JOIN_REQ does not announce the timers."""

    def bare(data: bytes) -> bytes:
        kept = [tlv for tlv in _tlvs(data) if tlv[0] != TlvType.TIMERS]
        return _built(data, [*kept, (TlvType.PAD, bytes(40))]) if kept[-1][0] != 1 else data

    bend(JoinReq, bare)


@patch("R11", "rooted-lan", "root")
def capabilities_too_short() -> None:
    """CAPS of ACCEPT has two octets instead of four."""

    def short(data: bytes) -> bytes:
        return _built(
            data,
            [(code, value[:2] if code == TlvType.CAPS else value) for code, value in _tlvs(data)],
        )

    bend(Accept, short)


@patch("R12", "rooted-lan", "leaf1")
def reserved_flag_set() -> None:
    """CLOSE has a header flag set that means nothing yet."""
    bend(Close, lambda data: _octet(data, 4, data[4] | 0x02))


@patch("R13", "rooted-lan", "leaf1")
def unassigned_tlv() -> None:
    """DATA carries a TLV of a type that nobody has assigned."""
    alter(Data, extra=((0x0333, b"mine"),))


@patch("R14", "rooted-lan", "leaf1")
def authentication_claimed() -> None:
    """CLOSE has flag A, but no AUTH TLV."""
    bend(Close, lambda data: _octet(data, 4, data[4] | HeaderFlag.A))


@patch("R15", "rooted-lan", "root")
def multicast_flag_to_one() -> None:
    """DATA to a single leaf has flag M."""
    alter(Data, flags=HeaderFlag.M)


@patch("R17", "rooted-lan", "root")
def answers_the_wrong_copy() -> None:
    """PENDING echoes an Attempt that the leaf has never sent."""
    alter(Pending, attempt=lambda message: message.attempt + 1)


@patch("R17", "rooted-lan", "leaf1")
def attempts_from_zero() -> None:
    """Copies of CLOSE are counted from 0."""
    bend(Close, lambda data: _octet(data, 5, data[5] - 1))


@patch("R18", "rooted-lan", "leaf1")
def unknown_close_flag() -> None:
    """CLOSE sets a bit of CFlags that does not exist."""
    bend(Close, lambda data: _octet(data, HEADER_OCTETS + 1, data[HEADER_OCTETS + 1] | 0x80))


@patch("R13", "rooted-lan", "root")
def reason_made_up() -> None:
    """REJECT gives a reason that the registry does not have."""
    bend(Reject, lambda data: _octet(data, HEADER_OCTETS, 200))


@patch("R32", "rooted-lan", "leaf3")
def request_too_small() -> None:
    """JOIN_REQ is not padded to 128 octets."""

    def trim(data: bytes) -> bytes:
        return _built(data, [tlv for tlv in _tlvs(data) if tlv[0] != TlvType.PAD])

    put(joining, "_grease", lambda _dice: ())
    bend(JoinReq, trim)
