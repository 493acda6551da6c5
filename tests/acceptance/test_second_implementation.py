"""Any program in any role: two implementations, the two roles, and what each of them cannot do."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
BEDS = ("rooted-asking", "rooted-lan", "open-lan")
AGENTS = ("python=mpwire agent", "js=python -m mpwire.testing.peers.javascript")


@pytest.mark.lab
def test_a_matrix_of_two_implementations(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mpwire", "matrix"]
    command += [str(HOME / "testbeds" / f"{name}.yaml") for name in BEDS]
    command += [word for agent in AGENTS for word in ("--agent", agent)]
    done = subprocess.run(
        [*command, "--fabric", "sim", "--json", "--out", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    document = json.loads(done.stdout)
    found = {
        (cell["testbed"], cell["implementation"], cell["role"]): (cell["verdict"], cell["reason"])
        for cell in document["cells"]
    }
    unsupported = "unsupported: socket: flags C_ROOT, D_ROOT by root"
    assert found == {
        ("rooted-asking", "python", "root"): ("PASS", ""),
        ("rooted-asking", "python", "leaf"): ("PASS", ""),
        ("rooted-asking", "js", "root"): ("UNSUPPORTED", unsupported),
        ("rooted-asking", "js", "leaf"): ("PASS", ""),
        ("rooted-lan", "python", "root"): ("PASS", ""),
        ("rooted-lan", "python", "leaf"): ("PASS", ""),
        ("rooted-lan", "js", "root"): ("UNSUPPORTED", unsupported),
        ("rooted-lan", "js", "leaf"): ("UNSUPPORTED", "unsupported: listen by leaf2"),
        ("open-lan", "python", "leaf"): ("PASS", ""),
        ("open-lan", "js", "leaf"): (
            "UNSUPPORTED",
            "unsupported: socket: protocol MPW_OPEN by alice",
        ),
    }
    assert (done.returncode, document["verdict"]) == (0, "PASS")


@pytest.mark.lab
def test_what_the_contract_shows_is_what_happens(tmp_path: Path) -> None:
    text = (HOME / "docs" / "agents.md").read_text("utf-8")
    (shown,) = [line for line in text.splitlines() if line.startswith("mpwire run ")]
    words = shlex.split(shown)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "mpwire", *words, "--out", str(tmp_path)],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "PASS" in done.stdout
    rooted = [word.replace("leaf1=", "root=") for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "mpwire", *rooted, "--out", str(tmp_path)],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stdout
