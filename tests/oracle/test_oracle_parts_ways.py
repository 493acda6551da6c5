"""Judge in parts what came over bridges and routers, and find the same as in one piece."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.passing import seen_from_hosts
from mpwire.capture.records import Decision
from mpwire.lab import testbed as testbeds
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.library import simulated
from tests.oracle.oracle_churn import churn
from tests.oracle.oracle_cuts import on_bridge
from tests.oracle.oracle_routed import over_router
from tests.oracle.oracle_story import record
from tests.oracle.test_oracle_parts import EDITS, PARTS, ROUNDS, WHOLE, numbers_held

Way = Callable[[RunFile, Path], RunFile]


def bridged(run: RunFile, folder: Path) -> RunFile:
    """Let nobody decide."""
    return on_bridge(run, folder / "bridged.pcapng")


def routed(run: RunFile, folder: Path) -> RunFile:
    """Put a router between the hosts."""
    return over_router(run, folder / "routed.pcapng")


def routed_on_bridges(run: RunFile, folder: Path) -> RunFile:
    """Put a router between the hosts, which are on bridges."""
    return bridged(routed(run, folder), folder)


WAYS = (bridged, routed, routed_on_bridges)
SEEDS = range(4)
ROUTED = [path for path in simulated() if path.stem.startswith("routed-")]


@pytest.mark.parametrize("way", WAYS)
def test_whatever_carried_it_a_run_is_judged_in_parts(way: Way, tmp_path: Path) -> None:
    run = way(open_run(record(churn(ROUNDS), tmp_path)), tmp_path)
    held = numbers_held(run, PARTS)
    assert sum(after < before for before, after in pairwise(held)) > ROUNDS / 3
    found = judge(run, PARTS)
    assert found.to_json() == judge(run, WHOLE).to_json()
    assert (found.verdict, found.incomplete) == (Verdict.PASS, [])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_on_any_way_is_judged_alike(
    way: Way, seed: int, tmp_path: Path
) -> None:
    random = Random(seed)
    moves = list(churn(ROUNDS))
    for _ in range(1 + seed % 3):
        moves = random.choice(EDITS)(moves, random)
    run = way(open_run(record(moves, tmp_path)), tmp_path)
    assert judge(run, PARTS).to_json() == judge(run, WHOLE).to_json()


@pytest.mark.parametrize("path", ROUTED, ids=[path.stem for path in ROUTED])
def test_routed_testbeds_are_judged_alike(path: Path, tmp_path: Path) -> None:
    """Look very often for what is settled; nothing about their ways is unclear."""
    run_simulated(testbeds.load(path), tmp_path)
    run = open_run(tmp_path)
    impatient = replace(PARTS, held=40, quiet=0.1)
    assert any(isinstance(item, Decision) for _, item in seen_from_hosts(run))
    assert judge(run, impatient).to_json() == judge(run, WHOLE).to_json()
