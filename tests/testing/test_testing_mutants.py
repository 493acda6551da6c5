"""The matrix of broken endpoints: what its command says, and that its page is not stale."""

import json
from pathlib import Path

import pytest

from mpwire.testing import mutants
from mpwire.testing.broken import PATCHES
from mpwire.testing.broken.exempt import EXEMPT
from mpwire.testing.broken.page import HEADER, document_of, rendered
from mpwire.testing.broken.trial import Trial
from mpwire.vocabulary import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"


def trial(patch: str, *fired: str, kill_s: float | None = 0.25) -> Trial:
    """Return a trial as if it had been run."""
    verdict = Verdict.FAIL if fired else Verdict.PASS
    scene = PATCHES[patch].scene if patch else "rooted-lan"
    frames = (7,) if fired else ()
    return Trial(scene, patch, verdict, fired, frames, kill_s if fired else None, 1.5, ())


def page_rows() -> list[list[str]]:
    """Return the cells of the matrix in the page."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index(HEADER) + 2
    rows = (line for line in lines[start:] if line.startswith("|"))
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_page_names_every_mutant_as_it_is() -> None:
    found = [(row[0].strip("` "), row[1], row[2], row[3], row[4]) for row in page_rows()]
    assert found == [(p.name, p.about, p.rule, p.scene, p.host) for p in PATCHES.values()]


def test_the_page_tells_of_no_survivor() -> None:
    for row in page_rows():
        assert row[5] == Verdict.FAIL.value, row[0]
        assert f"**{row[2]}**" in row[6].split(), row[0]


def test_the_page_gives_every_exemption() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"| {rule} | {reason} |" in text for rule, reason in EXEMPT.items())
    assert f"| broken endpoints | {len(PATCHES)} |" in text


def test_a_page_is_filled_with_what_ran() -> None:
    parts = (f"<!-- generated: {name} -->\nold\n<!-- end -->\n" for name in ("matrix", "reference"))
    page = "".join(("a\n", *parts, "z\n"))
    filled = rendered(page, [trial("tag-of-zero", "R19", "R21")])
    assert "| `tag-of-zero` |" in filled
    assert "| FAIL | **R19** R21 | 0.25 s |" in filled
    assert filled.endswith("<!-- generated: reference -->\nold\n<!-- end -->\nz\n")
    again = rendered(filled, [trial(""), trial("")])
    assert "| rooted-lan | 2 | 2 | 1.5 s |" in again
    assert "| `tag-of-zero` |" in again


@pytest.mark.parametrize(
    ("fired", "outcome", "line"),
    [
        (("R19", "R21"), "killed", "✓ tag-of-zero"),
        (("R21",), "killed by others", "KILLED BY OTHERS R21"),
        ((), "survived", "SURVIVED"),
    ],
)
def test_what_became_of_a_mutant(fired: tuple[str, ...], outcome: str, line: str) -> None:
    one = trial("tag-of-zero", *fired)
    assert one.outcome == outcome
    assert line in mutants.row(one)
    document = document_of([one])
    assert document["trials"][0]["outcome"] == outcome
    assert document["good"] == (outcome == "killed")


def test_an_incomplete_record_convicts_nobody() -> None:
    one = Trial("rooted-lan", "tag-of-zero", Verdict.FAIL, ("R19",), (3,), 0.1, 1.0, ("a gap",))
    assert not one.killed
    assert "a gap" in mutants.row(one)


def test_what_the_correct_endpoint_came_to() -> None:
    assert mutants.row(trial("")).startswith("✓ rooted-lan")
    blamed = Trial("rooted-lan", "", Verdict.FAIL, ("R19",), (), None, 1.0, ())
    assert blamed.outcome == "not passed"
    assert mutants.row(blamed).startswith("✗ rooted-lan")
    assert mutants.row(blamed).endswith("R19")


def test_mutants_are_chosen_by_name_rule_or_scene() -> None:
    assert [one.name for one in mutants.chosen(["tag-of-zero"])] == ["tag-of-zero"]
    assert {one.rule for one in mutants.chosen(["R56"])} == {"R56"}
    assert {one.scene for one in mutants.chosen(["join-glare"])} == {"join-glare"}
    assert mutants.chosen([]) == [*PATCHES.values()]


def test_the_list_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--list", "--only", "R56"]) == 0
    said = capsys.readouterr().out
    assert "close-not-acknowledged" in said
    assert PATCHES["close-not-acknowledged"].about in said


def test_what_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--only", "R9999"]) == 2
    assert "R9999" in capsys.readouterr().err


def test_a_page_is_not_written_of_some(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        mutants.main(["--only", "R56", "--write", str(tmp_path / "page.md")])


@pytest.mark.lab
def test_one_mutant_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["--only", "tag-of-zero", "--jobs", "1", "--json", "--out", str(tmp_path)]
    assert mutants.main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["good"] == document["count"] == 1
    (one,) = document["trials"]
    assert (one["mutant"], one["rule"], one["outcome"]) == ("tag-of-zero", "R19", "killed")
    assert one["to_kill_s"] < one["in_all_s"]


@pytest.mark.lab
def test_the_correct_endpoint_in_the_scene_of_a_mutant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["--only", "closed-and-still-there", "--reference", "--jobs", "1"]
    assert mutants.main([*command, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "✓ closed-socket" in said
    assert "1 of 1 passed" in said
