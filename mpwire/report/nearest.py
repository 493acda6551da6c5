"""What came nearest to what a violation lacks: the message that was meant, field beside field.

"Expected CLOSE_ACK, seen: none" is half of an answer when the endpoint did send a CLOSE_ACK, only
with another Seq. This finds it and says in which fields it differs.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from mpwire.capture import Frame, RunFile
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.oracle import Finding
from mpwire.report.telling import printable
from mpwire.wire import decode_untrusted, is_mpw
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import Message
from mpwire.wire.numbers import MessageType

REACH_FRAMES: Final = 400
"""Frames looked at before and after those of the finding."""
FIELDS_SHOWN: Final = 6
VALUE_CHARACTERS_MAX: Final = 40
NAMES: Final = {kind.name: int(kind) for kind in MessageType}
ECHOED: Final = ("seq", "attempt")
"""Fields that an answer repeats from what it answers (R17)."""


class Said(msgspec.Struct, frozen=True):
    """A frame and the message in it."""

    frame: Frame
    message: Message


def nearest(run: RunFile, finding: Finding) -> list[str]:
    """Compare what was seen with what was expected, in a few words per field.

    Returns:
        nothing where the finding is not about a message that something else resembles.
    """
    shown = [said for said in _read(run, finding.frames) if said is not None]
    twins = _twins(shown)
    if twins is not None:
        return list(_compared(*twins))
    cause = shown[-1] if shown else None
    found = _resembling(run, finding, cause) if cause else None
    if cause is None or found is None:
        return []
    name = MessageType(found.message.TYPE).name
    lines = [f"{name} in frame {found.frame.number}"]
    for field in ECHOED:
        was, wanted = getattr(found.message, field), getattr(cause.message, field)
        if was != wanted:
            cause_name = MessageType(cause.message.TYPE).name
            lines.append(f"{field} is {was}, that of the {cause_name} is {wanted}")
    return lines


def _twins(shown: list[Said]) -> tuple[Said, Said] | None:
    """Find two different frames of one message type, the last of the finding among them."""
    for before in reversed(shown[:-1]):
        last = shown[-1]
        if type(before.message) is type(last.message) and before.frame.data != last.frame.data:
            return before, last
    return None


def _compared(first: Said, second: Said) -> Iterator[str]:
    name = MessageType(first.message.TYPE).name
    differing = [
        f"{field} is {_value(second.message, field)}, was {_value(first.message, field)}"
        for field in type(first.message).__struct_fields__
        if getattr(first.message, field) != getattr(second.message, field)
    ]
    if differing:
        yield f"{name} in frame {first.frame.number}"
        yield from differing[:FIELDS_SHOWN]


def _value(message: Message, field: str) -> str:
    text = printable(repr(getattr(message, field)))
    if len(text) > VALUE_CHARACTERS_MAX:
        return text[: VALUE_CHARACTERS_MAX - 1] + "…"
    return text


def _resembling(run: RunFile, finding: Finding, cause: Said) -> Said | None:
    """Find the message of an expected type that the endpoint sent nearest to the cause."""
    wanted = {NAMES[word] for word in re.findall(r"[A-Z_]+", finding.expected) if word in NAMES}
    wanted.discard(cause.message.TYPE)
    host = finding.endpoint.partition(" ")[0].partition(":")[0]
    if not wanted or not host:
        return None
    number = cause.frame.number
    around = range(number - REACH_FRAMES, number + REACH_FRAMES + 1)
    best: Said | None = None
    for frame in run.frames:
        if frame.number not in around or frame.direction != "out" or frame.vantage != host:
            continue
        said = _decoded(frame)
        if said is None or said.message.TYPE not in wanted:
            continue
        if best is None or _distance(said, number) <= _distance(best, number):
            best = said
    return best


def _distance(said: Said, number: int) -> int:
    return abs(said.frame.number - number)


def _read(run: RunFile, numbers: tuple[int, ...]) -> Iterator[Said | None]:
    wanted = dict.fromkeys(numbers)
    frames = {frame.number: frame for frame in run.frames if frame.number in wanted}
    for number in wanted:
        yield _decoded(frames[number]) if number in frames else None


def _decoded(frame: Frame) -> Said | None:
    decoded = decode_frame(frame.linktype, frame.data)
    if not isinstance(decoded, Datagram) or not is_mpw(decoded.payload):
        return None
    try:
        return Said(frame, decode_untrusted(decoded.payload))
    except DecodeError:
        return None
