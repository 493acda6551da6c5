"""What every line of a testbed becomes: a typed value that knows where it stands."""

from typing import Literal

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """One line of the script, and where it stands."""

    line: int
    column: int
    text: str


class SocketStep(Step, frozen=True, kw_only=True):
    """A step about one socket of one host."""

    host: str
    socket: str


Flow = dict[Literal["sending", "receiving"], int]
"""A flow specification, in octets per second."""


def flow(sending: int | None, receiving: int | None) -> Flow | None:
    """Make the flow specification that a sentence gives, if it gives one."""
    if sending is None and receiving is None:
        return None
    return {"sending": sending or 0, "receiving": receiving or 0}
