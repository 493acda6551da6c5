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


APART = """\
about: A leaf asks where its host has no way to.
networks: {here: {}, there: {}}
hosts: {root: here, far: there}
timers: {scale: 0.1}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - far opens F as c_leaf/d_leaf
  - far joins R with F
  - F sees FD_CONNECT WSAENETUNREACH
expect:
  - F saw FD_CONNECT WSAENETUNREACH
"""


@pytest.mark.lab
def test_the_second_one_says_what_it_is_told_of_and_what_not(tmp_path: Path) -> None:
    """Its own system tells it that there is no way, and nobody what routers find out."""
    (tmp_path / "apart.yaml").write_text(APART, "utf-8")
    command = [sys.executable, "-m", "mpwire", "matrix", str(tmp_path / "apart.yaml")]
    command += [str(HOME / "testbeds" / "routed-partition.yaml"), "--agent", AGENTS[1]]
    done = subprocess.run(
        [*command, "--role", "leaf", "--json", "--out", str(tmp_path / "runs")],
        capture_output=True,
        check=False,
    )
    found = {
        one["testbed"]: one["reason"] or one["verdict"] for one in json.loads(done.stdout)["cells"]
    }
    assert found == {"apart": "PASS", "routed-partition": "unsupported: icmp by near"}


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
