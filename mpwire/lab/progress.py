"""What a running lab tells the command line, as it happens: JSON Lines of these structs.

The run file is the record; this is the live view. Times are nanoseconds since 1970.
"""

from typing import Literal

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="progress"):
    """Base of all lines."""

    time_ns: int


class Started(Progress, frozen=True, kw_only=True, tag="started"):
    """The hosts are up."""

    name: str
    hosts: tuple[str, ...]
    addresses: dict[str, tuple[str, ...]]
    """IP addresses of each host, without prefix length."""
    macs: dict[str, str]
    carrier: str
    fabric: str = "switch"
    decided_by: str = ""
    """See the record `run`."""
    steps: int
    """Lines of the script."""


class StepChanged(Progress, frozen=True, kw_only=True, tag="step"):
    """A step of the script started, or ended."""

    line: int
    """Line in the testbed file; 0 for what every run does before and after its script."""
    text: str
    state: Literal["started", "done", "failed"]
    reason: str | None = None


class SocketMade(Progress, frozen=True, kw_only=True, tag="socket"):
    """A name of the script now stands for a descriptor."""

    host: str
    socket: int
    name: str


class EventReported(Progress, frozen=True, kw_only=True, tag="event"):
    """An agent reported a network event."""

    host: str
    socket: int
    event: str
    code: int
    seq: int
    after: int
    """Number of frames recorded before."""


class FrameSeen(Progress, frozen=True, kw_only=True, tag="frame"):
    """A frame between hosts passed a host's port."""

    number: int
    host: str
    direction: Literal["in", "out"]
    data: str
    """The frame in hexadecimal."""


class FrameLost(Progress, frozen=True, kw_only=True, tag="lost"):
    """A frame that was seen to leave its host never reaches another."""

    number: int
    receiver: str
    reason: str


class Ended(Progress, frozen=True, kw_only=True, tag="ended"):
    """The run is over and its file complete."""

    failed: "Failure | None" = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a script stopped."""

    line: int
    text: str
    reason: str
    kind: Literal["failed", "unsupported", "interrupted"] = "failed"


AnyProgress = Started | StepChanged | SocketMade | EventReported | FrameSeen | FrameLost | Ended
