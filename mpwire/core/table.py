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

Crossed joins leave the columns: the leaf's own request is FOLDED, and the root's invitation goes
from NEW to CROSSED, which is ACCEPTING in the name of the folded join (`crossing`).

`TRANSITIONS` is the machine: what is not in it is either declared ignorable below, or a mistake of
our own caller. Row ids RM number the steps of the root's end, LF those of the leaf's
end. A test proves that rows, ignored and illegal cells partition state x input, and that
each row is taken.
"""

from enum import Enum
from typing import Final, NamedTuple

from mpwire.core import events
from mpwire.core.timers import TimerName
from mpwire.wire import messages


class State(Enum):
    """Where one end of a membership stands."""

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
    CLOSING = "CLOSING"
    """Our CLOSE is out, CLOSE_ACK awaited."""
    DRAINING = "DRAINING"
    """The peer has closed, data it sent before is still missing (DRAIN)."""
    LINGERING = "LINGERING"
    """Over; copies of the peer's CLOSE are still answered (LINGER)."""
    GONE = "GONE"
    """Nothing is left."""


class Kind(Enum):
    """What an input is, for the table: a call of the layer above, a message, or a timer."""

    JOIN = "api: join"
    VERIFIED = "in: JOIN_REQ verified"
    CROSSING = "in: JOIN_REQ verified, crossing ours"
    DOUBTED = "in: JOIN_REQ verified, of a member"
    VERIFY = "api: verify"
    WITHDRAW = "api: withdraw"
    ADMIT = "api: accept"
    DEFER = "api: defer"
    REFUSE = "api: refuse"
    SUPERSEDE = "api: supersede"
    CLOSE = "api: close"
    ABORT = "api: abort"
    SEND = "api: send"
    SEND_SIDE = "api: send in private"
    TAKEN = "api: receive"
    BACKLOG = "api: relay backlog"
    PORT_UNREACHABLE = "in: ICMP port unreachable"
    NET_UNREACHABLE = "in: ICMP network unreachable"
    RETRANSMIT = "tmr: retransmit"
    LIMIT = "tmr: limit"
    KEEPALIVE = "tmr: keepalive"
    ACKNOWLEDGE = "tmr: acknowledge"
    NACK = "tmr: nack"
    PACE = "tmr: pace"
    SYNC = "tmr: sync"
    SIDE = "tmr: side"
    IN_VERSION_NEG = "in: VERSION_NEG"
    IN_JOIN_REQ = "in: JOIN_REQ copy"
    IN_CHALLENGE = "in: CHALLENGE"
    IN_PENDING = "in: PENDING"
    IN_ACCEPT = "in: ACCEPT"
    IN_CONFIRM = "in: CONFIRM"
    IN_REJECT = "in: REJECT"
    IN_CANCEL = "in: CANCEL"
    IN_CANCEL_ACK = "in: CANCEL_ACK"
    IN_CLOSE = "in: CLOSE"
    IN_CLOSE_ACK = "in: CLOSE_ACK"
    IN_ABORT = "in: ABORT"
    IN_PROBE = "in: PROBE"
    IN_PROBE_ACK = "in: PROBE_ACK"
    IN_DATA = "in: DATA"
    IN_DATA_ACK = "in: DATA_ACK"
    IN_NACK = "in: NACK"
    IN_SYNC = "in: SYNC"
    IN_SIDE = "in: SIDE"
    IN_ACK = "in: ACK"
    IN_OTHER = "in: any other type"


class Row(NamedTuple):
    """One legal step: the action that takes it, the states it may lead to, and its source."""

    action: str
    next_states: tuple[State, ...]
    cite: str


S = State
K = Kind

TRANSITIONS: Final[dict[tuple[State, Kind], Row]] = {
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
    (S.ACCEPTING, K.IN_CONFIRM): Row("settle_join", (S.JOINED, S.CLOSING, S.GONE), "RM22 LF16"),
    (S.ACCEPTING, K.IN_DATA): Row("settle_by_data", (S.ACCEPTING, S.JOINED, S.CLOSING), "RM22"),
    (S.ACCEPTING, K.IN_SYNC): Row(
        "settle_by_sync", (S.ACCEPTING, S.JOINED, S.CLOSING, S.GONE), "RM22"
    ),
    (S.ACCEPTING, K.IN_SIDE): Row("settle_by_side", (S.ACCEPTING, S.JOINED, S.CLOSING), "RM22"),
    (S.ACCEPTING, K.IN_PROBE): Row("settle_by_probe", (S.ACCEPTING, S.JOINED, S.CLOSING), "RM22"),
    (S.ACCEPTING, K.IN_CLOSE): Row(
        "settle_by_close", (S.ACCEPTING, S.LINGERING, S.DRAINING), "RM22"
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
    (S.JOINED, K.IN_DATA_ACK): Row("hear_data_ack", (S.JOINED, S.CLOSING), "11.3"),
    (S.JOINED, K.IN_SIDE): Row("deliver_side", (S.JOINED,), "RM30 LF20"),
    (S.JOINED, K.IN_ACK): Row("hear_side_ack", (S.JOINED, S.CLOSING), "R90 R118"),
    (S.JOINED, K.IN_PROBE): Row("answer_probe", (S.JOINED,), "RM29 LF22"),
    (S.JOINED, K.IN_CLOSE): Row("end_closed", (S.LINGERING, S.DRAINING), "RM31 RM32 LF24 LF25"),
    (S.JOINED, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF31"),
    (S.JOINED, K.VERIFY): Row("verify_peer", (S.SUSPECT,), "RM42 LF32"),
    (S.JOINED, K.KEEPALIVE): Row("probe_peer", (S.JOINED, S.SUSPECT), "RM27 LF22"),
    (S.JOINED, K.SEND): Row("send_data", (S.JOINED,), "R81"),
    (S.JOINED, K.SEND_SIDE): Row("submit_side", (S.JOINED,), "11.9"),
    (S.JOINED, K.SIDE): Row("repeat_side", (S.JOINED, S.GONE), "11.9 R118"),
    (S.JOINED, K.TAKEN): Row("reopen_window", (S.JOINED,), "11.3"),
    (S.JOINED, K.BACKLOG): Row("note_backlog", (S.JOINED,), "11.5"),
    (S.JOINED, K.ACKNOWLEDGE): Row("acknowledge_data", (S.JOINED,), "11.3"),
    (S.JOINED, K.NACK): Row("ask_again", (S.JOINED,), "11.4"),
    (S.JOINED, K.SYNC): Row("synchronise", (S.JOINED,), "11.4"),
    (S.JOINED, K.PACE): Row("go_on_sending", (S.JOINED, S.CLOSING), "11.8"),
    (S.JOINED, K.LIMIT): Row("close_unrelayed", (S.CLOSING,), "11.5"),
    (S.JOINED, K.CLOSE): Row("close_membership", (S.JOINED, S.CLOSING), "RM34 RM35 LF27 LF28"),
    (S.JOINED, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    (S.SUSPECT, K.IN_PROBE_ACK): Row("hear_probe_ack", (S.SUSPECT, S.JOINED), "RM26 R69"),
    (S.SUSPECT, K.RETRANSMIT): Row("repeat_probe", (S.SUSPECT, S.GONE), "RM28 LF23"),
    (S.SUSPECT, K.SEND): Row("send_data", (S.SUSPECT,), "R81"),
    (S.SUSPECT, K.SEND_SIDE): Row("submit_side", (S.SUSPECT,), "11.9"),
    (S.SUSPECT, K.SIDE): Row("repeat_side", (S.SUSPECT, S.GONE), "11.9 R118"),
    (S.SUSPECT, K.TAKEN): Row("reopen_window", (S.SUSPECT,), "11.3"),
    (S.SUSPECT, K.BACKLOG): Row("note_backlog", (S.SUSPECT,), "11.5"),
    (S.SUSPECT, K.ACKNOWLEDGE): Row("acknowledge_data", (S.SUSPECT,), "11.3"),
    (S.SUSPECT, K.NACK): Row("ask_again", (S.SUSPECT,), "11.4"),
    (S.SUSPECT, K.SYNC): Row("synchronise", (S.SUSPECT,), "11.4"),
    (S.SUSPECT, K.PACE): Row("go_on_sending", (S.SUSPECT, S.CLOSING), "11.8"),
    (S.SUSPECT, K.LIMIT): Row("close_unrelayed", (S.CLOSING,), "11.5"),
    (S.SUSPECT, K.CLOSE): Row("close_membership", (S.SUSPECT, S.CLOSING), "RM34 RM35 LF27 LF28"),
    (S.SUSPECT, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    # Endings.
    (S.CLOSING, K.IN_CLOSE_ACK): Row(
        "finish_closing", (S.CLOSING, S.LINGERING, S.DRAINING), "RM36 RM36a LF30 LF30a"
    ),
    (S.CLOSING, K.IN_CLOSE): Row("cross_close", (S.LINGERING, S.DRAINING), "RM36 LF30"),
    (S.CLOSING, K.RETRANSMIT): Row("repeat_close", (S.CLOSING, S.GONE), "RM37 LF30"),
    (S.CLOSING, K.IN_DATA): Row("deliver_data", (S.CLOSING,), "RM38"),
    (S.CLOSING, K.IN_SIDE): Row("deliver_side", (S.CLOSING,), "RM38"),
    (S.CLOSING, K.IN_SYNC): Row("hear_sync", (S.CLOSING, S.GONE), "LF21"),
    (S.CLOSING, K.IN_NACK): Row("repair_data", (S.CLOSING,), "RM36a LF30a"),
    (S.CLOSING, K.IN_DATA_ACK): Row("hear_data_ack", (S.CLOSING,), "11.3"),
    (S.CLOSING, K.TAKEN): Row("reopen_window", (S.CLOSING,), "11.3"),
    (S.CLOSING, K.BACKLOG): Row("note_backlog", (S.CLOSING,), "11.5"),
    (S.CLOSING, K.ACKNOWLEDGE): Row("acknowledge_data", (S.CLOSING,), "11.3"),
    (S.CLOSING, K.NACK): Row("ask_again", (S.CLOSING,), "11.4"),
    (S.CLOSING, K.IN_ACCEPT): Row("confirm_again", (S.CLOSING,), "R42"),
    (S.CLOSING, K.IN_PROBE): Row("answer_probe", (S.CLOSING,), "R70"),
    (S.CLOSING, K.IN_CANCEL): Row("undo_acceptance", (S.CLOSING, S.GONE), "RM25 R47"),
    (S.CLOSING, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF31"),
    (S.CLOSING, K.CLOSE): Row("keep_closing", (S.CLOSING,), "R58"),
    (S.CLOSING, K.ABORT): Row("abort_membership", (S.GONE,), "RS14 LF29"),
    (S.DRAINING, K.IN_DATA): Row("drain_data", (S.DRAINING, S.LINGERING), "RM33 LF26"),
    (S.DRAINING, K.IN_SYNC): Row("hear_sync", (S.DRAINING, S.GONE), "LF21"),
    (S.DRAINING, K.IN_NACK): Row("repair_data", (S.DRAINING,), "K3"),
    (S.DRAINING, K.IN_DATA_ACK): Row("hear_data_ack", (S.DRAINING,), "11.3"),
    (S.DRAINING, K.TAKEN): Row("reopen_window", (S.DRAINING,), "11.3"),
    (S.DRAINING, K.BACKLOG): Row("note_backlog", (S.DRAINING,), "11.5"),
    (S.DRAINING, K.ACKNOWLEDGE): Row("acknowledge_data", (S.DRAINING,), "11.3"),
    (S.DRAINING, K.NACK): Row("ask_again", (S.DRAINING,), "11.4"),
    (S.DRAINING, K.IN_CLOSE): Row("acknowledge_close", (S.DRAINING,), "R56"),
    (S.DRAINING, K.IN_PROBE): Row("answer_probe", (S.DRAINING,), "R70"),
    (S.DRAINING, K.IN_CANCEL): Row("undo_acceptance", (S.DRAINING, S.GONE), "RM25 R47"),
    (S.DRAINING, K.IN_ABORT): Row("end_aborted", (S.GONE,), "RM39 LF31"),
    (S.DRAINING, K.LIMIT): Row("stop_draining", (S.LINGERING,), "RM33 LF26"),
    (S.DRAINING, K.CLOSE): Row("leave_draining", (S.LINGERING,), "W76"),
    (S.DRAINING, K.ABORT): Row("leave_draining", (S.LINGERING,), "W76"),
    (S.LINGERING, K.IN_CLOSE): Row("acknowledge_close", (S.LINGERING,), "RM40"),
    (S.LINGERING, K.IN_CANCEL): Row("acknowledge_cancel", (S.LINGERING,), "RM40 R47"),
    (S.LINGERING, K.IN_NACK): Row("repair_data", (S.LINGERING,), "K3"),
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

KIND_OF: Final[dict[type, Kind]] = {
    messages.VersionNeg: K.IN_VERSION_NEG,
    messages.JoinReq: K.IN_JOIN_REQ,
    messages.Challenge: K.IN_CHALLENGE,
    messages.Pending: K.IN_PENDING,
    messages.Accept: K.IN_ACCEPT,
    messages.Confirm: K.IN_CONFIRM,
    messages.Reject: K.IN_REJECT,
    messages.Cancel: K.IN_CANCEL,
    messages.CancelAck: K.IN_CANCEL_ACK,
    messages.Close: K.IN_CLOSE,
    messages.CloseAck: K.IN_CLOSE_ACK,
    messages.Abort: K.IN_ABORT,
    messages.Probe: K.IN_PROBE,
    messages.ProbeAck: K.IN_PROBE_ACK,
    messages.Data: K.IN_DATA,
    messages.DataAck: K.IN_DATA_ACK,
    messages.Nack: K.IN_NACK,
    messages.Sync: K.IN_SYNC,
    messages.Side: K.IN_SIDE,
    messages.Ack: K.IN_ACK,
    events.JoinRequested: K.JOIN,
    events.RequestVerified: K.VERIFIED,
    events.RequestCrossed: K.CROSSING,
    events.RequestDoubted: K.DOUBTED,
    events.VerificationRequested: K.VERIFY,
    events.Withdrawn: K.WITHDRAW,
    events.Admitted: K.ADMIT,
    events.Deferred: K.DEFER,
    events.Refused: K.REFUSE,
    events.Superseded: K.SUPERSEDE,
    events.CloseRequested: K.CLOSE,
    events.AbortRequested: K.ABORT,
    events.DataSubmitted: K.SEND,
    events.SideSubmitted: K.SEND_SIDE,
    events.DataTaken: K.TAKEN,
    events.BacklogChanged: K.BACKLOG,
    events.PortUnreachable: K.PORT_UNREACHABLE,
    events.NetworkUnreachable: K.NET_UNREACHABLE,
}

KIND_OF_TIMER: Final = {
    TimerName.RETRANSMIT: K.RETRANSMIT,
    TimerName.LIMIT: K.LIMIT,
    TimerName.KEEPALIVE: K.KEEPALIVE,
    TimerName.ACKNOWLEDGE: K.ACKNOWLEDGE,
    TimerName.NACK: K.NACK,
    TimerName.PACE: K.PACE,
    TimerName.SYNC: K.SYNC,
    TimerName.SIDE: K.SIDE,
}


def kind_of(event: events.Input) -> Kind:
    """Return the table's name for an input; types without a row of their own are IN_OTHER."""
    if isinstance(event, events.TimerExpired):
        return KIND_OF_TIMER[event.name]
    return KIND_OF.get(type(event), K.IN_OTHER)
