"""Mutants are found out by simulated labs; what is not changed survives."""

import pytest

from mpwire.lab import testbed
from tests.mutation.arena import LOSSY, Scenario, fight
from tests.mutation.mutants import ROOT

TOUR = ROOT / "testbeds" / "rooted-lan.yaml"


@pytest.fixture(scope="module")
def tour() -> list[Scenario]:
    """Return the quick tour as the only scenario."""
    return [Scenario("tour", testbed.load(TOUR))]


def test_the_endpoint_itself_survives(tour: list[Scenario]) -> None:
    assert fight("", "", tour).fate == "survived"


def test_a_wrong_endpoint_is_killed_by_a_rule(tour: list[Scenario]) -> None:
    """Let answers count copies that never came."""
    path = ROOT / "mpwire" / "core" / "answering.py"
    source = path.read_text("utf-8")
    outcome = fight("mpwire.core.answering", source + "\nraise_nothing = 1\n", tour)
    assert outcome.fate == "survived", "another line changes nothing"
    broken = source.replace("request.seq, request.attempt", "request.seq, request.attempt + 1", 1)
    assert broken != source
    outcome = fight("mpwire.core.answering", broken, tour)
    assert outcome.fate == "killed"
    assert outcome.scenario == "tour"


def test_what_cannot_be_imported_is_no_mutant(tour: list[Scenario]) -> None:
    assert fight("mpwire.core.answering", "1 / 0", tour).fate == "unfit"


def test_what_never_ends_is_killed(tour: list[Scenario], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutation.arena.CPU_LIMIT_S", 3)
    source = "while True: pass"
    assert fight("mpwire.core.answering", source, tour).fate == "killed"


def test_bad_networks_use_testbeds_that_are_there() -> None:
    for name, _ in LOSSY:
        assert (TOUR.parent / f"{name}.yaml").exists()
