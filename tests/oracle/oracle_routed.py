"""Write a run again as if a router stood between its hosts."""

from pathlib import Path

import msgspec

from mpwire.capture import Frame, RunFile, RunWriter, open_run
from mpwire.capture.blocks import Direction
from mpwire.capture.records import (
    Counters,
    Decision,
    End,
    Host,
    Router,
    Run,
    Sentinel,
    StoredVerdict,
)

PORTS = tuple(
    Host(name=name, mac=f"02:00:00:00:01:0{place}", addresses=[f"10.77.0.{250 + place}/24"])
    for place, name in enumerate(("edge.near", "edge.far"))
)
NEAR, FAR = (port.name for port in PORTS)


def over_router(run: RunFile, path: Path) -> RunFile:
    """Let everything that is delivered cross a router on its way."""
    return _Detour(run, path).written()


def one_hop_on(data: bytes) -> bytes:
    """Return an IPv4 packet as a router sends it on."""
    checksum = int.from_bytes(data[24:26], "big") + 0x100
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    return data[:22] + bytes([data[22] - 1]) + data[23:24] + checksum.to_bytes(2, "big") + data[26:]


class _Detour:
    def __init__(self, run: RunFile, path: Path) -> None:
        self._run = run
        self._sender = {one.delivered: one.frame for one in run.of(Decision) if one.delivered}
        self._writer = RunWriter(path, [*(run.run.hosts if run.run else ()), *PORTS])
        self._number: dict[int, int] = {}
        self._last_hop: dict[int, int] = {}
        """The frame by which the router sent each on that a host was given."""

    def written(self) -> RunFile:
        """Write everything, and read it back."""
        for _, item in self._run.timeline():
            match item:
                case Frame():
                    self._frame(item)
                case Decision():
                    self._decision(item)
                case Sentinel(request=request, reply=reply):
                    numbers = {"request": self._number[request], "reply": self._number[reply]}
                    self._writer.record(msgspec.structs.replace(item, **numbers))
                case Run():
                    router = Router(name="edge", ports=list(PORTS))
                    self._writer.record(msgspec.structs.replace(item, routers=[router]))
                    self._prove("start")
                case End() | StoredVerdict():
                    pass
                case _:
                    self._writer.record(msgspec.structs.replace(item))
        self._prove("end")
        for port in PORTS:
            self._writer.record(Counters(host=port.name, interface={}, udp={}, capture={}))
        return open_run(self._writer.finish())

    def _prove(self, stage: str) -> None:
        """Let the ports answer, as hosts do."""
        time_ns = self._run.frames[-1 if stage == "end" else 0].time_ns
        for port in PORTS:
            request = self._writer.frame(port.name, "in", b"\0" * 12 + b"\x08\x06?", time_ns)
            reply = self._writer.frame(port.name, "out", b"\0" * 12 + b"\x08\x06!", time_ns)
            self._writer.record(
                Decision(frame=reply, receiver="", delivered=None, reason="for the switch")
            )
            self._writer.record(
                Sentinel(
                    host=port.name,
                    stage="end" if stage == "end" else "start",
                    request=request,
                    reply=reply,
                )
            )

    def _frame(self, frame: Frame) -> None:
        sender = self._sender.get(frame.number)
        data = frame.data
        if sender is not None:
            near = self._write(NEAR, "in", data, frame)
            decision = Decision(frame=self._number[sender], receiver=NEAR, delivered=near)
            self._writer.record(decision)
            data = one_hop_on(data)
            self._last_hop[frame.number] = self._write(FAR, "out", data, frame)
        direction: Direction = "in" if frame.direction == "in" else "out"
        self._number[frame.number] = self._write(frame.vantage, direction, data, frame)

    def _write(self, vantage: str, direction: Direction, data: bytes, frame: Frame) -> int:
        return self._writer.frame(vantage, direction, data, frame.time_ns)

    def _decision(self, decision: Decision) -> None:
        if decision.delivered is None:
            sent = self._number[decision.frame]
            receiver = NEAR if decision.receiver else ""
            made = msgspec.structs.replace(decision, frame=sent, receiver=receiver)
        else:
            sent = self._last_hop[decision.delivered]
            arrived = self._number[decision.delivered]
            made = msgspec.structs.replace(decision, frame=sent, delivered=arrived)
        self._writer.record(made)
