"""A simulated agent: what reaches it, and in which order."""

import json
from collections.abc import Iterator

import pytest

from mpwire.lab.topology import Port
from mpwire.sim.loop import VirtualLoop
from mpwire.sim.packets import udp_frame
from mpwire.sim.process import SimPipes, SimProcess
from mpwire.sim.stack import Stack
from mpwire.wire.codec import encode
from mpwire.wire.messages import Probe

HOST = Port(name="b", mac="02:00:00:00:00:02", addresses=("10.0.0.2/24",))
MACS = HOST.mac_octets(), bytes.fromhex("020000000001")
HERE, PEER = ("10.0.0.2", 61717), ("10.0.0.1", 61717)
STRANGE = Probe(
    nonce=7, next_data_seq=1, session_id=5, seq=1, destination_tag=9, sender_id=2, attempt=1
)
"""It goes to a tag that nobody has: who gets it answers at once that there is no membership."""


class Harness:
    """One agent on one host, and what it says and sends, in order."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.loop = VirtualLoop()
        self.stack = Stack(HOST, self.loop, lambda _frame: self.happened.append("frame"))
        self.stack.neighbours.known[PEER[0]] = MACS[1]
        self.process = SimProcess(self.loop, self.stack)
        self.pipes: SimPipes = self.process.pipes(self._hear, lambda _said: None)

    def _hear(self, line: bytes) -> None:
        said = json.loads(line)
        self.happened.append(f"answer {said['id']}" if "id" in said else next(iter(said)))

    def ask(self, number: int, call: str, **args: object) -> None:
        """Write a call to the agent."""
        self.pipes.write(json.dumps({"id": number, "call": call, "args": args}).encode())

    def pass_time(self, duration_s: float) -> None:
        """Let virtual time pass."""
        self.loop.call_later(duration_s, self.loop.stop)
        self.loop.run_forever()


@pytest.fixture
def harness() -> Iterator[Harness]:
    """Have an agent with a socket that may hear."""
    harness = Harness()
    harness.pass_time(0.001)
    harness.ask(1, "socket", flags=["C_LEAF", "D_LEAF"])
    harness.ask(2, "bind", socket=1, address=list(HERE))
    harness.ask(3, "listen", socket=1, backlog=5)
    harness.pass_time(0.001)
    assert harness.happened == ["hello", "answer 1", "answer 2", "answer 3"]
    harness.happened.clear()
    yield harness
    harness.process.kill()
    harness.loop.close()


@pytest.mark.parametrize("earlier_s", [0.0, 10e-6, 1e-3])
def test_a_barrier_does_not_overtake_a_datagram_in_flight(
    harness: Harness, earlier_s: float
) -> None:
    """Answer it when what was delivered before it was asked has been worked off."""
    harness.stack.write(udp_frame(MACS, PEER, HERE, encode(STRANGE), 64))
    harness.pass_time(earlier_s)
    harness.ask(4, "barrier")
    harness.pass_time(0.01)
    assert harness.happened == ["frame", "answer 4"]


def test_a_datagram_that_is_delivered_later_waits_for_nobody(harness: Harness) -> None:
    harness.ask(4, "barrier")
    harness.pass_time(0.001)
    harness.stack.write(udp_frame(MACS, PEER, HERE, encode(STRANGE), 64))
    harness.pass_time(0.01)
    assert harness.happened == ["answer 4", "frame"]
