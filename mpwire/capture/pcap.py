"""Read classic pcap files: what tcpdump writes when nobody asks for more.

One link type, no names, no directions, no comments; microseconds or nanoseconds in either byte
order. Cut files are read as far as they go, as with pcapng.

Layout: magic 4 | major 2 | minor 2 | zone 4 | accuracy 4 | snap length 4 | link type 4, then per
packet: seconds 4 | fraction 4 | captured 4 | original 4 | octets

Source: draft-ietf-opsawg-pcap.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from mpwire.capture.blocks import BLOCK_OCTETS_MAX, NANOSECONDS_PER_SECOND, Interface, Packet
from mpwire.capture.reader import Window
from mpwire.errors import InputError

HEADER_OCTETS: Final = 24
INTERFACE_NAME: Final = "capture"
"""Name of the one vantage: the format has none."""

# magic octets -> byte order, nanoseconds per unit of the fraction
MAGICS: Final = {
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
    bytes.fromhex("a1b23c4d"): (">", 1),
}


class PcapReader:
    """Iterate over the packets of a pcap stream, once; `lost` says what could not be read.

    Raises:
        InputError: the only error that iterating raises.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read from a binary stream; the name is used in messages."""
        self.interfaces: list[Interface] = []
        self.lost: list[str] = []
        self._window = Window(stream, name)

    def __iter__(self) -> Iterator[Interface | Packet]:
        """Yield the one interface, then every packet in file order."""
        window = self._window
        opened = self._opened()
        if opened is None:
            return
        order, interface = opened
        unit_ns = NANOSECONDS_PER_SECOND // interface.units_per_second
        yield interface
        head = struct.Struct(order + "IIII")
        while window.has(16):
            seconds, fraction, captured, original = head.unpack_from(window.buffer, window.at)
            if not self._whole(captured):
                break
            start = window.at + 16
            yield Packet(
                interface=interface,
                time_ns=seconds * NANOSECONDS_PER_SECOND + fraction * unit_ns,
                data=window.buffer[start : start + captured],
                original_octets=original,
                offset_octets=window.offset_octets,
            )
            window.at = start + captured
        if window.remaining_octets():
            self._lose(16, "packet record")

    def _opened(self) -> tuple[str, Interface] | None:
        """Read the header of the file; None if it is cut."""
        window = self._window
        if not window.has(HEADER_OCTETS):
            self._lose(HEADER_OCTETS, "file header")
            return None
        magic = window.buffer[:4]
        if magic not in MAGICS:
            raise InputError(f"{window.name}: octet 0: no pcap magic but {magic.hex(' ')}")
        order, unit_ns = MAGICS[magic]
        snaplen, linktype = struct.unpack_from(order + "II", window.buffer, 16)
        interface = Interface(
            index=0,
            name=INTERFACE_NAME,
            linktype=linktype & 0xFFFF,  # the upper bits tell of frame check sequences
            snaplen_octets=snaplen,
            units_per_second=NANOSECONDS_PER_SECOND // unit_ns,
        )
        self.interfaces.append(interface)
        window.at = HEADER_OCTETS
        return order, interface

    def _whole(self, captured: int) -> bool:
        """Tell whether the packet at hand, of so many octets, is there as a whole."""
        window = self._window
        if captured > BLOCK_OCTETS_MAX:
            raise InputError(
                f"{window.name}: octet {window.offset_octets}: a packet of {captured} octets"
            )
        return window.has(16 + captured)

    def _lose(self, octets: int, what: str) -> None:
        window = self._window
        self.lost.append(
            f"{window.name}: octet {window.offset_octets}: the file was cut: a {what} has at least "
            f"{octets} octets, {window.remaining_octets()} are there; what followed is lost"
        )
