"""Two ends and every order of events between them, in small scope (protocol.md 6.1).

The network may deliver what is in flight in any order, lose some of it and deliver some of it
twice; the applications may act at any time; timers expire when nothing is in flight. Whatever the
order, both ends agree in the end, and nobody is told what is not so.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from mpwire.core import Membership
from mpwire.core.events import (
    AbortRequested,
    Admitted,
    ClearTimer,
    CloseRequested,
    Ended,
    Input,
    Joined,
    JoinFailed,
    JoinRequested,
    Refused,
    RequestGone,
    RequestVerified,
    Send,
    SetTimer,
    TimerExpired,
    Withdrawn,
)
from mpwire.core.kinds import kind_of
from mpwire.core.replies import OUT_OF_THE_BLUE, challenge
from mpwire.core.table import TRANSITIONS, State
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.testing.ends import asked_root, asking_leaf, invited_leaf, inviting_root
from mpwire.testing.forking import fork
from mpwire.wire.codec import encode
from mpwire.wire.messages import Abort, JoinReq, Message
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import CloseReason, RejectReason

PLAN = TimerPlan(retransmissions=2)
ASKER, ASKED = 0, 1
MEMBERS = {State.JOINED, State.SUSPECT}
Act = tuple[int, str]
ACTS: dict[str, Input] = {
    "withdraw": Withdrawn(),
    "accept": Admitted(None),
    "reject": Refused(RejectReason.APP_REFUSED),
    "close": CloseRequested(CloseReason.LEAVE),
    "abort": AbortRequested(),
}


@dataclass
class Side:
    """One end with its timers and what it has reported."""

    end: Membership
    now_s: float = 0.0
    timers: dict[TimerName, float] = field(default_factory=dict)
    reports: Counter[type] = field(default_factory=Counter)

    def fork(self) -> "Side":
        """Return a copy."""
        return Side(fork(self.end), self.now_s, {**self.timers}, Counter(self.reports))


@dataclass
class Pair:
    """Both ends, what is in flight between them, and what may still go wrong or be done."""

    sides: tuple[Side, Side]
    acts: tuple[Act, ...]
    losses: int
    duplicates: int
    flying: list[tuple[int, Message]] = field(default_factory=list)
    """(receiver, message) of everything on its way."""

    def fingerprint(self) -> tuple[object, ...]:
        """Return what tells this pair from others."""
        ends = [
            (
                side.end.state,
                side.end.outstanding and encode(side.end.outstanding),
                side.end.identity.peer_tag,
                side.end.proven_attempt,
                side.end.pending_close is not None,
                side.end.final_seq,
                frozenset(side.timers),
                frozenset(side.reports.items()),
            )
            for side in self.sides
        ]
        flying = sorted((to, encode(message)) for to, message in self.flying)
        return (*ends, tuple(flying), self.acts, self.losses, self.duplicates)

    def fork(self) -> "Pair":
        """Return a copy; messages never change."""
        sides = (self.sides[ASKER].fork(), self.sides[ASKED].fork())
        return Pair(sides, self.acts, self.losses, self.duplicates, [*self.flying])

    # Steps ------------------------------------------------------------------------------------

    def steps(self) -> Iterator["Pair"]:
        """Take every step that can be taken from here."""
        for number in range(len(self.flying)):
            yield self._deliver(number, keep=False)
            if self.duplicates:
                yield self._deliver(number, keep=True)
            if self.losses:
                lost = self.fork()
                lost.losses -= 1
                lost.flying.pop(number)
                yield lost
        for act in self.acts:
            if (self.sides[act[0]].end.state, kind_of(ACTS[act[1]])) in TRANSITIONS:
                yield self._act(act)
        if not self.flying:
            yield from self._expirations()

    def _deliver(self, number: int, *, keep: bool) -> "Pair":
        pair = self.fork()
        to, message = pair.flying[number]
        if keep:
            pair.duplicates -= 1
        else:
            pair.flying.pop(number)
        if isinstance(message, JoinReq):
            pair._ask(message)
        elif pair.sides[to].end.state not in {State.NEW, State.GONE}:
            pair.feed(to, message)
        elif not message.flags & HeaderFlag.R and type(message) in OUT_OF_THE_BLUE:
            pair.flying.append((1 - to, OUT_OF_THE_BLUE[type(message)](message)))
        return pair

    def _ask(self, request: JoinReq) -> None:
        """Do for the asked end what its endpoint does: prove, queue once, answer again."""
        asked = self.sides[ASKED].end
        if request.cookie is None:
            self.flying.append((ASKER, challenge(request, b"cookie-1", 30.0)))
        elif asked.state is State.NEW:
            asked.request = replace(request)
            self.feed(ASKED, RequestVerified(request))
        elif asked.state is not State.GONE:
            self.feed(ASKED, request)
        elif asked.reject is not None:
            self.flying.append((ASKER, replace(asked.reject, attempt=request.attempt)))

    def _act(self, act: Act) -> "Pair":
        pair = self.fork()
        alternatives = {"accept": {"accept", "reject"}, "reject": {"accept", "reject"}}
        done = alternatives.get(act[1], {act[1]})
        pair.acts = tuple(one for one in pair.acts if one[0] != act[0] or one[1] not in done)
        pair.feed(act[0], ACTS[act[1]])
        return pair

    def _expirations(self) -> Iterator["Pair"]:
        """Let the next timer of either side expire; both clocks are free."""
        for to, side in enumerate(self.sides):
            if not side.timers:
                continue
            name = min(side.timers, key=side.timers.__getitem__)
            if name is TimerName.KEEPALIVE and self.is_settled:
                continue
            pair = self.fork()
            pair.sides[to].now_s = max(side.now_s, pair.sides[to].timers.pop(name))
            pair.feed(to, TimerExpired(name))
            yield pair

    def feed(self, to: int, event: Input) -> None:
        """Give one side an input and carry out its effects."""
        side = self.sides[to]
        for effect in side.end.handle(event, side.now_s):
            match effect:
                case Send(message):
                    self.flying.append((1 - to, message))
                case SetTimer(name, at_s):
                    side.timers[name] = at_s
                case ClearTimer(name):
                    side.timers.pop(name, None)
                case Joined() | JoinFailed() | RequestGone() | Ended():
                    side.reports[type(effect)] += 1

    # What must hold ---------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Tell whether both ends are members of the same membership."""
        states = [side.end.state in MEMBERS for side in self.sides]
        return all(states)

    def check(self, before: "Pair") -> None:
        """Assert what holds at every step."""
        for side in self.sides:
            assert all(count <= 1 for count in side.reports.values()), side.reports
        asker, asked = self.sides
        if asker.reports[Joined]:
            assert asked.end.state not in {State.NEW, State.QUEUED}
            assert asked.end.reject is None
        new_abort = asker.reports[Ended] > before.sides[ASKER].reports[Ended]
        assert not new_abort or asker.reports[Joined]

    def check_end(self) -> None:
        """Assert what holds when nothing can happen any more."""
        asker, asked = self.sides
        assert asker.reports[Joined] + asker.reports[JoinFailed] <= 1
        if self.is_settled:
            assert asker.end.identity.peer_tag == asked.end.identity.own_tag
            return
        for side in self.sides:
            assert side.end.state in {State.NEW, State.GONE}, side.end.state
            assert side.timers == {}
        if asker.reports[Joined]:
            assert asker.reports[Ended] == 1


def explore(pair: Pair) -> int:
    """Take every way from here to its end; return how many pairs were met."""
    waiting, known = [pair], {pair.fingerprint()}
    while waiting:
        here = waiting.pop()
        following = list(here.steps())
        if not following:
            here.check_end()
        for one in following:
            one.check(here)
            if one.fingerprint() not in known:
                known.add(one.fingerprint())
                waiting.append(one)
    return len(known)


def pair_of(direction: str, acts: tuple[Act, ...], losses: int, duplicates: int) -> Pair:
    """Return both ends, about to begin."""
    asking, answering = {
        "leaf asks": (asking_leaf, asked_root),
        "root invites": (inviting_root, invited_leaf),
    }[direction]
    asker, asked = asking(PLAN)[1].end, answering(PLAN)[1].end
    asked.state = State.NEW
    asked.identity.peer_tag = asker.identity.own_tag
    asked.request = replace(asker.request)
    pair = Pair((Side(asker), Side(asked)), acts, losses, duplicates)
    pair.feed(ASKER, JoinRequested())
    return pair


ACCEPT, REJECT = (ASKED, "accept"), (ASKED, "reject")
SCENES = {
    "decide": (ACCEPT, REJECT),
    "withdraw": (ACCEPT, REJECT, (ASKER, "withdraw")),
    "asker closes": (ACCEPT, (ASKER, "close")),
    "asked closes": (ACCEPT, (ASKED, "close")),
    "both close": (ACCEPT, (ASKER, "close"), (ASKED, "close")),
    "abort against close": (ACCEPT, (ASKER, "abort"), (ASKED, "close")),
}


@pytest.mark.parametrize("direction", ["leaf asks", "root invites"])
@pytest.mark.parametrize(("losses", "duplicates"), [(1, 0), (0, 1)])
@pytest.mark.parametrize("scene", SCENES)
def test_in_every_order_both_ends_agree(
    direction: str, scene: str, losses: int, duplicates: int
) -> None:
    assert explore(pair_of(direction, SCENES[scene], losses, duplicates)) > 10


def test_an_abort_is_never_answered() -> None:
    assert Abort not in OUT_OF_THE_BLUE
