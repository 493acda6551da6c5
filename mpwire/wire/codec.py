"""Turn messages into octets and octets into messages, strictly and without Scapy.

The encoding is canonical: a message has exactly one encoding, and `encode(decode_untrusted(x))`
is x for every x that is accepted. To get there the codec judges every rule that one datagram
alone decides, and no other:

- R1 magic and version, R2 Length, R3 room for the body, R32 size of JOIN_REQ
- R7 TLVs tile the rest, R8 padding is zero, R9 TLVs ascend (PAD, then AUTH, last), none twice,
  at most 32, R10 allowed and required TLVs, R11 value limits, R14 flag A and AUTH
- R12 reserved bits, R13 assigned codes, R18 ranges, R19 tags are not zero
- R21, R22 as far as one message shows them: JOIN_REQ has Destination Tag 0, nothing else has,
  except a CANCEL

What needs an address, an earlier message, a clock or a policy belongs to the core and to the
oracle. TLV types that are not assigned do not fail: they are kept in `extra`, and whoever acts on
the message asks `unknown_mandatory` first. A GREASE type raises `GreaseMessage` and a version
nobody speaks `UnsupportedVersion`, because a receiver treats these two differently from garbage.

The tables are generated from the Scapy layers (`mpwire.wire.generate`).
"""

import struct
from collections.abc import Iterator
from typing import Any, cast

from mpwire.wire.errors import (
    DecodeError,
    EncodeError,
    GreaseMessage,
    Invariant,
    UnsupportedVersion,
)
from mpwire.wire.formats import MessageFormat
from mpwire.wire.messages import JoinReq, Message
from mpwire.wire.numbers import (
    HEADER_OCTETS,
    HIGHEST_MEMBER_ID,
    JOIN_REQ_MIN_OCTETS,
    MAGIC,
    MAX_TLV_COUNT,
    TLV_HEADER_OCTETS,
    VERSION,
    VERSION_NEG_VERSION,
    HeaderFlag,
    MessageType,
    TlvType,
    is_grease,
    is_mandatory_tlv,
)
from mpwire.wire.tables import MESSAGE_FORMATS, TLV_FORMATS
from mpwire.wire.tlv_values import READERS, WRITERS, check_length

HEADER = struct.Struct("!HBBBBHQQII")
"""Magic, Version, Type, Flags, Attempt, Length, Session ID, Destination Tag, Seq, Sender."""
TLV_HEADER = struct.Struct("!HH")
MAGIC_OCTETS = MAGIC.to_bytes(2, "big")
RESERVED_FLAGS = 0xFF & ~int(sum(HeaderFlag))
FLAG_A = int(HeaderFlag.A)
PAD, AUTH = int(TlvType.PAD), int(TlvType.AUTH)
VERSION_NEG, JOIN_REQ = int(MessageType.VERSION_NEG), int(MessageType.JOIN_REQ)
CANCEL = int(MessageType.CANCEL)
LAST_RANKS = {PAD: 0x10000, AUTH: 0x10001}
"""PAD and AUTH stand behind every other type (R9)."""
MAX_VERSION_COUNT = 16
"""Most versions in a VERSION_NEG."""


def is_mpw(data: bytes) -> bool:
    """Tell whether a datagram claims to be MPW: its first two octets are the magic."""
    return data[:2] == MAGIC_OCTETS


def unknown_mandatory(message: Message) -> tuple[int, ...]:
    """Return the mandatory TLV types of a message that nobody here knows, ascending.

    If there is one, a JOIN_REQ is refused with REJECT(UNSUPPORTED_TLV) listing them, and any other
    message is discarded.
    """
    return tuple(code for code, _ in message.extra if is_mandatory_tlv(code))


def pad_join_request(request: JoinReq, octets: int = JOIN_REQ_MIN_OCTETS) -> None:
    """Set `pad_octets` so that the request is at least `octets` long; no PAD if it is already."""
    request.pad_octets = None
    bare = len(b"".join(_assemble(request, MESSAGE_FORMATS[JOIN_REQ])))
    if bare < octets:
        request.pad_octets = max(octets - bare - TLV_HEADER_OCTETS, 0)


def decode_untrusted(data: bytes) -> Message:
    """Decode one datagram from anybody.

    Layout: common header, fixed body of the Type, TLVs (docs/protocol.md, sections 3 to 5).
    Raises: DecodeError and its subclasses UnsupportedVersion and GreaseMessage; nothing else.
    """
    fmt, message_type = _check_envelope(data)
    _, _, _, flags, attempt, _, session_id, destination_tag, seq, sender_id = HEADER.unpack_from(
        data
    )
    _check_header(message_type, flags, destination_tag, sender_id)
    body = fmt.body
    values = body.unpack(data, HEADER_OCTETS)
    fields: dict[str, Any] = dict(zip(body.names, values, strict=True))
    start = HEADER_OCTETS + body.packing.size
    if message_type == VERSION_NEG:
        _read_versions(data, start, fields)
    else:
        _read_tlvs(data, start, fmt, fields)
    if fmt.counted:
        count = fields.pop("count")
        if count != len(fields[fmt.counted]):
            reason = f"count is {count}, there are {len(fields[fmt.counted])} {fmt.counted}"
            raise DecodeError("R11", HEADER_OCTETS + _count_offset(message_type), reason)
    _check_auth_flag(flags, present="auth" in fields)
    message = fmt.make(
        flags=flags,
        attempt=attempt,
        session_id=session_id,
        destination_tag=destination_tag,
        seq=seq,
        sender_id=sender_id,
        **fields,
    )
    return cast("Message", message)


def encode(message: Message) -> bytes:
    """Encode a message canonically.

    Raises: EncodeError for whatever `decode_untrusted` would refuse, and for values that do not
    fit their field.
    """
    fmt = MESSAGE_FORMATS[message.TYPE]
    try:
        _check_header(message.TYPE, message.flags, message.destination_tag, message.sender_id)
        _check_auth_flag(message.flags, present=message.auth is not None)
        body = b"".join(_assemble(message, fmt)[1:])
        length = HEADER_OCTETS + len(body)
        _check_size(message.TYPE, length)
        version = VERSION_NEG_VERSION if message.TYPE == VERSION_NEG else VERSION
        header = HEADER.pack(
            MAGIC,
            version,
            message.TYPE,
            message.flags,
            message.attempt,
            length,
            message.session_id,
            message.destination_tag,
            message.seq,
            message.sender_id,
        )
    except DecodeError as error:
        raise EncodeError(error.rule, error.reason) from None
    except struct.error as error:
        raise EncodeError("R18", f"a value does not fit its field: {error}") from None
    return header + body


def _check_envelope(data: bytes) -> tuple[MessageFormat, int]:
    """Check what must hold before anything else is read, and find the format."""
    octets = len(data)
    if not is_mpw(data):
        raise DecodeError("R1", 0, "the first two octets are not the magic 0x6D70")
    if octets < HEADER_OCTETS:
        raise DecodeError("R3", octets, f"{octets} octets are no common header")
    _, version, message_type, _, _, length, session_id, tag, _, _ = HEADER.unpack_from(data)
    if length != octets:
        raise DecodeError("R2", 6, f"Length is {length}, the datagram has {octets} octets")
    if version not in {VERSION, VERSION_NEG_VERSION}:
        init_tag = int.from_bytes(data[32:40], "big") if octets >= 40 else 0
        raise UnsupportedVersion(Invariant(version, length, session_id, tag, init_tag))
    if (version == VERSION_NEG_VERSION) != (message_type == VERSION_NEG):
        raise DecodeError("R1", 2, f"version {version} with type {message_type:#04x}")
    fmt = MESSAGE_FORMATS.get(message_type)
    if fmt is None:
        if is_grease(message_type):
            raise GreaseMessage(message_type)
        raise DecodeError("R13", 3, f"type {message_type:#04x} is not assigned")
    if octets < HEADER_OCTETS + fmt.body.packing.size:
        raise DecodeError("R3", octets, f"{octets} octets are too few for {fmt.name}")
    _check_size(message_type, octets)
    return fmt, message_type


def _check_size(message_type: int, octets: int) -> None:
    if message_type == JOIN_REQ and octets < JOIN_REQ_MIN_OCTETS:
        reason = f"JOIN_REQ has {octets} octets, fewer than {JOIN_REQ_MIN_OCTETS}"
        raise DecodeError("R32", 6, reason)


def _check_header(message_type: int, flags: int, destination_tag: int, sender_id: int) -> None:
    if flags & RESERVED_FLAGS:
        raise DecodeError("R12", 4, f"reserved bits in Flags {flags:#04x}")
    if message_type == JOIN_REQ:
        if destination_tag:
            raise DecodeError("R21", 16, "JOIN_REQ has a Destination Tag")
    elif not destination_tag and message_type != CANCEL:
        raise DecodeError("R22", 16, "Destination Tag is 0")
    if sender_id > HIGHEST_MEMBER_ID:
        raise DecodeError("R18", 28, f"Sender Member ID {sender_id:#x} is reserved")


def _check_auth_flag(flags: int, *, present: bool) -> None:
    if bool(flags & FLAG_A) != present:
        reason = "without an AUTH TLV" if not present else "missing though there is an AUTH TLV"
        raise DecodeError("R14", 4, f"flag A {reason}")


def _count_offset(message_type: int) -> int:
    return 0 if message_type == VERSION_NEG else 4


def _read_versions(data: bytes, start: int, fields: dict[str, Any]) -> None:
    """Read the version octets of a VERSION_NEG, the only body without TLVs."""
    count = fields["count"]
    end = start + count
    if not 1 <= count <= MAX_VERSION_COUNT:
        raise DecodeError("R11", HEADER_OCTETS, f"Count is {count}, expected 1..16")
    if end + (-count & 3) != len(data):
        raise DecodeError("R7", min(end, len(data)), f"{count} versions do not end the message")
    if any(data[end:]):
        raise DecodeError("R8", end, "padding is not zero")
    fields["versions"] = tuple(data[start:end])


def _read_tlvs(data: bytes, start: int, fmt: MessageFormat, fields: dict[str, Any]) -> None:
    """Read every TLV into `fields` and check their order and presence."""
    present: list[int] = []
    extra: list[tuple[int, bytes]] = []
    last_rank = -1
    for code, offset, length in _walk(data, start):
        rank = LAST_RANKS.get(code, code)
        if rank <= last_rank:
            raise _order_error(code, offset, last_rank, rank)
        last_rank = rank
        present.append(code)
        value_start = offset + TLV_HEADER_OCTETS
        tlv = TLV_FORMATS.get(code)
        if tlv is None:
            extra.append((code, data[value_start : value_start + length]))
            continue
        if code not in fmt.allowed:
            raise DecodeError("R10", offset, f"{tlv.name} may not be in {fmt.name}")
        check_length(tlv, length, offset + 2)
        fields[tlv.attribute] = READERS[tlv.kind](tlv, data, value_start, length)
    _check_presence(present, fmt, len(data))
    if extra:
        fields["extra"] = tuple(extra)


def _walk(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, offset and Length of each TLV; the TLVs must tile the datagram."""
    end = len(data)
    count = 0
    while start < end:
        count += 1
        if count > MAX_TLV_COUNT:
            raise DecodeError("R9", start, f"more than {MAX_TLV_COUNT} TLVs")
        if end - start < TLV_HEADER_OCTETS:
            raise DecodeError("R7", start, f"{end - start} octets are no TLV header")
        code, length = TLV_HEADER.unpack_from(data, start)
        value_end = start + TLV_HEADER_OCTETS + length
        following = value_end + (-length & 3)
        if following > end:
            raise DecodeError("R7", start + 2, f"TLV {code:#06x} of {length} octets overruns")
        if following != value_end and any(data[value_end:following]):
            raise DecodeError("R8", value_end, f"padding of TLV {code:#06x} is not zero")
        yield code, start, length
        start = following


def _order_error(code: int, offset: int, last_rank: int, rank: int) -> DecodeError:
    if rank == last_rank:
        return DecodeError("R9", offset, f"TLV {code:#06x} is there twice")
    if last_rank == LAST_RANKS[AUTH]:
        return DecodeError("R14", offset, f"TLV {code:#06x} follows AUTH")
    return DecodeError("R9", offset, f"TLV {code:#06x} is not in ascending order")


def _check_presence(present: list[int], fmt: MessageFormat, offset: int) -> None:
    for code in fmt.required:
        if code not in present:
            raise DecodeError("R10", offset, f"{fmt.name} lacks {TLV_FORMATS[code].name}")
    if fmt.either and sum(code in present for code in fmt.either) != 1:
        names = " or ".join(TLV_FORMATS[code].name for code in fmt.either)
        raise DecodeError("R10", offset, f"{fmt.name} needs exactly one of {names}")


def _assemble(message: Message, fmt: MessageFormat) -> list[bytes]:
    """Return the parts of the encoding: 32 octets for the header, the body, the TLVs."""
    values = [_body_value(message, fmt, name) for name in fmt.body.names]
    fmt.body.check(values, HEADER_OCTETS)
    parts = [bytes(HEADER_OCTETS), fmt.body.packing.pack(*values)]
    if message.TYPE == VERSION_NEG:
        return [*parts, _versions_octets(message)]
    tlvs = _known_tlvs(message, fmt)
    _check_presence(list(tlvs), fmt, 0)
    for code, value in message.extra:
        if code in TLV_FORMATS:
            raise DecodeError("R10", 0, f"{TLV_FORMATS[code].name} is assigned: not for `extra`")
        if code in tlvs:
            raise DecodeError("R9", 0, f"TLV {code:#06x} is there twice")
        tlvs[code] = value
    if [code for code, _ in message.extra] != sorted(code for code, _ in message.extra):
        raise DecodeError("R9", 0, "`extra` is not in ascending order")
    if len(tlvs) > MAX_TLV_COUNT:
        raise DecodeError("R9", 0, f"more than {MAX_TLV_COUNT} TLVs")
    for code in sorted(tlvs, key=lambda code: LAST_RANKS.get(code, code)):
        value = tlvs[code]
        parts += (TLV_HEADER.pack(code, len(value)), value, bytes(-len(value) & 3))
    return parts


def _known_tlvs(message: Message, fmt: MessageFormat) -> dict[int, bytes]:
    """Return the encoded value of every assigned TLV the message has."""
    tlvs = {}
    for code in fmt.allowed:
        tlv = TLV_FORMATS[code]
        value = getattr(message, tlv.attribute)
        if value is not None:
            octets = WRITERS[tlv.kind](tlv, value)
            check_length(tlv, len(octets), 0)
            tlvs[code] = octets
    return tlvs


def _body_value(message: Message, fmt: MessageFormat, name: str) -> int:
    if name == "count":
        return len(getattr(message, fmt.counted))
    return cast("int", getattr(message, name))


def _versions_octets(message: Message) -> bytes:
    versions: tuple[int, ...] = getattr(message, "versions")  # noqa: B009 - other types lack it
    if not 1 <= len(versions) <= MAX_VERSION_COUNT:
        raise DecodeError("R11", 0, f"Count is {len(versions)}, expected 1..16")
    if message.extra or message.auth is not None:
        raise DecodeError("R10", 0, "VERSION_NEG has no TLVs")
    return struct.pack(f"!{len(versions)}B", *versions) + bytes(-len(versions) & 3)
