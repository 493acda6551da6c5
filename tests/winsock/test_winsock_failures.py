"""Table 1M: every error of WSPJoinLeaf, how it comes about and how it is delivered (W103).

Each row is played on R and on L where both can meet it. A row that is delivered by the call leaves
no trace: nothing is sent, nothing is recorded. One that is delivered by event is so on a
nonblocking socket, and is what the call comes to on a blocking one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from mpwire.core import Entropy
from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.core.replies import reject
from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    NOBODY,
    PORT,
    Actor,
    admit,
    fails,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus, BusTransport
from mpwire.vocabulary import Condition, JoinFlag, SocketFlag, WsaError
from mpwire.winsock import Blocked, ConditionArguments, Provider, SocketError
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS
from mpwire.winsock.protocols import ENTRIES, Protocol
from mpwire.winsock.transport import WILDCARDS
from mpwire.wire.codec import encode
from mpwire.wire.messages import JoinReq, Qos
from mpwire.wire.registries import RejectReason

E = WsaError
CALL, EVENT = "call", "event"
TOO_LONG = bytes(MAXIMUM_JOIN_DATA_OCTETS + 1)
RATE = ENTRIES[Protocol.MPW_ROOTED].capacity_octets_per_s
QUIET_S = 200.0
NOT_PRODUCED: Final = {
    "WSANOTINITIALISED": "belongs to the API layer; a provider that runs was started",
    "WSAEHOSTUNREACH": "no code of FD_CONNECT (W98); an unreachable host reads ENETUNREACH",
    "WSASYSCALLFAILURE": "says that a provider has no WSPJoinLeaf; this one has",
    "WSAEWOULDBLOCK": "never",
}


class StubbornTransport(BusTransport):
    """A host that gives no more UDP addresses."""

    code: WsaError

    def open(self, address: Address | None, family: int) -> Address:
        """Refuse."""
        del address, family
        raise SocketError(self.code, "no address is left")


@dataclass
class Play:
    """A socket that is about to join, whom it asks and how, and what happens then."""

    actor: Actor
    address: object = NOBODY
    flags: int = JoinFlag.BOTH
    caller_data: bytes | None = None
    callee_capacity: int = 0
    sqos: object = None
    meanwhile: Callable[[], object] = lambda: None
    """What happens after the call, before the network comes to rest."""

    def join(self) -> int | Blocked:
        """Make the call."""
        return self.actor.provider.join_leaf(
            self.actor.handle,
            self.address,  # type: ignore[arg-type]
            self.actor.bus.now_s,
            flags=self.flags,
            caller_data=self.caller_data,
            callee_capacity=self.callee_capacity,
            sqos=self.sqos,  # type: ignore[arg-type]
        )


Set: TypeAlias = Callable[[Bus, str], Play]


def asker(bus: Bus, role: str) -> Actor:
    """Return a socket that can join: R or L."""
    return lonely_root(bus) if role == "R" else leaf_actor(bus, 1)


def asked(bus: Bus, role: str) -> Actor:
    """Return the other end of `asker`, listening."""
    return waiting_leaf(bus, 2) if role == "R" else root_actor(bus)


def outstanding(bus: Bus, role: str) -> Play:
    actor = asker(bus, role)
    actor.join(NOBODY)
    return Play(actor)


def member(bus: Bus, role: str) -> Play:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf)
    return Play(root, leaf.address) if role == "R" else Play(leaf, root.address)


def without_flags(bus: Bus, _role: str) -> Play:
    provider = bus.provider("10.0.4.1")
    return Play(Actor(bus, provider, provider.socket(SocketFlag(0))).select())


def listening_leaf(bus: Bus, _role: str) -> Play:
    return Play(waiting_leaf(bus, 1))


def no_socket(bus: Bus, role: str) -> Play:
    return Play(asker(bus, role).on(99))


def stubborn(code: WsaError) -> Set:
    """Return a play on a host that gives no more addresses."""

    def play(bus: Bus, role: str) -> Play:
        bus.provider("10.0.4.1")
        transport = StubbornTransport(bus, "10.0.4.1")
        transport.code = code
        provider = bus.providers["10.0.4.1"] = Provider(transport, Entropy(b"stubborn"))
        flags = C_ROOT if role == "R" else C_LEAF
        return Play(Actor(bus, provider, provider.socket(flags)).select())

    return play


def refused_by(reason: RejectReason) -> Set:
    """Return a play in which whoever is asked answers REJECT."""

    def play(bus: Bus, role: str) -> Play:
        actor = asker(bus, role)

        def answer() -> None:
            bus.run(0.1)
            request = bus.trace[-1].message
            assert isinstance(request, JoinReq)
            octets = encode(reject(request, reason))
            bus.inject(SendDatagram(octets, NOBODY, actor.address))

        return Play(actor, meanwhile=answer)

    return play


def rejected(bus: Bus, role: str) -> Play:
    actor, other = asker(bus, role), asked(bus, role)

    def decide() -> None:
        bus.run(0.1)
        with fails(E.WSAECONNREFUSED):
            other.accept(rejecting)

    return Play(actor, other.address, meanwhile=decide)


def nobody_listens(bus: Bus, role: str) -> Play:
    other = leaf_actor(bus, 2).bind() if role == "R" else lonely_root(bus)
    return Play(asker(bus, role), other.address)


def backlog_full(bus: Bus, role: str) -> Play:
    other = asked(bus, role).listen(backlog=1)
    if role == "R":
        there = bus.provider("10.0.0.7")
        first = Actor(bus, there, there.socket(C_ROOT)).select()
    else:
        first = leaf_actor(bus, 7)
    first.join(other)
    bus.run(0.1)
    other.events()
    return Play(asker(bus, role), other.address)


def no_route(bus: Bus, role: str) -> Play:
    bus.unreachable.add(NOBODY[0])
    return Play(asker(bus, role))


def unreachable(bus: Bus, role: str) -> Play:
    actor = asker(bus, role)

    def tell() -> None:
        bus.run(0.1)
        actor.provider.unreachable_untrusted(
            actor.address, bus.trace[-1].data, NOBODY, bus.now_s, port=False
        )

    return Play(actor, meanwhile=tell)


def nobody_answers(bus: Bus, role: str) -> Play:
    return Play(asker(bus, role))


def nobody_decides(bus: Bus, role: str) -> Play:
    return Play(asker(bus, role), asked(bus, role).address)


def beyond_their_network(bus: Bus, role: str) -> Play:
    other = asked(bus, role)
    other.provider.capacity_changed(other.address[0], 10)
    qos = Qos(sending_octets_per_s=11, receiving_octets_per_s=0)
    return Play(asker(bus, role), other.address, sqos=qos)


def beyond_our_network(bus: Bus, role: str) -> Play:
    qos = Qos(sending_octets_per_s=RATE + 1, receiving_octets_per_s=0)
    return Play(asker(bus, role), sqos=qos)


def without_connect_data(bus: Bus, _role: str) -> Play:
    provider = bus.provider("10.0.4.1")
    handle = provider.socket(C_LEAF, protocol=Protocol.MPW_OPEN)
    actor = Actor(bus, provider, handle).select()
    return Play(actor, ("239.1.1.1", PORT), caller_data=b"hello")


def interface_lost(bus: Bus, role: str) -> Play:
    actor = asker(bus, role)
    if role == "L":
        actor.bind()
    actor.provider.interface_changed(actor.address[0], bus.now_s, is_up=False)
    return Play(actor)


def no_descriptor(bus: Bus, role: str) -> Play:
    actor = asker(bus, role)
    actor.provider.maximum_sockets = 1
    return Play(actor)


def given(**given: object) -> Set:
    """Return a play that differs by one parameter."""

    def play(bus: Bus, role: str) -> Play:
        return Play(asker(bus, role), **given)  # type: ignore[arg-type]

    return play


@dataclass
class Row:
    """One way to fail."""

    code: WsaError
    delivery: str
    play: Set
    roles: str = "RL"


V6, ANY, PORT_0 = ("fd00::1", PORT), (WILDCARDS[4], PORT), ("10.0.0.1", 0)
ROWS: Final = {
    "a join is outstanding": Row(E.WSAEALREADY, CALL, outstanding),
    "a member already": Row(E.WSAEISCONN, CALL, member),
    "no multipoint flags": Row(E.WSAEINVAL, CALL, without_flags, "L"),
    "a listening c_leaf": Row(E.WSAEINVAL, CALL, listening_leaf, "L"),
    "no such dwFlags": Row(E.WSAEINVAL, CALL, given(flags=0)),
    "two dwFlags": Row(E.WSAEINVAL, CALL, given(flags=3)),
    "no socket": Row(E.WSAENOTSOCK, CALL, no_socket),
    "no name": Row(E.WSAEFAULT, CALL, given(address=None)),
    "half a name": Row(E.WSAEFAULT, CALL, given(address=("10.0.0.1",))),
    "caller data too long": Row(E.WSAEFAULT, CALL, given(caller_data=TOO_LONG)),
    "no callee buffer": Row(E.WSAEFAULT, CALL, given(callee_capacity=-1)),
    "no flow specification": Row(E.WSAEFAULT, CALL, given(sqos=b"")),
    "the other family": Row(E.WSAEAFNOSUPPORT, CALL, given(address=V6)),
    "the group's family": Row(
        E.WSAEAFNOSUPPORT, EVENT, refused_by(RejectReason.ADDRESS_FAMILY), "L"
    ),
    "the any-address": Row(E.WSAEADDRNOTAVAIL, CALL, given(address=ANY)),
    "port 0": Row(E.WSAEADDRNOTAVAIL, CALL, given(address=PORT_0)),
    "no local port left": Row(E.WSAEADDRINUSE, CALL, stubborn(E.WSAEADDRINUSE)),
    "rejected": Row(E.WSAECONNREFUSED, EVENT, rejected),
    "nobody listens": Row(E.WSAECONNREFUSED, EVENT, nobody_listens),
    "the backlog is full": Row(E.WSAECONNREFUSED, EVENT, backlog_full),
    "no route": Row(E.WSAENETUNREACH, EVENT, no_route),
    "ICMP says so": Row(E.WSAENETUNREACH, EVENT, unreachable),
    "nobody answers": Row(E.WSAETIMEDOUT, EVENT, nobody_answers),
    "nobody decides": Row(E.WSAETIMEDOUT, EVENT, nobody_decides),
    "no buffers here": Row(E.WSAENOBUFS, CALL, stubborn(E.WSAENOBUFS)),
    "no buffers there": Row(E.WSAENOBUFS, EVENT, refused_by(RejectReason.NO_RESOURCES)),
    "beyond our network": Row(E.WSAEOPNOTSUPP, CALL, beyond_our_network),
    "beyond their network": Row(E.WSAEOPNOTSUPP, EVENT, beyond_their_network),
    "no connect data": Row(E.WSAEPROTONOSUPPORT, CALL, without_connect_data, "L"),
    "the interface is lost": Row(E.WSAENETDOWN, CALL, interface_lost),
    "no descriptor for P": Row(E.WSAEMFILE, CALL, no_descriptor, "R"),
}
ELSEWHERE: Final = {(E.WSAEINTR, CALL), (E.WSAEINPROGRESS, CALL)}
"""Errors that come of what others do during the call; they have tests of their own."""
CASES: Final = [(name, role) for name, row in ROWS.items() for role in row.roles]
BY_CALL: Final = [(name, role) for name, role in CASES if ROWS[name].delivery == CALL]
BY_EVENT: Final = [(name, role) for name, role in CASES if ROWS[name].delivery == EVENT]


def read_table() -> dict[str, set[str]]:
    """Return code: deliveries of table 1M in docs/semantics.md."""
    text = (Path(__file__).parents[2] / "docs" / "semantics.md").read_text(encoding="utf-8")
    table = text.split("### 1M.")[1].split("\n### ")[0]
    found = re.findall(r"^\| (WSA\w+) \|[^|]*\| ([^|]*) \|$", table, re.MULTILINE)
    return {code: {*re.findall(r"\bcall\b|\bevent\b", said.split("(")[0])} for code, said in found}


@pytest.mark.w(103)
def test_every_row_of_the_table_is_played_and_no_other() -> None:
    played = {(row.code, row.delivery) for row in ROWS.values()} | ELSEWHERE
    found: dict[str, set[str]] = {}
    for code, delivery in played:
        found.setdefault(code.name, set()).add(delivery)
    table = read_table()
    assert NOT_PRODUCED.keys() <= table.keys()
    assert found == {code: said for code, said in table.items() if code not in NOT_PRODUCED}


@pytest.mark.w(21, 103, 104)
@pytest.mark.parametrize(("name", "role"), BY_CALL)
def test_the_call_fails_and_leaves_no_trace(bus: Bus, name: str, role: str) -> None:
    row = ROWS[name]
    play = row.play(bus, role)
    bus.flush()
    sent, sockets = len(bus.trace), len(play.actor.provider.sockets)
    with fails(row.code):
        play.join()
    bus.flush()
    assert len(bus.trace) == sent
    assert len(play.actor.provider.sockets) == sockets
    if play.actor.handle in play.actor.provider.sockets:
        assert play.actor.events() == []


@pytest.mark.w(18, 21, 22, 98, 103, 104)
@pytest.mark.parametrize(("name", "role"), BY_EVENT)
def test_the_event_tells_why_the_join_failed(bus: Bus, name: str, role: str) -> None:
    row = ROWS[name]
    play = row.play(bus, role)
    actor = play.actor
    handle = play.join()
    assert isinstance(handle, int)
    assert (handle == actor.handle) is (role == "L")
    play.meanwhile()
    bus.run(QUIET_S)
    assert actor.events() == [f"FD_CONNECT {row.code.name}"]
    if role == "R":
        assert actor.on(handle).events() == []
    assert actor.provider.socket_error(actor.handle) is row.code
    bus.unreachable.clear()
    assert isinstance(Play(actor).join(), int)


@pytest.mark.w(20, 103)
@pytest.mark.parametrize(("name", "role"), BY_EVENT)
def test_a_blocking_call_comes_to_the_same(bus: Bus, name: str, role: str) -> None:
    row = ROWS[name]
    play = row.play(bus, role)
    play.actor.block()
    started = bus.now_s
    waiting: int | Blocked | WsaError
    try:
        waiting = play.join()
    except SocketError as error:
        waiting = error.code
    if isinstance(waiting, WsaError):
        assert (waiting, bus.now_s) == (row.code, started)
        return
    assert isinstance(waiting, Blocked)
    assert play.actor.outcome(waiting) is None
    play.meanwhile()
    bus.run(QUIET_S)
    assert play.actor.outcome(waiting) is row.code


@pytest.mark.w(28, 103)
@pytest.mark.parametrize("role", "RL")
def test_a_cancelled_call_is_interrupted(bus: Bus, role: str) -> None:
    actor = asker(bus, role).block()
    waiting = Play(actor).join()
    assert isinstance(waiting, Blocked)
    bus.run(0.5)
    actor.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert actor.outcome(waiting) is E.WSAEINTR
    bus.run(QUIET_S)
    assert actor.select().events() == []
    actor.close()


@pytest.mark.w(46, 103)
def test_nobody_joins_inside_a_condition_function(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    tried: list[bool] = []

    def condition(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        with fails(E.WSAEINPROGRESS):
            Play(root).join()
        tried.append(True)
        return Condition.ACCEPT, None

    root.accept(condition)
    assert tried == [True]


@pytest.mark.w(23)
@pytest.mark.parametrize("name", ["no route", "nobody answers"])
def test_a_handle_whose_join_has_failed_is_good_for_closing_only(bus: Bus, name: str) -> None:
    play = ROWS[name].play(bus, "R")
    handle = play.join()
    assert isinstance(handle, int)
    bus.run(QUIET_S)
    failed = play.actor.on(handle)
    with fails(E.WSAEINVAL):
        failed.select()
    with fails(E.WSAEINVAL):
        failed.provider.duplicate(handle)
    failed.close()
