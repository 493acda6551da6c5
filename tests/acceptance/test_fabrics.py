"""The same on every fabric: a handful of testbeds that differ most, and what only one can do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import Counters, Decision
from mpwire.lab.session import run_testbed
from mpwire.oracle import judge
from mpwire.vocabulary import Verdict

ROOT = Path(__file__).parents[2]
HANDFUL = ("rooted-lan", "rooted-ssm", "conference-asm", "open-lan", "join-glare", "end-interface")
ROUTED = """\
about: A root, and leaves on two other networks.
networks:
  north: {family: both}
  middle: {family: both}
  south: {family: inet, mtu: 1280}
hosts: {root: north, leaf1: middle, leaf2: south}
routers:
  edge: [north, middle]
  core: [middle, south]
timers: {scale: 0.1}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf2 opens L2 as c_leaf/d_leaf
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - R sees FD_WRITE
  - leaf2 joins R with L2
  - root accepts leaf2 on R as P2
  - L2 sees FD_CONNECT
  - everything settles
  - root sends "far" on R
  - leaf1 receives "far" on L1
  - leaf2 receives "far" on L2
  - root closes R
  - L1 sees FD_CLOSE
  - L2 sees FD_CLOSE
"""
pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("bridge")]


def test_the_fabrics_agree(tmp_path: Path) -> None:
    """Run a handful on all three, one with aimed faults besides."""
    paths = [str(ROOT / "testbeds" / f"{name}.yaml") for name in (*HANDFUL, "fault-losses")]
    done = subprocess.run(
        [sys.executable, "-m", "mpwire", "run", "--fabric", "all", "--json", *paths],
        capture_output=True,
        cwd=tmp_path,
        timeout=300,
        check=False,
    )
    document = json.loads(done.stdout)
    found = {Path(one["testbed"]).stem: one for one in document["testbeds"]}
    assert {name: one["difference"] for name, one in found.items()} == dict.fromkeys(found)
    verdicts = {name: [run["verdict"] for run in one["runs"]] for name, one in found.items()}
    assert verdicts == dict.fromkeys(found, ["PASS"] * 3)
    assert done.returncode == 0


def test_faults_act_behind_a_bridge_that_knows_who_is_in_a_group(tmp_path: Path) -> None:
    """Lose data that the kernel passed on, to members only, and have it repaired."""
    path = ROOT / "testbeds" / "rooted-snooping.yaml"
    faults = ["drop the first DATA from root to leaf1", "duplicate every CLOSE"]
    outcome = run_testbed(path, tmp_path / "runs", fabric="bridge", faults=faults)
    run = open_run(outcome.run_file)
    assert (outcome.failure, judge(run).verdict) == (None, Verdict.PASS)
    assert run.run is not None
    assert run.run.decided_by == "gates"
    data = {frame.number for frame in run.frames if frame.data[0] & 1 and b"for one" in frame.data}
    fates = [(one.receiver, one.reason) for one in run.of(Decision) if one.frame in data]
    assert fates == [("leaf1", f"impaired: {faults[0]}")], "nobody else is a member"


def test_a_routed_session_passes_on_a_bridge_for_each_network(tmp_path: Path) -> None:
    path = tmp_path / "routed.yaml"
    path.write_text(ROUTED, "utf-8")
    outcome = run_testbed(path, tmp_path / "runs", fabric="bridge")
    assert (outcome.fabric, outcome.failure) == ("bridge", None)
    run = open_run(outcome.run_file)
    judgement = judge(run)
    assert judgement.incomplete == []
    assert judgement.verdict is Verdict.PASS
    assert not run.of(Decision)
    assert {one.host for one in run.of(Counters)} == {
        *("root", "leaf1", "leaf2"),
        *("edge.north", "edge.middle", "core.middle", "core.south"),
    }


def test_routers_on_bridges_forward_data_of_groups(tmp_path: Path) -> None:
    """See at the farthest host what was sent to the group, and not only what was repaired."""
    path = ROOT / "testbeds" / "routed-multicast.yaml"
    outcome = run_testbed(path, tmp_path / "runs", fabric="bridge")
    assert outcome.failure is None
    run = open_run(outcome.run_file)
    assert judge(run).verdict is Verdict.PASS
    to_group = [
        frame for frame in run.frames if frame.data[0] & 1 and b"to everybody" in frame.data
    ]
    assert {frame.vantage for frame in to_group if frame.direction == "in"} >= {"leaf1", "leaf2"}
