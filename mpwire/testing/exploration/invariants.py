"""What holds in every state of an explored session, and what holds when nothing can happen.

Three kinds: what one party alone shows (`offence_of_party`), what all parties together show at any
time (`offence_of_all`), and what they show in the end (`offence_in_the_end`), when no datagram is
in flight and no timer is left that could expire: then whatever the applications still may do, they
need not, and the session may stay as it is for ever.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mpwire.core.address import Address
from mpwire.core.membership import LIVE
from mpwire.core.table import State
from mpwire.testing.exploration.party import Diary, Page, Party
from mpwire.vocabulary import WsaError
from mpwire.winsock.sockets import Role, Socket


class Invariant(Enum):
    """What the exploration proves."""

    ONE_MEMBERSHIP = "one live membership per pair of addresses"
    ONE_CONNECT = "at most one FD_CONNECT per attempt"
    ONE_CLOSE = "at most one FD_CLOSE per socket"
    CONSENT = "FD_CONNECT(0) only after the peer accepted"
    NO_HALF_OPEN = "no half-open end state"
    TERMINATION = "every attempt terminates"
    ONCE = "nothing is delivered twice"
    MEANT = "nothing is delivered to whom it is not for"
    RELAY = "what the root passes on is what it has heard, in that order"
    LATE = "nothing is received after FD_CLOSE(0)"
    NOTHING_LOST = "nothing queued before a graceful close is lost"
    GRACEFUL = "no end that nobody aborts is told an error"
    ONE_ENTRY = "no attempt is queued twice"
    CAUSE = "no FD_CLOSE(0) or FD_CLOSE(WSAECONNRESET) without a cause"
    NO_FAILURE = "no step fails"


@dataclass(slots=True)
class Offence:
    """An invariant that does not hold, and what shows it."""

    invariant: Invariant
    what: str


@dataclass(slots=True)
class Facts:
    """What the invariants ask of one party, taken down once per state of it."""

    host: str
    diary: Diary
    live: frozenset[tuple[int, int]]
    """(own tag, peer tag) of every live membership."""
    attempts: frozenset[int]
    """InitTag of every live membership."""
    members: tuple[str, ...]
    """Names of the open sockets that are, or were, told of a membership."""
    offence: Offence | None
    """What this party alone shows, at any time."""
    end_offence: Offence | None
    """What this party alone shows, in the end."""


def facts_of(party: Party, diary: Diary) -> Facts:
    """Take down what the invariants ask of a party, of which this is the diary, or equal to it."""
    return Facts(
        host=party.host,
        diary=diary,
        live=party.live(),
        attempts=frozenset(
            one.request.init_tag for _, one in party.memberships() if one.state in LIVE
        ),
        members=tuple(
            name
            for name, handle in party.names.items()
            if handle in party.provider.sockets
            and _was_member(party.provider.sockets[handle], party.page(name))
        ),
        offence=_offence_of_party(party),
        end_offence=_end_offence_of_party(party),
    )


def _offence_of_party(party: Party) -> Offence | None:
    """Return what one party shows that must never be."""
    for endpoint in party.provider.endpoints.values():
        peers: Counter[Address] = Counter()
        for membership in endpoint.by_tag.values():
            peers[membership.peer] += membership.state in LIVE
        for peer, count in peers.items():
            if count > 1:
                what = f"{party.host} has {count} live memberships with {peer[0]}"
                return Offence(Invariant.ONE_MEMBERSHIP, what)
    for name, page in party.diary.pages.items():
        if len(page.connects) > page.joins:
            what = f"{name} of {party.host}: {page.joins} joins, {len(page.connects)} FD_CONNECT"
            return Offence(Invariant.ONE_CONNECT, what)
        if len(page.closes) > 1:
            return Offence(Invariant.ONE_CLOSE, f"{name} of {party.host}: {page.closes}")
        if len(set(page.received)) < len(page.received):
            return Offence(Invariant.ONCE, f"{name} of {party.host} received {page.received}")
        if page.late:
            what = f"{name} of {party.host} has received {page.received[-1]!r} after its end"
            return Offence(Invariant.LATE, what)
    queued = party.diary.entries.values()
    if len(set(queued)) < len(queued):
        return Offence(Invariant.ONE_ENTRY, f"{party.host} queued a request a second time")
    return None


def _end_offence_of_party(party: Party) -> Offence | None:
    """Return what one party shows that must not be in the end."""
    for _, membership in party.memberships():
        if membership.state is not State.JOINED:
            what = f"{party.host} stays in {membership.state.value}"
            return Offence(Invariant.TERMINATION, what)
    pages = party.diary.pages
    ended_here = any(page.closed or page.shut for page in pages.values())
    for name, handle in party.names.items():
        socket = party.provider.sockets.get(handle)
        if socket is None:
            continue
        page = party.page(name)
        if socket.pending is not None or (len(page.connects) < page.joins and not ended_here):
            what = f"{name} of {party.host} is never told what became of its join"
            return Offence(Invariant.TERMINATION, what)
        if _was_member(socket, page) and _is_over(socket) and not page.closes:
            what = f"{name} of {party.host} is never told that its membership is over"
            return Offence(Invariant.NO_HALF_OPEN, what)
    return None


def _was_member(socket: Socket, page: Page) -> bool:
    if socket.role is Role.LEAF:
        return WsaError.SUCCESS in page.connects
    return socket.role in {Role.ROOT_LEAF, Role.INVITED} and socket.usable


def _is_over(socket: Socket) -> bool:
    return socket.membership is None or socket.membership.state not in LIVE


def offence_of_all(facts: Sequence[Facts]) -> Offence | None:
    """Return what the parties together show that must never be."""
    for one in facts:
        if one.offence is not None:
            return one.offence
    for one in facts:
        others = [other for other in facts if other is not one]
        for name, page in one.diary.pages.items():
            if not _has_cause(one, page, others):
                what = f"{name} of {one.host} is told {page.closes}, for no reason"
                return Offence(Invariant.CAUSE, what)
        for tag, asked in one.diary.joined:
            if not any(_consents(other, tag, asked) for other in others):
                what = f"{one.host} is told of a membership that nobody has agreed to"
                return Offence(Invariant.CONSENT, what)
    return _misdelivery(facts)


def _misdelivery(facts: Sequence[Facts]) -> Offence | None:
    """Return what somebody has received that was not for it, or that the root has not heard."""
    for one in facts:
        received = _received(one)
        if not received:
            continue
        meant = _meant(one, facts)
        for text in received:
            if text not in meant:
                what = f"{one.host} has received {text!r}, which was not for it"
                return Offence(Invariant.MEANT, what)
        for origin in facts:
            passed_on = _passed_on(one, origin, facts)
            if passed_on is None:
                continue
            heard, expected, _ = passed_on
            if heard != expected[: len(heard)]:
                what = f"{one.host} has {heard} of {expected} that {origin.host} sent to the root"
                return Offence(Invariant.RELAY, what)
    return None


def _received(one: Facts) -> list[bytes]:
    return [text for page in one.diary.pages.values() for text in page.received]


def _meant(one: Facts, facts: Sequence[Facts]) -> set[bytes]:
    """Return every message that is for a party; where the root relays it hears itself as well."""
    relayed = one.host in facts[0].diary.admitted
    meant = {
        text
        for other in facts
        for host, text in (*other.diary.sent, *other.diary.whispered)
        if host == one.host
    }
    for other in facts if relayed else [one] if facts[0].diary.admitted else []:
        meant.update(text for _, text in other.diary.sent)
    return meant


def _passed_on(
    one: Facts, origin: Facts, facts: Sequence[Facts]
) -> tuple[list[bytes], list[bytes], int] | None:
    """Return what a leaf has of another by the root, and what the root had heard of it meanwhile.

    The number says how much of that the root had heard before it closed the leaf's membership.
    """
    root = facts[0]
    first = root.diary.admitted.get(one.host)
    if first is None or origin is root or origin is one:
        return None
    texts = {text for _, text in origin.diary.sent}
    theirs = [text for text in _received(one) if text in texts]
    heard = _received(root)
    last = root.diary.dismissed.get(one.host, len(heard))
    expected = [text for text in heard[first:] if text in texts]
    return theirs, expected, sum(text in texts for text in heard[first:last])


def _has_cause(one: Facts, page: Page, others: Sequence[Facts]) -> bool:
    """Tell whether somebody did what ends a membership in the way this socket is told.

    The peer may have closed, shut down, died, given up, or have ended for a cause of its own; a
    socket that was shut down here, or whose session was, ends for that.
    """
    if not page.closes or page.closes[0] is WsaError.WSAECONNABORTED:
        return True
    if page.closes[0] is WsaError.SUCCESS and (page.shut or _session_ended(one)):
        return True
    return any(
        _session_ended(other)
        or page.attempt in other.diary.given_up
        or any(
            theirs.attempt == page.attempt and (theirs.closed or theirs.shut or theirs.closes)
            for theirs in other.diary.pages.values()
        )
        for other in others
    )


def _session_ended(one: Facts) -> bool:
    """Tell whether the application ended the session that it is the root of."""
    return any(
        name[0] == "R" and (page.closed or page.shut) for name, page in one.diary.pages.items()
    )


def _consents(other: Facts, tag: int, asked: bool) -> bool:
    """Tell whether a party agrees to an attempt: it accepted it, or it made and confirmed it."""
    if not asked:
        return (tag, True) in other.diary.joined
    return tag in other.diary.accepted


def offence_in_the_end(facts: Sequence[Facts], *, repair: bool, graceful: bool) -> Offence | None:
    """Return what the parties together show that must not be in the end."""
    for one in facts:
        if one.end_offence is not None:
            return one.end_offence
    return (
        half_open(facts)
        or _unfinished(facts)
        or (_loss(facts) if repair else None)
        or (_disgrace(facts) if graceful else None)
    )


def _unfinished(facts: Sequence[Facts]) -> Offence | None:
    """Return an end that was never told that its peer is done, or that outlives both its ends."""
    for one in facts:
        for other in facts:
            for name, page in one.diary.pages.items():
                if other is one or not _is_done(other, page.attempt):
                    continue
                if name in one.members and not page.closes:
                    what = f"{name} of {one.host} is never told that {other.host} is done"
                    return Offence(Invariant.NO_HALF_OPEN, what)
                if page.attempt in one.attempts and _is_done(one, page.attempt):
                    what = f"{name} of {one.host} lives on, though both directions are closed"
                    return Offence(Invariant.TERMINATION, what)
    return None


def _is_done(one: Facts, attempt: int) -> bool:
    """Tell whether the application of a party has ended what it sends in a membership.

    A process that died may have had an end of it, and the one after it another.
    """
    pages = one.diary.pages
    is_over = all(page.closed or page.shut for name, page in pages.items() if name[0] == "R")
    done = [
        page.closed or page.shut or (name[0] == "P" and is_over)
        for name, page in pages.items()
        if page.attempt == attempt
    ]
    return bool(done) and all(done)


def half_open(facts: Sequence[Facts]) -> Offence | None:
    """Return an end that is a member of something that its peer knows nothing of."""
    for one in facts:
        for own_tag, peer_tag in one.live:
            if not any((peer_tag, own_tag) in other.live for other in facts):
                what = f"{one.host} is a member of something that its peer knows nothing of"
                return Offence(Invariant.NO_HALF_OPEN, what)
    return None


def _disgrace(facts: Sequence[Facts]) -> Offence | None:
    """Return an end that is told an error, though nobody has died, aborted or given up."""
    if any(one.diary.given_up for one in facts):
        return None
    for one in facts:
        for name, page in one.diary.pages.items():
            if any(page.closes):
                what = f"{name} of {one.host} is told {page.closes[0].name}"
                return Offence(Invariant.GRACEFUL, what)
    return None


def _loss(facts: Sequence[Facts]) -> Offence | None:
    """Return what is missing at an end that is still open, unless some join came to nothing.

    Nobody dies or aborts in these scenarios, and less is lost than every copy of a request, so that
    each membership that was agreed ends gracefully, or not at all.
    """
    if any(one.diary.given_up for one in facts):
        return None
    for sender in facts:
        for one in facts:
            if any(page.closed for page in one.diary.pages.values()):
                continue
            for messages in (sender.diary.sent, sender.diary.whispered):
                sent = [text for host, text in messages if host == one.host]
                received = [text for text in _received(one) if text in sent]
                if received != sent:
                    what = f"{one.host} has {received} of {sent} from {sender.host}"
                    return Offence(Invariant.NOTHING_LOST, what)
            passed_on = _passed_on(one, sender, facts)
            if passed_on is not None and len(passed_on[0]) < passed_on[2]:
                theirs, heard, count = passed_on
                what = f"{one.host} has {theirs} of {heard[:count]} that {sender.host} sent"
                return Offence(Invariant.NOTHING_LOST, what)
    return None
