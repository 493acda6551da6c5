"""What the library of testbeds exercises, and the page that says so."""

import re
from pathlib import Path

import pytest

from mpwire.oracle.registry import RULES
from mpwire.sim import coverage
from mpwire.sim.coverage import Exercised, counts, exercised_by, ranges

SMALL = """\
about: Nobody comes.
hosts: [root]
script:
  - root opens R as c_root/d_root
  # W101 is shown by the next step.
  - root listens on R
"""


@pytest.fixture(scope="module")
def library() -> list[Exercised]:
    return list(coverage.library())


def test_the_page_says_what_the_library_exercises(library: list[Exercised]) -> None:
    """Write it anew by `python -m mpwire.sim.coverage`."""
    written = coverage.ROOT / "docs" / "coverage.md"
    assert written.read_text("utf-8") == coverage.page(library, coverage.requirements())


def test_everything_is_touched_or_it_is_said_why_not(library: list[Exercised]) -> None:
    """Add a testbed for what a new rule looks at, or a line to untouched.toml."""
    touched = {name for one in library for name in (*one.rules, *one.requirements)}
    everything = {*RULES, *coverage.requirements()}
    reasons = coverage.read_reasons()
    assert {one for one in everything - touched if not reasons.get(one)} == set()
    assert set(reasons) & touched == set(), "there is no reason for what is touched"
    assert set(reasons) <= everything
    assert len(everything) > 250


def test_what_a_testbed_says_counts_only_if_it_passes(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, "utf-8")
    good = exercised_by(path)
    assert (good.verdict, good.about, "W101" in good.requirements) == (
        "PASS",
        "Nobody comes.",
        True,
    )
    path.write_text(SMALL + "  - R sees FD_ACCEPT\n", "utf-8")
    bad = exercised_by(path)
    assert (bad.verdict, "W101" in bad.requirements) == ("FAIL", False)
    path.write_text("agents: {root: ./mine}\n" + SMALL, "utf-8")
    other = exercised_by(path)
    assert (other.verdict, other.rules) == ("", ())
    assert other.lacking.startswith("not simulated: root has ")
    path.write_text("needs: [snooping]\n" + SMALL, "utf-8")
    kernel = exercised_by(path)
    assert (kernel.verdict, kernel.rules) == ("", ())
    assert kernel.lacking == "not simulated: 'snooping', which the fabric sim does not have"


def test_ids_are_written_in_few_words() -> None:
    assert ranges(["W3", "W10", "W8", "W9"]) == "W3, W8–10"
    assert ranges([]) == ""
    assert counts(["R1", "EV2", "R3", "CR4"]) == "2 R, 1 EV, 1 CR"


def test_the_page_is_checked_and_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "testbeds").mkdir()
    (tmp_path / "testbeds" / "small.yaml").write_text(SMALL, "utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "semantics.md").write_text("| W101 | Listening. | S1 |\n", "utf-8")
    written = tmp_path / "docs" / "coverage.md"
    assert coverage.main(["--check"], tmp_path) == 1
    assert not written.exists()
    assert coverage.main([], tmp_path) == 0
    assert coverage.main(["--check"], tmp_path) == 0
    text = written.read_text("utf-8")
    assert "| W101 | Listening. | `small` |" in text
    assert re.search(r"^\| R93 \| .* \| none: no endpoint sends MEMBER yet \|$", text, re.MULTILINE)
    assert capsys.readouterr().out == "coverage.md is not what the testbeds exercise\n" * 2
    (tmp_path / "testbeds" / "small.yaml").write_text("hosts: []\n", "utf-8")
    assert coverage.main([], tmp_path) == 2
    assert "no 'about'" in capsys.readouterr().err
