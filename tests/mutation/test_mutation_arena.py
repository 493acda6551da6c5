"""Mutants are found out by simulated labs; what is not changed, or to no effect, survives."""

from pathlib import Path

import msgspec
import pytest

from mpwire.lab import testbed
from tests.mutation.applying import change
from tests.mutation.arena import Outcome, fight
from tests.mutation.mutants import Mutant, source_of
from tests.mutation.reach import Known, known, play
from tests.mutation.scenarios import (
    FOUND,
    LIBRARY,
    LOSSY,
    OWN,
    Aimed,
    Scenario,
    aimed,
    named,
)

ANSWERING = "mpwire.core.answering"
COOKIE = "mpwire.core.cookie"
REPLIES = "mpwire.core.replies"


@pytest.fixture(scope="module")
def tour() -> list[Known]:
    """Play the quick tour with the endpoint as it is."""
    found, lost = known(named(["rooted-lan"]))
    assert not lost
    return found


def edited(old: str, new: str, rounds: list[Known], module: str = ANSWERING) -> Outcome:
    """Let an edit of a module fight."""
    source = source_of(module)
    assert source.count(old) == 1
    return fight(change(module, source.replace(old, new)), rounds)


def test_a_wrong_endpoint_is_killed_by_a_rule(tour: list[Known]) -> None:
    """Let PENDING count copies that never came."""
    source = source_of(ANSWERING)
    broken = source.replace("request.seq, request.attempt", "request.seq, request.attempt + 1", 1)
    assert broken != source
    outcome = fight(change(ANSWERING, broken), tour)
    assert (outcome.fate, outcome.scenario, outcome.way) == ("killed", "rooted-lan", "rule")
    assert "R17" in outcome.rules


def test_an_equivalent_change_survives_and_leaves_the_record_as_it_was(tour: list[Known]) -> None:
    """Let an agenda count from 1: only the order of its numbers matters."""
    module, line = "mpwire.core.agenda", "    _count: int = 0"
    outcome = edited(line, line.replace("0", "1"), tour, module)
    assert (outcome.fate, outcome.played, outcome.differed) == ("survived", 1, ())


def test_another_record_that_breaks_no_rule_is_told(tour: list[Known]) -> None:
    """Let a root admit one message more a second: it says so, and may."""
    old = "MAXIMUM_RATE_PPS: Final = 100_000"
    outcome = edited(old, old.replace("000", "001"), tour, "mpwire.winsock.sessions")
    assert (outcome.fate, outcome.differed) == ("survived", ("rooted-lan",))


def test_an_agent_that_breaks_down_is_told_of(tour: list[Known]) -> None:
    outcome = edited("COOKIE_VERSION: Final = 1", "COOKIE_VERSION: Final = 1 / 0.0", tour, COOKIE)
    assert outcome.fate == "unfit"
    old = "def challenge("
    broken = source_of(REPLIES).replace("cookie_life_ms=round(", "cookie_life_ms=round(1 / 0 + ")
    outcome = fight(change(REPLIES, broken), tour)
    assert old in broken
    assert (outcome.fate, outcome.way) == ("killed", "crash")
    assert outcome.told.startswith("ZeroDivisionError")


def test_what_never_ends_is_killed(tour: list[Known]) -> None:
    broken = source_of(REPLIES).replace(
        "    return Challenge(", "    while True: pass\n\n    Challenge("
    )
    outcome = fight(change(REPLIES, broken), tour, limit_s=1.0)
    assert (outcome.fate, outcome.scenario, outcome.way) == ("killed", "rooted-lan", "no end")


def test_what_is_not_changed_is_no_mutant() -> None:
    source = source_of(ANSWERING)
    assert fight(change(ANSWERING, source + "\n# another line\n"), []).fate == "same"


def test_a_change_that_no_scenario_runs_is_not_reached(tour: list[Known]) -> None:
    assert (
        fight(change(ANSWERING, source_of(ANSWERING) + "\nnothing = 1\n"), []).fate == "unreached"
    )
    (one,) = tour
    places = {
        text: line_of(text, REPLIES) for text in ("life_s * 1000", "BURST: ", "versions=(VERSION,)")
    }
    reached = [
        text
        for text, line in places.items()
        if one.reaches(Mutant(REPLIES, "core/NumberReplacer", 0, line))
    ]
    assert reached == ["life_s * 1000", "BURST: "]


def test_a_function_gets_other_code_where_it_is_held_already() -> None:
    """Compile a change inside a function, and one that only a new import can make."""
    source = source_of(REPLIES)
    inside = change(REPLIES, source.replace("life_s * 1000", "life_s * 1001"))
    assert inside.functions is not None
    assert [function.__name__ for found, _ in inside.functions for function in found] == [
        "challenge"
    ]
    outside = change(REPLIES, source.replace("BURST: Final = 4", "BURST: Final = 5"))
    assert outside.functions is None
    assert inside.digest != outside.digest == change(REPLIES, outside.source + "\n").digest


def test_a_function_that_a_table_is_made_with_needs_a_new_import() -> None:
    old = "state is not S.NEW and ("
    source = source_of("mpwire.core.table")
    assert source.count(old) == 1
    assert change("mpwire.core.table", source.replace(old, "not (")).functions is None


@pytest.mark.parametrize("path", sorted(OWN.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_endpoint_passes_what_was_written_for_its_mutants(path: Path) -> None:
    played = play(Scenario(path.stem, testbed.load(path)))
    assert played.passed
    assert played.warned == frozenset()


def test_what_was_found_passes() -> None:
    for line in FOUND.read_bytes().splitlines():
        assert play(aimed(msgspec.json.decode(line, type=Aimed))).passed


def test_bad_networks_use_testbeds_that_are_there() -> None:
    for name, _ in LOSSY:
        assert (LIBRARY / f"{name}.yaml").exists()


def test_places_are_statements() -> None:
    """Find the function and the lines of what is changed."""
    place = Mutant("mpwire.core.agenda", "core/NumberReplacer", 0, line_of("_count: int = 0")).place
    assert place.function == ""
    inner = Mutant("mpwire.core.agenda", "core/AddNot", 0, line_of("if at_s is None:")).place
    assert inner.function == "Agenda.note"
    assert inner.first == inner.last


def line_of(text: str, module: str = "mpwire.core.agenda") -> int:
    """Return the first line of a module that has a text."""
    lines = source_of(module).splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
