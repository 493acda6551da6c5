"""CR1-CR20, DR1-DR6: what calls return, and what agents say."""

from collections import deque
from typing import Any

from mpwire.core import Endpoint
from mpwire.core.listener import Listener
from mpwire.core.timers import TimerPlan
from mpwire.io import calls as lines
from mpwire.io.agent import Agent
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import alter, once, withhold, wrap
from mpwire.vocabulary import Condition, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.base import Accepted
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import Accept, Challenge, JoinReq, Reject
from mpwire.wire.registries import RejectReason


def _refuse(name: str, code: WsaError, when: Any = None) -> None:
    """Let a call fail before it begins."""

    def refused(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        socket = self.sockets.get(handle)
        if socket is not None and (when is None or when(socket)):
            raise SocketError(code, "broken")
        return original(self, handle, *others, **named)

    wrap(Provider, name, refused)


@patch("CR1", "rooted-lan", "leaf1")
def events_misnumbered() -> None:
    """The numbers of event lines skip one."""

    def skip(original: Any, self: Agent, line: Any) -> None:
        if isinstance(line, lines.EventLine):
            line = lines.EventLine(line.event, line.socket, line.code, line.seq + (line.seq > 1))
        original(self, line)

    wrap(Agent, "say", skip)


@patch("CR1", "rooted-lan", "leaf1")
def line_of_no_contract() -> None:
    """A line is said that the contract does not know."""
    first = once()

    def chatter(original: Any, self: Agent, line: Any) -> None:
        original(self, line)
        if isinstance(line, lines.EventLine) and first():
            original(self, {"gossip": "have you heard?"})

    wrap(Agent, "say", chatter)


@patch("CR2", "rooted-lan", "leaf1")
def good_flags_refused() -> None:
    """A socket with one C flag and one D flag is refused with WSAEINVAL."""

    def picky(_original: Any, _self: Provider, *_: Any, **__: Any) -> int:
        raise SocketError(WsaError.WSAEINVAL, "broken")

    wrap(Provider, "socket", picky)


@patch("CR3", "rooted-lan", "root")
def invitation_returns_the_root() -> None:
    """WSPJoinLeaf on a c_root returns the descriptor it was called on."""

    def same(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        original(self, handle, *others, **named)
        return handle

    wrap(Provider, "join_leaf", same)


@patch("CR4", "rooted-lan", "leaf1")
def join_returns_another() -> None:
    """WSPJoinLeaf on a c_leaf returns a new descriptor."""
    wrap(
        Provider,
        "join_leaf",
        lambda original, self, handle, *others, **named: (
            original(self, handle, *others, **named) + 100
        ),
    )


@patch("CR5", "rooted-decisions", "leaf1")
def second_join_called_invalid() -> None:
    """A join on a socket that waits for one fails with WSAEINVAL instead of WSAEALREADY."""
    _refuse("join_leaf", WsaError.WSAEINVAL, lambda socket: socket.pending is not None)


@patch("CR6", "rooted-abort", "leaf1")
def member_called_invalid() -> None:
    """A join on a socket that is a member fails with WSAEINVAL instead of WSAEISCONN."""
    _refuse(
        "join_leaf",
        WsaError.WSAEINVAL,
        lambda socket: socket.membership is not None and socket.pending is None,
    )


@patch("CR7", "rooted-lan", "leaf1")
def join_would_block() -> None:
    """WSPJoinLeaf on a nonblocking socket begins the join and fails with WSAEWOULDBLOCK."""

    def modest(original: Any, self: Provider, *others: Any, **named: Any) -> Any:
        original(self, *others, **named)
        raise SocketError(WsaError.WSAEWOULDBLOCK, "broken")

    wrap(Provider, "join_leaf", modest)


@patch("CR8", "join-both-ways", "root")
def handle_usable_at_once() -> None:
    """A send on the descriptor of an invitation that nobody has answered succeeds."""

    def eager(
        original: Any, self: Provider, handle: int, payload: bytes, *others: Any, **named: Any
    ) -> Any:
        socket = self.sockets.get(handle)
        if socket is not None and socket.role is Role.ROOT_LEAF and not socket.usable:
            return len(payload)
        return original(self, handle, payload, *others, **named)

    wrap(Provider, "send", eager)


@patch("CR9", "closed-socket", "leaf1")
def closed_and_still_there() -> None:
    """A call on a descriptor that was closed fails as if it were not joined."""

    def lenient(original: Any, self: Provider, handle: int) -> Socket:
        try:
            found: Socket = original(self, handle)
        except SocketError as error:
            raise SocketError(WsaError.WSAENOTCONN, "broken") from error
        return found

    wrap(Provider, "find", lenient)


@patch("CR10", "rooted-lan", "leaf1")
def join_without_a_request() -> None:
    """WSPJoinLeaf succeeds, and nothing leaves."""
    withhold(JoinReq)


@patch("CR11", "rooted-lan", "root")
def accept_without_an_acceptance() -> None:
    """WSPAccept succeeds, and no ACCEPT leaves."""
    withhold(Accept)


@patch("CR12", "rooted-lan", "root")
def refused_without_a_word() -> None:
    """WSPAccept fails with WSAECONNREFUSED, and no REJECT leaves."""
    withhold(Reject)


@patch("CR13", "join-deferred", "root")
def deferral_refuses() -> None:
    """Who is deferred is sent a REJECT."""

    def final(original: Any, self: Provider, socket: Socket, entry: Any, *others: Any) -> Any:
        try:
            return original(self, socket, entry, *others)
        except SocketError as error:
            if error.code is WsaError.WSATRY_AGAIN and socket.endpoint is not None:
                end = entry.membership
                header = end.header(end.request.seq, end.request.attempt)
                no = Reject(**header, reason=RejectReason.APP_REFUSED, retry_after_s=0, detail=0)
                socket.endpoint.send(no, end.local, end.peer)
            raise

    wrap(Provider, "_decide", final)


@patch("CR14", "rooted-lan", "root")
def nobody_waits() -> None:
    """WSPAccept fails with WSAEWOULDBLOCK although a request is queued."""
    first = once()

    def blind(original: Any, self: Provider, *others: Any, **named: Any) -> Any:
        if first():
            raise SocketError(WsaError.WSAEWOULDBLOCK, "broken")
        return original(self, *others, **named)

    wrap(Provider, "accept", blind)


@patch("CR15", "rooted-lan", "root")
def caller_data_swallowed() -> None:
    """WSPAccept does not hand the caller data on."""

    def forgetful(original: Any, self: Provider, *others: Any, **named: Any) -> Any:
        accepted = original(self, *others, **named)
        if isinstance(accepted, Accepted):
            return Accepted(accepted.socket, accepted.address, None)
        return accepted

    wrap(Provider, "accept", forgetful)


@patch("CR15", "join-deferred", "root")
def last_come_first_served() -> None:
    """WSPAccept takes the newest request of the queue."""
    put(
        Listener,
        "head",
        property(lambda self: next((e for e in self.entries[::-1] if not e.parked), None)),
    )


@patch("CR16", "rooted-decisions", "leaf1")
def callee_data_shortened() -> None:
    """The joiner is handed the callee data without its last octet."""
    wrap(Provider, "callee_data", lambda original, self, handle: original(self, handle)[:-1])


@patch("CR16", "rooted-decisions", "root")
def callee_data_left_behind() -> None:
    """ACCEPT does not carry the callee data."""
    alter(Accept, callee_data=None)


@patch("CR19", "rooted-lan", "leaf1")
def call_unanswered() -> None:
    """A send is done, and its caller never answered."""

    def mute(original: Any, self: Agent, line: Any) -> None:
        if not (isinstance(line, lines.ResultLine) and "octets" in line.result):
            original(self, line)

    wrap(Agent, "say", mute)


@patch("CR19", "join-blocking", "leaf1")
def join_never_returns() -> None:
    """A blocking join stays open although it has succeeded."""
    wrap(Provider, "finish_all", lambda *_: 0)


@patch("CR20", "rooted-lan", "leaf2")
def announces_what_it_was_not_given() -> None:
    """TIMERS says that it may wait longer for a decision than it was configured to."""
    honest = TimerPlan.announced

    def boast(self: TimerPlan) -> Any:
        timers = honest(self)
        timers.pend_ms += 1000
        return timers

    put(TimerPlan, "announced", boast)


@patch("CR20", "rooted-lan", "root")
def cookies_that_live_longer() -> None:
    """CHALLENGE promises a longer life to the cookie than was configured."""
    alter(Challenge, cookie_life_ms=lambda message: message.cookie_life_ms + 500)


# Receiving ------------------------------------------------------------------------------------


@patch("DR1", "rooted-lan", "leaf3")
def words_never_said() -> None:
    """A receive returns a message that nobody has sent."""

    def invent(original: Any, self: Provider, socket: Socket, now_s: float) -> Any:
        received = original(self, socket, now_s)
        return received if received is None else received._replace(payload=b"so they say")

    wrap(Provider, "_take", invent)


@patch("DR2", "join-late", "leaf1")
def newest_first() -> None:
    """A receive returns the newest message instead of the oldest."""

    def backwards(original: Any, self: Socket) -> Any:
        assert isinstance(self.queue, deque)
        self.queue.rotate(1)
        return original(self)

    wrap(Socket, "take", backwards)


@patch("DR3", "join-late", "leaf1")
def twice_told() -> None:
    """Every message is received twice."""
    told: list[Any] = []

    def again(original: Any, self: Provider, socket: Socket, now_s: float) -> Any:
        if told:
            return told.pop()
        received = original(self, socket, now_s)
        if received is not None:
            told.append(received)
        return received

    wrap(Provider, "_take", again)


@patch("DR6", "join-late", "leaf1")
def nothing_there() -> None:
    """A receive fails with WSAEWOULDBLOCK although a message waits."""

    def blind(_original: Any, _self: Provider, _socket: Socket, _now_s: float) -> None:
        return None

    wrap(Provider, "_take", blind)
    _ = (Endpoint, Condition)
