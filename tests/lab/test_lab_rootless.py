"""Labs of an ordinary user: the same as root's, on whichever carrier that user may have."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mpwire

HERE = Path(__file__).parent
NOBODY = 65534
DEADLINE_S = 60.0

pytestmark = pytest.mark.lab


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as an ordinary user, who must be able to read everything it needs."""
    become = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # mypy cannot see through **
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        timeout=DEADLINE_S,
        check=False,
        **become,
    )


def starts(python: str, code: str) -> bool:
    """Say whether an interpreter starts as an ordinary user and finds no fault with the code."""
    try:
        return run([python, "-c", code]).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    """Give an interpreter with this environment's packages that an ordinary user may run."""
    if os.geteuid() != 0:
        yield sys.executable
        return
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    # Not below pytest's own folder: that is for root's eyes only.
    with tempfile.TemporaryDirectory(prefix="mpwire-user-") as folder:
        Path(folder).chmod(0o755)
        for number, base in enumerate((sys.executable, "/usr/bin/python3")):
            if not starts(base, same):
                continue
            environment = Path(folder) / str(number)
            make = [base, "-m", "venv", "--without-pip", str(environment)]
            subprocess.run(make, check=True, timeout=DEADLINE_S)
            (packages,) = environment.glob("lib/python3*/site-packages")
            found = [str(Path(mpwire.__file__).parent.parent), sysconfig.get_path("purelib")]
            (packages / "borrowed.pth").write_text("\n".join(found) + "\n")
            python = str(environment / "bin" / "python")
            if starts(python, "import mpwire.lab.fabric"):
                yield python
                return
    version = ".".join(map(str, sys.version_info[:2]))
    alone = f"root's Python and packages are root's alone, and there is no other {version}"
    pytest.skip(f"this machine cannot run it: {alone}")


def drive(python: str, **spec: object) -> dict[str, Any]:
    """Run a scenario as that user and return its last line."""
    done = run([python, str(HERE / "drive_lab.py"), json.dumps(spec)])
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "lacks" in line:
        pytest.skip(f"this machine cannot run it: {line['lacks']}")
    assert done.returncode == 0, line
    return line


def test_an_ordinary_user_is_root_in_the_lab_only(python: str) -> None:
    found = drive(python, scenario="nothing")["result"]
    assert found["uid"] == 0
    assert found["processes"] == [1, 2]


@pytest.mark.parametrize("carrier", [None, "veth"])
def test_an_ordinary_user_gets_a_complete_record(python: str, carrier: str | None) -> None:
    result = drive(python, scenario="talk", carrier=carrier, count=3)["result"]
    assert result["answers"] == ["HELLO 0", "HELLO 1", "HELLO 2"]
    frames = [entry for entry in result["tape"] if "direction" in entry]
    decisions = [entry for entry in result["tape"] if entry.get("kind") == "decision"]
    outbound = [frame["number"] for frame in frames if frame["direction"] == "out"]
    assert [frame["number"] for frame in frames] == list(range(1, len(frames) + 1))
    assert sorted({decision["frame"] for decision in decisions}) == outbound
