"""The states of one end of a membership, and every legal step between them.

One machine serves both ends. The end that asks (root inviting, or leaf joining) goes down the left
column; the end that is asked goes down the right one; from JOINED on they are equals:

    NEW --join--> ASKING -> PROVING -> PENDING --+        NEW --verified--> QUEUED
                     |         |          |      |                            |
                     +---------+----------+      | ACCEPT             admit   |
                               v                 v                            v
                          CANCELLING          JOINED  <---- CONFIRM ----  ACCEPTING
                               |                 |
                               v      CLOSE in   |   CLOSE out
                             GONE   DRAINING <---+---> CLOSING --> LINGERING --> GONE

Where half close was agreed, CLOSE with HALF leads from JOINED to HALF_CLOSING and back to JOINED,
where that end only receives. The next CLOSE of either end leads on as above.

Crossed joins leave the columns: the leaf's own request is FOLDED, and the root's invitation goes
from NEW to CROSSED, which is ACCEPTING in the name of the folded join (`crossing`).

`TRANSITIONS` is the machine: what is not in it is either declared ignorable below, or a mistake of
our own caller. Row ids RM number the steps of the root's end, LF those of the leaf's
end. A test proves that rows, ignored and illegal cells partition state x input, and that
each row is taken.
"""

from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from mpwire.core.kinds import Kind


class State(Enum):
    """Where one end of a membership stands."""

    __hash__ = object.__hash__  # members are singletons; this one runs in C

    NEW = "NEW"
    """Nothing happened yet."""
    ASKING = "ASKING"
    """JOIN_REQ is out without a cookie (INVITE1, REQ1)."""
    PROVING = "PROVING"
    """JOIN_REQ is out with a cookie (INVITE2, REQ2)."""
    PENDING = "PENDING"
    """The peer has queued the request; it is polled (INVITE3, REQ3)."""
    CANCELLING = "CANCELLING"
    """CANCEL is out, its answer awaited."""
    FOLDED = "FOLDED"
    """Our JOIN_REQ has given way to an invitation of the root it went to, for good."""
    VERIFYING = "VERIFYING"
    """The peer asks anew; first its old membership must turn out to be dead (RM42)."""
    QUEUED = "QUEUED"
    """The peer's request waits for WSPAccept (QUEUED, INVITED)."""
    ACCEPTING = "ACCEPTING"
    """ACCEPT is out, CONFIRM awaited (ACCEPT_SENT, ACC_SENT)."""
    CROSSED = "CROSSED"
    """ACCEPT with flag X is out: the root's invitation completes the join that was folded."""
    JOINED = "JOINED"
    """Both ends are members."""
    SUSPECT = "SUSPECT"
    """The peer was silent for T_KA and is being probed."""
    HALF_CLOSING = "HALF_CLOSING"
    """Our CLOSE with HALF is out, CLOSE_ACK awaited; the peer may go on sending."""
    CLOSING = "CLOSING"
    """Our CLOSE is out, CLOSE_ACK awaited."""
    DRAINING = "DRAINING"
    """The peer has closed, data it sent before is still missing (DRAIN)."""
    LINGERING = "LINGERING"
    """Over; copies of the peer's CLOSE are still answered (LINGER)."""
    GONE = "GONE"
    """Nothing is left."""


class Row(NamedTuple):
    """One legal step: the action that takes it, the states it may lead to, and its source."""

    action: str
    next_states: tuple[State, ...]
    cite: str


S = State
K = Kind
_CLOSED = (S.HALF_CLOSING, S.CLOSING)
"""Where a close leads that had to wait."""


Rows: TypeAlias = "dict[tuple[State, Kind], Row]"


def _feedback(state: State) -> Rows:
    """Return what everybody does with data that still arrives."""
    return {
        (state, K.TAKEN): Row("reopen_window", (state,), "11.3"),
        (state, K.BACKLOG): Row("note_backlog", (state,), "11.5"),
        (state, K.ACKNOWLEDGE): Row("acknowledge_data", (state,), "11.3"),
        (state, K.NACK): Row("ask_again", (state,), "11.4"),
    }


def _owing(state: State) -> Rows:
    """Return what an end does until its peer has all that was submitted."""
    return {
        (state, K.IN_NACK): Row("repair_data", (state,), "RM36a LF30a K3"),
        (state, K.IN_DATA_ACK): Row("hear_data_ack", (state,), "11.3"),
        (state, K.SYNC): Row("synchronise", (state,), "11.4"),
    }


def _overtaken(state: State) -> Rows:
    """Return what an end adds to that if its peer has closed before its last message had left."""
    return {
        **_owing(state),
        (state, K.PACE): Row("go_on_sending", (state,), "11.8"),
        (state, K.IN_CLOSE_ACK): Row("hear_late_close_ack", (state,), "12.1"),
    }


def _ending(state: State) -> Rows:
    """Return what all ends have in common that still have to send or to receive something."""
    return {
        **_feedback(state),
        **_owing(state),
        (state, K.IN_SYNC): Row("hear_sync", (state, S.GONE), "LF21"),
        (state, K.IN_PROBE): Row("answer_probe", (state,), "R70"),
        (state, K.IN_CANCEL): Row("undo_acceptance", (state, S.GONE), "RM25 R47"),
        (state, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF31"),
    }


def _unacknowledged(state: State) -> Rows:
    """Return what closing has in common, be it of one direction or of both."""
    return {
        **_ending(state),
        (state, K.RETRANSMIT): Row("repeat_close", (state, S.GONE), "RM37 LF30"),
        (state, K.IN_DATA): Row("deliver_data", (state,), "RM38"),
        (state, K.IN_SIDE): Row("deliver_side", (state,), "RM38"),
        (state, K.IN_ACCEPT): Row("confirm_again", (state,), "R42"),
        (state, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    }


TRANSITIONS: Final[Rows] = {
    (S.NEW, K.JOIN): Row("request_join", (S.ASKING,), "RM1 LF1"),
    (S.NEW, K.VERIFIED): Row("queue_request", (S.QUEUED,), "RM14 LI3"),
    # The end that asks.
    (S.ASKING, K.IN_CHALLENGE): Row("prove_address", (S.ASKING, S.PROVING), "RM2 LF3 R77"),
    (S.ASKING, K.IN_REJECT): Row("fail_rejected", (S.GONE,), "RM8 LF8"),
    (S.ASKING, K.IN_VERSION_NEG): Row("fail_version", (S.ASKING, S.GONE), "RM9"),
    (S.ASKING, K.RETRANSMIT): Row("repeat_request", (S.ASKING, S.GONE), "RM4 RM5 LF5 LF6"),
    (S.ASKING, K.LIMIT): Row("time_out_join", (S.GONE,), "RM5 LF6"),
    (S.ASKING, K.WITHDRAW): Row("withdraw_request", (S.GONE,), "RS7 LF9"),
    (S.ASKING, K.PORT_UNREACHABLE): Row("count_unreachable", (S.ASKING, S.GONE), "9.5"),
    (S.ASKING, K.NET_UNREACHABLE): Row("note_unreachable", (S.ASKING,), "RM5 LF6"),
    (S.PROVING, K.IN_CHALLENGE): Row("prove_again", (S.PROVING,), "RM2 LF3"),
    (S.PROVING, K.IN_PENDING): Row("await_decision", (S.PENDING,), "RM3 LF4"),
    (S.PROVING, K.IN_ACCEPT): Row("confirm_join", (S.JOINED, S.GONE), "RM7 LF7"),
    (S.PROVING, K.IN_REJECT): Row("fail_rejected", (S.GONE,), "RM8 LF8"),
    (S.PROVING, K.RETRANSMIT): Row("repeat_request", (S.PROVING, S.CANCELLING), "RM4 RM5 LF5 LF6"),
    (S.PROVING, K.LIMIT): Row("time_out_join", (S.CANCELLING,), "RM5 LF6"),
    (S.PROVING, K.WITHDRAW): Row("withdraw_request", (S.CANCELLING,), "RS7 LF9"),
    (S.PROVING, K.NET_UNREACHABLE): Row("note_unreachable", (S.PROVING,), "RM5 LF6"),
    (S.PENDING, K.IN_CHALLENGE): Row("prove_again", (S.PENDING,), "RM2 LF3"),
    (S.PENDING, K.IN_PENDING): Row("await_decision", (S.PENDING,), "RM3 LF4"),
    (S.PENDING, K.IN_ACCEPT): Row("confirm_join", (S.JOINED, S.GONE), "RM7 LF7"),
    (S.PENDING, K.IN_REJECT): Row("fail_rejected", (S.GONE,), "RM8 LF8"),
    (S.PENDING, K.RETRANSMIT): Row("poll_decision", (S.PENDING, S.CANCELLING), "RM6 LF5"),
    (S.PENDING, K.LIMIT): Row("time_out_join", (S.CANCELLING,), "RM5 LF6"),
    (S.PENDING, K.WITHDRAW): Row("withdraw_request", (S.CANCELLING,), "RS7 LF9"),
    (S.PENDING, K.NET_UNREACHABLE): Row("note_unreachable", (S.PENDING,), "RM5 LF6"),
    (S.CANCELLING, K.IN_CANCEL_ACK): Row("forget", (S.GONE,), "RM12"),
    (S.CANCELLING, K.RETRANSMIT): Row("repeat_cancel", (S.CANCELLING, S.GONE), "RM12"),
    (S.CANCELLING, K.IN_ACCEPT): Row("abort_acceptance", (S.CANCELLING,), "RM13"),
    # Crossed joins: the request of the leaf, then the invitation that it gave way to.
    (S.ASKING, K.CROSSING): Row("fold_request", (S.FOLDED,), "LF10 R51"),
    (S.PROVING, K.CROSSING): Row("fold_request", (S.FOLDED,), "LF10 R51"),
    (S.PENDING, K.CROSSING): Row("fold_request", (S.FOLDED,), "LF10 R51"),
    (S.FOLDED, K.IN_ACCEPT): Row("abort_acceptance", (S.FOLDED,), "LF13"),
    (S.FOLDED, K.LIMIT): Row("forget", (S.GONE,), "LF13"),
    (S.NEW, K.CROSSING): Row("accept_crossing", (S.CROSSED,), "LF10"),
    (S.CROSSED, K.IN_CONFIRM): Row("settle_crossed", (S.JOINED, S.CLOSING, S.GONE), "LF11"),
    (S.CROSSED, K.IN_DATA): Row("settle_by_data", (S.CROSSED,), "LF11"),
    (S.CROSSED, K.IN_PROBE): Row("settle_by_probe", (S.CROSSED,), "LF11"),
    (S.CROSSED, K.IN_CLOSE): Row("settle_by_close", (S.CROSSED,), "LF11"),
    (S.CROSSED, K.RETRANSMIT): Row("repeat_crossed", (S.CROSSED, S.GONE), "LF12"),
    (S.CROSSED, K.IN_CANCEL): Row("undo_crossed", (S.GONE,), "LF12"),
    (S.CROSSED, K.IN_ABORT): Row("refuse_crossed", (S.GONE,), "LF12"),
    (S.CROSSED, K.WITHDRAW): Row("leave_when_settled", (S.CROSSED,), "W25 R53"),
    # The end that is asked.
    (S.NEW, K.DOUBTED): Row("hold_request", (S.VERIFYING,), "RM42"),
    (S.VERIFYING, K.IN_JOIN_REQ): Row("answer_poll", (S.VERIFYING,), "RM42"),
    (S.VERIFYING, K.IN_CANCEL): Row("drop_cancelled", (S.GONE,), "RM17"),
    (S.VERIFYING, K.IN_ABORT): Row("drop_aborted", (S.GONE,), "RM17"),
    (S.VERIFYING, K.LIMIT): Row("expire_request", (S.GONE,), "RM18"),
    (S.VERIFYING, K.VERIFIED): Row("queue_held_request", (S.QUEUED,), "RM42 LI3"),
    (S.VERIFYING, K.REFUSE): Row("refuse_request", (S.GONE,), "RM42"),
    (S.VERIFYING, K.SUPERSEDE): Row("supersede_request", (S.GONE,), "R29"),
    (S.QUEUED, K.IN_JOIN_REQ): Row("answer_poll", (S.QUEUED,), "RM15"),
    (S.QUEUED, K.IN_CANCEL): Row("drop_cancelled", (S.GONE,), "RM17"),
    (S.QUEUED, K.IN_ABORT): Row("drop_aborted", (S.GONE,), "RM17"),
    (S.QUEUED, K.LIMIT): Row("expire_request", (S.GONE,), "RM18"),
    (S.QUEUED, K.ADMIT): Row("accept_request", (S.ACCEPTING,), "RM19 LF14"),
    (S.QUEUED, K.DEFER): Row("defer_request", (S.QUEUED,), "RM21 LI11"),
    (S.QUEUED, K.REFUSE): Row("refuse_request", (S.GONE,), "RM20 LI13 LI14"),
    (S.QUEUED, K.SUPERSEDE): Row("supersede_request", (S.GONE,), "R29 R52"),
    (S.ACCEPTING, K.IN_CONFIRM): Row("settle_join", (S.JOINED, *_CLOSED, S.GONE), "RM22 LF16"),
    (S.ACCEPTING, K.IN_DATA): Row("settle_by_data", (S.ACCEPTING, S.JOINED, *_CLOSED), "RM22"),
    (S.ACCEPTING, K.IN_SYNC): Row(
        "settle_by_sync", (S.ACCEPTING, S.JOINED, *_CLOSED, S.GONE), "RM22"
    ),
    (S.ACCEPTING, K.IN_SIDE): Row("settle_by_side", (S.ACCEPTING, S.JOINED, *_CLOSED), "RM22"),
    (S.ACCEPTING, K.IN_PROBE): Row("settle_by_probe", (S.ACCEPTING, S.JOINED, *_CLOSED), "RM22"),
    (S.ACCEPTING, K.IN_CLOSE): Row(
        "settle_by_close", (S.ACCEPTING, S.JOINED, S.CLOSING, S.LINGERING, S.DRAINING), "RM22"
    ),
    (S.ACCEPTING, K.RETRANSMIT): Row("repeat_accept", (S.ACCEPTING, S.GONE), "RM23 RM24 LF17"),
    (S.ACCEPTING, K.IN_CANCEL): Row("undo_acceptance", (S.GONE,), "RM25 LF18"),
    (S.ACCEPTING, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF18"),
    (S.ACCEPTING, K.SEND): Row("hold_data", (S.ACCEPTING,), "R81 R84"),
    (S.ACCEPTING, K.SEND_SIDE): Row("hold_side", (S.ACCEPTING,), "11.9"),
    (S.ACCEPTING, K.CLOSE): Row("close_when_settled", (S.ACCEPTING,), "R53"),
    (S.ACCEPTING, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    # Members. Any tag-valid message but a PROBE_ACK turns SUSPECT into JOINED before the look-up.
    (S.JOINED, K.IN_ACCEPT): Row("confirm_again", (S.JOINED,), "RM11"),
    (S.JOINED, K.IN_CANCEL): Row("undo_acceptance", (S.JOINED, S.GONE), "RM25"),
    (S.JOINED, K.IN_DATA): Row("deliver_data", (S.JOINED,), "RS9 LF19"),
    (S.JOINED, K.IN_SYNC): Row("hear_sync", (S.JOINED, S.GONE), "LF21"),
    (S.JOINED, K.IN_NACK): Row("repair_data", (S.JOINED,), "11.4"),
    (S.JOINED, K.IN_DATA_ACK): Row("hear_data_ack", (S.JOINED, *_CLOSED), "11.3"),
    (S.JOINED, K.IN_SIDE): Row("deliver_side", (S.JOINED,), "RM30 LF20"),
    (S.JOINED, K.IN_ACK): Row("hear_side_ack", (S.JOINED, *_CLOSED), "R90 R118"),
    (S.JOINED, K.IN_PROBE): Row("answer_probe", (S.JOINED,), "RM29 LF22"),
    (S.JOINED, K.IN_CLOSE): Row(
        "end_closed", (S.JOINED, S.LINGERING, S.DRAINING), "RM31 RM32 LF24 LF25 W80"
    ),
    (S.JOINED, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF31"),
    (S.JOINED, K.VERIFY): Row("verify_peer", (S.SUSPECT,), "RM42 LF32"),
    (S.JOINED, K.KEEPALIVE): Row("probe_peer", (S.JOINED, S.SUSPECT), "RM27 LF22"),
    (S.JOINED, K.SEND): Row("send_data", (S.JOINED,), "R81"),
    (S.JOINED, K.CAST): Row("note_cast", (S.JOINED, *_CLOSED), "11.6"),
    (S.JOINED, K.SEND_SIDE): Row("submit_side", (S.JOINED,), "11.9"),
    (S.JOINED, K.SIDE): Row("repeat_side", (S.JOINED, S.GONE), "11.9 R118"),
    **_feedback(S.JOINED),
    (S.JOINED, K.ORIGIN_ENDED): Row("end_origin", (S.JOINED,), "11.5"),
    (S.JOINED, K.SYNC): Row("synchronise", (S.JOINED,), "11.4"),
    (S.JOINED, K.PACE): Row("go_on_sending", (S.JOINED, *_CLOSED), "11.8"),
    (S.JOINED, K.LIMIT): Row("stop_waiting", (S.JOINED, *_CLOSED, S.GONE), "11.5 12.5"),
    (S.JOINED, K.CLOSE): Row("close_membership", (S.JOINED, *_CLOSED), "RM34 RM35 LF27 LF28"),
    (S.JOINED, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    (S.SUSPECT, K.IN_PROBE_ACK): Row("hear_probe_ack", (S.SUSPECT, S.JOINED), "RM26 R69"),
    (S.SUSPECT, K.RETRANSMIT): Row("repeat_probe", (S.SUSPECT, S.GONE), "RM28 LF23"),
    (S.SUSPECT, K.SEND): Row("send_data", (S.SUSPECT,), "R81"),
    (S.SUSPECT, K.CAST): Row("note_cast", (S.SUSPECT, *_CLOSED), "11.6"),
    (S.SUSPECT, K.SEND_SIDE): Row("submit_side", (S.SUSPECT,), "11.9"),
    (S.SUSPECT, K.SIDE): Row("repeat_side", (S.SUSPECT, S.GONE), "11.9 R118"),
    **_feedback(S.SUSPECT),
    (S.SUSPECT, K.ORIGIN_ENDED): Row("end_origin", (S.SUSPECT,), "11.5"),
    (S.SUSPECT, K.SYNC): Row("synchronise", (S.SUSPECT,), "11.4"),
    (S.SUSPECT, K.PACE): Row("go_on_sending", (S.SUSPECT, *_CLOSED), "11.8"),
    (S.SUSPECT, K.LIMIT): Row("stop_waiting", (S.SUSPECT, *_CLOSED, S.GONE), "11.5 12.5"),
    (S.SUSPECT, K.CLOSE): Row("close_membership", (S.SUSPECT, *_CLOSED), "RM34 RM35 LF27 LF28"),
    (S.SUSPECT, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    # Endings.
    **_unacknowledged(S.HALF_CLOSING),
    (S.HALF_CLOSING, K.IN_CLOSE_ACK): Row("finish_half_close", (S.HALF_CLOSING, S.JOINED), "W80"),
    (S.HALF_CLOSING, K.IN_CLOSE): Row(
        "cross_half_close", (S.CLOSING, S.LINGERING, S.DRAINING), "12.5"
    ),
    (S.HALF_CLOSING, K.ORIGIN_ENDED): Row("end_origin", (S.HALF_CLOSING,), "11.5"),
    (S.HALF_CLOSING, K.CLOSE): Row("close_membership", (S.HALF_CLOSING, S.CLOSING), "12.5"),
    **_unacknowledged(S.CLOSING),
    (S.CLOSING, K.IN_CLOSE_ACK): Row(
        "finish_closing", (S.CLOSING, S.LINGERING, S.DRAINING), "RM36 RM36a LF30 LF30a"
    ),
    (S.CLOSING, K.IN_CLOSE): Row("cross_close", (S.CLOSING, S.LINGERING, S.DRAINING), "RM36 LF30"),
    (S.CLOSING, K.CLOSE): Row("keep_closing", (S.CLOSING,), "R58"),
    **_ending(S.DRAINING),
    **_overtaken(S.DRAINING),
    (S.DRAINING, K.IN_DATA): Row("drain_data", (S.DRAINING, S.LINGERING), "RM33 LF26"),
    (S.DRAINING, K.IN_CLOSE): Row("ask_at_copy", (S.DRAINING,), "R56"),
    (S.DRAINING, K.LIMIT): Row("stop_draining", (S.LINGERING,), "RM33 LF26"),
    (S.DRAINING, K.CLOSE): Row("leave_draining", (S.LINGERING,), "W76"),
    (S.DRAINING, K.ABORT): Row("leave_draining", (S.LINGERING,), "W76"),
    (S.LINGERING, K.IN_CLOSE): Row("acknowledge_close", (S.LINGERING,), "RM40"),
    (S.LINGERING, K.IN_CANCEL): Row("acknowledge_cancel", (S.LINGERING,), "RM40 R47"),
    **_overtaken(S.LINGERING),
    (S.LINGERING, K.IN_SYNC): Row("answer_sync", (S.LINGERING,), "11.4"),
    (S.LINGERING, K.LIMIT): Row("forget", (S.GONE,), "RM41"),
    (S.LINGERING, K.CLOSE): Row("keep_closing", (S.LINGERING,), "W76"),
    (S.LINGERING, K.ABORT): Row("keep_closing", (S.LINGERING,), "W76"),
}

FOUND: Final = frozenset({K.VERIFIED, K.CROSSING, K.DOUBTED})
"""What the endpoint has found out of a request before it tells a membership."""

CALLS: Final = FOUND | {kind for kind in K if kind.value.startswith("api:")}
"""Inputs under our own control: outside their rows they are ILLEGAL, never ignored."""

TIMERS: Final = frozenset(kind for kind in K if kind.value.startswith("tmr:"))
"""Inputs that arrive only where they were set, because every change of state stops them."""

ARRIVALS: Final = frozenset(K) - CALLS - TIMERS
HINTS: Final = frozenset({K.PORT_UNREACHABLE, K.NET_UNREACHABLE})
FROM_PEER: Final = ARRIVALS - HINTS
"""Tag-valid messages: each proves that the peer lives (RM26)."""


def _can_arrive(state: State, kind: Kind) -> bool:
    """Tell whether an arrival can be met in a state.

    NEW hears nothing, because no tag of it is known to anyone. In SUSPECT all that the peer sends
    has turned the state into JOINED before it is looked up, but for PROBE_ACK, which has a row.
    """
    return state is not S.NEW and (state is not S.SUSPECT or kind in HINTS)


IGNORED: Final[dict[State, frozenset[Kind]]] = {
    state: frozenset(
        kind for kind in ARRIVALS if _can_arrive(state, kind) and (state, kind) not in TRANSITIONS
    )
    for state in S
}
"""Arrivals that change nothing: late copies, answers to nothing, messages of the other role."""
