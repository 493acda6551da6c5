"""Match what was reported with what packets demand: the judge of the event timeline.

Per socket and kind of event, lines and expectations are both in order, and the n-th line is
explained by the first expectation that is open and not yet used. A line that nothing explains
must not be there; an expectation that is due and has no line is an event that was not reported.

A record is a set of bits: two occurrences of one event between two enumerations are one line. So
an occurrence without a line of its own is still reported if a line of the same kind came after
it. That explains nothing where the numbers of the agent's event lines have a gap, nor where the
line came after the answer to the call that took what the occurrence announced.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from mpwire.oracle.calls import EVENT_ORDER, Report, error_name
from mpwire.oracle.case import Case
from mpwire.oracle.expect_close import close_expectations
from mpwire.oracle.expect_data import read_expectations
from mpwire.oracle.expect_join import (
    accept_expectations,
    connect_expectations,
)
from mpwire.oracle.expect_write import write_expectations
from mpwire.oracle.expectations import Expectation
from mpwire.oracle.judgement import JudgedEvent, Level
from mpwire.oracle.registry import PASSED, Outcome
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Cancel, Close, Data
from mpwire.wire.numbers import CancelReason, CloseReason

COALESCING = frozenset({"FD_ACCEPT", "FD_READ", "FD_WRITE"})
"""Events of which a socket may have several before it is asked."""


class EventJudge:
    """The judged event timeline of a run: outcomes by rule, and a level for every event."""

    def __init__(self, case: Case) -> None:
        """Build all expectations and match them with the reports."""
        self.case = case
        self.outcomes: dict[str, list[Outcome]] = {}
        self.judged: list[JudgedEvent] = []
        self.unexplained: list[tuple[Socket, Report, str]] = []
        """Reports that nothing explains, with the rule that forbids each."""
        self.missed: list[Expectation] = []
        """Events that had to be reported and were not."""
        self.expectations: list[Expectation] = [
            one for one in self._expectations() if one is not None
        ]
        self._reports: dict[tuple[str, int], list[Report]] = {}
        for log in case.logs.values():
            for report in log.reports:
                self._reports.setdefault((report.host, report.socket), []).append(report)
        if case.trace.is_run:
            self._judge()

    def _expectations(self) -> Iterator[Expectation | None]:
        yield from connect_expectations(self.case)
        yield from accept_expectations(self.case)
        yield from read_expectations(self.case)
        yield from write_expectations(self.case)
        yield from close_expectations(self.case)

    def add(self, rule_id: str, outcome: Outcome) -> None:
        """File an outcome under a rule."""
        self.outcomes.setdefault(rule_id, []).append(outcome)

    def reports_of(self, socket: Socket, event: str | None = None) -> list[Report]:
        """List what was reported on a socket, in order."""
        reports = self._reports.get((socket.host, socket.descriptor), [])
        for descriptor in socket.duplicates:
            reports = [*reports, *self._reports.get((socket.host, descriptor), [])]
        reports = sorted(reports, key=lambda one: one.position) if socket.duplicates else reports
        return [report for report in reports if event in (None, report.event)]

    def _judge(self) -> None:
        expected: dict[tuple[Socket, str], list[Expectation]] = {}
        for one in self.expectations:
            expected.setdefault((one.socket, one.event), []).append(one)
        for socket in self.case.sockets.all:
            for event in EVENT_ORDER:
                waiting = sorted(expected.get((socket, event), []), key=lambda e: e.opens)
                self._match(socket, self.reports_of(socket, event), waiting)
        self.judged.sort(key=lambda event: (event.host, event.seq or 0))

    def _match(self, socket: Socket, reports: list[Report], waiting: list[Expectation]) -> None:
        coming = deque(waiting)
        opened: list[Expectation] = []
        for report in reports:
            while coming and coming[0].opens < report.position:
                opened.append(coming.popleft())
            chosen = _explanation(report, opened, socket)
            if chosen is None:
                self._unexplained(socket, report, waiting)
                continue
            opened.remove(chosen)
            chosen.report = report
            self._explained(report, chosen)
        for one in (*opened, *coming):
            self._missing(one, reports)

    def _explained(self, report: Report, one: Expectation) -> None:
        wrong = ""
        if report.code != one.code:
            wrong = f"{one.cause}, so the code is {error_name(one.code)}"
        elif one.level is Level.MUST and one.due is not None and report.position > one.due:
            wrong = f"{one.cause}, and a barrier was answered before the event was reported"
        self._level(report, Level.MUST_NOT if wrong else one.level, one.rule, one.frames)
        outcome = PASSED
        if wrong:
            outcome = Outcome("fail", one.frames, one.socket.name, str(one), str(report), wrong)
        self.add(one.rule, outcome)

    def _unexplained(self, socket: Socket, report: Report, expected: list[Expectation]) -> None:
        rule_id, reason = self._blame(socket, report, expected)
        local = rule_id == "EV28" and not self.case.trace.losses
        self._level(report, Level.MAY if local else Level.MUST_NOT, rule_id, ())
        self.unexplained.append((socket, report, rule_id))
        later = [one.frames for one in expected if one.report is None][:1]
        shown = [self._newest_delivery(report), *(frame for frames in later for frame in frames)]
        self.add(
            rule_id,
            Outcome(
                "unsure" if local else "fail",
                tuple(shown),
                socket.name,
                f"no {report} here",
                f"{report} reported after frame {report.position[0]}"
                + (f" as event line {report.seq}" if report.seq else ""),
                reason,
            ),
        )

    def _newest_delivery(self, report: Report) -> int:
        """Return the frame that the host was given last before a report: its likely cause."""
        before = (
            packet.number
            for packet in self.case.delivered
            if packet.host == report.host and packet.position < report.position
        )
        return max(before, default=max(report.position[0], 1))

    def _level(self, report: Report, level: Level, rule_id: str, frames: Iterable[int]) -> None:
        self.judged.append(
            JudgedEvent(
                host=report.host,
                socket=report.socket,
                event=report.event,
                code=report.code,
                seq=report.seq,
                level=level,
                rule=rule_id,
                frames=tuple(frames),
            )
        )

    def _missing(self, one: Expectation, reports: list[Report]) -> None:
        if one.level is not Level.MUST or not one.owed:
            return
        log = self.case.logs[one.socket.host]
        limit = min(limit for limit in (one.due, one.taken, NEVER) if limit is not None)
        merges = one.event in COALESCING and not log.gaps
        if merges and any(one.opens < report.position <= limit for report in reports):
            self.add(one.rule, PASSED)
            return
        gap = f"; event line {log.gaps[0]} is missing from the record" if log.gaps else ""
        proof = " and a later barrier was answered" if one.due else ""
        if one.taken is not None:
            proof = ", and what it announced was taken by a call that was answered"
        if proof:
            self.missed.append(one)
        self.add(
            one.rule,
            Outcome(
                "fail" if proof else "unsure",
                one.frames,
                one.socket.name,
                str(one),
                "no such event" + ("" if proof else ", and no barrier after its cause"),
                one.cause + proof + gap,
            ),
        )

    def _blame(
        self, socket: Socket, report: Report, expected: list[Expectation]
    ) -> tuple[str, str]:
        """Name the rule that a report without a cause breaks, and say why it has none."""
        if report.position > socket.gone:
            rule_id = {"FD_CLOSE": "EV20"}.get(report.event, _GENERAL[report.event])
            return rule_id, "the application had closed the socket (W76)"
        if report.event == "FD_READ" and _heard_after_its_end(socket, report):
            return "EV26", "what came by the group came after the end of the membership"
        if expected and all(one.report is not None for one in expected):
            used = f"{report.event} was reported here as often as it was due"
            return _AGAIN.get(report.event, _GENERAL[report.event]), used
        if not expected and socket.nominated(report.event, socket.created) is None:
            return _GENERAL[report.event], "the event was not selected on this socket (W90)"
        if expected:
            first = next(one for one in expected if one.report is None)
            same = first.code == report.code and report.event == "FD_CLOSE" and report.code
            rule_id = first.rule if same else self._rule_of(socket, report)
            return rule_id, f"its cause came only later: {first.cause}"
        return self._rule_of(socket, report), _why_never(socket, report.event, report.code)

    def _rule_of(self, socket: Socket, report: Report) -> str:
        if report.event == "FD_CONNECT":
            return self._connect_rule(socket, report)
        if report.event == "FD_CLOSE":
            return self._close_rule(socket, report)
        return _GENERAL[report.event]

    def _connect_rule(self, socket: Socket, report: Report) -> str:
        for join in self.case.bindings.joins:
            if join.socket is socket and join.attempt is not None:
                cancels = join.attempt.shelf.sent(Cancel)
                reasons = [getattr(packet.message, "reason", 0) for packet in cancels]
                if CancelReason.WITHDRAWN in reasons:
                    return "EV7"
        if report.code == 0 or socket.kind in (Kind.HANDLE, Kind.ACCEPTED):
            return "EV3"
        return "EV6" if report.code == WsaError.WSAETIMEDOUT else "EV5"

    def _close_rule(self, socket: Socket, report: Report) -> str:
        """Tell an event caused by somebody else's ending from one with no cause at all."""
        if report.code == WsaError.WSAECONNRESET:
            return "EV17"
        if report.code == WsaError.WSAENETDOWN and not self.case.trace.losses:
            return "EV28"
        if report.code != 0:
            return "EV19"
        if any(opening.socket is socket for opening in self.case.openings):
            return "EV24"
        if not _told_itself(socket) and self._others_ended(socket, report):
            return "EV23"
        return "EV15" if socket.kind in (Kind.HANDLE, Kind.ROOT) else "EV14"

    def _others_ended(self, socket: Socket, report: Report) -> bool:
        own = socket.membership
        return any(
            packet.position < report.position
            for membership in self.case.history.memberships
            if membership is not own and (own is None or membership.session_id == own.session_id)
            for packet in membership.shelf.sent(Close)
            if getattr(packet.message, "reason", 0) != CloseReason.DISMANTLE
        )


_GENERAL = {
    "FD_ACCEPT": "EV1",
    "FD_CONNECT": "EV3",
    "FD_READ": "EV11",
    "FD_WRITE": "EV9",
    "FD_CLOSE": "EV14",
    "FD_OOB": "EV11",
}
"""Window rule of each event where nothing more special applies."""
_AGAIN = {
    "FD_ACCEPT": "EV2",
    "FD_READ": "EV12",
    "FD_WRITE": "EV10",
    "FD_CLOSE": "EV20",
}
"""Window rule that one event too many of a kind breaks."""


def _explanation(report: Report, opened: list[Expectation], socket: Socket) -> Expectation | None:
    """Choose the open expectation that explains a report, if possible one with its code.

    One whose matter was taken before the report leaves it to another that must be reported.
    """
    if report.position > socket.gone:
        return None
    timely = [one for one in opened if one.due is None or report.position <= one.due]
    same = [one for one in timely if one.code == report.code] or timely or opened
    first = next(iter(same), None)
    if first is None or first.taken is None or report.position <= first.taken:
        return first
    untaken = (one for one in same if one.taken is None or report.position <= one.taken)
    return next((one for one in untaken if one.level is Level.MUST), first)


def _heard_after_its_end(socket: Socket, report: Report) -> bool:
    """Tell whether a leaf's host was given data of its group after its membership."""
    if socket.membership is None or socket.kind is Kind.HANDLE:
        return False
    end = socket.membership.leaf
    return any(end.ended() < packet.position < report.position for packet in end.caught(Data))


def _told_itself(socket: Socket) -> bool:
    """Tell whether a CLOSE of the socket's own membership was delivered to it."""
    if socket.membership is None:
        return False
    ends = socket.membership.ends
    return bool(ends[0 if socket.kind is Kind.HANDLE else 1].closes)


def _why_never(socket: Socket, event: str, report_code: int) -> str:
    if event == "FD_CLOSE" and report_code == WsaError.WSAENETDOWN:
        return "nothing on record says what became of the host's interface"
    if event == "FD_CONNECT" and socket.kind is Kind.HANDLE:
        return "FD_CONNECT belongs to the socket that the join was called on (W22)"
    return "no frame and no call explains it"
