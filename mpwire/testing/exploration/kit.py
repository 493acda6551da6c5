"""What the provider of an explored session is given: numbers to draw, and ports to open."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mpwire.core import Entropy
from mpwire.core.address import Address
from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError


class CountingEntropy(Entropy):
    """Give tags and sequence starts that are all different, and jitter that is none.

    Which numbers are drawn makes no difference to the machines as long as no two are equal; small
    ones are readable in a trace, and equal histories draw equal ones.
    """

    __slots__ = ("drawn", "owner")

    def __init__(self, owner: int) -> None:
        super().__init__(b"")
        self.owner = owner
        self.drawn = 0

    def octets(self, count: int) -> bytes:
        """Return octets that are this owner's and never change: cookie keys, no GREASE."""
        return (b"\x40" + self.owner.to_bytes(3)).ljust(32, b"\x40")[:count]

    def tag(self) -> int:
        """Return a tag never drawn before."""
        self.drawn += 1
        return self.owner * 0x100 + self.drawn

    def sequence(self) -> int:
        """Return a start that is far from all others."""
        self.drawn += 1
        return self.owner * 100_000 + self.drawn * 1000

    def uniform(self, low: float, high: float) -> float:
        """Return the lowest number: timers expire in any order anyway."""
        del high
        return low


@dataclass(slots=True)
class Ports:
    """The UDP ports of one host, as its provider wants them, and the groups they listen to."""

    host: str
    taken: set[int] = field(default_factory=set)
    heard: set[tuple[Address, Address]] = field(default_factory=set)
    """(local address, group)."""

    def open(self, address: Address | None, family: int) -> Address:
        """Take a port of this host."""
        del family
        port = address[1] if address else 61_000 + len(self.taken)
        if port in self.taken:
            raise SocketError(WsaError.WSAEADDRINUSE, f"port {port} is taken")
        self.taken.add(port)
        return (self.host, port)

    def release(self, address: Address) -> None:
        """Give the port back, and hear nothing more there."""
        self.taken.remove(address[1])
        self.heard = {(local, group) for local, group in self.heard if local != address}

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the local address itself: every host reaches every other."""
        del peer
        return local

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Reach every host with what goes to a group, too."""

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Hear what is sent to a group."""
        del source, origins
        self.heard.add((local, group))

    def leave_group(self, local: Address, group: Address) -> None:
        """Hear it no more."""
        self.heard.remove((local, group))
