"""The steps of a script as typed structs: what a line says, without how it says it.

`grammar` says which English line becomes which step, `script` reads the lines, `actions` carries
the steps out. Field names are those of the slots in the grammar.
"""

from typing import Final, Literal

import msgspec

from mpwire.lab.controls import AnyControl
from mpwire.lab.mishaps import AnyMishap
from mpwire.lab.step import Flow, SocketStep, Step, flow
from mpwire.vocabulary import NetworkEvent

DEFAULT_PORT: Final = 61717
EVENTS: Final = tuple(
    str(event.name)
    for event in NetworkEvent
    if event <= NetworkEvent.FD_CLOSE and event is not NetworkEvent.FD_OOB
)
"""Events that a session brings about, in the order an enumeration lists them by bit."""
CHANGES: Final = tuple(
    str(event.name)
    for event in NetworkEvent
    if event > NetworkEvent.FD_CLOSE and event is not NetworkEvent.FD_GROUP_QOS
)
"""Events of the host and its network, which are told to who asked for them."""

Direction = Literal["BOTH", "SENDER_ONLY", "RECEIVER_ONLY"]


class Sight(msgspec.Struct, frozen=True):
    """One expected event of a socket."""

    event: str
    error: str = "SUCCESS"
    """Name of its code in `vocabulary.WsaError`."""

    def __str__(self) -> str:
        """Say it as the grammar does."""
        return self.event if self.error == "SUCCESS" else f"{self.event} {self.error}"


class Open(SocketStep, frozen=True, kw_only=True, tag="open"):
    """Create a socket, select all events with reports, and bind it to the host's address."""

    roles: str = ""
    """None for an ordinary socket."""
    port: int = DEFAULT_PORT
    family: Literal["inet", "inet6"] | None = None
    protocol: str = "MPW_ROOTED"
    without_binding: bool = False
    scope: int | None = None
    """How far multicast data of the socket goes, where that is said before it is bound."""
    without_events: bool = False

    def flags(self) -> list[str]:
        """Name the multipoint flags of the roles."""
        return self.roles.upper().split("/") if self.roles else []


class Duplicate(SocketStep, frozen=True, kw_only=True, tag="duplicate socket"):
    """Give a socket another descriptor; it lives until the last of them is closed."""

    new: str


class Connect(SocketStep, frozen=True, kw_only=True, tag="connect"):
    """Ask for an ordinary connection."""

    target: str
    """A socket, or a host (its address and the default port)."""
    port: int | None = None
    error: str | None = None


class Find(SocketStep, frozen=True, kw_only=True, tag="find"):
    """Look whether a socket is ready, without taking anything from it."""

    readable: bool = False
    writable: bool = False
    readable_and_writable: bool = False
    not_ready: bool = False

    @property
    def sets(self) -> tuple[str, ...]:
        """Name the sets of WSPSelect in which the socket is."""
        read = ("read",) if self.readable or self.readable_and_writable else ()
        return (*read, "write") if self.writable or self.readable_and_writable else read


class Select(SocketStep, frozen=True, kw_only=True, tag="select"):
    """Choose the events of a socket; it is nonblocking from then on."""

    events: tuple[str, ...] = ()
    without_reports: bool = False


class Listen(SocketStep, frozen=True, kw_only=True, tag="listen"):
    """Let join requests or invitations queue at a socket."""

    backlog: int = 5
    error: str | None = None


class JoinStep(SocketStep, frozen=True, kw_only=True):
    """What all kinds of WSPJoinLeaf have in common."""

    target: str = ""
    """A socket, or a host (its address and the default port)."""
    group: str = ""
    """The IP group of a session without a root, instead of a target."""
    port: int | None = None
    """Port to ask at instead of the target's own."""
    for_sending_only: bool = False
    for_receiving_only: bool = False
    caller_data: bytes | None = None
    room: int = 0
    """Octets of callee data that the joiner takes."""
    sending: int | None = None
    """Octets per second that it asks the network for, each way."""
    receiving: int | None = None
    error: str | None = None
    """Expected failure of the call itself (not of the join)."""

    @property
    def direction(self) -> Direction:
        """Give dwFlags of WSPJoinLeaf."""
        return _direction(
            sending_only=self.for_sending_only, receiving_only=self.for_receiving_only
        )

    @property
    def flow(self) -> Flow | None:
        """Give lpSQOS of WSPJoinLeaf."""
        return flow(self.sending, self.receiving)


class Join(JoinStep, frozen=True, kw_only=True, tag="join"):
    """A leaf asks the root to let it in."""


class Invite(JoinStep, frozen=True, kw_only=True, tag="invite"):
    """The root asks a listening leaf to come in."""

    new: str | None = None
    """The per-leaf socket that the call hands out."""


class Accept(SocketStep, frozen=True, kw_only=True, tag="accept"):
    """Admit the request, or take the invitation, at the head of the queue."""

    peer: str = "nobody"
    """The host that asked, or "nobody" when the queue is expected to be empty."""
    new: str | None = None
    callee_data: bytes | None = None
    error: str | None = None


class Reject(SocketStep, frozen=True, kw_only=True, tag="reject"):
    """Refuse whoever is at the head of the queue."""

    peer: str


class Defer(SocketStep, frozen=True, kw_only=True, tag="defer"):
    """Leave whoever is at the head of the queue undecided."""

    peer: str


class JoinEnds(Step, frozen=True, kw_only=True, tag="join ends"):
    """The outstanding join of a socket ends: the call returns, or FD_CONNECT is reported."""

    socket: str
    error: str | None = None


class Failure(SocketStep, frozen=True, kw_only=True, tag="failure"):
    """Compare the error that a socket keeps, which reading clears (SO_ERROR)."""

    error: str = "SUCCESS"


class Loopback(SocketStep, frozen=True, kw_only=True, tag="loopback"):
    """Say whether what a socket sends comes back to it."""

    on: bool = False
    off: bool = False
    error: str | None = None


class Scope(SocketStep, frozen=True, kw_only=True, tag="scope"):
    """Say how far a socket's group data goes."""

    scope: int
    error: str | None = None


class CalleeData(SocketStep, frozen=True, kw_only=True, tag="callee data"):
    """Compare what the acceptor sent along."""

    data: bytes


class Send(SocketStep, frozen=True, kw_only=True, tag="send"):
    """Send one message."""

    data: bytes
    in_private: bool = False
    error: str | None = None


class Receive(SocketStep, frozen=True, kw_only=True, tag="receive"):
    """Receive one message and compare it."""

    data: bytes | None = None
    in_private: bool = False
    error: str | None = None


class Take(SocketStep, frozen=True, kw_only=True, tag="take"):
    """Receive one message, whatever it is."""


class Shutdown(SocketStep, frozen=True, kw_only=True, tag="shutdown"):
    """End the session, or one direction of it, and keep the descriptor."""

    for_sending: bool = False
    for_receiving: bool = False
    error: str | None = None

    @property
    def how(self) -> Literal["SEND", "RECEIVE", "BOTH"]:
        """Give the second parameter of WSPShutdown: which direction ends."""
        if self.for_sending:
            return "SEND"
        return "RECEIVE" if self.for_receiving else "BOTH"


class Part(SocketStep, frozen=True, kw_only=True, tag="part"):
    """End the direction of sending with a last word."""

    data: bytes
    error: str | None = None


class PartingWords(SocketStep, frozen=True, kw_only=True, tag="parting words"):
    """End the direction of receiving and compare the last word that has come."""

    data: bytes
    error: str | None = None


class Linger(SocketStep, frozen=True, kw_only=True, tag="linger"):
    """Say what a close does with unsent data."""

    seconds: int | None = None
    error: str | None = None


class Close(SocketStep, frozen=True, kw_only=True, tag="close"):
    """Give the descriptor back; what that means on the wire depends on the socket."""

    error: str | None = None


class Enumerate(SocketStep, frozen=True, kw_only=True, tag="enumerate"):
    """Read and clear the network-event record by hand."""

    sights: tuple[Sight, ...] = ()
    resetting_its_event_object: bool = False
    touching_nothing_else: bool = False
    """What stands in the array of codes for other events stays there."""


class See(Step, frozen=True, kw_only=True, tag="see"):
    """Wait until a socket has reported events; without any, settle and check that none came."""

    socket: str
    sights: tuple[Sight, ...] = ()


class Settle(Step, frozen=True, kw_only=True, tag="settle"):
    """Wait until nothing moves any more: no frame, no event, no open datagram."""


class Saw(Step, frozen=True, kw_only=True, tag="saw"):
    """At the end: all events that a socket ever reported, in order."""

    socket: str
    sights: tuple[Sight, ...] = ()


AnyStep = (
    Open
    | Duplicate
    | Connect
    | Find
    | Select
    | Listen
    | Join
    | Invite
    | Accept
    | Reject
    | Defer
    | JoinEnds
    | Failure
    | Loopback
    | Scope
    | CalleeData
    | Send
    | Receive
    | Take
    | Shutdown
    | Part
    | PartingWords
    | Linger
    | Close
    | Enumerate
    | See
    | Settle
    | AnyControl
    | AnyMishap
)
AnyExpectation = Saw


def _direction(*, sending_only: bool, receiving_only: bool) -> Direction:
    if sending_only:
        return "SENDER_ONLY"
    return "RECEIVER_ONLY" if receiving_only else "BOTH"
