"""Lines whose every word is right, and that can come to nothing all the same."""

from collections.abc import Mapping
from typing import Final

from mpwire.lab import mishaps
from mpwire.lab.faults import ANY, FLAGS_OF_ALL, FLAGS_OF_DATA, Aimed, Fault
from mpwire.lab.step import SocketStep, Step
from mpwire.lab.steps import JoinEnds, Saw, See
from mpwire.lab.wording import listed
from mpwire.lab.words import Names, Token, WrongWord

_WITHOUT_AGENT: Final = (
    mishaps.Restart,
    mishaps.Lose,
    mishaps.Regain,
    mishaps.LoseAddress,
    mishaps.RegainAddress,
    mishaps.Cut,
    See,
    Saw,
    JoinEnds,
)
"""What needs no agent that runs: it is done to the host, or looks at what has been reported."""


def check(step: Step, tokens: Mapping[str, Token], names: Names) -> None:
    """See that a line can come to something, and remember what it does to those after it.

    Args: step: what the line says; tokens: the first word of each of its fields; names: what was
        known before it.
    Raises: WrongWord: it cannot.
    """
    if isinstance(step, Fault):
        _check_fault(step, tokens, names)
        return
    host = getattr(step, "host", None)
    if host is not None and not isinstance(step, _WITHOUT_AGENT):
        _check_process(step, host, tokens, names)
    if isinstance(step, mishaps.Crash | mishaps.Restart):
        names.bury(step.host, step.line, stays=isinstance(step, mishaps.Crash))


def _check_fault(fault: Fault, tokens: Mapping[str, Token], names: Names) -> None:
    if fault.sender is not None and fault.sender == fault.receiver:
        others = [host for host in names.hosts if host != fault.sender]
        error = WrongWord(tokens["receiver"], f"another host ({listed(others)})")
        raise error.but_it_is("the sender itself")
    if not isinstance(fault, Aimed) or fault.flag not in FLAGS_OF_DATA:
        return
    if fault.message not in (ANY, "DATA"):
        error = WrongWord(tokens["flag"], f"a flag of {fault.message} ({listed(FLAGS_OF_ALL)})")
        raise error.but_it_is("a flag of DATA")


def _check_process(step: Step, host: str, tokens: Mapping[str, Token], names: Names) -> None:
    crashed = names.crashed.get(host)
    if crashed is not None:
        error = WrongWord(tokens["host"], "a host whose agent runs")
        raise error.but_it_is(f"which crashed in line {crashed}")
    gone = names.gone.get(step.socket) if isinstance(step, SocketStep) else None
    if gone is not None and "socket" in tokens:
        living = [name for name in names.sockets_of(host) if name not in names.gone]
        known = f" ({listed(living)})" if living else ", but it has none"
        error = WrongWord(tokens["socket"], f"a socket of the agent that runs{known}")
        raise error.but_it_is(f"a socket that was gone in line {gone}")
