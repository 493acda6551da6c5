"""Write pcapng: one section, nanosecond stamps, everything Wireshark can show about a packet."""

import ipaddress
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO, Final

from mpwire.capture.blocks import (
    BLOCK_OCTETS_MAX,
    BYTE_ORDER_MAGIC,
    FLAGS_OF,
    LINKTYPE_ETHERNET,
    At,
    BlockType,
    ByteOrder,
    Direction,
    Option,
    Seen,
    encode_options,
    encode_text,
    pad,
)
from mpwire.errors import LocalProtocolError

TSRESOL_NANOSECONDS: Final = 9
STAMP_NS_MAX: Final = 2**64 - 1


OPTIONS_OCTETS: Final = 24
"""Direction and number of a packet, and the mark that ends them."""

TEMPLATE_COUNT_MAX: Final = 4096
"""What packets of a length and a place have in common is kept for so many of these, about 3 MB."""

_Template = tuple[Callable[..., bytes], bytes, bytes, bytes, int]
"""How to pack a packet, then its head, its lengths, its options, and how long the block is."""


class Writer:
    """Append blocks to a binary stream; buffering is the stream's business.

    The section header is written at once, so that even a file cut short says what it is. What
    the reader would refuse is refused here, before an octet is written.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        application: str = "mpwire",
        byte_order: ByteOrder = "<",
        comments: Sequence[str] = (),
    ) -> None:
        """Start a section.

        Layout: magic 4 | major 2 | minor 2 | section length 8 (-1: to the end) | options
        """
        self._stream = stream
        self._order: ByteOrder = byte_order
        self._interface_count = 0
        self._templates: dict[tuple[At, int], _Template] = {}
        self._packet_head = struct.Struct(byte_order + "IIIIIII")
        self._packet_numbers = struct.Struct(byte_order + "HHIHHQ")
        self._length = struct.Struct(byte_order + "I")
        body = struct.pack(byte_order + "IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
        options = [*_comment_options(comments), (Option.SHB_APPLICATION, encode_text(application))]
        self._block(BlockType.SECTION_HEADER, body + encode_options(byte_order, options))

    def interface(
        self,
        name: str,
        *,
        linktype: int = LINKTYPE_ETHERNET,
        snaplen_octets: int = 0,
        description: str | None = None,
        mac: str | None = None,
        addresses: Sequence[str] = (),
    ) -> int:
        """Describe an interface and return its number in the section.

        Layout: link type 2 | reserved 2 | snap length 4 | options

        Args:
            name: what Wireshark shows as the interface's name.
            linktype: a LINKTYPE_ number.
            snaplen_octets: 0 for no limit.
            description: free text.
            mac: six octets as hexadecimal text with colons.
            addresses: "10.0.0.1/24", "fd00::1/64".

        Raises:
            LocalProtocolError: an address that is none, or a number out of range.
        """
        try:
            body = struct.pack(self._order + "HHI", linktype, 0, snaplen_octets)
            options = [(Option.IF_NAME, encode_text(name))]
            if description is not None:
                options.append((Option.IF_DESCRIPTION, encode_text(description)))
            options += [_address_option(address) for address in addresses]
            if mac is not None:
                options.append((Option.IF_MAC_ADDRESS, bytes.fromhex(mac.replace(":", ""))))
        except (ValueError, struct.error) as error:
            raise LocalProtocolError(f"interface {name!r}: {error}") from error
        options.append((Option.IF_TSRESOL, bytes([TSRESOL_NANOSECONDS])))
        self._block(BlockType.INTERFACE_DESCRIPTION, body + encode_options(self._order, options))
        self._interface_count += 1
        return self._interface_count - 1

    def packet(
        self,
        interface: int,
        data: bytes,
        time_ns: int,
        *,
        direction: Direction | None = None,
        packetid: int | None = None,
        original_octets: int | None = None,
        comments: Sequence[str] = (),
    ) -> None:
        """Write an enhanced packet block.

        Layout: interface 4 | stamp high 4 | stamp low 4 | captured 4 | original 4 | data | options

        Raises:
            LocalProtocolError: an unknown interface, a stamp before 1970 or after 2554, or more
                octets than a block may hold.
        """
        if not 0 <= interface < self._interface_count:
            raise LocalProtocolError(f"interface {interface} was never described")
        if not 0 <= time_ns <= STAMP_NS_MAX:
            raise LocalProtocolError(f"a stamp of {time_ns} ns does not fit in 64 bits")
        captured = len(data)
        options = self._packet_options(direction, packetid, comments)
        length = 32 + captured + (-captured % 4) + len(options)
        if length > BLOCK_OCTETS_MAX:
            raise LocalProtocolError(f"a packet of {captured} octets is no packet")
        head = self._packet_head.pack(
            BlockType.ENHANCED_PACKET,
            length,
            interface,
            time_ns >> 32,
            time_ns & 0xFFFFFFFF,
            captured,
            captured if original_octets is None else original_octets,
        )
        self._stream.write(
            b"".join((head, data, bytes(-captured % 4), options, self._length.pack(length)))
        )

    def packets(self, seen: Sequence[Seen], interfaces: Mapping[str, int], packetid: int) -> None:
        """Write many packets with direction and number, the same octets as one by one, all or none.

        What packets of one length seen at one place have in common is encoded once.

        Args: interfaces: by host; packetid: of the first, the others follow.
        Raises: LocalProtocolError as `packet`.
        """
        templates = self._templates
        blocks = []
        try:
            for number, (at, data, time_ns) in enumerate(seen, packetid):
                key = at, len(data)
                template = templates.get(key)
                if template is None:
                    if len(templates) >= TEMPLATE_COUNT_MAX:
                        templates.clear()
                    template = templates[key] = self._template(interfaces[at[0]], at[1], len(data))
                pack, head, lengths, options, length = template
                high, low = time_ns >> 32, time_ns & 0xFFFFFFFF
                blocks.append(pack(head, high, low, lengths, data, options, number, length))
        except (KeyError, struct.error) as error:
            # Tell what is wrong with it, as for one that comes alone.
            raise LocalProtocolError(f"{at[0]}: {time_ns} ns: {error}") from error
        self._stream.write(b"".join(blocks))

    def _template(self, interface: int, direction: Direction, captured: int) -> _Template:
        """Encode what packets have in common; for the layout see `packet`."""
        order = self._order
        padding = -captured % 4
        pack = struct.Struct(f"{order}12sII8s{captured}s{padding}x12sQ4xI").pack
        length = 32 + captured + padding + OPTIONS_OCTETS
        if length > BLOCK_OCTETS_MAX:
            raise LocalProtocolError(f"a packet of {captured} octets is no packet")
        head = struct.pack(order + "III", BlockType.ENHANCED_PACKET, length, interface)
        flags = Option.EPB_FLAGS, 4, FLAGS_OF[direction]
        options = struct.pack(order + "HHIHH", *flags, Option.EPB_PACKETID, 8)
        return pack, head, struct.pack(order + "II", captured, captured), options, length

    def _packet_options(
        self, direction: Direction | None, packetid: int | None, comments: Sequence[str]
    ) -> bytes:
        if direction is not None and packetid is not None and not comments:
            # What every frame of a run carries: packed in one go, as there are very many.
            return self._packet_numbers.pack(
                Option.EPB_FLAGS, 4, FLAGS_OF[direction], Option.EPB_PACKETID, 8, packetid
            ) + bytes(4)
        options = _comment_options(comments)
        if direction is not None:
            options.append((Option.EPB_FLAGS, self._length.pack(FLAGS_OF[direction])))
        if packetid is not None:
            options.append((Option.EPB_PACKETID, struct.pack(self._order + "Q", packetid)))
        return encode_options(self._order, options)

    def statistics(
        self,
        interface: int,
        time_ns: int,
        *,
        received_count: int | None = None,
        dropped_count: int | None = None,
        os_dropped_count: int | None = None,
        comments: Sequence[str] = (),
    ) -> None:
        """Write the counters of one interface; None leaves a counter out.

        Layout: interface 4 | stamp high 4 | stamp low 4 | options
        """
        options = _comment_options(comments)
        counters = (
            (Option.ISB_IFRECV, received_count),
            (Option.ISB_IFDROP, dropped_count),
            (Option.ISB_OSDROP, os_dropped_count),
        )
        options += [
            (code, struct.pack(self._order + "Q", count))
            for code, count in counters
            if count is not None
        ]
        body = struct.pack(self._order + "III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF)
        self._block(BlockType.INTERFACE_STATISTICS, body + encode_options(self._order, options))

    def custom(self, pen: int, payload: bytes) -> None:
        """Write a custom block that editors of captures keep.

        Layout: private enterprise number 4 | payload, padded with zeros to 4
        """
        self._block(BlockType.CUSTOM, self._length.pack(pen) + pad(payload))

    def _block(self, kind: BlockType, body: bytes) -> None:
        length = 12 + len(body)
        if length > BLOCK_OCTETS_MAX:
            raise LocalProtocolError(f"a block of {length} octets; at most {BLOCK_OCTETS_MAX}")
        head = struct.pack(self._order + "II", kind, length)
        self._stream.write(b"".join((head, body, self._length.pack(length))))


def _comment_options(comments: Iterable[str]) -> list[tuple[int, bytes]]:
    return [(Option.COMMENT, encode_text(comment)) for comment in comments]


def _address_option(text: str) -> tuple[int, bytes]:
    address = ipaddress.ip_interface(text)
    if isinstance(address, ipaddress.IPv4Interface):
        return Option.IF_IPV4_ADDRESS, address.ip.packed + address.netmask.packed
    return Option.IF_IPV6_ADDRESS, address.ip.packed + bytes([address.network.prefixlen])
