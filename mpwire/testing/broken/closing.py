"""R53-R68, R113, R116-R118: endings."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership, member
from mpwire.core.events import CloseRequested, Ended, Input
from mpwire.core.serial import plus
from mpwire.core.timers import TimerName
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import act, alter, append, withhold, wrap
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider, base
from mpwire.winsock.sockets import Received, Socket
from mpwire.wire.messages import Abort, Close, CloseAck, Data, Sync
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import AbortReason, CloseAckFlag, CloseFlag, CloseReason


def close_of(end: Membership, **changes: Any) -> Close:
    """Return a CLOSE that this end might send now."""
    fields: dict[str, Any] = {
        "reason": CloseReason.EXPEL if end.is_root else CloseReason.LEAVE,
        "cflags": 0,
        "final_seq": plus(end.outflow.next_seq, -1),
        "side_final_seq": 0,
    }
    return Close(**end.header(plus(end.txn, 1)), **(fields | changes))


@patch("R53", "rooted-lan", "root")
def closed_before_joined() -> None:
    """A CLOSE follows the ACCEPT, before anybody has confirmed."""

    def hasty(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        end.send(close_of(end))

    act("accept_request", hasty)


@patch("R54", "rooted-lan", "leaf1")
def final_seq_too_low() -> None:
    """FinalSeq of CLOSE leaves the last message out."""
    alter(Close, final_seq=lambda message: plus(message.final_seq, -1))


@patch("R54", "rooted-lan", "root")
def final_seq_too_high() -> None:
    """FinalSeq of CLOSE counts a message that was never sent."""
    alter(Close, final_seq=lambda message: plus(message.final_seq, 1))


@patch("R55", "rooted-lan", "leaf1")
def message_after_the_close() -> None:
    """New DATA follows the CLOSE of its sender."""

    def talk(_endpoint: Endpoint, close: Close) -> list[Any]:
        if close.attempt > 1:
            return []
        return [
            Data(
                session_id=close.session_id,
                destination_tag=close.destination_tag,
                seq=plus(close.final_seq, 1),
                sender_id=close.sender_id,
                origin=close.sender_id,
                dflags=0,
                hop=0,
                payload=b"and another thing",
            )
        ]

    append(Close, talk)


@patch("R56", "rooted-lan", "leaf2")
def close_not_acknowledged() -> None:
    """A CLOSE that arrives is believed but never answered with CLOSE_ACK."""
    put(member, "_acknowledge", lambda _end, _close: None)


@patch("R57", "rooted-lan", "root")
def data_missing_for_no_reason() -> None:
    """CLOSE_ACK says that data is missing, although all has come."""
    alter(CloseAck, ack_flags=CloseAckFlag.DATA_MISSING)


@patch("R57", "rooted-lan", "leaf3")
def acknowledged_beyond_the_end() -> None:
    """CLOSE_ACK acknowledges more than FinalSeq says there is."""
    alter(CloseAck, rcv_next=lambda message: plus(message.rcv_next, 3))


@patch("R58", "rooted-lan", "leaf1")
def close_changes_its_mind() -> None:
    """A second copy of CLOSE gives another FinalSeq than the first."""
    append(
        Close,
        lambda _endpoint, message: (
            [replace(message, attempt=2, final_seq=plus(message.final_seq, 1))]
            if message.attempt == 1
            else []
        ),
    )


@patch("R59", "expelled", "root")
def speaks_to_the_departed() -> None:
    """Whose CLOSE was acknowledged goes on telling that peer how far it has come."""
    gone: list[Membership] = []
    send = Endpoint.send

    def over(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        gone.append(end)

    def also(self: Endpoint, message: Any, source: Any, destination: Any) -> None:
        send(self, message, source, destination)
        for end in gone if isinstance(message, Data) else ():
            seq = end.outflow.sent_seq
            sync = Sync(**end.header(seq), origin=1, trail_seq=seq, sflags=0)
            send(self, sync, end.local, end.peer)

    act("finish_closing", over)
    put(Endpoint, "send", also)


@patch("R60", "rooted-dismantle", "root")
def member_forgotten_in_dismantle() -> None:
    """The root dismantles its session but leaves the newest of several members out."""

    def forgetful(
        original: Any, self: Provider, root: Socket, endpoint: Endpoint, *others: Any, **named: Any
    ) -> None:
        assert endpoint.session is not None
        if len(endpoint.session.members) > 1:
            endpoint.session.members.popitem()
        original(self, root, endpoint, *others, **named)

    wrap(Provider, "_dismantle", forgetful)


@patch("R61", "rooted-lan", "root")
def one_leaves_another_must() -> None:
    """When one leaf leaves, the root closes the membership of another."""

    def panic(
        original: Any, self: Provider, endpoint: Endpoint, membership: Membership, *others: Any
    ) -> None:
        original(self, endpoint, membership, *others)
        now_s = others[-1]
        members = endpoint.session.members if endpoint.session else {}
        for other in [*members.values()][:1]:
            if other is not membership and other.state.value == "JOINED":
                endpoint.call(other, CloseRequested(CloseReason.EXPEL), now_s)
                self.collect(endpoint, now_s)

    wrap(Provider, "_ended", panic)


@patch("R62", "rooted-lan", "leaf1")
def leaf_expels_the_root() -> None:
    """CLOSE of a leaf gives EXPEL as its reason."""
    alter(Close, reason=CloseReason.EXPEL)


@patch("R62", "rooted-lan", "root")
def dismantled_without_saying_so() -> None:
    """CLOSE for the end of the session lacks the flag DISMANTLE."""
    alter(Close, cflags=0)


@patch("R63", "rooted-abort", "root")
def abort_answered() -> None:
    """An ABORT that arrives is answered by another one."""

    def polite(original: Any, end: Membership, event: Abort, now_s: float) -> None:
        end.send(
            replace(
                event,
                flags=HeaderFlag.R,
                sender_id=0,
                reason=AbortReason.NO_MEMBERSHIP,
                echo_seq=event.seq,
            )
        )
        original(end, event, now_s)

    act("end_aborted", polite)


@patch("R63", "rooted-abort", "root")
def abort_answered_as_a_member() -> None:
    """An ABORT that arrives is answered by one that says NO_MEMBERSHIP of its own accord."""

    def polite(original: Any, end: Membership, event: Input, now_s: float) -> None:
        end.send_abort(AbortReason.NO_MEMBERSHIP)
        original(end, event, now_s)

    act("end_aborted", polite)


@patch("R64", "rooted-abort", "leaf1")
def abort_repeated() -> None:
    """ABORT is sent twice."""
    append(Abort, lambda _endpoint, message: [replace(message, seq=plus(message.seq, 1))])


@patch("R65", "death-watch", "root")
def silent_farewell() -> None:
    """Who gives a dead peer up tells nobody."""
    withhold(Abort)


@patch("R66", "end-linger", "leaf3")
def abort_under_the_own_tag() -> None:
    """ABORT carries the tag of its sender instead of the receiver's."""

    def confused(original: Any, end: Membership, event: Input, now_s: float) -> None:
        end.identity.peer_tag = end.identity.own_tag
        original(end, event, now_s)

    act("abort_membership", confused)


@patch("R67", "rooted-abort", "leaf1")
def word_after_the_abort() -> None:
    """A CLOSE follows the ABORT."""

    def close(_endpoint: Endpoint, abort: Abort) -> list[Any]:
        return [
            Close(
                session_id=abort.session_id,
                destination_tag=abort.destination_tag,
                seq=plus(abort.seq, 1),
                sender_id=abort.sender_id,
                reason=CloseReason.LEAVE,
                cflags=0,
                final_seq=0,
                side_final_seq=0,
            )
        ]

    append(Abort, close)


@patch("R68", "two-sessions", "root")
def session_name_used_again() -> None:
    """Every session of this host has the same Session ID."""

    def named(original: Any, *arguments: object) -> Any:
        session = original(*arguments)
        session.facts.session_id = 0x5E55_10D0_0000_0001
        return session

    wrap(base, "new_session", named)


@patch("R78", "held-up", "leaf1")
def close_goes_on() -> None:
    """CLOSE is repeated although it was acknowledged, until all copies are spent."""
    act("finish_closing", lambda *_: None)


@patch("R113", "lost-last", "root")
def closed_and_forgotten() -> None:
    """A CLOSE that was answered DATA_MISSING is not repeated."""

    def content(original: Any, end: Membership, event: CloseAck, now_s: float) -> None:
        if event.ack_flags & CloseAckFlag.DATA_MISSING:
            end.clear_timer(TimerName.RETRANSMIT)
        else:
            original(end, event, now_s)

    act("finish_closing", content)


@patch("EV14", "lost-last", "leaf1")
def closed_before_it_came() -> None:
    """FD_CLOSE(0) is recorded although the last message was lost and is being repaired."""
    put(member, "is_complete", lambda _end: True)


@patch("EV19", "lost-for-good", "leaf1")
def loss_called_graceful() -> None:
    """Whose peer has closed, and whose last message never came, gets FD_CLOSE(0)."""

    def easy(_original: Any, end: Membership, _event: Input, now_s: float) -> None:
        member._linger(end, now_s)
        end.report(Ended(WsaError.SUCCESS))

    act("stop_draining", easy)


@patch("R116", "rooted-lan", "leaf1")
def half_closed_without_leave() -> None:
    """CLOSE ends one direction only, where nobody has agreed to half closes."""
    alter(Close, cflags=CloseFlag.HALF)


@patch("R117", "rooted-lan", "leaf1")
def lost_for_no_reason() -> None:
    """A member gives up because of data that was lost, although none was."""

    def dramatic(_original: Any, end: Membership, _event: Input, _now_s: float) -> None:
        end.send_abort(AbortReason.DATA_LOST)

    act("close_membership", dramatic)


@patch("R118", "parting-whispers", "leaf1")
def private_word_left_behind() -> None:
    """CLOSE does not wait until private messages are acknowledged."""
    put(member, "postpone_close", lambda _end: False)


@patch("CR17", "rooted-lan", "leaf3")
def leaves_unasked() -> None:
    """A leaf leaves when it has received a message, although nobody has told it to."""

    def offended(
        original: Any, self: Provider, endpoint: Endpoint, received: Received, now_s: float
    ) -> None:
        original(self, endpoint, received, now_s)
        if received.membership is not None:
            endpoint.call(received.membership, CloseRequested(CloseReason.LEAVE), now_s)

    wrap(Provider, "_data_received", offended)


@patch("CR18", "held-up", "leaf1")
def leaves_without_a_word() -> None:
    """Closing the socket of a member tells the peer nothing."""
    withhold((Close, Abort))


@patch("R73", "end-crash", "root")
def faith_in_the_dead() -> None:
    """A peer that has been silent for long is neither asked nor given up."""
    act("probe_peer", lambda _original, _end, _event, _now_s: None)
