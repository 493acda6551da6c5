"""Run `mpwire` as a user would: as a process, with files and pipes."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.oracle.oracle_story import record
from tests.oracle.oracle_tales import tour

HOME = Path(__file__).parents[2]
TIMEOUT_S = 90
Finished = subprocess.CompletedProcess[str]
Mpwire = Callable[..., Finished]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return an environment in which `python -m mpwire` works, coloured by nothing."""
    path = os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    kept = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "FORCE_COLOR"}}
    return {**kept, "PYTHONPATH": path}


@pytest.fixture(scope="session")
def argv() -> Sequence[str]:
    """Return how the command is started."""
    return (sys.executable, "-m", "mpwire")


@pytest.fixture(scope="session")
def mpwire(environment: dict[str, str], argv: Sequence[str]) -> Mpwire:
    """Return what runs the command and returns what it printed."""

    def run(
        *arguments: object, cwd: Path | None = None, stdin: bytes = b"", **more: str
    ) -> Finished:
        done = subprocess.run(
            [*argv, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            cwd=cwd,
            env={**environment, **more},
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Finished(
            done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    return run


@pytest.fixture(scope="session")
def toured(mpwire: Mpwire, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one quick tour; tests only read it, and are marked `lab`."""
    out = tmp_path_factory.mktemp("runs")
    done = mpwire("run", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "latest"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """Return a run file of a correct session that needed no lab."""
    (tmp_path / "story").mkdir()
    return record(tour(), tmp_path / "story")
