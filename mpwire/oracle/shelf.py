"""Keep the packets of one attempt or membership by message type, in order."""

from typing import TypeVar

from mpwire.oracle.trace import Packet
from mpwire.wire.messages import Message, MessageBase

AnyMessage = TypeVar("AnyMessage", bound=MessageBase)


class Shelf:
    """Packets by message type, in order."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_type: dict[type[object], list[Packet]] = {}
        self.packets: list[Packet] = []

    def put(self, packet: Packet) -> None:
        """Append a packet that was decoded."""
        self.packets.append(packet)
        self._by_type.setdefault(type(packet.message), []).append(packet)

    def sort(self) -> None:
        """Put everything in order after something was put in late."""
        for packets in (self.packets, *self._by_type.values()):
            packets.sort(key=lambda packet: packet.number)

    def of(self, *kinds: type[Message]) -> list[Packet]:
        """Return the packets of some types, in order."""
        if len(kinds) == 1:
            return self._by_type.get(kinds[0], [])
        found = [packet for kind in kinds for packet in self._by_type.get(kind, [])]
        return sorted(found, key=lambda packet: packet.number)

    def sent(self, *kinds: type[Message]) -> list[Packet]:
        """Return each transmission of some types once."""
        return [packet for packet in self.of(*kinds) if packet.leads]

    def arrived(self, *kinds: type[Message]) -> list[Packet]:
        """Return the deliveries of some types that the receiver's own interface shows."""
        return [p for p in self.of(*kinds) if p.direction == "in"]


def read(packet: Packet, kind: type[AnyMessage]) -> AnyMessage:
    """Return the message of a packet that was found by its type."""
    assert isinstance(packet.message, kind)
    return packet.message
