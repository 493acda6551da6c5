"""Random lives of sockets on a bus, and what must hold whatever happens to them.

    world = World(Bus(seed=7, loss=0.2, duplication=0.2, jitter_s=1.0))
    world.live(steps=60)
    world.settle()
    world.check()

Every choice comes from the seed of the bus, so that a failure is repeated by its seed. A world
knows nothing of states and rules: it calls, it reads events, and it keeps a diary of both.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from mpwire.core.address import Address
from mpwire.core.session import JOINED
from mpwire.testing.actor import (
    C_ROOT,
    NOBODY,
    PORT,
    ROOT_HOST,
    Actor,
    deferring,
    leaf_actor,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import Condition, JoinFlag, ShutdownHow, WsaError
from mpwire.winsock import ConditionArguments, SocketError
from mpwire.winsock.record import CONTRACT
from mpwire.winsock.sockets import Role

QUIET_S: Final = 500.0
"""Virtual time after which every attempt has ended and every dead peer was noticed."""
PAUSES_S: Final = (0.0, 0.0005, 0.0015, 0.01, 0.3, 2.0, 7.0)
NEVER: Final = frozenset({WsaError.WSAEINPROGRESS, WsaError.WSAENOTSOCK, WsaError.WSAEFAULT})
"""Codes that no call of a world may fail with."""


@dataclass(slots=True)
class Life:
    """What happened to one socket."""

    actor: Actor
    name: str
    role: Role
    joins: int = 0
    connects: int = 0
    closes: int = 0
    events: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Tell whether the descriptor is still there."""
        return self.actor.handle in self.actor.provider.sockets


class World:
    """A root, leaves that ask, leaves that wait, and everything they do."""

    def __init__(self, bus: Bus, askers: int = 2, waiters: int = 2, *, honest: bool = True) -> None:
        """Open the first sockets.

        Args:
            bus: an empty bus.
            askers: leaves that ask the root.
            waiters: leaves that wait to be invited.
            honest: whether nothing but what these sockets send is on the bus.
        """
        self.honest = honest
        self.bus = bus
        self.random = Random(f"world {bus.seed}")  # noqa: S311 - choices, not secrets
        self.lives: list[Life] = []
        self.accepted: set[tuple[Address, Address]] = set()
        """(acceptor, requester) of every successful accept."""
        self.asked: set[tuple[Address, Address]] = set()
        """(target, requester) of every join that was begun."""
        self.message_count = 0
        self.askers, self.waiters = askers, waiters
        self.leaf_count = 0
        self.first_root = root_actor(bus)
        self._add(self.first_root, "R")

    def _add(self, actor: Actor, name: str) -> Life:
        role = actor.provider.sockets[actor.handle].role
        self.lives.append(Life(actor, name, role))
        return self.lives[-1]

    # Living -----------------------------------------------------------------------------------

    def live(self, steps: int) -> None:
        """Do so many random things, with random pauses; who is gone is replaced."""
        for _ in range(steps):
            self._replace_the_gone()
            life = self.random.choice([life for life in self.lives if life.is_open])
            self.attempt(self.random.choice(self._choices(life)))
            self.bus.run(self.random.choice(PAUSES_S))
            self.read_events()

    def _replace_the_gone(self) -> None:
        """Keep so many leaves asking and so many waiting, and a root if its port is free."""
        if not any(life.is_open and life.role is Role.ROOT for life in self.lives):
            root = self.first_root.on(self.first_root.provider.socket(C_ROOT))
            self.attempt(lambda: self._add(root.bind().listen().select(), f"R{root.handle}"))
            if self.lives[-1].actor is not root:
                root.close()
        for kind, count in (("L", self.askers), ("W", self.waiters)):
            while sum(life.is_open and life.name[0] == kind for life in self.lives) < count:
                self.leaf_count += 1
                open_leaf = leaf_actor if kind == "L" else waiting_leaf
                self._add(open_leaf(self.bus, self.leaf_count), f"{kind}{self.leaf_count}")

    def attempt(self, call: Callable[[], object]) -> None:
        """Make a call, which may fail but never with a code that means a mistake of ours."""
        failed: SocketError | None = None
        try:
            call()
        except SocketError as error:
            failed = error
        assert failed is None or failed.code not in NEVER, f"{self.bus!r}: {failed}"

    def _choices(self, life: Life) -> list[Callable[[], object]]:
        """List what a socket may do next, the likelier the more often."""
        actor = life.actor
        talk = [partial(self.send, life), partial(self.receive, life)] * 3
        choices: list[Callable[[], object]] = [*talk, actor.select]
        choices += [partial(self.join, life), partial(self.accept, life)]
        if life.role in {Role.ROOT, Role.LEAF}:
            choices += [partial(self.join, life), partial(self.accept, life)] * 6
        how = self.random.choice([*ShutdownHow])
        ending: list[Callable[[], object]] = [
            actor.close,
            partial(actor.shutdown, how),
            partial(self.abort, life),
        ]
        if self.random.random() < (0.02 if life.role is Role.ROOT else 0.3):
            choices += ending * 2
        return choices

    def send(self, life: Life) -> None:
        """Send a message that is like no other."""
        self.message_count += 1
        life.actor.send(f"{life.name} {self.message_count}".encode())

    def receive(self, life: Life) -> None:
        """Read one message, if there is one."""
        life.received.append(life.actor.recv())

    def join(self, life: Life) -> None:
        """Ask the root, or invite somebody; sometimes it is the wrong one, or nobody."""
        waiting = [one for one in self.lives if one.is_open and one.name[0] == "W"]
        targets = [one.actor.address for one in waiting] * 3 + [NOBODY]
        if life.role is not Role.ROOT:
            targets += [self.root_address] * 12
        else:
            targets += [one.actor.address for one in self.lives if self._is_asking(one)] * 3
        flags = self.random.choice([JoinFlag.BOTH] * 5 + [*JoinFlag])
        target = self.random.choice(targets)
        joined = life.actor.join(target, flags)
        self.asked.add((target, life.actor.address))
        life.joins += 1
        if joined.handle != life.actor.handle:
            self._add(joined, f"P{joined.handle}")

    def _is_asking(self, life: Life) -> bool:
        """Tell whether a leaf has a join outstanding, which an invitation may cross."""
        return (
            life.role is Role.LEAF
            and life.is_open
            and life.actor.provider.sockets[life.actor.handle].pending is not None
        )

    @property
    def root_address(self) -> Address:
        """Return where the root is, or was."""
        return (ROOT_HOST, PORT)

    def accept(self, life: Life) -> None:
        """Accept, reject or defer the request at the head."""
        asked: list[ConditionArguments] = []

        def accepting(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
            asked.append(arguments)
            return Condition.ACCEPT, b"welcome"

        condition = self.random.choice([accepting, accepting, accepting, rejecting, deferring])
        accepted = life.actor.accept_fully(condition)
        self.accepted.add((asked[0].local, accepted.address))
        self._add(life.actor.on(accepted.socket), f"A{accepted.socket}")

    def abort(self, life: Life) -> None:
        """Close abortively."""
        life.actor.linger().close()

    # The diary --------------------------------------------------------------------------------

    def read_events(self) -> None:
        """Read the events of a random part of the sockets."""
        for life in self.lives:
            if life.is_open and self.random.random() < 0.7:
                self.read_events_of(life)

    def read_events_of(self, life: Life) -> None:
        """Read the events of a socket and check what can be checked on the spot."""
        for event, code in life.actor.provider.enum_network_events(life.actor.handle):
            name = f"{life.name} {event.name}"
            assert code in CONTRACT[event].codes, f"{self.bus!r}: {name} {code}"
            life.events.append(f"{event.name} {code:d}")
            life.connects += event.name == "FD_CONNECT"
            life.closes += event.name == "FD_CLOSE"
            if event.name == "FD_CONNECT" and code is WsaError.SUCCESS:
                self._check_connect(life)

    def _check_connect(self, life: Life) -> None:
        """FD_CONNECT(0) comes on R or L, after the peer has accepted."""
        assert life.role in {Role.ROOT, Role.LEAF}, f"{self.bus!r}: {life.name}"
        if not self.honest:
            return
        crossed = {pair for pair in self.asked if pair[::-1] in self.asked}
        agreed = self.accepted | crossed
        if life.role is Role.LEAF:
            pair = (life.actor.provider.sockets[life.actor.handle].peer, life.actor.address)
            assert pair in agreed, f"{self.bus!r}: {pair}"
        else:
            assert any(asker == life.actor.address for _, asker in agreed)

    def settle(self, *, close_all: bool = False) -> None:
        """Let a network that has become reliable come to rest."""
        self.bus.loss = self.bus.duplication = 0.0
        if close_all:
            for life in self.lives:
                if life.is_open:
                    self.read_events_of(life)
                    life.actor.close()
        self.bus.run(QUIET_S)
        for life in self.lives:
            if life.is_open:
                while life.actor.provider.sockets[life.actor.handle].queue and not self._is_shut(
                    life
                ):
                    self.receive(life)
                self.read_events_of(life)

    def _is_shut(self, life: Life) -> bool:
        return not life.actor.provider.sockets[life.actor.handle].may_ever_receive

    def check(self) -> None:
        """Check what must hold once everything has come to rest."""
        for life in self.lives:
            where = f"{self.bus!r}: {life.name} {life.events}"
            assert life.connects <= life.joins, where
            assert life.closes <= 1, where
            assert max(Counter(life.received).values(), default=0) <= 1, where
            assert life.role is not Role.ROOT_LEAF or not life.received, where
            if life.is_open:
                assert life.actor.provider.sockets[life.actor.handle].pending is None, where
        self._check_both_or_neither()
        self._check_receivers()

    def _check_both_or_neither(self) -> None:
        """No membership is half open: the other end has it too, under the same names."""
        ends = {
            (membership.local, identity.own_tag, identity.peer_tag, membership.peer)
            for provider in self.bus.providers.values()
            for endpoint in provider.endpoints.values()
            for membership in endpoint.by_tag.values()
            for identity in (membership.identity,)
            if membership.state in JOINED
        }
        mirrored = {(peer, there, here, local) for local, here, there, peer in ends}
        assert ends == mirrored, f"{self.bus!r}: half open {ends ^ mirrored}"

    def _check_receivers(self) -> None:
        """Data of the root is read by leaves only, data of leaves by the root only."""
        for life in self.lives:
            for message in life.received:
                from_root = message.startswith(b"R")
                assert from_root is (life.role is not Role.ROOT), f"{self.bus!r}: {message!r}"

    def check_nothing_left(self) -> None:
        """Check that providers without sockets hold nothing at all."""
        for host, provider in self.bus.providers.items():
            where = f"{self.bus!r}: {host}"
            assert provider.sockets == {}, where
            assert provider.endpoints == {}, where
            assert provider.owners == {}, where
            assert provider.holders == {}, where
            assert provider.blocked == {}, where
            assert provider.next_timer_s() is None, where
        assert self.bus.places == {}, repr(self.bus)
