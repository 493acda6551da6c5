"""Who has which link address on a cable: known for good, or asked for by ARP and ND.

Hosts of a testbed know each other, so that nobody asks. An address that nobody has is asked for
three times, a second apart, and then given up (RFC 4861 section 10; Linux does the same for ARP).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Protocol

from mpwire.lab.topology import Port
from mpwire.sim import packets

QUESTIONS: Final = 3
INTERVAL_S: Final = 1.0
WAITING_MAX: Final = 100
"""Packets kept for an address that is being asked for."""

Send = Callable[[bytes], object]
Fail = Callable[[], object]


class Later(Protocol):
    """What is needed of a loop."""

    def time(self) -> float:
        """Tell what time it is."""

    def call_later(
        self, delay_s: float, callback: Callable[..., object], /, *args: object
    ) -> object:
        """Call something after a while."""


@dataclass(slots=True)
class _Question:
    """An address that is being asked for, and what waits for it."""

    asked: int = 0
    waiting: list[tuple[Send, Fail]] = field(default_factory=list)


class Neighbours:
    """The neighbours of one port."""

    def __init__(self, port: Port, loop: Later, put_on_cable: Callable[[bytes], None]) -> None:
        """Begin with none."""
        self.known: dict[str, bytes] = {}
        """Link address by address."""
        self._port = port
        self._loop = loop
        self._put_on_cable = put_on_cable
        self._questions: dict[str, _Question] = {}

    def reach(self, address: str, send: Send, fail: Fail) -> None:
        """Call `send` with the link address of a neighbour, now or when it has answered."""
        mac = self.known.get(address)
        if mac is not None:
            send(mac)
            return
        question = self._questions.get(address)
        if question is None:
            question = self._questions[address] = _Question()
            question.waiting.append((send, fail))
            self._ask(address)
        elif len(question.waiting) < WAITING_MAX:
            question.waiting.append((send, fail))

    def _ask(self, address: str) -> None:
        question = self._questions.get(address)
        if question is None:
            return
        if question.asked == QUESTIONS:
            del self._questions[address]
            for _, fail in question.waiting:
                fail()
            return
        question.asked += 1
        mine = self._port.address("inet6" if ":" in address else "inet")
        assert mine is not None
        self._put_on_cable(packets.resolution(self._port.mac_octets(), mine, address))
        self._loop.call_later(INTERVAL_S, self._ask, address)

    def take(self, frame: bytes) -> bool:
        """Answer a question about this port, or learn from an answer; False for other frames."""
        own = {one.ip.packed: self._port.mac_octets() for one in self._port.interfaces()}
        answer = packets.answer_resolution(frame, own)
        if answer is not None:
            self._put_on_cable(answer)
            return True
        told = packets.resolved(frame)
        if told is None:
            return False
        address, mac = str(ip_address(told[0])), told[1]
        question = self._questions.pop(address, None)
        if question is not None:
            self.known[address] = mac
            for send, _ in question.waiting:
                send(mac)
        return True
