"""R81-R94, DR: group data."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership, sending
from mpwire.core.events import Input
from mpwire.core.pacing import Pacer
from mpwire.core.serial import plus
from mpwire.core.session import Session
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import act, alter, append, once, wrap
from mpwire.winsock import sessions
from mpwire.wire.messages import Accept, Data, Member, Side, Sync
from mpwire.wire.registries import DataFlag, MemberAction


@patch("R81", "join-late", "root")
def data_before_the_confirmation() -> None:
    """DATA leaves together with the ACCEPT, before the leaf is known to be a member."""

    def early(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        sending._send(end, 1, end.outflow.next_seq, b"early")

    act("accept_request", early)


@patch("R81", "join-directions", "leaf2")
def data_against_the_direction() -> None:
    """A leaf that joined to receive only answers what it receives."""

    def answer(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        sending._send(end, end.identity.own_id, end.outflow.next_seq, b"I say!")

    act("deliver_data", answer)


@patch("R82", "rooted-lan", "root")
def relayed_where_nobody_relays() -> None:
    """A root passes on what leaves send, although its session has a d_root."""
    put(Session, "relays", property(lambda _self: True))


@patch("R83", "conference-lan", "root")
def relayed_back_to_its_origin() -> None:
    """What a leaf sends is passed on to that leaf, too."""

    def everybody(_original: Any, self: Session, _source: Membership) -> list[Membership]:
        return self.receivers()

    wrap(Session, "receivers_of", everybody)


@patch("R83", "conference-lan", "root")
def relayed_without_saying_so() -> None:
    """What is passed on lacks the flag RELAYED."""
    alter(Data, dflags=0)


@patch("R84", "rooted-lan", "leaf1")
def first_number_skipped() -> None:
    """The first message has the number after the one that the handshake announced."""
    alter(Data, seq=lambda message: plus(message.seq, 1))


@patch("R85", "rooted-lan", "root")
def repaired_unasked() -> None:
    """Every message is repaired, although nobody misses it."""
    append(
        Data,
        lambda _endpoint, message: [replace(message, attempt=2, dflags=DataFlag.REPAIR)],
    )


@patch("R86", "death-watch", "root")
def words_to_the_dead() -> None:
    """A peer that has been silent for longer than Dead is sent what the others are."""
    act("probe_peer", lambda *_: None)


@patch("R87", "many-messages", "root")
def faster_than_announced() -> None:
    """The session announces a rate of one message per second, and its root sends many."""
    put(sessions, "MAXIMUM_RATE_PPS", 1)
    wrap(Pacer, "admits", lambda _original, *_: True)


@patch("R88", "rooted-lan", "root")
def longer_than_agreed() -> None:
    """A leaf is granted 256 octets of payload and sent more."""
    alter(Accept, max_payload=256)
    alter(Data, payload=lambda message: message.payload.ljust(300))


@patch("R89", "rooted-lan", "root")
def private_where_nobody_can() -> None:
    """A private message goes to a leaf that has no side chat."""

    def whisper(_endpoint: Endpoint, data: Data) -> list[Any]:
        return [
            Side(
                session_id=data.session_id,
                destination_tag=data.destination_tag,
                seq=1,
                sender_id=data.sender_id,
                sflags=1,
                payload=b"psst",
            )
        ]

    first = once()
    append(Data, lambda endpoint, data: whisper(endpoint, data) if first() else [])


@patch("R92", "late-thanks", "root")
def origin_ends_elsewhere() -> None:
    """SYNC names the last sequence number that was sent, not the one after it."""
    alter(Sync, seq=lambda message: plus(message.seq, -1))


def tell_of_others(action: MemberAction, member_id: int) -> None:
    """Let the first DATA be followed by MEMBER."""

    def tell(_endpoint: Endpoint, data: Data) -> list[Any]:
        return [
            Member(
                session_id=data.session_id,
                destination_tag=data.destination_tag,
                seq=77,
                sender_id=data.sender_id,
                action=action,
                leaf_dir=3,
                member_id=member_id,
                boundary_seq=0,
            )
        ]

    first = once()
    append(Data, lambda endpoint, data: tell(endpoint, data) if first() else [])


@patch("R93", "rooted-lan", "root")
def told_of_others_unasked() -> None:
    """MEMBER goes to leaves that do not want to be told of others."""
    tell_of_others(MemberAction.JOINED, 2)


@patch("R93", "rooted-lan", "leaf1")
def leaf_tells_of_others() -> None:
    """A leaf sends MEMBER, which is for the root to send."""
    tell_of_others(MemberAction.LEFT, 3)


@patch("R94", "rooted-lan", "root")
def message_for_one_who_left() -> None:
    """A leaf that has left is sent what the others are."""
    gone: list[Membership] = []
    send = Endpoint.send

    def keep(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        gone.append(end)

    def also(self: Endpoint, message: Any, source: Any, destination: Any) -> None:
        send(self, message, source, destination)
        if isinstance(message, Data) and gone and destination != gone[0].peer:
            other = gone[0]
            header = other.header(other.outflow.next_seq)
            other.outflow.next_seq = plus(other.outflow.next_seq, 1)
            stray = Data(**header, origin=1, dflags=0, hop=0, payload=message.payload)
            send(self, stray, other.local, other.peer)

    act("end_closed", keep)
    put(Endpoint, "send", also)


@patch("DR4", "rooted-lan", "root")
def one_receiver_left_out() -> None:
    """A message of the root does not leave for one of its leaves."""

    def some(original: Any, self: Session) -> list[Membership]:
        found: list[Membership] = original(self)
        return found[:-1] if len(found) > 1 else found

    wrap(Session, "receivers", some)


@patch("DR5", "rooted-lan", "leaf1")
def words_twisted() -> None:
    """What leaves is not what the application said."""
    alter(Data, payload=lambda message: message.payload[::-1])
