"""The page of the requirements is right: what it calls verified is, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance import page
from tests.conformance.patches import BREAKS, NOT_APPLICABLE, OPEN, break_requirement
from tests.conformance.registry import MonkeyPatch, wrap
from tests.conformance.requirements import read_requirements
from tests.conformance.trial import Outcome

ROOT = Path(__file__).parents[2]


PARTS = 4
"""Of the requirements, tried one after another, so that none takes long."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_requirement_is_verified_and_the_page_says_so(part: int) -> None:
    """Run the marked tests as they are and under the patches, and compare the page's rows."""
    names = [f"W{one.number}" for one in read_requirements()][part::PARTS]
    command = [sys.executable, "-m", "tests.conformance", "--check", *names]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_page_has_a_row_for_each_requirement_and_nothing_else_changes() -> None:
    requirements = read_requirements()
    empty = page.write_page(requirements, {one.number: Outcome() for one in requirements})
    written = page.PAGE.read_text("utf-8")
    assert [line.split("|")[1:4] for line in written.splitlines()] == [
        line.split("|")[1:4] for line in empty.splitlines()
    ]


def test_every_requirement_has_a_patch_or_a_reason() -> None:
    numbers = [one.number for one in read_requirements()]
    assert numbers == [*range(1, 105)]
    assert {*BREAKS} | {*NOT_APPLICABLE} | OPEN == {*numbers}
    assert not {*BREAKS} & {*NOT_APPLICABLE}
    assert len(NOT_APPLICABLE) < 5
    functions = {one.name: one.apply for ones in BREAKS.values() for one in ones}
    assert len({*functions.values()}) == len(functions)


def test_statuses_are_of_two_kinds() -> None:
    """A row without proof is open, and a complaint unless it is declared so."""
    one = read_requirements()[9]
    proof = Outcome(tests=["a", "b"], red={"p": ["b"], "q": ["a", "b"]})
    assert proof.noticing == ["a", "b"]
    assert page.status_of(one, proof) == "verified"
    assert page.complaints({10: proof}) == []
    for outcome in (
        Outcome(tests=["a"]),
        Outcome(tests=["a"], red={"p": ["a"]}, failed=["a"]),
        Outcome(tests=["a"], red={"p": []}, crashed={"p": ["a"]}),
        Outcome(tests=["a"], red={"p": [], "q": ["a"]}, crashed={"p": [], "q": []}),
        Outcome(),
    ):
        assert page.status_of(one, outcome) == "open"
        assert len(page.complaints({10: outcome})) == 1


def test_a_broken_requirement_is_noticed_from_the_command_line() -> None:
    """Break one requirement by the option, and the tests that watch it fail."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--break", "root-gets-itself-back", "tests/winsock/test_winsock_joining.py"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "failed" in done.stdout
    assert "error" not in done.stdout.splitlines()[-1]


def test_only_what_has_a_patch_can_be_broken() -> None:
    with MonkeyPatch.context() as patch, pytest.raises(KeyError, match="no patch is called gone"):
        break_requirement("gone", patch)


def test_a_patch_is_undone() -> None:
    class Product:
        def answer(self, number: int) -> int:
            return number

    with MonkeyPatch.context() as patch:
        wrap(patch, Product, "answer", lambda original, *others: original(*others) + 1)
        assert Product().answer(1) == 2
    assert Product().answer(1) == 1
