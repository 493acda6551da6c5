"""R28-R34, R42-R47: what the end that asks does wrong, and who does not answer it."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership, asking
from mpwire.core.address import Address
from mpwire.core.events import Input
from mpwire.core.timers import TimerName
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import act, alter, append, bend, ignore, instead, once, wrap
from mpwire.winsock import Provider
from mpwire.wire.messages import (
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Confirm,
    JoinReq,
    Pending,
)


@patch("R28", "rooted-abort", "root")
def two_invitations_out() -> None:
    """A root that waits for the answer to an invitation sends another one."""

    def eager(
        original: Any, self: Provider, handle: int, address: Address, *others: Any, **named: Any
    ) -> Any:
        socket = self.sockets.get(handle)
        if socket is not None:
            socket.pending = None
        return original(self, handle, address, *others, **named)

    wrap(Provider, "join_leaf", eager)


@patch("R29", "rooted-lan", "leaf1")
def second_request_outstanding() -> None:
    """A second JOIN_REQ, of another attempt, goes out while the first is unresolved."""

    def impatient(endpoint: Endpoint, request: JoinReq) -> list[JoinReq]:
        tag, seq = endpoint.entropy.tag(), endpoint.entropy.sequence()
        return [replace(request, attempt=1, init_tag=tag, seq=seq, cookie=None)]

    first = once()
    append(JoinReq, lambda endpoint, one: impatient(endpoint, one) if first() else [])


@patch("R30", "rooted-lan", "leaf1")
def direction_contradicted() -> None:
    """JOIN_REQ says JL_SENDER_ONLY in JL and both directions in LeafDir."""
    alter(JoinReq, jl=1)


@patch("R31", "rooted-lan", "leaf1")
def copies_differ() -> None:
    """Every copy of JOIN_REQ announces another NextDataSeq."""
    alter(JoinReq, next_data_seq=lambda message: message.next_data_seq ^ message.attempt)


@patch("R34", "rooted-lan", "leaf1")
def cookie_invented() -> None:
    """The cookie that is echoed is not the one that was given."""
    alter(
        JoinReq,
        lambda message: message.cookie is not None,
        cookie=lambda message: bytes((message.cookie[0] ^ 1,)) + message.cookie[1:],
    )


@patch("R42", "rooted-lan", "leaf1")
def acceptance_not_confirmed() -> None:
    """An ACCEPT that arrives is believed, and never confirmed."""
    instead(Confirm, lambda _endpoint, _message: ())


@patch("R42", "lost-confirm", "leaf1")
def confirmed_only_once() -> None:
    """A further copy of ACCEPT is not answered, although the CONFIRM was lost."""
    act("confirm_again", lambda *_: None)


@patch("R43", "join-deferred", "leaf1")
def confirmed_before_accepted() -> None:
    """PENDING is answered with CONFIRM, as if it were the acceptance."""

    def rash(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        header = end.header(end.request.seq, end.request.attempt)
        end.send(
            Confirm(
                **header,
                assigned_id=0,
                next_data_seq=end.outflow.next_seq,
                leaf_dir=end.request.leaf_dir,
            )
        )

    act("await_decision", rash)


@patch("R44", "rooted-lan", "leaf1")
def request_after_the_answer() -> None:
    """Another copy of JOIN_REQ follows the CONFIRM."""
    asked: list[JoinReq] = []

    def ask_on(_endpoint: Endpoint, message: JoinReq | Confirm) -> list[Any]:
        if isinstance(message, JoinReq):
            asked.append(message)
            return []
        return [replace(asked[-1], attempt=asked[-1].attempt + 1)]

    append((JoinReq, Confirm), ask_on)


@patch("R45", "put-off", "leaf2")
def polls_in_a_hurry() -> None:
    """While a decision is awaited, the request is repeated ten times too often."""

    def hurry(original: Any, end: Membership, event: Pending, now_s: float) -> None:
        original(end, event, now_s)
        end.poll_s /= 10
        asking._poll_later(end, now_s)

    act("await_decision", hurry)


@patch("R46", "unheard", "leaf1")
def waits_for_ever() -> None:
    """A join that nobody answers is never given up."""

    def hope(original: Any, end: Membership, event: Input, now_s: float) -> None:
        if not asking._all_copies_spent(end):
            original(end, event, now_s)

    def begin(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        end.clear_timer(TimerName.LIMIT)

    act("repeat_request", hope)
    act("request_join", begin)


@patch("R47", "join-withdrawn", "root")
def cancel_unanswered() -> None:
    """A CANCEL that arrives is obeyed, but not acknowledged."""
    instead(CancelAck, lambda _endpoint, _message: ())


@patch("R75", "rooted-lan", "leaf1")
def request_sent_twice() -> None:
    """Every JOIN_REQ leaves twice, under one Attempt."""
    append(JoinReq, lambda _endpoint, message: [message])


@patch("R76", "unheard", "leaf1")
def request_copied_at_once() -> None:
    """A second copy of JOIN_REQ leaves together with the first one."""

    def copied(original: Any, end: Membership, event: Input, now_s: float) -> None:
        original(end, event, now_s)
        end.send_copy(now_s)

    act("request_join", copied)


@patch("R77", "unheard", "leaf1")
def request_copied_for_ever() -> None:
    """JOIN_REQ is repeated more often than announced."""
    put(asking, "_all_copies_spent", lambda end: end.outstanding.attempt >= 12)


@patch("R78", "called-off", "leaf1")
def cancel_goes_on() -> None:
    """CANCEL is repeated although its CANCEL_ACK has come."""
    ignore(CancelAck)


@patch("R39", "rooted-lan", "leaf1")
def direction_confirmed_otherwise() -> None:
    """CONFIRM allows the leaf another direction than the request asked for."""
    alter(Confirm, leaf_dir=1)


@patch("R40", "rooted-lan", "root")
def session_not_described() -> None:
    """CONFIRM of the root does not describe the session."""
    alter(Confirm, session_desc=None)


@patch("R49", "rooted-decisions", "leaf1")
def caller_data_changes() -> None:
    """Every copy of JOIN_REQ carries other caller data."""
    alter(
        JoinReq,
        lambda message: message.caller_data is not None,
        caller_data=lambda message: message.caller_data + bytes((message.attempt,)),
    )


@patch("R51", "join-glare", "leaf1")
def crossing_not_marked() -> None:
    """An invitation that crossed the leaf's own request is accepted without flag X."""
    alter(Accept, flags=0)


@patch("R80", "rooted-lan", "leaf1")
def timers_that_contradict() -> None:
    """A peer is announced to be dead sooner than it would be probed."""
    alter(
        JoinReq,
        timers=lambda message: replace(message.timers, dead_ms=message.timers.keepalive_ms // 2),
    )


@patch("R71", "rooted-lan", "leaf1")
def test_timers_in_the_open() -> None:
    """Timers of a test network are announced as if they were for the Internet."""
    alter(JoinReq, timers=lambda message: replace(message.timers, tflags=0))


@patch("R101", "rooted-lan", "root")
def cookie_as_amplifier() -> None:
    """CHALLENGE is larger than the request that it answers."""
    alter(Challenge, extra=((0x0A0A, bytes(160)),))


@patch("R17", "join-withdrawn", "leaf1")
def cancel_answered_out_of_turn() -> None:
    """CANCEL_ACK echoes another Seq than that of the CANCEL."""
    alter(CancelAck, seq=lambda message: message.seq + 1)
    _ = (bend, Cancel)
