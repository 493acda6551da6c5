"""R33, R35-R41, R48-R52: what the end that is asked does wrong."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Entropy, Membership, Session
from mpwire.core.address import Address
from mpwire.core.cookie import CookieJar
from mpwire.core.events import Admitted, Input
from mpwire.core.membership import SessionFacts
from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import act, alter, append, divert, once, wrap
from mpwire.vocabulary import SocketFlag
from mpwire.winsock import Provider
from mpwire.winsock.sessions import new_session
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import Accept, Challenge, Pending, Reject, VersionNeg
from mpwire.wire.registries import PendingState, RejectReason


@patch("R33", "rooted-lan", "root")
def challenged_twice() -> None:
    """One copy of JOIN_REQ earns two CHALLENGEs."""
    append(Challenge, lambda _endpoint, message: [message])


@patch("R35", "rooted-lan", "root")
def cookie_not_asked_for() -> None:
    """A request is queued although its sender has proven nothing."""
    wrap(CookieJar, "proves", lambda _original, *_: True)


@patch("R36", "rooted-lan", "root")
def two_names_for_one_end() -> None:
    """ACCEPT says another RespTag than PENDING did."""
    alter(Accept, resp_tag=lambda message: message.resp_tag ^ 1)


@patch("R37", "rooted-lan", "root")
def pending_twice() -> None:
    """One copy of JOIN_REQ earns two PENDINGs."""
    append(Pending, lambda _endpoint, message: [message])


@patch("R37", "join-deferred", "root")
def deferred_from_the_start() -> None:
    """The first PENDING says DEFERRED, before anybody was asked."""
    alter(Pending, state=PendingState.DEFERRED)


@patch("R38", "rooted-lan", "root")
def accept_and_reject() -> None:
    """An attempt that is accepted is rejected in the same breath."""

    def two_faced(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        header = end.header(end.request.seq, end.request.attempt)
        end.send(Reject(**header, reason=RejectReason.APP_REFUSED, retry_after_s=0, detail=0))

    act("accept_request", two_faced)


@patch("R39", "join-directions", "root")
def other_direction_granted() -> None:
    """ACCEPT allows the leaf both directions, whatever was asked for."""
    alter(Accept, leaf_dir=3)


@patch("R40", "rooted-lan", "leaf2")
def session_described_by_a_leaf() -> None:
    """A leaf that accepts an invitation describes the session itself."""
    socket = Socket(1, Role.ROOT, SocketFlag.C_ROOT | SocketFlag.D_ROOT, 4)
    session = new_session(socket, ("10.77.0.3", 61717), Entropy(b"mine"))
    alter(Accept, session_desc=session.facts.description)


@patch("R41", "rooted-lan", "root")
def everybody_is_number_two() -> None:
    """Every leaf is assigned the same Member ID."""
    wrap(SessionFacts, "assign_id", lambda _original, _self: 2)


@patch("R48", "end-in-passing", "root")
def admitted_after_the_end() -> None:
    """Who waits in the queue when the session is dismantled is let in."""

    def generous(
        original: Any, self: Provider, root: Socket, endpoint: Endpoint, now_s: float, **named: Any
    ) -> None:
        listener = endpoint.listener
        waiting = (
            [one.membership for one in listener.entries if one.gone is None] if listener else []
        )
        endpoint.listener = None
        original(self, root, endpoint, now_s, **named)
        for membership in waiting:
            endpoint.call(membership, Admitted(None), now_s)

    def unnoted(original: Any, self: Session, membership: Membership) -> None:
        if not self.is_ending:
            original(self, membership)

    wrap(Provider, "_dismantle", generous)
    wrap(Session, "note_joined", unnoted)


@patch("R49", "rooted-decisions", "root")
def callee_data_changes() -> None:
    """The acceptance is repeated with other callee data."""
    append(
        Accept,
        lambda _endpoint, message: (
            [replace(message, attempt=message.attempt + 1, callee_data=b"welcome!")]
            if message.callee_data
            else []
        ),
    )


@patch("R50", "join-glare", "root")
def invited_and_admitted() -> None:
    """A root that invites a leaf accepts the request of that leaf in the same breath."""

    def both(
        original: Any, self: Provider, handle: int, address: Address, now_s: float, **named: Any
    ) -> Any:
        joined = original(self, handle, address, now_s, **named)
        endpoint = self.sockets[handle].endpoint
        assert endpoint is not None
        assert endpoint.listener is not None
        for entry in [*endpoint.listener.entries]:
            if entry.membership.peer == address and entry.gone is None:
                self._admit(self.sockets[handle], endpoint, entry.membership, None, now_s)
                self.collect(endpoint, now_s)
        return joined

    wrap(Provider, "join_leaf", both)


@patch("R52", "rooted-lan", "root")
def accepted_twice() -> None:
    """Who has confirmed is accepted once more, under another RespTag, as another member."""
    accepts: list[Accept] = []

    def note(original: Any, self: Membership, message: Any, now_s: float) -> None:
        if isinstance(message, Accept):
            accepts.append(message)
        original(self, message, now_s)

    def again(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        assert end.session is not None
        other, number = end.entropy.tag(), end.session.assign_id()
        end.send(replace(accepts[-1], resp_tag=other, assigned_id=number))

    wrap(Membership, "send_request", note)
    act("settle_join", again)


@patch("R38", "lost-reject", "root")
def refused_for_another_reason() -> None:
    """A REJECT that was lost is repeated with another reason."""
    first = once()
    alter(Reject, lambda _message: not first(), reason=RejectReason.NO_RESOURCES)


@patch("R106", "rooted-lan", "root")
def version_denied() -> None:
    """A request in the version that is spoken here is answered with VERSION_NEG."""
    append(
        Challenge,
        lambda _endpoint, message: [
            VersionNeg(
                session_id=message.session_id,
                destination_tag=message.destination_tag,
                versions=(1,),
            )
        ],
    )


@patch("R107", "rooted-lan", "root")
def optional_taken_for_mandatory() -> None:
    """A leaf is refused for a TLV of its request that anybody may ignore."""
    alter(Reject, reason=RejectReason.UNSUPPORTED_TLV, unknown_tlvs=(0x0005,))


@patch("R102", "rooted-lan", "root")
def challenge_to_somebody_else() -> None:
    """CHALLENGE goes to another port than the request came from."""
    divert(Challenge, lambda source, peer: (source, (peer[0], peer[1] + 1)))
