"""Write run files of sessions that never ran: moves in, a run file out.

A story is a list of moves: datagrams with their deliveries, agents' lines, barriers. The plots in
`oracle_plots` tell correct stories; tests change single moves (leave one out, put one in, alter
a message) and look which rule the judge names. Nothing here knows how an endpoint works.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.records import (
    AgentExit,
    AgentLine,
    Counters,
    Decision,
    Host,
    Sentinel,
    Step,
    verbatim,
)
from mpwire.wire.codec import encode
from mpwire.wire.messages import Message
from tests.capture.runs import run_record

Stage = Literal["start", "end"]
Direction = Literal["in", "out"]
START_NS = 1_800_000_000_000_000_000
STEP_NS = 1_000_000
NAMES = ("root", "leaf1", "leaf2", "leaf3")
ADDRESSES = {name: f"10.77.0.{place}" for place, name in enumerate(NAMES, 1)}
PORT = 61717


@dataclass
class Send:
    """One datagram from one host to another."""

    label: str
    source: str
    target: str
    message: Message | None = None
    octets: bytes | None = None
    """Sent instead of an encoded message."""
    delivered: bool = True
    source_port: int = PORT
    target_port: int = PORT
    target_address: str | None = None
    flags_and_offset: int = 0x4000
    checksum: int | None = None
    """Written instead of the right one."""
    more_targets: tuple[str, ...] = ()
    """Further hosts that are given it, where it goes to a group."""


@dataclass
class Frame:
    """One frame from one host that is no UDP datagram; the fabric keeps it."""

    label: str
    source: str
    data: bytes


@dataclass
class Line:
    """One line to or from an agent."""

    label: str
    host: str
    direction: Literal["to", "from"]
    content: dict[str, Any]


@dataclass
class Wait:
    """Time that passes."""

    label: str
    seconds: float


@dataclass
class Exit:
    """The end of an agent."""

    label: str
    host: str
    status: int = 0
    expected: bool = True


@dataclass
class Told:
    """A step of the script that begins or is over."""

    label: str
    text: str
    state: Literal["started", "done"]


Move = Send | Frame | Line | Wait | Exit | Told


@dataclass
class Story:
    """A list of moves under construction."""

    moves: list[Move] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    def send(self, label: str, source: str, target: str, message: Message, **more: object) -> None:
        """Let a host send a message."""
        self.moves.append(replace(Send(label, source, target, message), **cast("Any", more)))

    def ask(self, label: str, host: str, call: str, **args: object) -> int:
        """Write a call to an agent and return its id."""
        number = self.calls[host] = self.calls.get(host, 0) + 1
        content = {"id": number, "call": call, "args": args}
        self.moves.append(Line(f"{label}?", host, "to", content))
        return number

    def answer(self, label: str, host: str, number: int, **answer: object) -> None:
        """Let an agent answer a call."""
        self.moves.append(Line(f"{label}!", host, "from", {"id": number, **answer}))

    def call(
        self, label: str, host: str, call: str, answer: dict[str, Any] | int, **args: object
    ) -> None:
        """Let a call be asked and answered at once; an integer answer is an error code."""
        number = self.ask(label, host, call, **args)
        if isinstance(answer, int):
            self.answer(label, host, number, error={"code": answer, "name": "X"})
        else:
            self.answer(label, host, number, result=answer)

    def event(self, label: str, host: str, socket: int, event: str, code: int = 0) -> None:
        """Let an agent report an event; event lines are numbered when the story is played."""
        content = {"event": event, "socket": socket, "code": code, "seq": 0}
        self.moves.append(Line(label, host, "from", content))

    def pause(self, label: str, seconds: float) -> None:
        """Let time pass."""
        self.moves.append(Wait(label, seconds))

    def barrier(self, *hosts: str) -> None:
        """Let agents answer a barrier."""
        for host in hosts or NAMES:
            self.call(f"barrier {host}", host, "barrier", {})


def find(moves: Iterable[Move], label: str) -> int:
    """Return where the move of a label is."""
    for place, move in enumerate(moves):
        if move.label == label:
            return place
    raise LookupError(f"no move {label!r}")


def without(moves: list[Move], *labels: str) -> list[Move]:
    """Leave moves out."""
    places = {find(moves, label) for label in labels}
    return [move for place, move in enumerate(moves) if place not in places]


def after(moves: list[Move], label: str, *more: Move) -> list[Move]:
    """Put moves in after the one with a label."""
    place = find(moves, label) + 1
    return [*moves[:place], *more, *moves[place:]]


def before(moves: list[Move], label: str, *more: Move) -> list[Move]:
    """Put moves in before the one with a label."""
    place = find(moves, label)
    return [*moves[:place], *more, *moves[place:]]


def altered(moves: list[Move], label: str, **changes: object) -> list[Move]:
    """Change fields of the message, or of the line, with a label."""
    place = find(moves, label)
    return [*moves[:place], changed(moves[place], **changes), *moves[place + 1 :]]


def changed(move: Move, **changes: object) -> Move:
    """Return a copy of a move with fields of its message or line changed."""
    if isinstance(move, Send) and move.message is not None:
        return replace(move, message=msgspec.structs.replace(move.message, **changes))
    assert isinstance(move, Line)
    return replace(move, content={**move.content, **changes})


def remade(moves: list[Move], label: str, **changes: object) -> list[Move]:
    """Change fields of a move itself."""
    place = find(moves, label)
    return [*moves[:place], _replaced(moves[place], changes), *moves[place + 1 :]]


def _replaced(move: Move, changes: dict[str, object]) -> Move:
    fields = cast("dict[str, Any]", changes)
    return replace(move, **fields)


def the(moves: list[Move], label: str) -> Move:
    """Return a copy of a move."""
    return replace(moves[find(moves, label)])


def barriers(host: str, count: int, first: int = 700) -> list[Move]:
    """Return barriers that an agent answers, besides those of the story."""
    lines: list[Move] = []
    for number in range(first, first + count):
        asked = {"id": number, "call": "barrier", "args": {}}
        lines.append(Line(f"barrier {number}?", host, "to", asked))
        lines.append(Line(f"barrier {number}!", host, "from", {"id": number, "result": {}}))
    return lines


def message_of(moves: list[Move], label: str) -> Message:
    """Return the message of a datagram."""
    move = moves[find(moves, label)]
    assert isinstance(move, Send)
    assert move.message is not None
    return move.message


def play(moves: Iterable[Move], folder: Path, hosts: Iterable[str] = NAMES) -> RunFile:
    """Record a story and read it back."""
    return open_run(record(moves, folder, hosts))


def record(moves: Iterable[Move], folder: Path, hosts: Iterable[str] = NAMES) -> Path:
    """Record a story the way a lab does: sentinels, moves, exits, counters, end."""
    path = folder / f"run{len(list(folder.iterdir()))}.pcapng"
    described = [
        Host(
            name=name,
            mac=f"02:00:00:00:00:{NAMES.index(name) + 1:02x}",
            addresses=[f"{ADDRESSES[name]}/24"],
            agent=["agent"],
        )
        for name in hosts
    ]
    player = _Player(RunWriter(path, described))
    player.writer.record(run_record(described, started_ns=START_NS))
    player.sentinels("start", hosts)
    for move in moves:
        player.move(move)
    player.sentinels("end", hosts)
    for name in hosts:
        if name not in player.gone:
            player.move(Exit("", name))
        player.writer.record(
            Counters(host=name, interface={"tx_dropped": 0}, udp={"InErrors": 0}, capture={})
        )
    return player.writer.finish()


class _Player:
    """Carry out moves."""

    def __init__(self, writer: RunWriter) -> None:
        self.writer = writer
        self.now_ns = START_NS
        self.seen: dict[str, int] = {}
        self.gone: set[str] = set()

    def sentinels(self, stage: Stage, hosts: Iterable[str]) -> None:
        """Let every host answer an echo through its own stack."""
        for name in hosts:
            request = self._frame(name, "in", b"\0" * 12 + b"\x08\x06" + b"request")
            reply = self._frame(name, "out", b"\0" * 12 + b"\x08\x06" + b"reply")
            self.writer.record(
                Decision(frame=reply, receiver="", delivered=None, reason="for the switch")
            )
            self.writer.record(Sentinel(host=name, stage=stage, request=request, reply=reply))

    def _frame(self, host: str, direction: Direction, data: bytes) -> int:
        self.now_ns += STEP_NS
        return self.writer.frame(host, direction, data, self.now_ns)

    def move(self, move: Move) -> None:
        """Carry out one move."""
        match move:
            case Send():
                self._send(move)
            case Frame():
                number = self._frame(move.source, "out", move.data)
                decision = Decision(frame=number, receiver="", delivered=None, reason="kept")
                self.writer.record(decision)
            case Line():
                self._line(move)
            case Told():
                step = Step(time_ns=self.now_ns, line=1, text=move.text, state=move.state)
                self.writer.record(step)
            case Wait():
                self.now_ns += int(move.seconds * 1e9)
            case Exit():
                self.gone.add(move.host)
                self.seen.pop(move.host, None)
                self.writer.record(
                    AgentExit(
                        time_ns=self.now_ns,
                        host=move.host,
                        status=move.status,
                        expected=move.expected,
                    )
                )

    def _send(self, move: Send) -> None:
        data = ethernet(move)
        sent = self._frame(move.source, "out", data)
        if not move.delivered:
            self.writer.record(
                Decision(frame=sent, receiver=move.target, delivered=None, reason="drop:test")
            )
            return
        for target in (move.target, *move.more_targets):
            arrived = self._frame(target, "in", data)
            self.writer.record(Decision(frame=sent, receiver=target, delivered=arrived))

    def _line(self, move: Line) -> None:
        content = dict(move.content)
        self.gone.discard(move.host)
        if content.get("event") and content.get("seq") == 0:
            content["seq"] = self.seen[move.host] = self.seen.get(move.host, 0) + 1
        self.writer.record(
            AgentLine(
                time_ns=self.now_ns,
                host=move.host,
                direction=move.direction,
                line=verbatim(msgspec.json.encode(content)),
            )
        )


def ethernet(move: Send) -> bytes:
    """Wrap a move's message in UDP, IPv4 and Ethernet."""
    payload = move.octets if move.octets is not None else encode_any(move.message)
    source = bytes(int(part) for part in ADDRESSES[move.source].split("."))
    text = move.target_address or ADDRESSES[move.target]
    target = bytes(int(part) for part in text.split("."))
    length = 8 + len(payload)
    ports = struct.pack("!HHH", move.source_port, move.target_port, length)
    total = summed(source + target + struct.pack("!HH", 17, length) + ports + payload)
    checksum = (0xFFFF - total) or 0xFFFF
    if move.checksum is not None:
        checksum = move.checksum
    header = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, move.flags_and_offset, 64, 17)
    header += struct.pack("!H", 0xFFFF - summed(header + source + target)) + source + target
    link = bytes.fromhex("0200000000ff 0200000000fe 0800")
    return link + header + ports + struct.pack("!H", checksum) + payload


def summed(octets: bytes) -> int:
    """Return the ones' complement sum of 16-bit words (RFC 1071)."""
    octets += bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def encode_any(message: Message | None) -> bytes:
    """Encode a message; nothing is no message."""
    return encode(message) if message is not None else b""


Edit = Callable[[list[Move]], list[Move]]
