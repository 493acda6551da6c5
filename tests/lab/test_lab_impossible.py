"""Lines whose every word is right, and that can come to nothing all the same."""

import pytest

from mpwire.lab import faults
from mpwire.lab.forms import Form
from mpwire.lab.grammar import FORMS
from mpwire.lab.script import Line, read_line
from mpwire.lab.words import Names

HOSTS = ("root", "leaf1", "leaf2")


def told(*lines: str, forms: tuple[Form, ...] = FORMS) -> list[str]:
    """Read lines one after the other; give what is wrong, with lines and columns from 1."""
    names, problems = Names(HOSTS), []
    for number, text in enumerate(lines, 1):
        line = Line(text, number, range(1, 2 + len(text)))
        step, wrong = read_line(line, forms, names)
        assert (step is None) == bool(wrong)
        problems += [f"{p.line}:{p.column}: found {p.found}, expected {p.expected}" for p in wrong]
    return problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "drop every ACCEPT from leaf1 to leaf1",
            "1:33: found 'leaf1', the sender itself, expected another host (root or leaf2)",
        ),
        (
            "send at most 64 kbit/s to leaf1 from leaf1",
            "1:27: found 'leaf1', the sender itself, expected another host (root or leaf2)",
        ),
        (
            "drop every ACCEPT with REPAIR",
            "1:24: found 'REPAIR', a flag of DATA, expected a flag of ACCEPT (R, A, M, X or G)",
        ),
    ],
)
def test_a_fault_that_no_message_can_meet_is_a_mistake(text: str, problem: str) -> None:
    assert told(text, forms=faults.FORMS) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "drop every ACCEPT from root to leaf1",
        "drop every message to leaf1",
        "drop every DATA with REPAIR",
        "drop every message with LAST",
        "drop every ACCEPT with R",
        "kill root after the first ACCEPT from root",
    ],
)
def test_a_fault_that_a_message_can_meet_is_none(text: str) -> None:
    assert told(text, forms=faults.FORMS) == []


OPENED = ("leaf1 opens L1 as c_leaf/d_leaf", "leaf2 opens L2 as c_leaf/d_leaf")


@pytest.mark.parametrize("step", ["leaf1 crashes", "leaf1 listens on L1", "leaf1 thaws"])
def test_nothing_is_done_by_an_agent_that_has_crashed(step: str) -> None:
    assert told(*OPENED, "leaf1 crashes", step) == [
        "4:1: found 'leaf1', which crashed in line 3, expected a host whose agent runs"
    ]


@pytest.mark.parametrize(
    "step",
    [
        "L1 sees nothing",
        "the join on L1 succeeds",
        "leaf1 loses its interface",
        "the network cuts off leaf1 from root",
        "leaf2 joins leaf1 with L2",
    ],
)
def test_its_host_lives_on_and_what_it_reported_stays(step: str) -> None:
    assert told(*OPENED, "leaf1 crashes", step, "leaf1 restarts", "leaf1 crashes") == []


def test_sockets_go_with_their_process() -> None:
    before = (*OPENED, "leaf1 restarts", "leaf2 listens on L2")
    assert told(*before, "leaf1 listens on L1") == [
        (
            "5:18: found 'L1', a socket that was gone in line 3,"
            " expected a socket of the agent that runs, but it has none"
        )
    ]
    assert told(*before, "leaf1 opens M1 as c_leaf/d_leaf", "leaf1 closes L1") == [
        (
            "6:14: found 'L1', a socket that was gone in line 3,"
            " expected a socket of the agent that runs (M1)"
        )
    ]
    assert told(*before, "leaf1 opens M1 as c_leaf/d_leaf", "leaf1 listens on M1") == []
