"""Who takes part in a session: lifelines, whose address is whose, what sockets are called.

The names of sockets (`R`, `P1`, `L1`) exist only in the testbed. A run file holds the sentences of
the script and the lines of the agents, so a name is learned where a sentence that makes a socket
is followed by the call that returned its descriptor.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.onway import end_to_end
from mpwire.capture.records import LIFE, AgentExit, AgentLine, Decision, Step
from mpwire.wire import is_mpw

Endpoint = tuple[str, int]
MAKING_CALLS: Final = ("socket", "accept", "join_leaf")
"""Calls that may return a new descriptor."""
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAKING: Final = re.compile(
    r"(\S+) (?:opens (?P<opened>\S+) as |(?:accepts|invites) .* as (?P<new>\S+))"
)
_JUDGED: Final = re.compile(r"\b(?P<host>[a-z][a-z0-9-]*):[RPLA](?P<socket>\d+)\b")
"""How the judge names a socket: its host, its kind, its descriptor."""
_FRAME: Final = re.compile(r"\bframe (\d+)\b")
"""How the judge names a frame."""


class _Line(msgspec.Struct):
    """What naming sockets needs of an agent's line."""

    id: int | None = None
    call: str | int | None = None
    result: dict[str, object] | None = None


_LINES = msgspec.json.Decoder(_Line)


class SocketNames:
    """Learn the names of sockets from the script and the agents' lines, in their order."""

    def __init__(self) -> None:
        """Know none."""
        self.known: dict[tuple[str, int], str] = {}
        self._making: tuple[str, str] | None = None
        self._waiting: dict[tuple[str, int], str] = {}
        self._ended: dict[str, int] = {}

    def step(self, text: str, state: str) -> None:
        """Learn which step is under way."""
        self._making = _made_by(text) if state == "started" else None

    def exit(self, host: str) -> None:
        """Begin to number anew the sockets of a host whose agent has ended."""
        self._ended[host] = self._ended.get(host, 0) + 1
        self._waiting = {key: name for key, name in self._waiting.items() if key[0] != host}

    def line(self, host: str, direction: Literal["to", "from"], line: bytes) -> None:
        """Follow a call to its answer."""
        if not self._waiting and (self._making is None or self._making[0] != host):
            return
        try:
            said = _LINES.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if said.id is None:
            return
        if direction == "to":
            if self._making and self._making[0] == host and said.call in MAKING_CALLS:
                self._waiting[host, said.id] = self._making[1]
            return
        name = self._waiting.pop((host, said.id), None)
        socket = (said.result or {}).get("socket")
        if name is not None and isinstance(socket, int):
            self.known.setdefault((host, socket + LIFE * self._ended.get(host, 0)), name)


def _made_by(text: str) -> tuple[str, str] | None:
    """Read from a sentence which host makes a socket of which name."""
    found = _MAKING.match(_QUOTED.sub('""', text))
    return None if found is None else (found[1], found["opened"] or found["new"])


@dataclass(slots=True)
class Cast:
    """Everybody who takes part."""

    lifelines: list[str] = field(default_factory=list)
    """Hosts in the order of the run; addresses where the capture knows no hosts."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Lifeline by address, or by "address port" where one address has several."""
    sockets: dict[tuple[str, int], str] = field(default_factory=dict)
    """Names by host and descriptor."""
    departures: dict[int, int] = field(default_factory=dict)
    """Number of the copy that its sender sent, by that of the delivered one."""
    exits: dict[str, list[int]] = field(default_factory=dict)
    """When the agents of each host ended."""
    on_the_way: frozenset[str] = frozenset()
    """Ports of routers: what is seen there is on its way between two lifelines."""

    def life(self, host: str, time_ns: int) -> int:
        """Return what the numbers of an agent that spoke then are made unique by."""
        return LIFE * sum(ended_ns < time_ns for ended_ns in self.exits.get(host, ()))

    def lifeline(self, endpoint: Endpoint) -> str | None:
        """Say whose an address is."""
        address, port = endpoint
        return self.addresses.get(address) or self.addresses.get(f"{address} {port}")

    def socket(self, host: str, descriptor: int) -> str:
        """Name a socket as the testbed does, else by its number."""
        return self.sockets.get((host, descriptor), f"socket {descriptor % LIFE}")

    def frame(self, number: int) -> str:
        """Name a frame; for a delivery also the copy that left, which is what a ladder shows."""
        sent = self.departures.get(number)
        return f"{number}" if sent is None else f"{number} (sent as {sent})"

    def retold(self, text: str) -> str:
        """Put the testbed's names of sockets for the judge's, and say how frames were sent."""
        told = _JUDGED.sub(self._testbed_name, text)
        return _FRAME.sub(lambda found: f"frame {self.frame(int(found[1]))}", told)

    def _testbed_name(self, found: re.Match[str]) -> str:
        name = self.sockets.get((found["host"], int(found["socket"])))
        return (
            f"{found['host']} socket {int(found['socket']) % LIFE}"
            if name is None
            else f"{found['host']} {name}"
        )


def cast_of(run: RunFile, whole: RunFile | None = None) -> Cast:
    """Find everybody who takes part in a run, or in another program's capture.

    Args:
        run: what is shown.
        whole: the run of which that is a part.
    """
    if run.run is None:
        return _strangers(run)
    hosts = run.run.hosts
    names = SocketNames()
    exits: dict[str, list[int]] = {}
    for record in (whole or run).records:
        if isinstance(record, Step):
            names.step(record.text, record.state)
        elif isinstance(record, AgentLine):
            names.line(record.host, record.direction, bytes(record.line))
        elif isinstance(record, AgentExit):
            names.exit(record.host)
            exits.setdefault(record.host, []).append(record.time_ns)
    return Cast(
        lifelines=[host.name for host in hosts],
        addresses={one.partition("/")[0]: host.name for host in hosts for one in host.addresses},
        sockets=names.known,
        departures={
            one.delivered: one.frame
            for one in end_to_end(run).of(Decision)
            if one.delivered is not None
        },
        on_the_way=frozenset(port.name for router in run.run.routers for port in router.ports),
        exits=exits,
    )


def _strangers(run: RunFile) -> Cast:
    """Give every address its lifeline; every port, where an address speaks from several."""
    ports: dict[str, set[int]] = {}
    for endpoint in _speakers(run):
        ports.setdefault(endpoint[0], set()).add(endpoint[1])
    cast = Cast()
    for address, own in ports.items():
        for port in sorted(own):
            key = address if len(own) == 1 else f"{address} {port}"
            cast.lifelines.append(key)
            cast.addresses[key] = key
    return cast


def _speakers(run: RunFile) -> Iterable[Endpoint]:
    for frame in run.frames:
        decoded = decode_frame(frame.linktype, frame.data)
        if isinstance(decoded, Datagram) and is_mpw(decoded.payload):
            yield decoded.source
            yield decoded.destination
