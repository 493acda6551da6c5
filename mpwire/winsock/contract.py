"""The FD_* contract as a table: on which socket an event happens, why, and when again (W86-W100).

One row per event. The code runs on it: an event is recorded only on the kinds of sockets its row
names (semantics 1N), a call re-enables what names it, and whether a condition that still holds is
recorded again (level) or only a new occurrence is (edge) is what the row says. Tests walk every
cell of event x kind of socket.
"""

from enum import Enum
from typing import Final, NamedTuple

from mpwire.vocabulary import NetworkEvent, WsaError


class Role(Enum):
    """Which of the four multipoint sockets this is (semantics 0.3)."""

    PLAIN = "plain"
    """A socket created without multipoint flags; it exists to be refused (W6)."""
    ROOT = "R"
    """The c_root socket; sends and receives the session's data."""
    ROOT_LEAF = "P"
    """The root's handle of one leaf; carries control events only (W60)."""
    LEAF = "L"
    """A c_leaf socket of a leaf process; joins, or listens for invitations."""
    INVITED = "A"
    """What WSPAccept returned in a leaf process; its session socket (D15)."""


FD_READ, FD_WRITE, FD_OOB, FD_ACCEPT, FD_CONNECT, FD_CLOSE = (
    NetworkEvent.FD_READ,
    NetworkEvent.FD_WRITE,
    NetworkEvent.FD_OOB,
    NetworkEvent.FD_ACCEPT,
    NetworkEvent.FD_CONNECT,
    NetworkEvent.FD_CLOSE,
)
FD_QOS, FD_GROUP_QOS, FD_ROUTING_INTERFACE_CHANGE, FD_ADDRESS_LIST_CHANGE = (
    NetworkEvent.FD_QOS,
    NetworkEvent.FD_GROUP_QOS,
    NetworkEvent.FD_ROUTING_INTERFACE_CHANGE,
    NetworkEvent.FD_ADDRESS_LIST_CHANGE,
)
NO_EVENTS: Final = NetworkEvent(0)


class EventContract(NamedTuple):
    """How one network event behaves."""

    on: dict[Role, str]
    """The kinds of sockets it happens on, and what triggers it there."""
    reenabled_by: tuple[str, ...]
    """Calls that re-enable the event, whether they succeed or not (W92, W93)."""
    level: bool
    """Whether a condition that still holds is recorded again after the re-enabling call."""
    codes: tuple[WsaError, ...]
    """Error codes the event may carry (W98)."""
    cite: str
    drops_unread: bool = False
    """Whether the re-enabling call drops an occurrence that was not read (D6)."""
    asked_for: bool = False
    """Whether the re-enabling call has to come before the first occurrence, too."""


E = WsaError
R, P, L, A = Role.ROOT, Role.ROOT_LEAF, Role.LEAF, Role.INVITED
PLAIN_CODES: Final = (E.SUCCESS, E.WSAENETDOWN)

CONTRACT: Final[dict[NetworkEvent, EventContract]] = {
    FD_CONNECT: EventContract(
        on={R: "its invitation has ended", L: "its join has ended"},
        reenabled_by=("join_leaf",),
        level=False,
        codes=(
            E.SUCCESS,
            E.WSAEAFNOSUPPORT,
            E.WSAECONNREFUSED,
            E.WSAEISCONN,
            E.WSAENETUNREACH,
            E.WSAENOBUFS,
            E.WSAEOPNOTSUPP,
            E.WSAETIMEDOUT,
        ),
        cite="W22 W27 D4 D6 W98",
        drops_unread=True,
    ),
    FD_ACCEPT: EventContract(
        on={R: "a leaf's request waits", L: "an invitation waits"},
        reenabled_by=("accept",),
        level=True,
        codes=PLAIN_CODES,
        cite="W34 W39 W44 W92 W94",
    ),
    FD_READ: EventContract(
        on={
            R: "a message of a leaf waits",
            P: "a private message of its leaf waits (side chat)",
            L: "a message of the session waits",
            A: "a message of the session waits",
        },
        reenabled_by=("recv",),
        level=True,
        codes=PLAIN_CODES,
        cite="W57 W60 W92 W94",
    ),
    FD_OOB: EventContract(
        on={},
        reenabled_by=("recv",),
        level=True,
        codes=PLAIN_CODES,
        cite="W92: no protocol entry has urgent data",
    ),
    FD_WRITE: EventContract(
        on={
            R: "it got its first member, or room after WSAEWOULDBLOCK",
            P: "its leaf has joined, or room after WSAEWOULDBLOCK (side chat)",
            L: "it has joined, or room after WSAEWOULDBLOCK",
            A: "it has joined, or room after WSAEWOULDBLOCK",
        },
        reenabled_by=("send",),
        level=False,
        codes=PLAIN_CODES,
        cite="W95 D35",
    ),
    FD_QOS: EventContract(
        on={
            R: "the network carries less, or more, of the flow specification agreed",
            L: "the network carries less, or more, of the flow specification agreed",
            A: "the network carries less, or more, of the flow specification agreed",
        },
        reenabled_by=("SIO_GET_QOS",),
        level=False,
        codes=PLAIN_CODES,
        cite="W92 W96",
    ),
    FD_GROUP_QOS: EventContract(
        on={},
        reenabled_by=("SIO_GET_GROUP_QOS",),
        level=False,
        codes=PLAIN_CODES,
        cite="W92: reserved for socket groups, which this provider does not form",
    ),
    FD_ROUTING_INTERFACE_CHANGE: EventContract(
        on=dict.fromkeys(
            (R, L, A, Role.PLAIN),
            "another local address reaches the destination that the ioctl named",
        ),
        reenabled_by=("SIO_ROUTING_INTERFACE_CHANGE",),
        level=False,
        codes=PLAIN_CODES,
        cite="W92 W96",
        asked_for=True,
    ),
    FD_ADDRESS_LIST_CHANGE: EventContract(
        on=dict.fromkeys(
            (R, L, A, Role.PLAIN), "a local address of the socket's family came or went"
        ),
        reenabled_by=("SIO_ADDRESS_LIST_CHANGE",),
        level=False,
        codes=PLAIN_CODES,
        cite="W92 W96",
        asked_for=True,
    ),
    FD_CLOSE: EventContract(
        on={
            R: "its session was dismantled and everybody has left",
            P: "its leaf has left, the session has ended, or the membership failed",
            L: "the root has ended the membership or the session, or it failed",
            A: "the root has ended the membership or the session, or it failed",
        },
        reenabled_by=(),
        level=False,
        codes=(E.SUCCESS, E.WSAECONNABORTED, E.WSAECONNRESET, E.WSAENETDOWN),
        cite="W66-W68 W72 W77 W92 D5",
    ),
}

REPORTING_ORDER: Final = tuple(CONTRACT)
"""FD_CONNECT precedes FD_WRITE (W100); FD_CLOSE comes last (W73)."""
REENABLED: Final = {
    call: tuple(event for event, row in CONTRACT.items() if call in row.reenabled_by)
    for row in CONTRACT.values()
    for call in row.reenabled_by
}
"""The events that each call re-enables."""
