"""The command: figures per scenario, a counterexample if there is one, and the exit code."""

import os
import subprocess
import sys

import pytest

from mpwire.testing.explore import HEADLINE, main


def test_a_proved_scenario_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["joined-leave", "joined-expel"]) == 0
    headline, leave, expel, total = capsys.readouterr().out.splitlines()
    assert headline == HEADLINE
    assert leave.split()[:5] == ["joined-leave", "1", "1", "1", "1"]
    assert leave.split()[-1] == expel.split()[-1] == "proved"
    counts = [int(line[40:50].replace(",", "")) for line in (leave, expel, total)]
    assert total.startswith("in all ")
    assert counts[0] + counts[1] == counts[2]


def test_a_refuted_scenario_prints_the_shortest_way_and_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--patch", "deliver-duplicates"]) == 1
    told = capsys.readouterr().out
    assert "REFUTED" in told
    assert "   1  leaf 2  calls send L one\n" in told
    assert "refuted: nothing is delivered twice" in told


def test_the_deep_profile_walks_farther(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["glare-plain"]) == 0
    assert main(["--profile", "deep", "glare-plain"]) == 0
    counts = [
        int(line[40:50].replace(",", ""))
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("glare-plain")
    ]
    assert counts == sorted(set(counts))


def test_scenarios_and_patches_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = capsys.readouterr().out
    assert "leaf-cancel " in told
    assert "forget-requests " in told


def test_an_unknown_scenario_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing-like-it"])
    assert "no such scenario: nothing-like-it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--list"], 0), (["--patch", "deliver-duplicates"], 1)]
)
def test_a_reader_that_has_gone_changes_nothing_else(arguments: list[str], status: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # gone before the first line: nothing depends on who is faster
    command = [sys.executable, "-m", "mpwire.testing.explore", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (status, b"")
