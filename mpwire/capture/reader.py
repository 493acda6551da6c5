"""Read pcapng of any origin, block by block, from a stream.

A capture that ends inside a block (the writer was killed, the disk was full, the copy was cut) is
still evidence: everything before the cut is yielded and `lost` says what is missing. A file that
contradicts itself is not: it raises InputError with the file and the octet where it happened.
"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NoReturn

from mpwire.capture.blocks import (
    BLOCK_OCTETS_MAX,
    BYTE_ORDER_MAGIC,
    DIRECTIONS,
    NANOSECONDS_PER_SECOND,
    Block,
    BlockType,
    ByteOrder,
    Custom,
    Interface,
    Option,
    Packet,
    Section,
    Statistics,
    decode_options_untrusted,
    decode_text,
)
from mpwire.errors import InputError

READ_OCTETS: Final = 1024 * 1024
DROPS_UNKNOWN: Final = 0xFFFF


class Window:
    """A window that slides over a stream: `buffer[at:]` is what was read and not yet used."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Start at the stream's present position, which counts as octet 0."""
        self.buffer = b""
        self.at = 0
        self.name = name
        self._stream = stream
        self._base_octets = 0

    @property
    def offset_octets(self) -> int:
        """Where the unused part begins in the file."""
        return self._base_octets + self.at

    def has(self, octets: int) -> bool:
        """Read on until that many unused octets are there; False when the file ends before.

        Raises:
            InputError: the file cannot be read.
        """
        missing = octets - (len(self.buffer) - self.at)
        while missing > 0:
            try:
                chunk = self._stream.read(max(READ_OCTETS, missing))
            except OSError as error:
                raise InputError(f"{self.name}: octet {self.offset_octets}: {error}") from error
            if not chunk:
                return False
            self._base_octets += self.at
            self.buffer = self.buffer[self.at :] + chunk
            self.at = 0
            missing = octets - len(self.buffer)
        return True

    def remaining_octets(self) -> int:
        """Octets that were read and not yet used."""
        return len(self.buffer) - self.at


class Reader:
    """Iterate over the blocks of a pcapng stream, once.

    Attributes `interfaces` (of all sections so far) and `lost` (what could not be read, as
    sentences) grow while iterating. Unknown blocks are skipped.

    Raises:
        InputError: the only error that iterating raises.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read from a binary stream; the name is used in messages."""
        self.interfaces: list[Interface] = []
        self.lost: list[str] = []
        self._window = Window(stream, name)
        self._section_start = 0
        self._use_order("<")
        self._decoders: Final[dict[int, Callable[[int, bytes], Block]]] = {
            BlockType.INTERFACE_DESCRIPTION: self._interface,
            BlockType.PACKET: self._obsolete_packet,
            BlockType.SIMPLE_PACKET: self._simple_packet,
            BlockType.INTERFACE_STATISTICS: self._statistics,
            BlockType.ENHANCED_PACKET: self._enhanced_packet,
            BlockType.CUSTOM: self._custom,
            BlockType.CUSTOM_NOT_COPIED: self._custom,
            BlockType.SECTION_HEADER: self._section,
        }

    def __iter__(self) -> Iterator[Block]:
        """Yield every block this package knows, in file order."""
        window = self._window
        self._require_section_header()
        while window.has(12):
            kind, length = self._head()
            if not window.has(length):
                self._lose(f"the last block claims {length} octets")
                return
            start, end = window.at, window.at + length
            (trailer,) = self._trailer.unpack_from(window.buffer, end - 4)
            if trailer != length:
                self._fail(f"a block of {length} octets ends in the length {trailer}")
            found = self._decoded(kind, window.buffer[start + 8 : end - 4])
            if found is not None:
                yield found
            window.at = end
        if window.remaining_octets():
            self._lose("a block needs at least 12 octets")

    def _decoded(self, kind: int, body: bytes) -> Block | None:
        """Decode one block; None for a kind that nobody here knows."""
        decode = self._decoders.get(kind)
        if decode is None:
            return None
        try:
            return decode(kind, body)
        except (struct.error, ValueError) as error:
            self._fail(f"block type {kind}: {error}", error)

    def _use_order(self, order: ByteOrder) -> None:
        self._order: ByteOrder = order
        self._lengths = struct.Struct(order + "II")
        self._trailer = struct.Struct(order + "I")
        self._block_head = struct.Struct(order + "IIIIIII")
        self._packet_head = struct.Struct(order + "IIIII")
        self._usual_options = struct.Struct(order + "HHIHHQI")

    def _require_section_header(self) -> None:
        window = self._window
        window.has(4)
        start = window.buffer[:4]
        magic = struct.pack("<I", BlockType.SECTION_HEADER)
        if not magic.startswith(start):
            self._fail(f"no pcapng section header but {start.hex(' ')}")
        if not start:
            self.lost.append(f"{window.name}: the file is empty")

    def _head(self) -> tuple[int, int]:
        """Return type and length of the block at hand, in the byte order of its section."""
        window = self._window
        kind, length = self._lengths.unpack_from(window.buffer, window.at)
        if kind == BlockType.SECTION_HEADER:
            magic = window.buffer[window.at + 8 : window.at + 12]
            self._use_order(self._byte_order(magic))
            length = struct.unpack_from(self._order + "I", window.buffer, window.at + 4)[0]
        if length < 12 or length % 4 or length > BLOCK_OCTETS_MAX:
            self._fail(f"a block length of {length} (a multiple of 4, 12 or more, is expected)")
        return kind, length

    def _byte_order(self, magic: bytes) -> ByteOrder:
        if magic == struct.pack("<I", BYTE_ORDER_MAGIC):
            return "<"
        if magic != struct.pack(">I", BYTE_ORDER_MAGIC):
            self._fail(f"no byte-order magic but {magic.hex(' ')}")
        return ">"

    def _fail(self, found: str, cause: Exception | None = None) -> NoReturn:
        window = self._window
        raise InputError(f"{window.name}: octet {window.offset_octets}: {found}") from cause

    def _lose(self, expected: str) -> None:
        window = self._window
        self.lost.append(
            f"{window.name}: octet {window.offset_octets}: the file was cut: {expected}, "
            f"{window.remaining_octets()} are there; what followed is lost"
        )

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        return decode_options_untrusted(self._order, body, at)

    def _section(self, _kind: int, body: bytes) -> Section:
        _magic, major, minor, _length = struct.unpack_from(self._order + "IHHq", body)
        if major != 1:
            raise ValueError(f"pcapng version {major}.{minor}; only 1.x is known")
        section = Section(byte_order=self._order, offset_octets=self._window.offset_octets)
        comments = []
        for code, value in self._options(body, 16):
            if code == Option.COMMENT:
                comments.append(decode_text(value))
            elif code == Option.SHB_APPLICATION:
                section.application = decode_text(value)
        section.comments = tuple(comments)
        self._section_start = len(self.interfaces)
        return section

    def _interface(self, _kind: int, body: bytes) -> Interface:
        linktype, _reserved, snaplen = struct.unpack_from(self._order + "HHI", body)
        index = len(self.interfaces)
        interface = Interface(
            index=index, name=f"interface {index}", linktype=linktype, snaplen_octets=snaplen
        )
        comments = []
        for code, value in self._options(body, 8):
            if code == Option.COMMENT:
                comments.append(decode_text(value))
            elif code == Option.IF_NAME and value:
                interface.name = decode_text(value)
            elif code == Option.IF_DESCRIPTION:
                interface.description = decode_text(value)
            elif code == Option.IF_TSRESOL:
                (resolution,) = struct.unpack("B", value)
                base = 2 if resolution & 0x80 else 10
                interface.units_per_second = base ** (resolution & 0x7F)
            elif code == Option.IF_TSOFFSET:
                (interface.offset_s,) = struct.unpack(self._order + "q", value)
        interface.comments = tuple(comments)
        self.interfaces.append(interface)
        return interface

    def _interface_of(self, number: int) -> Interface:
        known = len(self.interfaces) - self._section_start
        if number >= known:
            raise ValueError(f"interface {number}, but the section describes {known}")
        return self.interfaces[self._section_start + number]

    def _enhanced_packet(self, _kind: int, body: bytes) -> Packet:
        number, high, low, captured, original = self._packet_head.unpack_from(body)
        packet = self._packet(number, high << 32 | low, body, captured, original)
        at = 20 + captured + (-captured % 4)
        if len(body) - at == self._usual_options.size:
            # Every frame of a run has flags and number and nothing else: no loop, being so many.
            flags_code, _, flags, id_code, _, packetid, end = self._usual_options.unpack_from(
                body, at
            )
            if (flags_code, id_code, end) == (Option.EPB_FLAGS, Option.EPB_PACKETID, Option.END):
                packet.direction = DIRECTIONS[flags & 3]
                packet.packetid = packetid
                return packet
        comments = []
        for code, value in self._options(body, at):
            if code == Option.COMMENT:
                comments.append(decode_text(value))
            elif code == Option.EPB_FLAGS:
                (flags,) = struct.unpack(self._order + "I", value)
                packet.direction = DIRECTIONS[flags & 3]
            elif code == Option.EPB_PACKETID:
                (packet.packetid,) = struct.unpack(self._order + "Q", value)
            elif code == Option.EPB_DROPCOUNT:
                (packet.dropped_count,) = struct.unpack(self._order + "Q", value)
        packet.comments = tuple(comments)
        return packet

    def _obsolete_packet(self, _kind: int, body: bytes) -> Packet:
        number, drops, high, low, captured, original = struct.unpack_from(
            self._order + "HHIIII", body
        )
        packet = self._packet(number, high << 32 | low, body, captured, original)
        packet.dropped_count = 0 if drops == DROPS_UNKNOWN else drops
        comments = []
        for code, value in self._options(body, 20 + captured + (-captured % 4)):
            if code == Option.COMMENT:
                comments.append(decode_text(value))
            elif code == Option.EPB_FLAGS:  # pack_flags: same code, same bits
                (flags,) = struct.unpack(self._order + "I", value)
                packet.direction = DIRECTIONS[flags & 3]
        packet.comments = tuple(comments)
        return packet

    def _simple_packet(self, _kind: int, body: bytes) -> Packet:
        (original,) = struct.unpack_from(self._order + "I", body)
        snaplen = self._interface_of(0).snaplen_octets
        captured = min(original, snaplen) if snaplen else original
        packet = self._packet(0, 0, body, captured, original, at=4)
        packet.time_ns = None
        return packet

    def _packet(
        self, number: int, stamp: int, body: bytes, captured: int, original: int, *, at: int = 20
    ) -> Packet:
        interface = self._interface_of(number)
        if captured > len(body) - at:
            raise ValueError(f"{captured} captured octets, but {len(body) - at} are in the block")
        return Packet(
            interface=interface,
            time_ns=nanoseconds(interface, stamp),
            data=body[at : at + captured],
            original_octets=original,
            offset_octets=self._window.offset_octets,
        )

    def _statistics(self, _kind: int, body: bytes) -> Statistics:
        number, high, low = struct.unpack_from(self._order + "III", body)
        interface = self._interface_of(number)
        statistics = Statistics(
            interface=interface,
            time_ns=nanoseconds(interface, high << 32 | low),
            offset_octets=self._window.offset_octets,
        )
        comments = []
        for code, value in self._options(body, 12):
            if code == Option.COMMENT:
                comments.append(decode_text(value))
            elif code == Option.ISB_IFRECV:
                (statistics.received_count,) = struct.unpack(self._order + "Q", value)
            elif code == Option.ISB_IFDROP:
                (statistics.dropped_count,) = struct.unpack(self._order + "Q", value)
            elif code == Option.ISB_OSDROP:
                (statistics.os_dropped_count,) = struct.unpack(self._order + "Q", value)
        statistics.comments = tuple(comments)
        return statistics

    def _custom(self, kind: int, body: bytes) -> Custom:
        (pen,) = struct.unpack_from(self._order + "I", body)
        return Custom(
            pen=pen,
            payload=body[4:],
            copied=kind == BlockType.CUSTOM,
            offset_octets=self._window.offset_octets,
        )


def nanoseconds(interface: Interface, stamp: int) -> int:
    """Convert a stamp of the interface's resolution to nanoseconds since 1970."""
    if interface.units_per_second != NANOSECONDS_PER_SECOND:
        stamp = stamp * NANOSECONDS_PER_SECOND // interface.units_per_second
    return stamp + interface.offset_s * NANOSECONDS_PER_SECOND
