"""CR20: the times that an endpoint announces are those that it was given."""

from collections.abc import Iterator, Mapping

from mpwire.oracle.calls import AgentLog, Call
from mpwire.oracle.case import Case
from mpwire.oracle.registry import Outcome, rule, verify
from mpwire.oracle.trace import Packet
from mpwire.wire.messages import Accept, Challenge, JoinReq, Pending, Timers
from mpwire.wire.numbers import TimersFlag

DEFAULTS: Mapping[str, float] = {
    "rto_initial_s": 1,
    "rto_maximum_s": 16,
    "keepalive_s": 20,
    "dead_s": 45,
    "pend_s": 180,
    "linger_s": 40,
    "drain_s": 6,
    "poll_s": 5,
    "cookie_life_s": 30,
    "retransmissions": 5,
}
"""Timers of an agent that was told nothing (protocol.md 10)."""
IN_TIMERS = (
    "rto_initial_s",
    "rto_maximum_s",
    "keepalive_s",
    "dead_s",
    "pend_s",
    "linger_s",
    "drain_s",
)


@rule(
    "CR20",
    "The times that an endpoint announces in TIMERS, PENDING and CHALLENGE are those that it was "
    "configured with, or else those of the specification; others than these are CONTROLLED.",
    source="docs/agents.md; protocol.md 10",
    group="calls",
    needs="events",
    vantage="E",
)
def cr20(case: Case) -> Iterator[Outcome]:
    """Compare what leaves a host with the `configure` of the process that sends it."""
    for packet in case.own:
        log = case.logs.get(packet.host or "")
        told = _configured(log, packet) if log is not None else None
        if told is None or not isinstance(packet.message, JoinReq | Accept | Pending | Challenge):
            continue
        announced = _announced(packet.message)
        wrong = [
            f"{name} of {announced[name]:g} ms"
            for name in announced
            if abs(announced[name] - max(1, 1000 * told[name])) >= 1
        ]
        if isinstance(packet.message, JoinReq | Accept):
            wrong += _other(packet.message.timers, told)
        yield verify(not wrong, packet, expected=_expected(told, announced), seen=", ".join(wrong))


def _configured(log: AgentLog, packet: Packet) -> dict[str, float] | None:
    """Return the timers that the sender's process was given; None where nobody said any."""
    born = log.life_at(packet.position).begun
    calls: list[Call] = [call for call in log.configured if born <= call.asked < packet.position]
    if not calls:
        return None
    given = calls[-1].args.get("timers")
    chosen = given.items() if isinstance(given, dict) else ()
    return {**DEFAULTS, **{k: v for k, v in chosen if isinstance(v, int | float)}}


def _announced(message: JoinReq | Accept | Pending | Challenge) -> dict[str, int]:
    """Return what a message announces, in milliseconds, by the names of `configure`."""
    match message:
        case Pending():
            return {"poll_s": message.poll_ms}
        case Challenge():
            return {"cookie_life_s": message.cookie_life_ms}
        case _:
            timers = message.timers
            return {name: getattr(timers, f"{name[:-2]}_ms") for name in IN_TIMERS}


def _other(timers: Timers, told: Mapping[str, float]) -> list[str]:
    """Say what is wrong with the count of sends, and with the flag."""
    wrong = [] if timers.mrc == told["retransmissions"] else [f"{timers.mrc} sends"]
    if bool(timers.tflags & TimersFlag.CONTROLLED) is not (told != DEFAULTS):
        wrong.append(f"TFlags {timers.tflags}")
    return wrong


def _expected(told: Mapping[str, float], announced: Mapping[str, int]) -> str:
    return ", ".join(f"{name} of {1000 * told[name]:g} ms" for name in announced)
