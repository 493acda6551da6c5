"""Sockets of hosts on a bus as objects: the time, the descriptor and the event object filled in.

    bus = Bus()
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(1)
    handle = root.accept()
    bus.run(1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]

Events read as the application would print them: the name alone if the code is 0, else with the name
of the code. Calls that may block have a twin, `start_...`, which gives the token that
`outcome` asks about.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from mpwire.core.address import Address
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock import (
    Accepted,
    Blocked,
    ConditionArguments,
    ConditionFunction,
    Provider,
    SocketError,
)
from mpwire.winsock.base import Value

ROOT_HOST: Final = "10.0.0.1"
PORT: Final = 61717
C_ROOT: Final = SocketFlag.C_ROOT | SocketFlag.D_ROOT
C_LEAF: Final = SocketFlag.C_LEAF | SocketFlag.D_LEAF
BACKLOG: Final = 5
NOBODY: Final[Address] = ("10.0.9.9", PORT)
"""An address where nothing answers."""

Target: TypeAlias = "Actor | Address"


@contextmanager
def fails(code: WsaError) -> Iterator[None]:
    """Expect that the call inside fails with this code."""
    found: SocketError | None = None
    try:
        yield
    except SocketError as error:
        found = error
    assert found is not None, f"expected {code.name}, the call succeeded"
    assert found.code is code, f"expected {code.name}, got {found}"


def rejecting(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
    """Answer every request with CF_REJECT."""
    return Condition.REJECT, None


def deferring(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
    """Answer every request with CF_DEFER."""
    return Condition.DEFER, None


@dataclass(slots=True)
class Actor:
    """One socket of one host on a bus."""

    bus: Bus
    provider: Provider
    handle: int

    @property
    def address(self) -> Address:
        """Return where the socket is bound."""
        return self.provider.getsockname(self.handle)

    @property
    def peer(self) -> Address:
        """Return where the other end is bound."""
        return self.provider.getpeername(self.handle)

    def on(self, handle: int) -> "Actor":
        """Return another socket of the same host."""
        return Actor(self.bus, self.provider, handle)

    # Calls ------------------------------------------------------------------------------------

    def bind(self, port: int = PORT) -> "Actor":
        """Bind to a port of the host."""
        (host,) = [name for name, one in self.bus.providers.items() if one is self.provider]
        self.provider.bind(self.handle, (host, port))
        return self

    def listen(self, backlog: int = BACKLOG) -> "Actor":
        """Listen."""
        self.provider.listen(self.handle, backlog, self.bus.now_s)
        return self

    def select(self, events: NetworkEvent = ALL_EVENTS, event_object: int = 0) -> "Actor":
        """Nominate events; the event object is the descriptor if none is named."""
        chosen = event_object or self.handle
        self.provider.event_select(self.handle, chosen, events, self.bus.now_s)
        return self

    def block(self) -> "Actor":
        """Cancel the selection and make the socket block."""
        self.select(NetworkEvent(0))
        self.provider.set_blocking(self.handle, blocking=True)
        return self

    def join(
        self,
        target: Target,
        flags: int = JoinFlag.BOTH,
        caller_data: bytes | None = None,
        capacity: int = 512,
    ) -> "Actor":
        """Start a join that does not block; return the socket it gives."""
        value = self._join(target, flags, caller_data, capacity)
        assert isinstance(value, int), value
        return self.on(value)

    def start_join(self, target: Target, flags: int = JoinFlag.BOTH) -> Blocked:
        """Start a join that blocks."""
        value = self._join(target, flags, None, 512)
        assert isinstance(value, Blocked), value
        return value

    def _join(
        self, target: Target, flags: int, caller_data: bytes | None, capacity: int
    ) -> int | Blocked:
        return self.provider.join_leaf(
            self.handle,
            target.address if isinstance(target, Actor) else target,
            self.bus.now_s,
            flags=flags,
            caller_data=caller_data,
            callee_capacity=capacity,
        )

    def accept(self, condition: ConditionFunction | None = None) -> "Actor":
        """Accept a request that waits; return the socket it gives."""
        return self.on(self.accept_fully(condition).socket)

    def accept_fully(self, condition: ConditionFunction | None = None) -> Accepted:
        """Accept a request that waits; return all that is said of it."""
        value = self.provider.accept(self.handle, condition, self.bus.now_s)
        assert isinstance(value, Accepted), value
        return value

    def start_accept(self, condition: ConditionFunction | None = None) -> Blocked:
        """Wait for a request."""
        value = self.provider.accept(self.handle, condition, self.bus.now_s)
        assert isinstance(value, Blocked), value
        return value

    def send(self, payload: bytes = b"hello") -> int:
        """Send one message."""
        value = self.provider.send(self.handle, payload, self.bus.now_s)
        assert isinstance(value, int), value
        return value

    def start_send(self, payload: bytes = b"hello") -> Blocked:
        """Wait for room to send one message."""
        value = self.provider.send(self.handle, payload, self.bus.now_s)
        assert isinstance(value, Blocked), value
        return value

    def recv(self) -> bytes:
        """Receive one message that waits."""
        value = self.provider.recv(self.handle, self.bus.now_s)
        assert isinstance(value, bytes), value
        return value

    def recv_all(self) -> list[bytes]:
        """Receive every message that waits."""
        messages = []
        while self.provider.sockets[self.handle].queue:
            messages.append(self.recv())
        return messages

    def start_recv(self) -> Blocked:
        """Wait for a message."""
        value = self.provider.recv(self.handle, self.bus.now_s)
        assert isinstance(value, Blocked), value
        return value

    def shutdown(self, how: ShutdownHow = ShutdownHow.SEND) -> None:
        """Shut down."""
        self.provider.shutdown(self.handle, how, self.bus.now_s)

    def close(self) -> None:
        """Close."""
        self.provider.close(self.handle, self.bus.now_s)

    def linger(self, linger_s: float | None = 0) -> "Actor":
        """Set SO_LINGER."""
        self.provider.set_linger(self.handle, linger_s)
        return self

    # What happened ----------------------------------------------------------------------------

    def events(self) -> list[str]:
        """Enumerate the network events, without touching the event object."""
        return [
            str(event.name) if code is WsaError.SUCCESS else f"{event.name} {code.name}"
            for event, code in self.provider.enum_network_events(self.handle)
        ]

    def is_signalled(self) -> bool:
        """Tell whether the event object of this socket is set."""
        return self.provider.sockets[self.handle].record.event_object in self.provider.signalled

    def outcome(self, blocked: Blocked) -> Value | WsaError | None:
        """Return what a blocking call has come to: a value, an error code, or None yet."""
        found = [one for one in self.provider.completions if one.token == blocked.token]
        if not found:
            assert blocked.token in self.provider.blocked
            return None
        (completion,) = found
        return completion.error.code if completion.error else completion.value


def root_actor(bus: Bus, *, backlog: int = BACKLOG) -> Actor:
    """Open a root that listens at `ROOT_HOST` and has selected every event."""
    provider = bus.provider(ROOT_HOST)
    root = Actor(bus, provider, provider.socket(C_ROOT)).bind()
    return root.listen(backlog).select() if backlog else root.select()


def lonely_root(bus: Bus) -> Actor:
    """Open a root that invites but does not listen."""
    return root_actor(bus, backlog=0)


def leaf_actor(bus: Bus, number: int) -> Actor:
    """Open the leaf of host 10.0.1.number, which has selected every event."""
    provider = bus.provider(f"10.0.1.{number}")
    return Actor(bus, provider, provider.socket(C_LEAF)).select()


def waiting_leaf(bus: Bus, number: int) -> Actor:
    """Open a leaf that listens for invitations."""
    return leaf_actor(bus, number).bind().listen()


def admit(root: Actor, leaf: Actor, flags: int = JoinFlag.BOTH) -> Actor:
    """Let a leaf join and the root accept it; return P. No event is left unread."""
    leaf.join(root, flags)
    root.bus.run(0.1)
    handle = root.accept()
    root.bus.run(0.1)
    drain_events(root, leaf, handle)
    return handle


def invite(root: Actor, leaf: Actor, flags: int = JoinFlag.BOTH) -> tuple[Actor, Actor]:
    """Let a root invite a leaf that listens, and accept; return P and A, no event unread."""
    handle = root.join(leaf, flags)
    root.bus.run(0.1)
    session_end = leaf.accept()
    root.bus.run(0.1)
    drain_events(root, leaf, handle, session_end)
    return handle, session_end


def drain_events(*actors: Actor) -> None:
    """Read and forget the events of sockets."""
    for actor in actors:
        actor.events()
        actor.provider.signalled.clear()


class Party:
    """A root with three leaves, of which the second was invited; each with its P."""

    def __init__(self, bus: Bus) -> None:
        """Bring them all together."""
        self.root = root_actor(bus)
        self.ends = [leaf_actor(bus, 1)]
        self.handles = [admit(self.root, self.ends[0])]
        handle, session_end = invite(self.root, waiting_leaf(bus, 2))
        self.ends += [session_end, leaf_actor(bus, 3)]
        self.handles += [handle, admit(self.root, self.ends[2])]

    def events(self) -> dict[str, list[str]]:
        """Return the unread events of every socket that has some and is open."""
        named = {"R": self.root}
        named |= {f"P{number}": one for number, one in enumerate(self.handles, 1)}
        named |= {f"L{number}": one for number, one in enumerate(self.ends, 1)}
        happened = {
            name: actor.events()
            for name, actor in named.items()
            if actor.handle in actor.provider.sockets
        }
        return {name: events for name, events in happened.items() if events}
