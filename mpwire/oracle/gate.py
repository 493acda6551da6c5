"""Ask whether the record proves that nothing is missing; only then does silence mean anything.

What a judge concludes from something that is not there (no answer, no event) is sound only if
every frame and every line was recorded. Each reason found here takes that away from the whole
run; what single frames show stays shown.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from mpwire.capture import RunFile
from mpwire.capture.deliveries import decides, deliveries, overhears
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.names import LINKTYPES, LinkType
from mpwire.capture.records import (
    PORT_DOWN,
    AgentExit,
    AgentLine,
    Counters,
    Decision,
    End,
    Outage,
    Sentinel,
    Step,
    StoredVerdict,
)
from mpwire.capture.runfile import Frame
from mpwire.oracle.case import Case
from mpwire.oracle.trace import LOSS, REGAIN

UDP_LOSSES = ("InErrors", "RcvbufErrors", "SndbufErrors", "InCsumErrors", "MemErrors")
OF_CHECKSUMS = ("InErrors", "InCsumErrors")
"""Those of them that count wrong checksums."""
OF_IPV6: Final = "Udp6"
"""What the names of the same counters begin with for IPv6."""

NO_RECORD = (
    "no run record: a capture of another program does not say what was lost, and nothing about "
    "socket events"
)
UNREAD = "frames of link type {} ({}) are not read, so nothing in them is judged"
SEEN_AGAIN = "{} frames show packets again that were seen before on their way; each counts once"

UNDECIDED: Final = "no decision of the fabric"
UNACCOUNTED: Final = "delivered, but by no decision of the fabric"
ROUTER_PORT: Final = re.compile(r"router (\S+) (loses|regains) (\S+)")
"""The sentences of a script about a port of a router."""


def gate(run: RunFile, case: Case) -> list[str]:
    """Return why the record is incomplete; an empty list for a complete one."""
    reasons = _own_reasons(run, charged=_charged(case))
    reasons += _sentinels(run)
    reasons += _counters(run)
    if overhears(run.run):
        reasons += _kernels_count(
            run, Counter((one.vantage, one.direction or "") for one in run.frames)
        )
    reasons += _decisions(run) if decides(run.run) else _passed_on(run)
    reasons += _exits(run)
    return reasons


def gate_of_parts(
    run: RunFile,
    reduced: RunFile,
    recorded: Counter[tuple[str, str]],
    unaccounted: Iterable[str],
) -> list[str]:
    """Return why the record of a run is incomplete that is judged in parts.

    Args:
        run: the run.
        reduced: what of it is not accounted for already.
        recorded: how many frames there are by vantage and direction.
        unaccounted: what the fabric does not account for, where it decides.
    """
    reasons = [*run.incomplete, *_sentinels(reduced), *_counters(reduced)]
    if overhears(run.run):
        reasons += _kernels_count(reduced, recorded)
    if decides(run.run):
        reasons += unaccounted
    return [*reasons, *_exits(reduced)]


def of_others(run: RunFile, again: int) -> list[str]:
    """Return why the capture of another program is incomplete: it always is.

    Args: again: how many of its frames show again what was seen before.
    """
    passing = [SEEN_AGAIN.format(again)] if again else []
    foreign = sorted({one.linktype for one in run.interfaces} - set(LinkType))
    unread = [UNREAD.format(code, LINKTYPES.get(code, "unknown")) for code in foreign]
    return [NO_RECORD, *unread, *passing, *run.incomplete]


def missing_lines(run: RunFile) -> int:
    """Return how many agent lines the end record counts that are not there."""
    ends = run.of(End)
    return max(0, ends[0].agent_lines - sum(1 for _ in run.each(AgentLine))) if ends else 0


def _charged(case: Case) -> int:
    """Count the lines that are not there and that a rule charges their agents with.

    Those are event lines (by a gap in their numbers, or by the event that must have been reported)
    and answers to calls. An answer to a call that is not on record proves that the harness's own
    lines are missing, too: then nobody is charged.
    """
    logs = case.logs.values()
    if any(log.orphans for log in logs):
        return 0
    missed = Counter(one.socket.host for one in case.events.missed)
    events = sum(max(len(log.gaps), missed[log.host]) for log in logs)
    return events + len(list(case.unanswered()))


def _own_reasons(run: RunFile, *, charged: int) -> list[str]:
    """Take what the reader found, except that agent lines are missing which a rule charges.

    An event line that is not there must be judged as an event that was not reported, and an answer
    as a call that was not answered: whoever removed it, the record holds no proof of it. All other
    lines and records must be there.
    """
    ends = run.of(End)
    excused: set[str] = set()
    lines = missing_lines(run)
    if ends and 0 < lines <= charged:
        others = len([one for one in run.records if not isinstance(one, StoredVerdict)])
        if ends[0].records - (others - 1) == lines:
            found = len(run.of(AgentLine))
            excused = {
                f"{found} agent lines where the end record says {ends[0].agent_lines}",
                f"{others - 1} records where the end record says {ends[0].records}",
            }
    return [reason for reason in run.incomplete if reason not in excused]


def _sentinels(run: RunFile) -> Iterator[str]:
    numbers = {frame.number for frame in run.frames}
    seen = {
        (one.host, one.stage)
        for one in run.of(Sentinel)
        if one.request in numbers and one.reply in numbers
    }
    for host in run.run.vantages if run.run else ():
        for stage in ("start", "end"):
            if (host.name, stage) not in seen:
                yield f"{host.name}: no sentinel at the {stage}, so its capture is not proved"


def _thrown_away(run: RunFile) -> Counter[tuple[str, str]]:
    """Count what arrived with a checksum that the fabric's change made wrong.

    By host, and by what the names of the counters begin with.
    """
    changed = {one.delivered for one in run.of(Decision) if one.changed is not None}
    found: Counter[tuple[str, str]] = Counter()
    for frame in run.frames if changed else ():
        datagram = decode_frame(frame.linktype, frame.data) if frame.number in changed else None
        if isinstance(datagram, Datagram) and datagram.checksum == "bad":
            found[frame.vantage, OF_IPV6 if ":" in datagram.source[0] else ""] += 1
    return found


def _excused(run: RunFile) -> Counter[tuple[str, str]]:
    """Count, by host and counter, what an interface dropped because the script had set it down.

    That is what its kernel refused of others, for which there is a decision each; and what of its
    own the fabric says that it could not send.
    """
    found: Counter[tuple[str, str]] = Counter()
    down: set[str] = set()
    for one in run.records:
        if isinstance(one, Step):
            port, is_up = interface_set(one.text)
            if port and not is_up and one.state == "started":
                down.add(port)
            elif is_up and one.state == "done":
                down.discard(port)
        elif isinstance(one, Outage) and one.host in down:
            found[one.host, "tx_dropped"] += one.tx_dropped
        elif isinstance(one, Decision) and one.reason == PORT_DOWN and one.receiver in down:
            found[one.receiver, "rx_dropped"] += 1
    return found


def interface_set(text: str) -> tuple[str, bool]:
    """Say which interface a sentence sets down or up; none: an empty name."""
    lost, regained = LOSS.fullmatch(text), REGAIN.fullmatch(text)
    if host := lost or regained:
        return host["host"], lost is None
    port = ROUTER_PORT.fullmatch(text)
    return ("", True) if port is None else (f"{port[1]}.{port[3]}", port[2] == "regains")


def _counters(run: RunFile) -> Iterator[str]:
    thrown_away, excused_of = _thrown_away(run), _excused(run)
    counted = {one.host: one for one in run.of(Counters)}
    for host in run.run.vantages if run.run else ():
        counters = counted.get(host.name)
        if counters is None:
            yield f"{host.name}: no drop counters"
            continue
        for name, value in counters.interface.items():
            excused = excused_of[host.name, name]
            if value > excused and ("drop" in name or "error" in name):
                but = f", of which its script explains {excused}" if excused else ""
                yield f"{host.name}: interface counter {name} is {value}{but}"
        for name, value in counters.udp.items():
            kind = name.removeprefix(OF_IPV6)
            family = OF_IPV6 if name != kind else ""
            excused = thrown_away[host.name, family] if kind in OF_CHECKSUMS else 0
            if value > excused and kind in UDP_LOSSES:
                yield f"{host.name}: UDP counter {name} is {value}"
        if counters.capture.get("dropped"):
            yield f"{host.name}: the capture dropped {counters.capture['dropped']} frames"


def _decisions(run: RunFile) -> Iterator[str]:
    """Check that the fabric accounts for every frame it took and every datagram it delivered.

    What the fabric itself says to hosts (sentinels, address resolution) is no UDP.
    """
    frames = {frame.number: frame for frame in run.frames}
    decided: set[int] = set()
    delivered: set[int] = set()
    for one in run.of(Decision):
        decided.add(one.frame)
        if one.delivered is None:
            continue
        delivered.add(one.delivered)
        if not same(frames.get(one.frame), frames.get(one.delivered), one):
            yield strange(one)
    for frame in run.frames:
        if frame.direction == "out" and frame.number not in decided:
            yield f"frame {frame.number}: {UNDECIDED}"
        unaccounted = frame.direction == "in" and frame.number not in delivered
        if unaccounted and accounted(frame):
            yield f"frame {frame.number}: {UNACCOUNTED}"


def _passed_on(run: RunFile) -> Iterator[str]:
    """Check of a fabric that passes frames on and decides nothing that it passes them on unchanged.

    Whatever datagram arrived was sent by somebody.
    """
    delivered = {one.delivered for one in deliveries(run)}
    for frame in run.frames:
        strange = frame.direction == "in" and frame.number not in delivered
        if strange and isinstance(decode_frame(frame.linktype, frame.data), Datagram):
            yield f"frame {frame.number}: delivered, but not as anybody has sent it"


def _kernels_count(run: RunFile, recorded_of: Counter[tuple[str, str]]) -> Iterator[str]:
    """Compare what the kernel has counted at each host, frame by frame, with what is on record."""
    for one in run.of(Counters):
        for counted, heard, what in (
            ("tx_packets", "received", "sent"),
            ("rx_packets", "delivered", "was sent"),
        ):
            frames, recorded = one.interface.get(counted), one.capture.get(heard)
            if frames is None or frames != recorded:
                yield f"{one.host}: {what} {frames} frames by the kernel's count, {recorded} heard"
    for one in run.of(Counters):
        for heard, count in (
            ("received", recorded_of[one.host, "out"]),
            ("delivered", recorded_of[one.host, "in"]),
        ):
            if count < one.capture.get(heard, 0):
                yield f"{one.host}: {one.capture[heard]} frames {heard}, {count} on record"


def strange(decision: Decision) -> str:
    """Say that a delivery is not what was decided."""
    sent, receiver = decision.frame, decision.receiver
    return f"frame {decision.delivered} is not what frame {sent} delivered to {receiver}"


def accounted(frame: Frame) -> bool:
    """Tell whether a delivery must have been decided by the fabric."""
    return isinstance(decode_frame(frame.linktype, frame.data), Datagram)


def same(sent: Frame | None, arrived: Frame | None, decision: Decision) -> bool:
    """Tell whether a delivery is what was decided."""
    return (
        sent is not None
        and arrived is not None
        and _octets_as_decided(sent, arrived, decision.changed)
        and sent.direction == "out"
        and arrived.direction == "in"
        and arrived.vantage == decision.receiver
        and sent.number < arrived.number
    )


def _octets_as_decided(sent: Frame, arrived: Frame, changed: int | list[int] | None) -> bool:
    """Compare octets; where some of the payload were to change, exactly those have."""
    if changed is None:
        return sent.data == arrived.data
    before = decode_frame(sent.linktype, sent.data)
    after = decode_frame(arrived.linktype, arrived.data)
    if not isinstance(before, Datagram) or not isinstance(after, Datagram):
        return False
    if len(before.payload) != len(after.payload):
        return False
    expected = [changed] if isinstance(changed, int) else sorted(changed)
    pairs = enumerate(zip(before.payload, after.payload, strict=True))
    return [place for place, (one, other) in pairs if one != other] == expected


def _exits(run: RunFile) -> Iterator[str]:
    exits = {one.host: one for one in run.of(AgentExit)}
    for host in run.run.hosts if run.run else ():
        if not host.agent:
            continue
        ended = exits.get(host.name)
        if ended is None:
            yield f"{host.name}: the end of its agent is not on record"
        elif not ended.expected and ended.status != 0:
            yield f"{host.name}: its agent ended with status {ended.status}, unasked"
