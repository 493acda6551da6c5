"""Whoever is killed, whenever: no process, namespace, interface or file is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mpwire.lab import supervisor
from tests.lab.killing import (
    GONE_DEADLINE_S,
    Caller,
    assert_nothing_left,
    held_namespaces,
    interfaces,
    wait_until,
)

pytestmark = pytest.mark.lab


@pytest.fixture
def caller(inside: object, tmp_path: Path) -> Iterator[Callable[..., Caller]]:
    assert inside, "labs can run here"
    started: list[Caller] = []

    def start(**spec: object) -> Caller:
        started.append(Caller(spec, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize("victim", ["caller", "supervisor", "init", "lab"])
def test_killing_anybody_in_a_running_lab_removes_all_of_it(
    caller: Callable[..., Caller], carrier: str, victim: str
) -> None:
    before = interfaces()
    one = caller(scenario="linger", carrier=carrier)
    lines = list(zip(range(2), one.lines, strict=False))
    namespaces = set(lines[-1][1]["up"])
    assert len(namespaces) >= 3
    assert namespaces <= held_namespaces()
    assert len(one.family()) == 5, "caller, supervisor, init, lab, one program on a host"
    target = one.member(victim)
    assert target is not None
    os.kill(target, signal.SIGKILL)
    if victim != "caller":
        assert one.process.wait(GONE_DEADLINE_S) == 128 + signal.SIGKILL
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one, namespaces)
    assert interfaces() == before


@pytest.mark.parametrize("stage", ["supervisor", "init", "lab"])
@pytest.mark.parametrize("victim", ["caller", "supervisor", "init"])
def test_killing_anybody_as_soon_as_somebody_exists(
    caller: Callable[..., Caller], victim: str, stage: str
) -> None:
    one = caller(scenario="linger")
    targets: list[int] = []

    def found() -> bool:
        if one.member(stage) is not None and (target := one.member(victim)) is not None:
            targets.append(target)
        return bool(targets)

    wait_until(found, f"no {stage}, no {victim}")
    os.kill(targets[0], signal.SIGKILL)
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


@pytest.mark.parametrize("after_ms", range(0, 400, 25))
def test_killing_the_caller_after_any_time(caller: Callable[..., Caller], after_ms: int) -> None:
    one = caller(scenario="linger")
    with contextlib.suppress(subprocess.TimeoutExpired):
        one.process.wait(after_ms / 1000)
    one.process.kill()
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


def test_a_stopped_lab_dies_with_its_caller(caller: Callable[..., Caller]) -> None:
    one = caller(scenario="linger")
    list(zip(range(2), one.lines, strict=False))
    lab = one.member("lab")
    assert lab is not None
    os.kill(lab, signal.SIGSTOP)
    one.process.kill()
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


def test_a_supervisor_whose_caller_is_gone_starts_nothing() -> None:
    """The order names a process that is not the parent: what a late supervisor finds."""
    order = json.dumps({"caller": 1, "command": ["/bin/echo", "started"]})
    argv = [sys.executable, "-I", "-S", supervisor.__file__, order]
    done = subprocess.run(argv, capture_output=True, timeout=GONE_DEADLINE_S, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_identity_map_keeps_the_ranges_of_the_parent() -> None:
    assert supervisor.identity_map("         0          0 4294967295\n") == "0 0 4294967295\n"
    rootless = "         0       1000          1\n         1     100000      65536\n"
    assert supervisor.identity_map(rootless) == "0 0 1\n1 1 65536\n"


def test_exit_status_of_a_signal_is_what_a_shell_says() -> None:
    assert supervisor.exit_status(3 << 8) == 3
    assert supervisor.exit_status(signal.SIGKILL) == 137


def test_a_refusal_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert supervisor.refuse(supervisor.Refused("map", 1)) == 4
    assert json.loads(capfd.readouterr().out) == {"refused": "map", "errno": 1}


def test_a_lab_may_run_inside_a_lab(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"])
    assert result["status"] == 0
    assert result["found"]["processes"] == [1, 2]


def test_root_goes_on_where_there_are_no_user_namespaces(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"], limits={"max_user_namespaces": 0})
    assert result["status"] == 0
    assert result["found"]["processes"] == [1, 2]


def test_a_refusing_kernel_is_a_machine_error_with_a_remedy(inside: Callable[..., Any]) -> None:
    limits = {"max_user_namespaces": 0, "max_net_namespaces": 0}
    result = inside("nested", modules=["inner_network"], limits=limits)
    assert result["lacks"].startswith("the kernel refused new user, mount, PID and network names")
    assert "sysctl -w user.max_user_namespaces=15000" in result["lacks"]


def test_a_machine_that_hides_parts_of_proc_still_runs_labs(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"], mask="/proc/irq")
    assert result["status"] == 0
    assert result["found"]["parent"] == 1
    assert len(result["found"]["processes"]) > 2, "the outer /proc, for want of an own"
