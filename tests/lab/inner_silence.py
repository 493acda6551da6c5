"""Scenarios in which hosts fall silent late, because a fault holds back what they say, or never."""

import contextlib
import socket
from typing import Literal

import inner_network as network
import inner_scenarios as inner

from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.decide import Copy, Fate
from mpwire.lab.echoes import FabricError
from mpwire.lab.topology import lan

ANSWERING = "10.77.0.1"
CLOSED_PORT = 9


class TalkativeTape(inner.Tape):
    """Let a host say something whenever it is asked whether it is silent."""

    speaker: socket.socket | None = None

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        """Record a frame."""
        number = super().frame(host, direction, data, time_ns)
        if self.speaker is not None and (host, data[6:12]) == ("h2", SWITCH_MAC):
            self.speaker.sendto(b"yes", (ANSWERING, network.PORT))
        return number


@inner.scenario
async def late_answer(spec: inner.Spec) -> object:
    """Send to a port that nobody has, and hold that and the kernel's answer for long."""
    fate = Fate((Copy(spec["held_s"]),), "says so")
    deadline_s = spec["deadline_s"]
    async with inner.fabric_of(spec, lambda *_: fate, deadline_s) as (fabric, tape):
        asking = network.open_socket(fabric, "h2")
        asking.connect((ANSWERING, CLOSED_PORT))
        asking.send(b"anybody?")
        await fabric.settle()
        refused = asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return {"refused": refused, "tape": tape.entries}


@inner.scenario
async def endless(spec: inner.Spec) -> object:
    """Wait for the silence of a host that always has something to say, which may be held back."""
    fate = Fate((Copy(spec["held_s"]),), "says so")
    fabric = inner.make_fabric(spec, lambda *_: fate, spec["deadline_s"])
    tape = TalkativeTape()
    await fabric.start(lan(inner.specs(2)), tape)
    try:
        with contextlib.closing(network.open_socket(fabric, "h2")) as tape.speaker:
            await fabric.settle()
    except FabricError as error:
        return str(error)
    finally:
        await fabric.stop()
    return ""
