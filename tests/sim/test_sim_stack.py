"""A simulated host's network stack."""

from collections.abc import Callable

from mpwire.io.udp import Arrival
from mpwire.lab.topology import Port
from mpwire.sim.packets import udp_frame
from mpwire.sim.stack import Stack

HOST = Port(name="b", mac="02:00:00:00:00:02", addresses=("10.0.0.2/24",))
MACS = HOST.mac_octets(), bytes.fromhex("020000000001")


class Backwards:
    """A loop that calls what is due at one moment in the wrong order, as any loop may."""

    def __init__(self) -> None:
        self.due: list[Callable[[], object]] = []

    def time(self) -> float:
        """Stand still."""
        return 0.0

    def call_later(
        self, _delay_s: float, callback: Callable[..., object], /, *args: object
    ) -> None:
        """Remember what to call."""
        self.due.append(lambda: callback(*args))


def test_a_cable_keeps_the_order_of_its_frames() -> None:
    loop = Backwards()
    stack = Stack(HOST, loop, lambda _frame: None)
    socket = stack.bind(("10.0.0.2", 2000), 4)
    sent = [b"first", b"second", b"third"]
    for text in sent:
        stack.write(udp_frame(MACS, ("10.0.0.1", 1000), ("10.0.0.2", 2000), text, 64))
    assert stack.in_flight == 3
    for call in reversed(loop.due):
        call()
    assert stack.in_flight == 0
    assert [one.data for one in socket.queue if isinstance(one, Arrival)] == sent
