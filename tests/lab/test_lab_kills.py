"""Fifty kills at moments drawn with a seed: of the caller, the supervisor and the lab in turn."""

import os
import random
import select
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mpwire.capture import open_run
from mpwire.errors import InputError
from mpwire.lab import testbed
from mpwire.lab.plan import Order
from tests.conftest import carriers
from tests.lab.killing import (
    GONE_DEADLINE_S,
    Caller,
    assert_nothing_left,
    interfaces,
    kept_namespaces,
    mounts,
    wait_until,
)

pytestmark = pytest.mark.lab

AGENT = Path(__file__).with_name("scripted_agent.py")
KILLS = 50
ROUNDS = 5
"""The kills are so many tests, so that several processes can share them."""
BED = """\
about: Everything that a lab has to put right in the end.
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 freezes
  - root loses its interface
  - everything settles
  - root regains its interface
  - leaf1 thaws
  - the network cuts off leaf1
  - leaf1 crashes
  - leaf1 restarts
  - everything settles
"""
LONGEST_S = 0.4
"""From the caller's start until there is a lab, when the machine has time."""
RECORDED = {"run.pcapng", "run.journal"}


GATED = 'faults: ["drop the first ACCEPT"]\n'
"""Makes a bridge have gates."""
Way = tuple[dict[str, Any], str]
PLAIN: Way = ({}, "")
WAYS: tuple[Way, ...] = (
    PLAIN,
    ({"carrier": "veth"}, ""),
    ({"fabric": "bridge"}, ""),
    ({"fabric": "bridge"}, GATED),
)
"""Of making hosts, in turn: what is ordered, and what the testbed has besides."""


def order(folder: Path, way: Way) -> object:
    """Order a lab with agents that start at once, as they have no network."""
    silent = {"default": (sys.executable, "-I", "-S", str(AGENT), "{}")}
    ordered, more = way
    plan = testbed.parse(BED + more, folder / "bed.yaml", silent)
    return msgspec.to_builtins(Order(plan=plan, folder=str(folder), watched=True, **ordered))


def read_lines(one: Caller, count: int) -> int:
    """Read so many lines, or all there are; return how many there were."""
    return sum(1 for _ in zip(range(count), one.lines, strict=False))


def kill(one: Caller, victim: str) -> None:
    """Kill somebody as soon as there is such a process, unless all have ended before."""
    targets: list[int] = []

    def found() -> bool:
        target = one.member(victim)
        targets.extend([] if target is None else [target])
        return bool(targets) or one.process.poll() is not None

    wait_until(found, f"no {victim}")
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_kill_at_any_moment_leaves_nothing(inside: object, tmp_path: Path, turn: int) -> None:
    """Draw a line of progress and a moment after it; what was recorded until then can be read."""
    assert inside, "labs can run here"
    draw = random.Random(turn)
    way = WAYS[turn % len(WAYS)]
    if any(carriers().get(name) for name in way[0].values()):
        way = PLAIN  # this machine cannot make such hosts
    before = interfaces(), mounts()
    runs, temporary = tmp_path / "runs", tmp_path / "temporary"
    runs.mkdir()
    temporary.mkdir()
    with closing(Caller(order(_new(runs, 0), way), temporary, "mpwire.lab.inner")) as whole:
        line_count = read_lines(whole, sys.maxsize)
        assert whole.process.wait(GONE_DEADLINE_S) == 0
    for number in range(1, KILLS // ROUNDS + 1):
        victim = ("caller", "supervisor", "lab")[number % 3]
        folder = _new(runs, number)
        lines = draw.randrange(line_count + 1)
        pause_s = draw.uniform(0, LONGEST_S if lines == 0 else LONGEST_S / 20)
        told = f"turn {turn}, {way}, kill {number}: {victim} {pause_s:.3f} s after line {lines}"
        with closing(Caller(order(folder, way), temporary, "mpwire.lab.inner")) as one:
            read_lines(one, lines)
            select.select([], [], [], pause_s)
            with kept_namespaces(one.family()) as namespaces:
                kill(one, victim)
                one.process.wait(GONE_DEADLINE_S)
                assert_nothing_left(one, namespaces)
        assert {path.name for path in folder.iterdir()} <= RECORDED, told
        wait_until(lambda: (interfaces(), mounts()) == before, f"{told}: interfaces or mounts")
        _read(folder, told)


def _new(runs: Path, number: int) -> Path:
    folder = runs / f"run-{number}"
    folder.mkdir()
    return folder


def _read(folder: Path, told: str) -> None:
    """Read what a run has left, if it has come to write anything."""
    if (folder / "run.pcapng").exists() and (folder / "run.pcapng").stat().st_size:
        try:
            open_run(folder)
        except InputError as error:
            raise AssertionError(told) from error
