"""Keep frames that belong together as octets until they are judged.

A dossier holds what concerns the exchanges between some addresses, mostly two: the attempts to
join, the memberships that came of them, and what else went between. As objects its frames would
take ten times the memory, and a capture may have a hundred thousand memberships that last.

Layout of a frame: number 8 | time 8 | original octets 4 | way 4 | octets 4 | the octets
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, inet_pton

from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.runfile import Frame
from mpwire.wire.codec import is_mpw
from mpwire.wire.numbers import CloseFlag, LeafDirection, MessageType, TlvType

HEAD = struct.Struct("<QQIII")
ETHERNET = 1
ETHERNET_IPV4 = b"\x08\x00\x45"
UDP = b"\x11"
MESSAGE_AT = 14 + 20 + 8
"""Where a message begins over Ethernet and IPv4 without options."""
LEAST_OCTETS = 45
"""As much of a message as a glance needs; shorter ones are filled up with zeros."""
JOIN_REQ, ACCEPT, CLOSE = int(MessageType.JOIN_REQ), int(MessageType.ACCEPT), int(MessageType.CLOSE)
CLOSE_ACK, ABORT = int(MessageType.CLOSE_ACK), int(MessageType.ABORT)
NAMING = frozenset({JOIN_REQ, ACCEPT, int(MessageType.CANCEL), int(MessageType.PENDING)})
"""Types whose body begins with a tag: InitTag of the requests, RespTag of the answers."""
DESCRIBING = {ACCEPT: 32 + 20, int(MessageType.CONFIRM): 32 + 12}
"""Types that may describe the session, and where their TLVs begin."""
REFUSING = frozenset({int(MessageType.REJECT), int(MessageType.CANCEL_ACK)})
NO_TYPE = -1

Key = int | bytes
"""By what a dossier is found: a tag, or addresses."""


@dataclass(slots=True)
class Glance:
    """What decides to which dossier a datagram belongs, read without decoding the message."""

    source: bytes
    """Address and port."""
    destination: bytes
    kind: int
    """The type of the message; NO_TYPE for a datagram that is none."""
    session_id: int
    tag: int
    """Destination Tag."""
    named: int
    """The tag that the body begins with, where the type has one; else 0."""
    start: int
    """First two octets of the body: reason and flags of CLOSE, flags of CLOSE_ACK."""
    to_group: bool
    grouped: bool
    """It goes to a group, or describes a session that has one."""
    leading: int
    """Member ID that the root gives to a leaf that is the d_root; else 0."""

    @property
    def between(self) -> bytes:
        """Name the two addresses, whichever of them sent it."""
        if self.source < self.destination:
            return self.source + self.destination
        return self.destination + self.source

    @property
    def ends(self) -> bool:
        """Tell whether it is the last word about a membership."""
        return self.kind == ABORT or (self.kind == CLOSE_ACK and not self.start >> 8)

    @property
    def halves(self) -> bool:
        """Tell whether it is a CLOSE of one direction."""
        return self.kind == CLOSE and bool(self.start & CloseFlag.HALF)


def glance(frame: Frame) -> Glance | None:
    """Read what a datagram is about; None for what is no UDP datagram."""
    data = frame.data
    usual = data[12:15] == ETHERNET_IPV4 and data[23:24] == UDP and frame.linktype == ETHERNET
    if usual and len(data) >= MESSAGE_AT and not (data[20] & 0x3F or data[21]):
        source, destination = data[26:30] + data[34:36], data[30:34] + data[36:38]
        return _read(source, destination, data[MESSAGE_AT:])
    decoded = decode_frame(frame.linktype, data)
    if not isinstance(decoded, Datagram):
        return None
    return _read(_packed(decoded.source), _packed(decoded.destination), decoded.payload)


def _packed(endpoint: tuple[str, int]) -> bytes:
    address, port = endpoint
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address) + port.to_bytes(2, "big")


def _read(source: bytes, destination: bytes, payload: bytes) -> Glance:
    """Layout: magic 2 | version 1 | type 1 | 4 | Session ID 8 | tag 8 | 8 | the body."""
    if not is_mpw(payload):
        return Glance(
            source, destination, NO_TYPE, 0, 0, 0, 0, to_group=False, grouped=False, leading=0
        )
    start = payload if len(payload) >= LEAST_OCTETS else payload + bytes(LEAST_OCTETS)
    kind = start[3]
    first = destination[0]
    to_group = first == 0xFF if len(destination) > 6 else first >> 4 == 0xE
    return Glance(
        source,
        destination,
        kind,
        int.from_bytes(start[8:16], "big"),
        int.from_bytes(start[16:24], "big"),
        int.from_bytes(start[32:40], "big") if kind in NAMING else 0,
        start[32] << 8 | start[33],
        to_group=to_group,
        grouped=to_group or (kind in DESCRIBING and _describes_group(kind, payload)),
        leading=_leads(kind, start) if kind in DESCRIBING else 0,
    )


def _describes_group(kind: int, payload: bytes) -> bool:
    """Tell whether a half of a handshake has a SESSION_DESC with a group.

    Layout: type 2 | length 2 | value, filled up to 4, which begins: planes 1 | family 1
    """
    at = DESCRIBING[kind]
    while at + 6 <= len(payload):
        code, length = payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3]
        if code == TlvType.SESSION_DESC:
            return payload[at + 5] != 0
        at += 4 + length + (-length & 3)
    return False


def _leads(kind: int, start: bytes) -> int:
    """Return the Member ID that half of a handshake gives to a d_root among the leaves.

    Layout: in ACCEPT RespTag 8 first; AssignedID 4 | in CONFIRM NextDataSeq 4 | LeafDir 1
    """
    assigned, direction = (40, 44) if kind == ACCEPT else (32, 40)
    if not start[direction] & LeafDirection.D_ROOT:
        return 0
    return int.from_bytes(start[assigned : assigned + 4], "big")


@dataclass(slots=True, eq=False)
class Dossier:
    """The frames of some exchanges, and which of these are not over yet."""

    octets: bytearray = field(default_factory=bytearray)
    frames: int = 0
    repeated: int = 0
    """How many of them are of a kind that memberships send again and again."""
    newest_ns: int = 0
    """When something was heard last."""
    keys: list[Key] = field(default_factory=list)
    """By what it is found."""
    open: tuple[int, ...] = ()
    """InitTags of the attempts that are neither refused nor over with their memberships."""
    pairs: tuple[tuple[int, int], ...] = ()
    """InitTag and RespTag of the acceptances that are not over."""
    begun: bool = False
    """There was such an attempt."""
    closing: bool = False
    """A CLOSE was sent: from there on rules look at what is repeated, too."""
    halved: bool = False
    """A direction was closed alone, so that what acknowledges a CLOSE may end nothing."""
    lined: tuple[int, ...] = ()
    """Tags to which what is repeated goes without being put here."""
    patience: int = 0
    """With so many repeated frames it is tried to learn what is repeated."""
    directed: bool = False
    """Frames say in which direction they were captured."""

    def put(self, frame: Frame, way: int) -> None:
        """Append a frame; `way` stands for where and in which direction it was captured."""
        data = frame.data
        self.octets += HEAD.pack(frame.number, frame.time_ns, frame.original_octets, way, len(data))
        self.octets += data
        self.frames += 1
        self.newest_ns = max(self.newest_ns, frame.time_ns)

    def note(self, seen: Glance, *, new: bool) -> None:
        """Follow what begins and what is over; `new`: the tag that it names was never heard."""
        if seen.kind == JOIN_REQ:
            if new:
                self.open += (seen.named,)
                self.begun = True
        elif seen.kind == ACCEPT:
            pair = (seen.tag, seen.named)
            if seen.tag in self.open and pair not in self.pairs:
                self.pairs += (pair,)
        elif seen.kind in REFUSING:
            self._end(seen.tag)
        elif seen.kind == CLOSE:
            self.closing = True
            self.halved |= seen.halves
        elif seen.ends and not (self.halved and seen.kind == CLOSE_ACK):
            for pair in self.pairs:
                if seen.tag in pair:
                    self._end(pair[0])

    def _end(self, init_tag: int) -> None:
        self.open = tuple(tag for tag in self.open if tag != init_tag)
        self.pairs = tuple(pair for pair in self.pairs if pair[0] != init_tag)

    def take_over(self, other: "Dossier") -> None:
        """Take everything that another dossier holds."""
        self.octets += other.octets
        self.frames += other.frames
        self.repeated += other.repeated
        self.newest_ns = max(self.newest_ns, other.newest_ns)
        self.keys += other.keys
        self.open += other.open
        self.pairs += other.pairs
        self.begun |= other.begun
        self.closing |= other.closing
        self.halved |= other.halved
        self.directed |= other.directed

    def emptied(self) -> None:
        """Forget the frames, but not what is known of them."""
        self.octets = bytearray()
        self.frames = self.repeated = 0

    def shrink(self) -> None:
        """Give back the room that the frames do not need."""
        self.octets = bytearray(bytes(self.octets))

    def unpacked(self, ways: Sequence[Frame]) -> Iterator[Frame]:
        """Yield the frames; `ways` holds a sample frame of each way."""
        at = 0
        octets = bytes(self.octets)
        while at < len(octets):
            number, time_ns, original, way, length = HEAD.unpack_from(octets, at)
            at += HEAD.size
            sample = ways[way]
            yield Frame(
                number=number,
                vantage=sample.vantage,
                direction=sample.direction,
                time_ns=time_ns,
                data=octets[at : at + length],
                linktype=sample.linktype,
                original_octets=original,
            )
            at += length
