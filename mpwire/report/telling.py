"""Frames in a few words: a name for the arrow, the telling fields for the margin.

What peers sent is shown as it is only where it is harmless: octets that would move a cursor or
change a colour appear as escapes.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum, IntFlag
from typing import Final

import msgspec

from mpwire.capture import Frame
from mpwire.capture.frames import Datagram, Other, decode_frame
from mpwire.wire import decode_untrusted, is_mpw, messages
from mpwire.wire.errors import DecodeError
from mpwire.wire.numbers import (
    AbortReason,
    AckedType,
    AnnounceKind,
    CancelReason,
    CancelResult,
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    DataFlag,
    HeaderFlag,
    MemberAction,
    MessageType,
    PendingState,
    RejectReason,
    Role,
    SideFlag,
    SyncFlag,
)

TEXT_CHARACTERS_MAX: Final = 48
RANGES_SHOWN: Final = 4
ECHOING: Final = (
    messages.VersionNeg, messages.Challenge, messages.Pending, messages.Confirm, messages.Reject,
    messages.CancelAck, messages.CloseAck, messages.Abort, messages.ProbeAck, messages.Ack,
)  # fmt: skip
"""Messages whose Attempt repeats that of what they answer, and tells nothing new."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A frame in words."""

    name: str
    """Name of the message, or of what the frame is instead."""
    details: tuple[str, ...] = ()
    """Telling fields, most telling first."""
    broken: bool = False
    """It claims to be a message and is none."""

    @property
    def detail(self) -> str:
        """Give the details as one text."""
        return ", ".join(self.details)


def is_ours(frame: Frame) -> bool:
    """Tell whether a frame holds a datagram that is MPW, or claims to be."""
    decoded = decode_frame(frame.linktype, frame.data)
    return isinstance(decoded, Datagram) and is_mpw(decoded.payload)


def tell(decoded: Datagram | Other) -> Telling:
    """Describe what a frame carries."""
    if isinstance(decoded, Other):
        reason = () if decoded.reason is None else (printable(decoded.reason),)
        return Telling(name=decoded.name, details=reason)
    size = f"{len(decoded.payload)} octets"
    if decoded.fragment is not None:
        return Telling(name="fragment", details=(size,), broken=is_mpw(decoded.payload))
    if not is_mpw(decoded.payload):
        return Telling(name="UDP", details=(size, quoted(decoded.payload)))
    try:
        return tell_message(decode_untrusted(decoded.payload))
    except DecodeError as error:
        return Telling(name=type_name(decoded.payload), details=(str(error),), broken=True)


def tell_message(message: messages.Message) -> Telling:
    """Describe a message by what tells it from others of its type."""
    details: list[str] = []
    if message.attempt > 1 and not isinstance(message, ECHOING):
        details.append(f"try {message.attempt}")
    describe = _DETAILS.get(type(message))
    if describe is not None:
        details += filter(None, describe(message))
    if message.flags & _SHOWN:
        details += [f"flag {name}" for name in flags_of(HeaderFlag, message.flags & _SHOWN)]
    details += [f"TLV {code:#06x}" for code, _ in message.extra]
    return Telling(name=MessageType(message.TYPE).name, details=tuple(details))


def type_name(payload: bytes) -> str:
    """Name the type that a datagram claims to be of."""
    if len(payload) < 4:
        return "MPW"
    try:
        return MessageType(payload[3]).name
    except ValueError:
        return f"type {payload[3]:#04x}"


def named(registry: type[IntEnum], code: int) -> str:
    """Name a code the way people write it; a number where it has no name."""
    try:
        return registry(code).name
    except ValueError:
        return str(code)


def flags_of(registry: type[IntFlag], value: int) -> Iterator[str]:
    """Name the bits that are set."""
    return (str(flag.name) for flag in registry if flag & value)


def quoted(octets: bytes) -> str:
    """Show octets as text where they are text, else in hexadecimal; short either way."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return f'"{shortened(text)}"'
    return f"0x{shortened(octets.hex())}" if octets else '""'


def shortened(text: str, width: int = TEXT_CHARACTERS_MAX) -> str:
    """Cut a text that is too long, and show that it was cut."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def printable(text: str) -> str:
    """Replace every character that a terminal might obey by its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_SHOWN: Final = int(HeaderFlag.R | HeaderFlag.A | HeaderFlag.M | HeaderFlag.X)
"""Flags that tell something; G is random by design."""
_ROLES: Final[dict[int, str]] = {
    Role.C_ROOT: "invites",
    Role.C_LEAF_TO_ROOT: "",
    Role.C_LEAF_TO_SESSION: "asks the session",
}


def _version_neg(message: messages.VersionNeg) -> Iterator[str]:
    yield "versions " + " ".join(str(version) for version in message.versions)


def _join_req(message: messages.JoinReq) -> Iterator[str]:
    yield _ROLES.get(message.role, f"role {message.role}")
    if message.cookie is not None:
        yield "cookie"
    if message.caller_data is not None:
        yield quoted(message.caller_data)


def _pending(message: messages.Pending) -> Iterator[str]:
    yield named(PendingState, message.state)
    if message.queue_pos:
        yield f"position {message.queue_pos}"


def _accept(message: messages.Accept) -> Iterator[str]:
    if message.assigned_id:
        yield f"member {message.assigned_id}"
    if message.callee_data is not None:
        yield quoted(message.callee_data)


def _confirm(message: messages.Confirm) -> Iterator[str]:
    if message.assigned_id:
        yield f"member {message.assigned_id}"


def _reject(message: messages.Reject) -> Iterator[str]:
    yield named(RejectReason, message.reason)
    if message.retry_after_s:
        yield f"retry after {message.retry_after_s} s"
    yield from _text(message.reason_text)


def _cancel(message: messages.Cancel) -> Iterator[str]:
    yield named(CancelReason, message.reason)


def _cancel_ack(message: messages.CancelAck) -> Iterator[str]:
    yield named(CancelResult, message.result)


def _close(message: messages.Close) -> Iterator[str]:
    yield named(CloseReason, message.reason)
    if message.cflags & CloseFlag.HALF:
        yield "HALF"
    if message.disc_data is not None:
        yield quoted(message.disc_data)
    yield from _text(message.reason_text)


def _close_ack(message: messages.CloseAck) -> Iterator[str]:
    yield from flags_of(CloseAckFlag, message.ack_flags)


def _abort(message: messages.Abort) -> Iterator[str]:
    yield named(AbortReason, message.reason)
    yield from _text(message.reason_text)


def _probe(message: messages.Probe) -> Iterator[str]:
    if message.pad_octets is not None:
        yield f"{message.pad_octets} octets of padding"


def _probe_ack(message: messages.ProbeAck) -> Iterator[str]:
    if message.loss_permille:
        yield f"{message.loss_permille / 10:g} % lost"


def _ack(message: messages.Ack) -> Iterator[str]:
    yield f"of {named(AckedType, message.acked_type)}"


def _data(message: messages.Data) -> Iterator[str]:
    if message.payload is not None:
        yield quoted(message.payload)
    yield from flags_of(DataFlag, message.dflags)
    if message.origin != message.sender_id:
        yield f"from member {message.origin}"


def _side(message: messages.Side) -> Iterator[str]:
    if message.payload is not None:
        yield quoted(message.payload)
    yield from flags_of(SideFlag, message.sflags)


def _sync(message: messages.Sync) -> Iterator[str]:
    yield f"next {message.seq}"
    yield from flags_of(SyncFlag, message.sflags)


def _nack(message: messages.Nack) -> Iterator[str]:
    shown = message.ranges[:RANGES_SHOWN]
    text = " ".join(f"{first}-{last}" if last != first else f"{first}" for first, last in shown)
    yield text + (" …" if len(message.ranges) > RANGES_SHOWN else "")


def _member(message: messages.Member) -> Iterator[str]:
    yield f"{message.member_id} {named(MemberAction, message.action)}"


def _announce(message: messages.Announce) -> Iterator[str]:
    yield named(AnnounceKind, message.kind)


def _data_ack(message: messages.DataAck) -> Iterator[str]:
    yield f"next {message.rcv_next}"
    yield f"window {message.window}"


def _text(text: str | None) -> Iterator[str]:
    if text is not None:
        yield f'"{shortened(printable(text))}"'


_DETAILS: Final[dict[type, Callable[..., Iterator[str]]]] = {
    messages.VersionNeg: _version_neg,
    messages.JoinReq: _join_req,
    messages.Pending: _pending,
    messages.Accept: _accept,
    messages.Confirm: _confirm,
    messages.Reject: _reject,
    messages.Cancel: _cancel,
    messages.CancelAck: _cancel_ack,
    messages.Close: _close,
    messages.CloseAck: _close_ack,
    messages.Abort: _abort,
    messages.Probe: _probe,
    messages.ProbeAck: _probe_ack,
    messages.Ack: _ack,
    messages.Data: _data,
    messages.Side: _side,
    messages.Sync: _sync,
    messages.Nack: _nack,
    messages.Member: _member,
    messages.Announce: _announce,
    messages.DataAck: _data_ack,
}
