"""The table is total, and what a machine can do is exactly what the table says.

The second half explores: from the four ends a membership can have, it feeds every input to every
state it finds, until nothing new appears. So every row, with each of its next states, is seen to be
taken, nothing else is, and what must hold always is checked at every step on the way.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from mpwire.core import Membership
from mpwire.core.events import (
    AbortRequested,
    Admitted,
    BacklogChanged,
    ClearTimer,
    CloseRequested,
    DataSubmitted,
    DataTaken,
    Deferred,
    Effect,
    Ended,
    Forgotten,
    HastenTimer,
    Input,
    Joined,
    JoinFailed,
    JoinRequested,
    LeftByGroup,
    NetworkUnreachable,
    OriginEnded,
    PeerFinished,
    PortUnreachable,
    Refused,
    RequestCrossed,
    RequestDoubted,
    RequestGone,
    RequestVerified,
    SetTimer,
    SideSubmitted,
    Superseded,
    TimerExpired,
    VerificationRequested,
    Withdrawn,
)
from mpwire.core.kinds import KIND_OF_TIMER, Kind, kind_of
from mpwire.core.membership import ACTIONS, JOINED
from mpwire.core.table import ARRIVALS, CALLS, FROM_PEER, IGNORED, TIMERS, TRANSITIONS, State
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.errors import LocalProtocolError
from mpwire.testing.ends import (
    PEER_SEQ,
    Counterpart,
    asked_root,
    asking_leaf,
    invited_leaf,
    inviting_root,
    joined_leaf,
)
from mpwire.testing.forking import fork
from mpwire.wire.messages import JoinReq, Member
from mpwire.wire.registries import Capability, CloseAckFlag, CloseReason, RejectReason

OTHER_LEAF = 7
"""Member ID of a leaf whose messages the root passes on."""

# The table itself -----------------------------------------------------------------------------


def test_kinds_are_calls_timers_or_arrivals() -> None:
    assert set(Kind) == CALLS | TIMERS | ARRIVALS
    assert len(CALLS) + len(TIMERS) + len(ARRIVALS) == len(Kind)
    assert all(kind.value.startswith(("api:", "in: JOIN_REQ verified")) for kind in CALLS)
    assert all(kind.value.startswith("tmr:") for kind in TIMERS)


def test_no_cell_is_both_a_row_and_ignored() -> None:
    assert not [(s, k) for s, kinds in IGNORED.items() for k in kinds if (s, k) in TRANSITIONS]


def test_every_cell_is_a_row_ignored_or_illegal() -> None:
    illegal = {
        (state, kind)
        for state in State
        for kind in Kind
        if (state, kind) not in TRANSITIONS and kind not in IGNORED[state]
    }
    for state, kind in illegal:
        assert kind not in ARRIVALS or state is State.NEW or kind in FROM_PEER, (state, kind)
    assert all(kind in ARRIVALS for kinds in IGNORED.values() for kind in kinds)


def test_every_row_has_an_action_and_every_action_a_row() -> None:
    assert {row.action for row in TRANSITIONS.values()} == set(ACTIONS)


def test_every_row_cites_its_source() -> None:
    assert all(row.cite and row.next_states for row in TRANSITIONS.values())


def test_an_input_without_a_row_of_its_own_is_other() -> None:
    member = Member(action=1, leaf_dir=3, member_id=2, boundary_seq=0)
    assert kind_of(member) is Kind.IN_OTHER
    assert {kind_of(TimerExpired(name)) for name in TimerName} == TIMERS


# Exploration ----------------------------------------------------------------------------------

PLAN = TimerPlan(retransmissions=3)
OVER = frozenset({State.LINGERING, State.GONE})
Edge = tuple[State, Kind, State]
HALF_TIMERS = {TimerName.LIMIT, TimerName.RETRANSMIT, TimerName.PACE, TimerName.SYNC}
"""Timers that make a difference to a membership that is half closed."""


@dataclass
class Node:
    """One machine on the way, with its clock, its timers and what it has reported."""

    end: Membership
    now_s: float = 0.0
    timers: dict[TimerName, float] = field(default_factory=dict)
    reports: Counter[type] = field(default_factory=Counter)

    def fingerprint(self) -> tuple[object, ...]:
        """Return what tells this node from others; counts are told apart up to a few.

        What a state cannot look at any more is left out, or every past would be walked anew.
        """
        end = self.end
        over = (end.state, frozenset(self.timers), frozenset(self.reports.items()))
        if end.state in OVER:
            return over
        last = end.outstanding
        asked = last if isinstance(last, JoinReq) else None
        inflow, outflow, side = end.inflow, end.outflow, end.side
        if end.state is State.DRAINING:
            return self._draining_fingerprint(over)
        if end.send_ended or end.peer_silent:
            return self._half_fingerprint()
        return (
            over,
            end.initiator,
            end.is_root,
            type(last),
            last and (min(last.attempt, 6) if last.attempt < 250 else last.attempt),
            asked and (asked.attempt == end.proven_attempt, asked.cookie, end.unreachable_count),
            end.deferred and end.state is State.QUEUED,
            end.pending_close and end.pending_close.half,
            end.pending_close is not None,
            end.repairs,
            min(len(outflow.kept), 2),
            (outflow.is_held_back, bool(outflow.by_group)),
            tuple(len(flow.kept) for flow in end.relayed_out.values()),
            tuple(sorted({data.seq for data in end.early})),
            end.final_seq,
            inflow and (inflow.next_seq, tuple(sorted(inflow.ahead)), inflow.has_gap),
            side and len(side.waiting) and min(side.copies, PLAN.retransmissions),
        )

    def _draining_fingerprint(self, over: tuple[object, ...]) -> tuple[object, ...]:
        """Return what matters of a node that waits for data of a peer that has closed."""
        end, inflow = self.end, self.end.inflow
        assert inflow is not None
        ahead = tuple(sorted(inflow.ahead))
        received = (end.repairs, end.final_seq, inflow.next_seq, ahead, inflow.has_gap)
        return over, received, bool(end.outflow.kept), end.outflow.is_held_back

    def _half_fingerprint(self) -> tuple[object, ...]:
        """Return less of a node whose membership is half closed: the rest is as without."""
        end, last = self.end, self.end.outstanding
        return (
            (end.repairs, end.send_ended, end.peer_silent, end.peer_finished),
            end.state,
            type(last),
            last and last.attempt,
            end.pending_close is not None,
            end.final_seq,
            end.inflow and (end.inflow.next_seq, end.inflow.has_gap),
            frozenset(self.timers) & HALF_TIMERS,
            self.reports[Ended],
        )

    def fork(self) -> "Node":
        """Return a copy."""
        return Node(fork(self.end), self.now_s, {**self.timers}, Counter(self.reports))

    def after(self, event: Input) -> "Node":
        """Return a copy of this node that has handled the input."""
        node = self.fork()
        if isinstance(event, TimerExpired):
            node.now_s = max(node.now_s, node.timers.pop(event.name))
        for effect in node.end.handle(event, node.now_s):
            node.note(effect)
        return node

    def note(self, effect: Effect) -> None:
        """Keep what matters later."""
        match effect:
            case SetTimer(name, at_s):
                assert at_s >= self.now_s
                self.timers[name] = at_s
            case HastenTimer(name, at_s):
                assert at_s >= self.now_s
                self.timers[name] = min(at_s, self.timers.get(name, at_s))
            case ClearTimer(name):
                self.timers.pop(name, None)
            case Joined() | JoinFailed() | RequestGone() | PeerFinished() | Ended() | Forgotten():
                self.reports[type(effect)] += 1

    def check(self) -> None:
        """Assert what must hold always."""
        end, reports = self.end, self.reports
        assert all(count <= 1 for count in reports.values()), reports
        assert reports[Joined] + reports[JoinFailed] <= 1
        assert not (reports[Ended] and (reports[JoinFailed] or reports[RequestGone]))
        assert reports[Forgotten] == (end.state is State.GONE)
        assert (end.state is not State.GONE) or not self.timers
        for name in self.timers:
            assert (end.state, KIND_OF_TIMER[name]) in TRANSITIONS, (end.state, name)
        if end.state in OVER and reports[Joined]:
            assert reports[Ended] == 1


def calls(end: Membership) -> Iterator[Input]:
    """Give every call; a new end is begun in the way that it was made for."""
    if end.initiator or end.state is not State.NEW:
        yield JoinRequested()
    if not end.initiator or end.state is not State.NEW:
        yield RequestVerified(end.request)
    if not end.is_root and not (end.initiator and end.state is State.NEW):
        yield RequestCrossed(end.request)
    if not end.initiator or end.state is not State.NEW:
        yield RequestDoubted(end.request)
    yield VerificationRequested()
    yield Withdrawn()
    yield Admitted(None)
    yield Deferred()
    yield Refused(RejectReason.APP_REFUSED)
    yield Superseded()
    yield CloseRequested(CloseReason.LEAVE)
    yield CloseRequested(CloseReason.LEAVE, half=True)
    yield AbortRequested()
    if not (end.outflow.kept or end.send_ended or (end.side and end.side.waiting)):
        yield DataSubmitted(end.outflow.next_seq, b"x")
    waits = end.side and end.side.waiting
    if not (end.relayed_out or end.outflow.kept or end.send_ended or waits):
        yield DataSubmitted(900, b"x", origin=OTHER_LEAF)
    side = end.side
    can = side is not None or (end.state, Kind.SEND_SIDE) not in TRANSITIONS
    if can and not (waits or end.outflow.kept or end.relayed_out or end.send_ended):
        yield SideSubmitted(b"x")
    if not (end.outflow.kept or end.relayed_out or end.send_ended or waits):
        yield DataSubmitted(end.outflow.next_seq, b"x", by_group=True)
    if end.outflow.by_group or (end.state, Kind.CAST) not in TRANSITIONS:
        yield LeftByGroup(None)
    yield DataTaken(end.identity.peer_id, 0)
    yield BacklogChanged(0)
    if all(flow.is_acknowledged for flow in end.relayed_out.values()):
        yield OriginEnded(OTHER_LEAF)


def arrivals(end: Membership) -> Iterator[Input]:
    """Give every message a peer may send, in the variants that make a difference."""
    peer = Counterpart(end)
    yield PortUnreachable()
    yield NetworkUnreachable()
    yield peer.version_neg(9)
    yield peer.version_neg(1)
    yield end.request
    yield peer.challenge()
    yield peer.challenge(attempt=1)
    yield peer.pending()
    yield peer.accept()
    yield peer.accept(session_id=0)
    yield peer.confirm()
    yield peer.confirm(leaf_dir=1)
    yield peer.reject(RejectReason.APP_REFUSED)
    yield peer.cancel()
    yield peer.cancel_ack()
    yield peer.probe()
    yield peer.probe_ack()
    yield peer.probe_ack(nonce=0)
    yield peer.abort()
    yield peer.data_ack(end.outflow.sent_seq)
    yield peer.data_ack(901, origin=OTHER_LEAF)
    yield peer.data_ack(end.outflow.next_seq + 1)
    yield peer.nack((100, 101))
    yield peer.nack((100, 101), origin=OTHER_LEAF)
    yield peer.sync(PEER_SEQ + 1)
    yield peer.sync(PEER_SEQ + 5, PEER_SEQ + 5)
    yield Member(**end.header(1), action=1, leaf_dir=3, member_id=2, boundary_seq=0)
    yield peer.side()
    if end.side is not None:
        yield peer.side_ack(end.side.sent_seq)
    yield peer.close(final_seq=PEER_SEQ + 1)
    yield peer.close_ack(final_seq=PEER_SEQ - 1, ack_flags=CloseAckFlag.DATA_MISSING)
    for count in (0, 1):
        yield peer.close(final_seq=PEER_SEQ - 1 + count)
        yield peer.half_close(final_seq=PEER_SEQ - 1 + count)
        yield peer.close_ack(final_seq=PEER_SEQ - 1 + count)
        yield peer.data(PEER_SEQ + count)


def steps(node: Node) -> Iterator[tuple[Kind, Node]]:
    """Take every step that can be taken from a node.

    Nothing but PROBE_ACK and timers looks at how many copies of PROBE are out: all else is tried
    after the first two.
    """
    end = node.end
    if end.state is State.SUSPECT and end.outstanding and end.outstanding.attempt > 2:
        event = Counterpart(end).probe_ack()
        yield kind_of(event), node.after(event)
    else:
        yield from calls_and_arrivals(node)
    for name in [*node.timers]:
        expired = TimerExpired(name)
        yield kind_of(expired), node.after(expired)
        if name is TimerName.KEEPALIVE:
            heard = node.fork()
            heard.end.heard_s = heard.timers[name] - 1
            yield kind_of(expired), heard.after(expired)


def calls_and_arrivals(node: Node) -> Iterator[tuple[Kind, Node]]:
    """Take every step that is not a timer's."""
    end = node.end
    for event in calls(end):
        if (end.state, kind_of(event)) in TRANSITIONS:
            yield kind_of(event), node.after(event)
        else:
            before = node.fingerprint()
            with pytest.raises(LocalProtocolError):
                node.end.handle(event, node.now_s)
            assert node.fingerprint() == before
    if end.state is not State.NEW:
        for event in arrivals(end):
            yield kind_of(event), node.after(event)
    if end.state in JOINED and not (end.outflow.kept or end.send_ended):
        hurried = node.fork()
        assert hurried.end.outflow.pacer is not None
        hurried.end.outflow.pacer.tokens = 0.0
        hurried.end.outflow.pacer.filled_s = hurried.now_s
        yield Kind.SEND, hurried.after(DataSubmitted(end.outflow.next_seq, b"x"))


def beginnings() -> list[Node]:
    """Return a node for each of the four ends, before anything happened, and one late poll.

    And one for a member to whom nothing is repaired. Who asks cannot close one direction only:
    from JOINED on that is the same as for who was asked.
    """
    nodes = []
    whole = Capability.REPAIR | Capability.SIDECHAT
    for ends in (asking_leaf, inviting_root):
        _, peer = ends(PLAN, caps=whole)
        nodes.append(Node(peer.end))
        play, peer = ends(PLAN, caps=whole)
        for event in (JoinRequested(), None, None):
            play.feed(event or (peer.challenge(), peer.pending())[len(play.messages) - 1])
            play.unclaimed.clear()
        assert peer.end.outstanding is not None
        peer.end.outstanding.attempt = 254
        nodes.append(Node(peer.end, play.now_s, play.timers))
    _, peer = joined_leaf(PLAN, caps=Capability.HALFCLOSE)
    unrepaired = Node(peer.end)
    unrepaired.reports[Joined] = 1
    nodes.append(unrepaired)
    for asked in (asked_root, invited_leaf):
        _, peer = asked(PLAN)
        peer.end.state = State.NEW
        nodes.append(Node(peer.end))
    return nodes


@pytest.fixture(scope="module")
def explored() -> set[Edge]:
    """Explore everything once; return the edges that were seen."""
    edges: set[Edge] = set()
    waiting = beginnings()
    known = {node.fingerprint() for node in waiting}
    while waiting:
        node = waiting.pop()
        for kind, following in steps(node):
            following.check()
            state = node.end.state
            if state is State.SUSPECT and kind in FROM_PEER and kind is not Kind.IN_PROBE_ACK:
                state = State.JOINED
            if (state, kind) in TRANSITIONS:
                edges.add((state, kind, following.end.state))
            else:
                assert kind in IGNORED[state]
                assert following.end.state is state
            if following.fingerprint() not in known:
                known.add(following.fingerprint())
                waiting.append(following)
    return edges


def test_every_row_is_taken_to_each_of_its_next_states_and_to_no_other(
    explored: set[Edge],
) -> None:
    stated = {(s, k, after) for (s, k), row in TRANSITIONS.items() for after in row.next_states}
    assert explored == stated


def test_every_state_is_reached(explored: set[Edge]) -> None:
    assert {after for _, _, after in explored} | {State.NEW} == set(State)


def test_every_way_ends() -> None:
    """From every state GONE can be reached, by timers alone once nobody is a member."""
    reached = {State.GONE}
    while True:
        more = {s for (s, _), row in TRANSITIONS.items() if reached & set(row.next_states)}
        if more <= reached:
            break
        reached |= more
    assert reached == set(State)
