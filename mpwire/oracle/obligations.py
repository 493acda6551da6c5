"""Judge what had to be answered: at the agent's next barrier, not by the clock.

A datagram that was delivered before a barrier was asked has been worked off when that barrier is
answered. If its answer is nowhere in the record, it was not given. Without such a barrier nothing
is proved, unless the agent's life was over anyway: then nothing was owed. An agent that the script
kills owes nothing for what came after its last barrier, nor does one whose host lost its interface.
"""

from mpwire.oracle.case import Case
from mpwire.oracle.registry import PASSED, Outcome, broken
from mpwire.oracle.trace import Packet, Position


def owed(
    case: Case,
    arrival: Packet,
    answers: list[Packet],
    *,
    expected: str,
    due_to: str,
    since: Position | None = None,
) -> Outcome | None:
    """Return the outcome for something that arrived and demands an answer; None: nothing owed.

    Args:
        case: the case.
        arrival: the delivery that demands the answer.
        answers: the answers found; any one will do.
        expected: the answer, in words.
        due_to: what arrived, in words.
        since: from where on the answer is owed, if not from the arrival on.
    """
    if answers:
        return PASSED
    if arrival.position > case.life_end(arrival.host, arrival.position):
        return None
    due = case.settled(arrival.host, since if since is not None else arrival.position)
    if due is None and case.killed(arrival.host, arrival.position):
        return None
    if _cut_off(case, arrival, due):
        return None
    name = f"{arrival.host} {arrival.destination[0]}:{arrival.destination[1]}"
    if due is None:
        return broken(
            arrival,
            expected=expected,
            seen="none, and no barrier after it",
            reason=f"no barrier shows that {due_to} was worked off",
            kind="unsure",
            endpoint=name,
        )
    return broken(
        arrival,
        expected=expected,
        seen="none, although a later barrier was answered",
        reason=f"{due_to} arrived in frame {arrival.number} and got no answer",
        endpoint=name,
    )


def _cut_off(case: Case, arrival: Packet, due: Position | None) -> bool:
    """Tell whether the host lost its interface between an arrival and where its answer is due."""
    return any(
        one.host == arrival.host
        and arrival.position < one.begun
        and (due is None or one.begun < due)
        for one in case.trace.losses
    )
