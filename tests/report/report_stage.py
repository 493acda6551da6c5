"""Record sessions that never ran, of any number of hosts, to see how they are drawn."""

import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.records import (
    AgentExit,
    AgentLine,
    Decision,
    Host,
    Step,
    Testbed,
    verbatim,
)
from mpwire.wire import encode
from mpwire.wire.messages import Message
from tests.capture.runs import run_record

START_NS = 1_800_000_000_000_000_000
STEP_NS = 1_000_000
PORT = 61717


class Stage:
    """A recording under construction; every frame takes a millisecond."""

    def __init__(self, folder: Path, hosts: list[str]) -> None:
        """Begin a run file."""
        self.now_ns = START_NS
        self.places = {name: place for place, name in enumerate(hosts, 1)}
        described = [
            Host(name=name, mac=f"02:00:00:00:00:{place:02x}", addresses=[f"10.77.0.{place}/24"])
            for name, place in self.places.items()
        ]
        self.writer = RunWriter(folder, described)
        self.writer.record(run_record(described, started_ns=START_NS))
        self.writer.record(Testbed(path="stage.yaml", text=""))
        self._seen: dict[str, int] = {}
        self._calls = 0

    def send(
        self,
        source: str,
        target: str,
        message: Message | bytes,
        *,
        lost: str | None = None,
        late: bool = False,
    ) -> int:
        """Send a datagram; lost: why it does not arrive; late: `deliver` lets it arrive."""
        data = self.datagram(source, target, message)
        sent = self.frame(source, "out", data)
        if lost is not None:
            self.writer.record(Decision(frame=sent, receiver=target, delivered=None, reason=lost))
        elif not late:
            self.deliver(sent, target, data)
        return sent

    def deliver(self, sent: int, target: str, data: bytes, reason: str | None = None) -> int:
        """Let a frame arrive; reason: why not at once, or not as it was."""
        arrived = self.frame(target, "in", data)
        decision = Decision(frame=sent, receiver=target, delivered=arrived, reason=reason)
        self.writer.record(decision)
        return arrived

    def frame(self, host: str, direction: Literal["in", "out"], data: bytes) -> int:
        """Record a frame at a host."""
        self.now_ns += STEP_NS
        return self.writer.frame(host, direction, data, self.now_ns)

    def datagram(self, source: str, target: str, message: Message | bytes) -> bytes:
        """Wrap a message in UDP, IPv4 and Ethernet; the UDP checksum is absent."""
        payload = message if isinstance(message, bytes) else encode(message)
        udp = struct.pack("!HHHH", PORT, PORT, 8 + len(payload), 0) + payload
        words = [0x4500, 20 + len(udp), 0, 0x4000, 0x4011]
        words += [0x0A4D, self.places.get(source, 99), 0x0A4D, self.places.get(target, 99)]
        words.insert(5, 0xFFFF - sum(words) % 0xFFFF)
        header = b"".join(word.to_bytes(2, "big") for word in words)
        return bytes.fromhex("0200000000ff 0200000000fe 0800") + header + udp

    def event(self, host: str, socket: int, event: str, code: int = 0) -> None:
        """Let an agent report an event."""
        self._seen[host] = self._seen.get(host, 0) + 1
        content = {"event": event, "socket": socket, "code": code, "seq": self._seen[host]}
        self.line(host, "from", content)

    def call(self, host: str, call: str, result: dict[str, Any]) -> None:
        """Let an agent be called and answer."""
        self._calls += 1
        self.line(host, "to", {"id": self._calls, "call": call, "args": {}})
        self.line(host, "from", {"id": self._calls, "result": result})

    def line(self, host: str, direction: Literal["to", "from"], content: dict[str, Any]) -> None:
        """Record a line to or from an agent."""
        raw = verbatim(msgspec.json.encode(content))
        self.writer.record(AgentLine(time_ns=self.now_ns, host=host, direction=direction, line=raw))

    def step(
        self,
        line: int,
        text: str,
        state: Literal["started", "done", "failed"] = "started",
        reason: str | None = None,
    ) -> None:
        """Record a change of the script."""
        self.writer.record(
            Step(time_ns=self.now_ns, line=line, text=text, state=state, reason=reason)
        )

    def ended(self, host: str, status: int) -> None:
        """Let an agent die."""
        self.writer.record(AgentExit(time_ns=self.now_ns, host=host, status=status, expected=False))

    def run(self) -> RunFile:
        """Finish the recording and read it."""
        return open_run(self.writer.finish())

    def __enter__(self) -> Self:
        """Record within a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.writer.close()
