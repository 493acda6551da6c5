"""A session of one root and many leaves on the bus: joined, told one message, dismantled.

Every leaf is a process of its own with one socket; each application enumerates what its event
object announces and nothing else, as one that has ten thousand sockets must. A socket that saw
anything but its own events fails the session.
"""

from dataclasses import dataclass, field
from typing import Final

from mpwire.testing.actor import C_LEAF, C_ROOT, PORT, ROOT_HOST
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import WsaError
from mpwire.winsock import Blocked, Provider

WAVE: Final = 100
"""Leaves that ask at once; fewer than the backlog has room for."""
EVENT_OBJECT: Final = 1
MESSAGE: Final = b"to every leaf"
WAIT_S: Final = 0.2
FORGET_S: Final = 60.0
"""More than T_LINGER: nothing is kept of an ended membership after that."""


@dataclass(slots=True)
class Crowd:
    """One root, its leaves, and what every socket has seen since it was last asked."""

    bus: Bus
    leaf_count: int
    root: Provider = field(init=False)
    r: int = field(init=False)
    leaves: dict[Provider, int] = field(default_factory=dict)
    handles: list[int] = field(default_factory=list)
    """The P of every leaf."""
    seen_by_root: list[str] = field(default_factory=list)
    """What R has reported while leaves joined."""

    def __post_init__(self) -> None:
        """Open the root."""
        self.root = self.bus.provider(ROOT_HOST)
        self.r = self.root.socket(C_ROOT)
        self.root.bind(self.r, (ROOT_HOST, PORT))
        self.root.listen(self.r, 2 * WAVE, self.bus.now_s)
        self.root.event_select(self.r, EVENT_OBJECT, ALL_EVENTS, self.bus.now_s)

    def join(self) -> None:
        """Let every leaf join; each sees FD_CONNECT and FD_WRITE."""
        for first in range(0, self.leaf_count, WAVE):
            wave = range(first, min(first + WAVE, self.leaf_count))
            joining = [self._ask(number) for number in wave]
            self.bus.run(WAIT_S, called=joining)
            self._accept()
            self.bus.run(WAIT_S, called=[self.root])
            for leaf in joining:
                self._expect(leaf, self.leaves[leaf], "FD_CONNECT", "FD_WRITE")
            self.seen_by_root += self._root_events()
        expected = ["FD_ACCEPT"] * self.leaf_count + ["FD_WRITE"]
        assert sorted(self.seen_by_root) == expected
        assert len(self.handles) == self.leaf_count

    def _ask(self, number: int) -> Provider:
        leaf = self.bus.provider(f"10.1.{number // 250}.{number % 250 + 1}")
        handle = self.leaves[leaf] = leaf.socket(C_LEAF)
        leaf.event_select(handle, EVENT_OBJECT, ALL_EVENTS, self.bus.now_s)
        leaf.join_leaf(handle, (ROOT_HOST, PORT), self.bus.now_s)
        return leaf

    def _root_events(self) -> list[str]:
        """Enumerate R, if it is announced; no P may be."""
        if not self.root.take_signal(EVENT_OBJECT):
            return []
        events = self.root.enum_network_events(self.r)
        assert all(code is WsaError.SUCCESS for _, code in events), events
        return [str(event.name) for event, _ in events]

    def _accept(self) -> None:
        """Accept all who wait, one for every FD_ACCEPT."""
        while seen := self._root_events():
            self.seen_by_root += seen
            if "FD_ACCEPT" in seen:
                accepted = self.root.accept(self.r, None, self.bus.now_s)
                assert not isinstance(accepted, Blocked)
                self.handles.append(accepted.socket)

    def _expect(self, provider: Provider, handle: int, *names: str) -> None:
        """Require that a process has one signalled socket, with exactly these events."""
        assert provider.take_signal(EVENT_OBJECT) == [handle]
        seen = [(event.name, code) for event, code in provider.enum_network_events(handle)]
        assert seen == [(name, 0) for name in names], seen

    def tell(self) -> None:
        """Send one message; every leaf sees FD_READ and reads it."""
        self.root.send(self.r, MESSAGE, self.bus.now_s)
        self.bus.run(WAIT_S)
        for leaf, handle in self.leaves.items():
            self._expect(leaf, handle, "FD_READ")
            assert leaf.recv(handle, self.bus.now_s) == MESSAGE
        assert self.root.take_signal(EVENT_OBJECT) == []

    def dismantle(self) -> None:
        """Close R; every leaf end and every P sees FD_CLOSE."""
        self.root.close(self.r, self.bus.now_s)
        self.bus.run(WAIT_S)
        for leaf, handle in self.leaves.items():
            self._expect(leaf, handle, "FD_CLOSE")
            leaf.close(handle, self.bus.now_s)
        assert self.root.take_signal(EVENT_OBJECT) == sorted(self.handles)
        for handle in self.handles:
            seen = [(event.name, code) for event, code in self.root.enum_network_events(handle)]
            assert seen == [("FD_CLOSE", 0)], seen
            self.root.close(handle, self.bus.now_s)

    def forget(self) -> None:
        """Let the last timers run; nothing is left at any host."""
        self.bus.run(FORGET_S)
        for provider in (self.root, *self.leaves):
            assert not provider.endpoints
            assert not provider.sockets

    def lose_root(self) -> None:
        """Take the root's process out of the world, so that its memory can be told apart."""
        self.bus.remove(ROOT_HOST)
        self.handles = []
        self.root = next(iter(self.leaves))
