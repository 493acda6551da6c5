"""What an application does in an explored session: one call each, written as a line of text.

    join            L joins the root
    invite 2        R invites the leaf of host 2
    accept, reject, defer       the listening socket decides about the request at the head
    send L hello    one message
    whisper P1 psst one private message
    shutdown L      WSPShutdown(SD_SEND)
    close L         WSPCloseSocket, gracefully;  abort L: with linger 0
    listen          R or L begins to listen
    crash           the process dies;  restart: and begins anew, as it began
    elapse          so much time passes that every cookie and every tombstone is too old

A call that cannot be made yet, or any more, is no step at all.
"""

from collections.abc import Callable
from typing import Final

from mpwire.core import Membership
from mpwire.testing.actor import PORT, deferring, rejecting
from mpwire.testing.exploration.party import BACKLOG, Party, Step, host_of
from mpwire.vocabulary import Condition, ShutdownHow, WsaError
from mpwire.winsock import Accepted, ConditionArguments, SocketError
from mpwire.winsock.sockets import Role

ELAPSED_S: Final = 200.0
"""Longer than any cookie or tombstone lives, shorter than a cookie key."""
GONE: Final = {WsaError.WSAECONNRESET, WsaError.WSAEACCES}
"""How WSPAccept says that the request at the head has ended meanwhile (D17)."""
DECIDED: Final = {WsaError.WSAECONNREFUSED, WsaError.WSATRY_AGAIN}


class Impossible(Exception):  # noqa: N818 - no error: the step is not there
    """The application cannot make this call now."""


def perform(party: Party, line: str) -> Step | None:
    """Let the application do one of its acts, which is spent then; None if it cannot now."""
    step, is_spent = _call(party, line)
    if is_spent:
        spent = next(one for one in party.acts if line in one)
        place = party.acts.index(spent)
        party.acts = party.acts[:place] + party.acts[place + 1 :]
    return step


def play(party: Party, line: str) -> Step:
    """Let the application act before the walk begins; it must be possible."""
    step, _ = _call(party, line)
    assert step is not None, f"{party.host} cannot {line}"
    return step


def _call(party: Party, line: str) -> tuple[Step | None, bool]:
    """Make a call; return what came of it, and whether the application has done with it."""
    verb, *words = line.split()
    try:
        again = ACTS[verb](party, *words)
    except (Impossible, SocketError):
        return None, False
    return party.finish(), not again


def _handle(party: Party, name: str) -> int:
    handle = party.names.get(name)
    if handle is None or handle not in party.provider.sockets:
        raise Impossible
    return handle


def _first(party: Party) -> tuple[str, int]:
    """Return the socket that the process began with, if it is still open."""
    for name, handle in party.names.items():
        if name[0] in "RL" and handle in party.provider.sockets:
            return name, handle
    raise Impossible


def _join(party: Party, number: str = "1") -> bool:
    name, handle = _first(party)
    joined = party.provider.join_leaf(handle, (host_of(int(number)), PORT), party.clock_s)
    assert isinstance(joined, int)
    party.page(name).joins += 1
    _note_attempt(party, joined, name)
    return False


def _note_attempt(party: Party, handle: int, *names: str) -> Membership:
    """Note what the socket of a new membership, and the one that asked, are about."""
    membership = party.provider.sockets[handle].membership
    assert membership is not None
    party.name_new_sockets()
    own_name = next(name for name, one in party.names.items() if one == handle)
    for name in (own_name, *names):
        page = party.page(name)
        page.attempt, page.asked = membership.request.init_tag, True
    return membership


def _decide(party: Party, condition: Callable[[ConditionArguments], object]) -> bool:
    """Call WSPAccept; the act remains if it only met a request that is gone."""
    _, handle = _first(party)
    endpoint = party.provider.sockets[handle].endpoint
    if endpoint is None or endpoint.listener is None or endpoint.listener.head is None:
        raise Impossible
    try:
        accepted = party.provider.accept(handle, condition, party.clock_s)  # type: ignore[arg-type]
    except SocketError as error:
        if error.code not in GONE | DECIDED:
            raise
        return error.code in GONE
    assert isinstance(accepted, Accepted)
    membership = _note_attempt(party, accepted.socket)
    party.diary.accepted.append(membership.request.init_tag)
    return False


def _accepting(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
    return Condition.ACCEPT, None


def _accept(party: Party) -> bool:
    return _decide(party, _accepting)


def _reject(party: Party) -> bool:
    return _decide(party, rejecting)


def _defer(party: Party) -> bool:
    return _decide(party, deferring)


def _send(party: Party, name: str, text: str) -> bool:
    handle = _handle(party, name)
    socket = party.provider.sockets[handle]
    session = socket.endpoint.session if socket.endpoint else None
    if socket.role is Role.ROOT and session is not None:
        receivers = session.receivers()
    else:
        receivers = [socket.membership] if socket.membership else []
    party.provider.send(handle, text.encode(), party.clock_s)
    party.diary.sent += [(one.peer[0], text.encode()) for one in receivers]
    return False


def _whisper(party: Party, name: str, text: str) -> bool:
    handle = _handle(party, name)
    membership = party.provider.sockets[handle].membership
    party.provider.send(handle, text.encode(), party.clock_s, private=True)
    assert membership is not None
    party.diary.whispered.append((membership.peer[0], text.encode()))
    return False


def _shutdown(party: Party, name: str) -> bool:
    peers = _peers(party, name)
    party.provider.shutdown(_handle(party, name), ShutdownHow.SEND, party.clock_s)
    party.page(name).shut = True
    _note_dismissed(party, peers)
    return False


def _close(party: Party, name: str) -> bool:
    peers = _peers(party, name)
    party.provider.close(_handle(party, name), party.clock_s)
    party.page(name).closed = True
    _note_dismissed(party, peers)
    return False


def _peers(party: Party, name: str) -> list[str]:
    """Return the hosts of the leaves whose memberships an end of this socket ends."""
    socket = party.provider.sockets[_handle(party, name)]
    if socket.role is Role.ROOT:
        return [*party.diary.admitted]
    return [socket.membership.peer[0]] if socket.membership else []


def _note_dismissed(party: Party, peers: list[str]) -> None:
    for host in peers:
        if host in party.diary.admitted:
            party.diary.dismissed.setdefault(host, party.heard())


def _abort(party: Party, name: str) -> bool:
    party.provider.set_linger(_handle(party, name), 0)
    return _close(party, name)


def _listen(party: Party) -> bool:
    party.provider.listen(_first(party)[1], BACKLOG, party.clock_s)
    return False


def _crash(party: Party) -> bool:
    if not party.names:
        raise Impossible
    party.crash()
    return False


def _restart(party: Party) -> bool:
    _crash(party)
    party.start()
    return False


def _elapse(party: Party) -> bool:
    party.clock_s += ELAPSED_S
    party.diary.entries.clear()
    return False


ACTS: Final[dict[str, Callable[..., bool]]] = {
    "join": _join,
    "invite": _join,
    "accept": _accept,
    "reject": _reject,
    "defer": _defer,
    "send": _send,
    "whisper": _whisper,
    "shutdown": _shutdown,
    "close": _close,
    "abort": _abort,
    "listen": _listen,
    "crash": _crash,
    "restart": _restart,
    "elapse": _elapse,
}
"""Each returns whether the application may do the same again."""
