"""Keep the packets of one attempt or membership by message type, in order."""

from itertools import chain
from typing import TypeVar

from mpwire.oracle.trace import Packet
from mpwire.wire.messages import Message, MessageBase

AnyMessage = TypeVar("AnyMessage", bound=MessageBase)


class Shelf:
    """Packets by message type, in order."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_type: dict[type[object], list[Packet]] = {}
        self._sent: dict[tuple[type[object], ...], list[Packet]] = {}
        self._arrived: dict[tuple[type[object], ...], list[Packet]] = {}
        self.packets: list[Packet] = []

    def put(self, packet: Packet) -> None:
        """Append a packet that was decoded."""
        self._change()
        self.packets.append(packet)
        self._by_type.setdefault(type(packet.message), []).append(packet)

    def sort(self) -> None:
        """Put everything in order after something was put in late."""
        self._change()
        for packets in (self.packets, *self._by_type.values()):
            packets.sort(key=lambda packet: packet.number)

    def lacks(self, kinds: tuple[type[Message], ...]) -> bool:
        """Tell whether there is nothing of some types; so it is of most that are asked for."""
        return self._by_type.keys().isdisjoint(kinds)

    def of(self, *kinds: type[Message]) -> list[Packet]:
        """Return the packets of some types, in order."""
        some = [found for kind in kinds if (found := self._by_type.get(kind))]
        if len(some) == 1:
            return some[0]
        return sorted(chain.from_iterable(some), key=lambda packet: packet.number)

    def sent(self, *kinds: type[Message]) -> list[Packet]:
        """Return each transmission of some types once."""
        if self.lacks(kinds):
            return []
        found = self._sent.get(kinds)
        if found is None:
            found = self._sent[kinds] = [one for one in self.of(*kinds) if one.leads]
        return found

    def arrived(self, *kinds: type[Message]) -> list[Packet]:
        """Return the deliveries of some types that the receiver's own interface shows."""
        if self.lacks(kinds):
            return []
        found = self._arrived.get(kinds)
        if found is None:
            found = [one for one in self.of(*kinds) if one.direction == "in"]
            self._arrived[kinds] = found
        return found

    def _change(self) -> None:
        """Forget what was chosen before."""
        if self._sent or self._arrived:
            self._sent.clear()
            self._arrived.clear()


def read(packet: Packet, kind: type[AnyMessage]) -> AnyMessage:
    """Return the message of a packet that was found by its type."""
    assert isinstance(packet.message, kind)
    return packet.message
