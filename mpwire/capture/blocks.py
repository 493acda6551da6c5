"""pcapng blocks and options: the numbers, the values they decode to, and options as octets.

Every block is a type, a total length, a body padded to 32 bits and the total length again; most
bodies end in options, each a code, a length and a value padded to 32 bits. The reader and the
writer share this module and nothing else.

Source: draft-ietf-opsawg-pcapng, sections 3 and 4.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, Literal

import msgspec

from mpwire.errors import LocalProtocolError

ByteOrder = Literal["<", ">"]
Direction = Literal["in", "out"]

BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
OPTION_OCTETS_MAX: Final = 0xFFFF
BLOCK_OCTETS_MAX: Final = 64 * 1024 * 1024
"""A block that claims more is damage, not data (Wireshark stops at 16 MiB)."""

LINKTYPE_ETHERNET: Final = 1

# Bits 0-1 of epb_flags and pack_flags; zero means the capturing program did not say.
INBOUND: Final = 1
OUTBOUND: Final = 2
FLAGS_OF: Final[dict[Direction, int]] = {"in": INBOUND, "out": OUTBOUND}
DIRECTIONS: Final[tuple[Direction | None, ...]] = (None, "in", "out", None)


At = tuple[str, Direction]
"""A host, and a direction seen from it."""
Seen = tuple[At, bytes, int]
"""A frame on its way into a file: where it was seen, its octets, nanoseconds since 1970. No object
of a class of its own, because there are very many."""


class BlockType(IntEnum):
    """Block types this package writes or reads; all others are skipped."""

    INTERFACE_DESCRIPTION = 1
    """One capture interface of the section: link type, name, resolution of its stamps."""
    PACKET = 2
    """Obsolete: like ENHANCED_PACKET, with a 16-bit interface and a drop count. Read only."""
    SIMPLE_PACKET = 3
    """Octets of interface 0 without a stamp. Read only."""
    INTERFACE_STATISTICS = 5
    """Received and dropped counts of one interface."""
    ENHANCED_PACKET = 6
    """Octets with interface, stamp, flags, number and comments."""
    CUSTOM = 0x0BAD
    """Private data that programs which edit captures keep."""
    CUSTOM_NOT_COPIED = 0x40000BAD
    """Private data that programs which edit captures leave out. Read only."""
    SECTION_HEADER = 0x0A0D0D0A
    """Start of a section; the same octets in both byte orders."""


class Option:
    """Option codes by the block that carries them."""

    END = 0
    COMMENT = 1
    SHB_HARDWARE = 2
    SHB_OS = 3
    SHB_APPLICATION = 4
    IF_NAME = 2
    IF_DESCRIPTION = 3
    IF_IPV4_ADDRESS = 4
    IF_IPV6_ADDRESS = 5
    IF_MAC_ADDRESS = 6
    IF_TSRESOL = 9
    IF_TSOFFSET = 14
    EPB_FLAGS = 2
    EPB_DROPCOUNT = 4
    EPB_PACKETID = 5
    ISB_IFRECV = 4
    ISB_IFDROP = 5
    ISB_OSDROP = 7


class Section(msgspec.Struct, kw_only=True):
    """A section: everything up to the next section header."""

    byte_order: ByteOrder
    application: str | None = None
    """The program that wrote the section."""
    comments: tuple[str, ...] = ()
    offset_octets: int = 0


class Interface(msgspec.Struct, kw_only=True):
    """One capture interface, which for mpwire is one vantage."""

    index: int
    """Place among all interfaces of the file, sections counted through, from 0."""
    name: str
    """if_name, or "interface N" where the file has none."""
    linktype: int
    snaplen_octets: int = 0
    """Longest capture of one packet; 0 = no limit."""
    units_per_second: int = 1_000_000
    """Resolution of the stamps (if_tsresol)."""
    offset_s: int = 0
    """Seconds to add to every stamp (if_tsoffset)."""
    description: str | None = None
    comments: tuple[str, ...] = ()


class Packet(msgspec.Struct, kw_only=True, gc=False):
    """One captured packet of any of the three packet blocks."""

    interface: Interface
    time_ns: int | None
    """Since 1970, or None where the block has no stamp."""
    data: bytes
    original_octets: int
    """Octets on the wire; more than len(data) when the capture cut the packet."""
    direction: Direction | None = None
    packetid: int | None = None
    dropped_count: int = 0
    """Packets that the capturing program says it lost just before this one."""
    comments: tuple[str, ...] = ()
    offset_octets: int = 0


class Statistics(msgspec.Struct, kw_only=True):
    """Counters of one interface; None where the file does not say."""

    interface: Interface
    time_ns: int
    received_count: int | None = None
    dropped_count: int | None = None
    """Lost for lack of room in the interface (isb_ifdrop)."""
    os_dropped_count: int | None = None
    """Lost in the kernel (isb_osdrop)."""
    comments: tuple[str, ...] = ()
    offset_octets: int = 0


class Custom(msgspec.Struct, kw_only=True):
    """A custom block: somebody's private data, padding included."""

    pen: int
    """IANA private enterprise number of whoever defines the payload."""
    payload: bytes
    copied: bool = True
    offset_octets: int = 0


Block = Section | Interface | Packet | Statistics | Custom


def pad(octets: bytes) -> bytes:
    """Return the octets followed by as many zeros as fill the last 32-bit word."""
    return octets + bytes(-len(octets) % 4)


def encode_options(order: ByteOrder, options: Iterable[tuple[int, bytes]]) -> bytes:
    """Encode options and the end mark; nothing at all when there is no option.

    Layout: code 2 | length 2 | value, padded to 4 | ... | 0 2 | 0 2

    Raises:
        LocalProtocolError: a value longer than 65,535 octets.
    """
    encoded = b"".join(_encode_option(order, code, value) for code, value in options)
    return encoded + bytes(4) if encoded else b""


def _encode_option(order: ByteOrder, code: int, value: bytes) -> bytes:
    if len(value) > OPTION_OCTETS_MAX:
        raise LocalProtocolError(
            f"option {code} holds {len(value)} octets; at most {OPTION_OCTETS_MAX} fit"
        )
    return struct.pack(order + "HH", code, len(value)) + pad(value)


def encode_text(text: str) -> bytes:
    """Encode text as UTF-8, with a question mark for what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace")


def decode_text(octets: bytes) -> str:
    """Decode UTF-8 with replacement marks: a comment must not make a capture unreadable."""
    return octets.rstrip(b"\0").decode("utf-8", "replace")


def decode_options_untrusted(order: ByteOrder, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield (code, value) of the options that start at `at`, up to the end mark.

    Raises:
        ValueError: an option runs out of the block; the caller knows file and offset.
    """
    end = len(body)
    head = struct.Struct(order + "HH")
    while at < end:
        if end - at < 4:
            raise ValueError(f"{end - at} octets where an option needs at least 4")
        code, length = head.unpack_from(body, at)
        if code == Option.END:
            return
        at += 4
        if at + length > end:
            raise ValueError(f"option {code} claims {length} octets, {end - at} are left")
        yield code, body[at : at + length]
        at += length + (-length % 4)
