"""Break W56 to W64: rooted data planes."""

from dataclasses import replace
from typing import Any

from mpwire.core import Endpoint, Membership
from mpwire.core.session import Session
from mpwire.winsock import Provider, provider
from mpwire.winsock.protocols import ProtocolEntry
from mpwire.winsock.record import FD_READ, FD_WRITE
from mpwire.winsock.sockets import Received, Role, Socket
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

# I. Data plane --------------------------------------------------------------------------------


@breaks(56)
def newest_leaf_gets_nothing(patch: MonkeyPatch) -> None:
    """What R sends goes to every leaf but the one that joined last."""

    def wrong(original: Original, self: Session) -> list[Membership]:
        found: list[Membership] = original(self)
        return found[:-1] if len(found) > 1 else found

    wrap(patch, Session, "receivers", wrong)


@breaks(56)
def leaves_hear_everything_twice(patch: MonkeyPatch) -> None:
    """A message of R is delivered twice to each leaf."""

    def wrong(original: Original, self: Provider, endpoint: Endpoint, *others: object) -> None:
        original(self, endpoint, *others)
        if endpoint.session is None:
            original(self, endpoint, *others)

    wrap(patch, Provider, "_data_received", wrong)


def _on_data_at_the_root(patch: MonkeyPatch, wrong: Original) -> None:
    """Replace what R does with data of a leaf."""

    def replacement(
        original: Original, self: Provider, endpoint: Endpoint, end: Membership, *others: object
    ) -> None:
        if endpoint.session is None:
            original(self, endpoint, end, *others)
        else:
            wrong(original, self, endpoint, end, *others)

    wrap(patch, Provider, "_data_received", replacement)


@breaks(57)
def root_hears_its_first_leaf_only(patch: MonkeyPatch) -> None:
    """What any leaf but the first one sends to R is thrown away."""

    def wrong(
        original: Original, self: Provider, endpoint: Endpoint, end: Membership, *others: object
    ) -> None:
        assert endpoint.session is not None
        if end is next(iter(endpoint.session.members.values())):
            original(self, endpoint, end, *others)

    _on_data_at_the_root(patch, wrong)


@breaks(58)
def leaves_hear_each_other(patch: MonkeyPatch) -> None:
    """R passes on what a leaf sends on a rooted data plane to all leaves."""

    def wrong(
        original: Original,
        self: Provider,
        endpoint: Endpoint,
        received: Received,
        now_s: float,
    ) -> None:
        original(self, endpoint, received, now_s)
        self.send(self.holders[endpoint.local].handle, received.payload, now_s)

    _on_data_at_the_root(patch, wrong)


@breaks(60)
def group_data_shows_on_p(patch: MonkeyPatch) -> None:
    """P gets FD_READ when its leaf sends to the group."""

    def wrong(
        original: Original, self: Provider, endpoint: Endpoint, received: Received, now_s: float
    ) -> None:
        original(self, endpoint, received, now_s)
        if received.membership in self.owners:
            self.occur(self.owners[received.membership], FD_READ)

    _on_data_at_the_root(patch, wrong)


@breaks(62)
def direction_is_not_enforced(patch: MonkeyPatch) -> None:
    """A receiver-only socket may send, and a sender-only socket may receive."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> None:
        if socket.role in {Role.ROOT_LEAF, Role.PLAIN}:
            original(self, socket, *others)

    wrap(patch, Provider, "_check_direction", wrong)


@breaks(62)
def receiver_only_is_told_of_room(patch: MonkeyPatch) -> None:
    """A receiver-only socket gets FD_WRITE when it has joined."""

    def wrong(original: Original, self: Provider, endpoint: Endpoint, *others: Any) -> None:  # noqa: ANN401 - membership and more
        original(self, endpoint, *others)
        socket = self.owners.get(others[0])
        if socket is not None and endpoint.session is None:
            self.occur(socket, FD_WRITE)

    wrap(patch, Provider, "_joined", wrong)


@breaks(62)
def any_side_may_be_shut(patch: MonkeyPatch) -> None:
    """A receiver-only socket may shut down its sending side."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        socket = self.find(handle)
        flag, socket.join_flag = socket.join_flag, None
        try:
            original(self, handle, *others)
        finally:
            socket.join_flag = flag

    wrap(patch, Provider, "shutdown", wrong)


@breaks(64)
def one_way_is_two_way(patch: MonkeyPatch) -> None:
    """On a one-way data plane leaves may send as well."""

    def wrong(original: Original, *others: object) -> ProtocolEntry:
        entry: ProtocolEntry = original(*others)
        return replace(entry, one_way=False)

    wrap(patch, provider, "entry_of", wrong)


# Side chat ------------------------------------------------------------------------------------


@breaks(61)
def private_data_shows_on_r(patch: MonkeyPatch) -> None:
    """What a leaf says in private is read on R."""

    def wrong(
        original: Original, self: Provider, endpoint: Endpoint, received: Received, now_s: float
    ) -> None:
        if endpoint.session is not None:
            self.deliver(endpoint, self.holders[endpoint.local], received, now_s)
        else:
            original(self, endpoint, received, now_s)

    wrap(patch, Provider, "chat_received", wrong)


@breaks(61)
def private_data_goes_to_everybody(patch: MonkeyPatch) -> None:
    """What is sent on one P goes to all leaves."""

    def wrong(
        original: Original, self: Provider, socket: Socket, payload: bytes, now_s: float
    ) -> object:
        sent = original(self, socket, payload, now_s)
        for handle in [*self.sockets.values()]:
            if handle.role is Role.ROOT_LEAF and handle is not socket:
                original(self, handle, payload, now_s)
        return sent

    wrap(patch, Provider, "send_in_private", wrong)
