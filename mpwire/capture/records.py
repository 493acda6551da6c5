"""What a run file says besides frames: one struct per kind of record.

In the file every record is one line of JSON whose "kind" names the struct. Records of an unknown
kind and unknown fields are ignored by readers, so that later editions may add some.
"""

from typing import ClassVar, Final, Literal, get_args

import msgspec

FORMAT: Final = 1
"""Edition of the run file that this package writes."""


LIFE: Final = 1_000_000
"""What readers add to all numbers in an agent's lines (calls, sockets, events), once for each time
that the host's agent had ended before: every process counts its own from 1.
"""
PORT_DOWN: Final = "port down"
"""Reason of a decision: the receiver's interface was down, and its kernel threw the frame away."""
NESTING_MAX: Final = 32
"""Deepest JSON taken over as it is; readers in other languages have limits too."""


class Record(msgspec.Struct, kw_only=True, tag_field="kind"):
    """Base of all records."""


class Host(msgspec.Struct, kw_only=True):
    """One host of the run, as a part of the record `run`."""

    name: str
    """Name in the testbed, and of its interface in the capture."""
    mac: str
    """Link-layer address, "02:00:00:00:00:01"."""
    addresses: list[str]
    """Addresses with prefix length, "10.77.0.2/24"."""
    agent: list[str] = []
    """Command line of the agent; empty where no agent ran."""
    network: str = ""
    """The LAN it is on; empty where there is only one."""


class Router(msgspec.Struct, kw_only=True):
    """One router of the run, as a part of the record `run`."""

    name: str
    """Name in the testbed."""
    ports: list[Host]
    """Its ports, one per LAN; their names are those of interfaces in the capture."""


class Run(Record, tag="run"):
    """What ran, where; the first record."""

    version: str
    """Version of mpwire that ran it."""
    command: list[str]
    """The command line that started it."""
    started_ns: int
    """Start, in nanoseconds since 1970."""
    seed: int | None
    """Seed of all injected randomness; null where there was none."""
    fabric: str
    """Fabric that carried the frames: "switch", "bridge" or "sim"."""
    carrier: str
    """How the fabric held its ports: "tap" or "veth"; "none" in the simulation."""
    contract: int
    """Version of the agent contract."""
    hosts: list[Host]
    """The hosts: `name`, `mac`, `addresses`, `agent`."""
    routers: list[Router] = []
    """What was on the way between them. Their ports are vantages, and nobody's endpoints."""
    decided_by: str = ""
    """On the fabric "bridge": what let faults act, so that there is a decision about every frame:
    "gates" of ours at its ports, or the kernel's "netem"; empty where the bridge was left alone."""
    faults: list[str] = []
    """What the fabric did to messages, one sentence a fault; those of the testbed and others."""
    format: int = FORMAT
    """Edition of this file format."""

    @property
    def vantages(self) -> list[Host]:
        """List where frames were captured: hosts, then ports of routers."""
        return [*self.hosts, *(port for router in self.routers for port in router.ports)]


class Testbed(Record, tag="testbed"):
    """The testbed file as it was read."""

    __test__: ClassVar[bool] = False  # pytest takes what begins with "Test" for a test class
    path: str
    """Where it was."""
    text: str
    """Its whole text."""


class Step(Record, tag="step"):
    """Progress of one step of the testbed's script."""

    time_ns: int
    """When, in nanoseconds since 1970."""
    line: int
    """Line in the testbed file, from 1."""
    text: str
    """The step as written."""
    state: Literal["started", "done", "failed"]
    """What happened to it."""
    reason: str | None = None
    """Why it failed."""
    after: int = 0
    """Number of frames recorded before."""


class AgentLine(Record, tag="agent_line"):
    """One line of the agent contract, verbatim."""

    time_ns: int
    """When, in nanoseconds since 1970."""
    host: str
    """The agent's host."""
    direction: Literal["to", "from"]
    """Written to the agent, or read from it."""
    line: msgspec.Raw
    """The line: a JSON value, or a JSON string holding a line that is no JSON."""
    after: int = 0
    """Number of frames recorded before."""


class AgentExit(Record, tag="agent_exit"):
    """The end of an agent's process. Lines of its host that follow are another one's."""

    time_ns: int
    """When, in nanoseconds since 1970."""
    host: str
    """The agent's host."""
    status: int
    """Exit status; negative: the signal that ended it."""
    expected: bool
    """True where the script asked for it."""
    after: int = 0
    """Number of frames recorded before."""


class Decision(Record, tag="decision", gc=False):
    """What the fabric did with one frame for one receiver."""

    frame: int
    """Number of the frame as its sender sent it (outbound)."""
    receiver: str
    """Host it was meant for."""
    delivered: int | None
    """Number of the frame as delivered (inbound); null when it was not."""
    reason: str | None = None
    """Why it was not delivered, or not as it was, or not at once."""
    changed: int | list[int] | None = None
    """Octet of the UDP payload, counted from 0, that was inverted on the way; a list of several."""


class Sentinel(Record, tag="sentinel"):
    """An echo through a host's own stack, proof that its capture works at that moment."""

    host: str
    """The host."""
    stage: Literal["start", "end"]
    """Before the first step, or after the last."""
    request: int
    """Number of the frame that holds the request."""
    reply: int
    """Number of the frame that holds the reply."""


class Counters(Record, tag="counters"):
    """What the kernel counted for one host since the start."""

    host: str
    """The host."""
    interface: dict[str, int]
    """Interface counters, such as tx_dropped."""
    udp: dict[str, int]
    """UDP counters, such as RcvbufErrors."""
    capture: dict[str, int]
    """The capture's own: "received", "dropped"."""


class Outage(Record, tag="outage"):
    """What an interface dropped of its host's own, because it was down."""

    host: str
    """The host."""
    tx_dropped: int
    """Frames that its kernel could not send, from before it went until it was back."""


class End(Record, tag="end"):
    """Proof of completeness; the last record of a finished run."""

    frames: int
    """Number of frames of the run, which is also the highest frame number."""
    agent_lines: int
    """Number of `agent_line` records."""
    records: int
    """Number of records before this one."""
    time_ns: int
    """When, in nanoseconds since 1970."""


class StoredVerdict(Record, tag="stored_verdict"):
    """The verdict when the run ended, for people; judging again never reads it."""

    verdict: dict[str, object]
    """The judgement as JSON."""


AnyRecord = (
    Run
    | Testbed
    | Step
    | AgentLine
    | AgentExit
    | Decision
    | Sentinel
    | Counters
    | Outage
    | End
    | StoredVerdict
)
KINDS: Final[dict[str, type[Record]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(AnyRecord)
}
Timed = Step | AgentLine | AgentExit
"""Records that know how many frames came before them."""


def verbatim(line: bytes) -> msgspec.Raw:
    """Return an agent's line for `AgentLine.line`.

    A line that is no JSON, or nested deeper than any line of the contract (agents under test print
    anything), becomes a JSON string: the file stays readable and the oddity stays visible.
    """
    line = bytes(line).strip()  # Raw is bytes to the type checker only
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if b"\n" not in line and b"\r" not in line and not _deeper(value, NESTING_MAX):
            return msgspec.Raw(line)
    return msgspec.Raw(msgspec.json.encode(line.decode("utf-8", "replace")))


def _deeper(value: object, nesting: int) -> bool:
    """Tell whether containers are nested deeper than that."""
    if not isinstance(value, dict | list):
        return False
    if not nesting:
        return True
    parts = value.values() if isinstance(value, dict) else value
    return any(_deeper(part, nesting - 1) for part in parts)


def position_of(record: AnyRecord) -> int:
    """Return the number of the last frame that certainly came before the record."""
    match record:
        case Step(after=after) | AgentLine(after=after) | AgentExit(after=after):
            return after
        case Decision(frame=frame, delivered=delivered):
            return frame if delivered is None else delivered
        case Sentinel(request=request, reply=reply):
            return max(request, reply)
        case End(frames=frames):
            return frames
        case _:
            return 0
