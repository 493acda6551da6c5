"""Rebuild join attempts and memberships from packets alone.

An attempt is named by the tag its initiator drew (InitTag); a membership by that tag and the one
its responder drew (RespTag). Messages of a join are sent to the InitTag, later ones to the
receiver's own tag, so that every packet finds its attempt or membership without knowing sockets.
What finds none is a stray.
"""

from collections.abc import Iterator

from mpwire.oracle.membership import TO_INIT_TAG, Attempt, Membership
from mpwire.oracle.shelf import Shelf
from mpwire.oracle.trace import Endpoint, Packet, Trace, is_multicast
from mpwire.wire.messages import (
    Accept,
    Announce,
    Cancel,
    CancelAck,
    Confirm,
    JoinReq,
    Message,
)
from mpwire.wire.numbers import HeaderFlag


class History:
    """All attempts and memberships of a trace."""

    def __init__(self, trace: Trace) -> None:
        """Sort every decoded packet."""
        self._hosts = trace.host_of
        self._by_init: dict[int, list[Attempt]] = {}
        self._by_tag: dict[int, list[Membership]] = {}
        self._by_session: dict[int, list[Membership]] = {}
        self._by_leaf: dict[Endpoint, list[Membership]] = {}
        self._between: dict[tuple[Endpoint, Endpoint], list[Attempt]] = {}
        self.attempts: list[Attempt] = []
        self.memberships: list[Membership] = []
        self.strays: list[Packet] = []
        """Decoded packets that belong to nothing known, in order."""
        self.announcements: list[Packet] = []
        self.groups: dict[int, Shelf] = {}
        """What was sent to groups, by Session ID; announcements are not among it."""
        for packet in trace.packets:
            if packet.message is not None:
                self._sort(packet)
        self._find_owners()
        self._fold()

    def of_tag(self, tag: int) -> Iterator[Membership]:
        """Yield the memberships one of whose tags is this."""
        yield from self._by_tag.get(tag, ())

    def of_init_tag(self, tag: int) -> Iterator[Attempt]:
        """Yield the attempts of this InitTag; more than one only if a tag was reused."""
        yield from self._by_init.get(tag, ())

    def of_session(self, session_id: int) -> list[Membership]:
        """Return the memberships of a session, in order."""
        return self._by_session.get(session_id, [])

    def of_leaf(self, leaf: Endpoint) -> list[Membership]:
        """Return the memberships that a leaf had from one address, in order."""
        return self._by_leaf.get(leaf, [])

    def between(self, initiator: Endpoint, responder: Endpoint) -> list[Attempt]:
        """Return the attempts that one address made at another, in order."""
        return self._between.get((initiator, responder), [])

    def owner(self, packet: Packet) -> Membership | None:
        """Return the membership that a packet after the join belongs to, by tag, then address."""
        message = packet.message
        if message is None:
            return None
        reflected = bool(message.flags & HeaderFlag.R)
        found: Membership | None = None
        for membership in self._by_tag.get(message.destination_tag, ()):
            receiver = packet.source if reflected else packet.destination
            end = membership.end_at(receiver)
            if end is not None and end.tag == message.destination_tag:
                return membership
            found = found or membership
        return found

    def _find_owners(self) -> None:
        """Look again at packets that came before the ACCEPT that names their membership."""
        early, self.strays = self.strays, []
        touched: set[Membership] = set()
        for packet in early:
            membership = self.owner(packet)
            if membership is None or isinstance(packet.message, TO_INIT_TAG):
                self.strays.append(packet)
                continue
            membership.shelf.put(packet)
            touched.add(membership)
        for membership in touched:
            membership.shelf.sort()

    def _fold(self) -> None:
        """Find the requests that leaves gave up for an invitation, as flag X says."""
        for membership in self.memberships:
            accept = membership.accept
            if accept.message is None or not accept.message.flags & HeaderFlag.X:
                continue
            for attempt in self.between(accept.source, accept.destination):
                if attempt.first.number < accept.number < attempt.resolved()[0]:
                    attempt.folded = membership

    def _sort(self, packet: Packet) -> None:
        message = packet.message
        if message is None:
            return
        if isinstance(message, JoinReq):
            self._attempt(message.init_tag, packet.source, packet.destination).shelf.put(packet)
        elif isinstance(message, Announce):
            self.announcements.append(packet)
        elif is_multicast(packet.destination[0]):
            self.groups.setdefault(message.session_id, Shelf()).put(packet)
        elif isinstance(message, TO_INIT_TAG):
            self._answer(packet, message)
        elif isinstance(message, Cancel):
            self._put(self._find(message.init_tag, packet.source), packet)
        else:
            membership = self.owner(packet)
            if membership is None:
                self.strays.append(packet)
            else:
                membership.shelf.put(packet)
                if isinstance(message, Confirm):
                    membership.attempt.shelf.put(packet)

    def _attempt(self, tag: int, initiator: Endpoint, responder: Endpoint) -> Attempt:
        for attempt in self._by_init.get(tag, ()):
            if attempt.initiator == initiator and attempt.responder == responder:
                return attempt
        attempt = Attempt(
            tag,
            initiator,
            responder,
            self._hosts.get(initiator[0]),
            self._hosts.get(responder[0]),
        )
        self._by_init.setdefault(tag, []).append(attempt)
        self._between.setdefault((initiator, responder), []).append(attempt)
        self.attempts.append(attempt)
        return attempt

    def _find(self, tag: int, initiator: Endpoint) -> Attempt | None:
        known = self._by_init.get(tag, [])
        return next((a for a in known if a.initiator == initiator), known[0] if known else None)

    def _put(self, attempt: Attempt | None, packet: Packet) -> None:
        if attempt is None:
            self.strays.append(packet)
            return
        attempt.shelf.put(packet)
        for membership in attempt.memberships:
            membership.shelf.put(packet)

    def _answer(self, packet: Packet, message: Message) -> None:
        attempt = self._find(message.destination_tag, packet.destination)
        if attempt is None:
            self.strays.append(packet)
            return
        attempt.shelf.put(packet)
        if isinstance(message, Accept):
            self._accepted(attempt, packet, message)
        elif isinstance(message, CancelAck):
            for membership in attempt.memberships:
                membership.shelf.put(packet)

    def _accepted(self, attempt: Attempt, packet: Packet, message: Accept) -> None:
        for membership in attempt.memberships:
            if membership.resp_tag == message.resp_tag:
                membership.shelf.put(packet)
                return
        membership = Membership(attempt, packet)
        membership.group = self.groups.setdefault(membership.session_id, Shelf())
        for cancel in attempt.shelf.of(Cancel):
            membership.shelf.put(cancel)
        membership.shelf.put(packet)
        attempt.memberships.append(membership)
        self.memberships.append(membership)
        self._by_session.setdefault(membership.session_id, []).append(membership)
        self._by_leaf.setdefault(membership.leaf.endpoint, []).append(membership)
        for end in membership.ends:
            self._by_tag.setdefault(end.tag, []).append(membership)
