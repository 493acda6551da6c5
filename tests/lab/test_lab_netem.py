"""Delays on the fabric bridge: by the kernel's netem where it has one, else by gates of ours."""

from pathlib import Path
from typing import Final, Literal

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import Counters, Decision
from mpwire.capture.runfile import RunFile
from mpwire.lab.session import run_testbed
from mpwire.lab.sight import sighting
from mpwire.lab.switch import FOR_THE_SWITCH
from mpwire.oracle import judge
from mpwire.vocabulary import Verdict
from tests.conftest import SKIP, carriers

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("bridge")]

DISTANCE = Path(__file__).parents[2] / "testbeds" / "fault-distance.yaml"
MS: Final = 1_000_000
LATE: Final = "hold every message from root to leaf1 for 30 ms"
LAN = f"""
about: A root far from one of two leaves.
networks:
  lan: {{family: %s}}
hosts: [root, leaf1, leaf2]
timers: {{scale: 0.2}}
faults: ["{LATE}"]
script:
  - root opens R as c_root/d_root of protocol MPW_ROOTED_ASM
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf of protocol MPW_ROOTED_ASM
  - leaf2 opens L2 as c_leaf/d_leaf of protocol MPW_ROOTED_ASM
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf2 joins R with L2
  - root accepts leaf2 on R as P2
  - L2 sees FD_CONNECT
  - everything settles
  - root sends "to all" on R
  - everything settles
  - leaf1 receives "to all" on L1
  - leaf2 receives "to all" on L2
  - root closes R
  - L1 sees FD_CLOSE
  - L2 sees FD_CLOSE
  - everything settles
"""


def held(run: RunFile) -> dict[tuple[str, str], set[float]]:
    """Tell by cause and receiver how long messages took, in milliseconds."""
    by_number = {frame.number: frame for frame in run.frames}
    found: dict[tuple[str, str], set[float]] = {}
    for one in run.of(Decision):
        if one.delivered is None or not sighting(by_number[one.frame].data).message:
            continue
        took_ns = by_number[one.delivered].time_ns - by_number[one.frame].time_ns
        cause = (one.reason or "").removeprefix("impaired: ")
        found.setdefault((cause, one.receiver), set()).add(took_ns / MS)
    return found


@pytest.mark.parametrize(
    "text",
    [DISTANCE.read_text("utf-8"), LAN % "inet", LAN % "inet6"],
    ids=["routed", "inet", "inet6"],
)
def test_messages_take_their_time_and_the_record_says_why(tmp_path: Path, text: str) -> None:
    path = tmp_path / "far.yaml"
    path.write_text(text, "utf-8")
    run = open_run(run_testbed(path, tmp_path / "runs", fabric="bridge").run_file)
    judgement = judge(run)
    assert (judgement.incomplete, judgement.stopped) == ([], [])
    assert judgement.verdict is Verdict.PASS
    assert run.run is not None
    assert run.run.decided_by == ("gates" if carriers()["netem"] else "netem")
    took = held(run)
    for (cause, receiver), times in took.items():
        if cause:
            least_ms = float(cause.split()[-2])
            assert min(times) >= least_ms, (cause, receiver)
    assert {cause for cause, _ in took if cause} == set(run.run.faults)
    lost = [one.interface["port_tx_dropped"] for one in run.of(Counters)]
    assert sum(lost) == 0


@pytest.mark.parametrize("fabric", ["switch", "bridge"])
def test_hosts_are_not_asked_again_and_again_while_messages_are_held(
    tmp_path: Path, fabric: Literal["switch", "bridge"]
) -> None:
    """Hold the answers, too: whoever waits for silence has nothing to ask until they arrive."""
    path = tmp_path / "far.yaml"
    far = (LAN % "inet").replace(LATE, "hold every message for 300 ms").replace("0.2", "1")
    path.write_text(far, "utf-8")
    run = open_run(run_testbed(path, tmp_path / "runs", fabric=fabric).run_file)
    assert judge(run).verdict is Verdict.PASS
    answers = [one for one in run.of(Decision) if one.reason == FOR_THE_SWITCH]
    assert len(answers) < 150, "a round for every turn of the loop takes a thousand"


def test_netem_holds_back_what_it_is_to_and_nothing_else(tmp_path: Path) -> None:
    """Run it where no gates could have done it."""
    if reason := carriers()["netem"]:
        pytest.skip(SKIP + reason)
    path = tmp_path / "far.yaml"
    path.write_text(LAN % "inet", "utf-8")
    run = open_run(run_testbed(path, tmp_path / "runs", fabric="bridge").run_file)
    times = held(run)
    assert len(times[LATE, "leaf1"]) > 3
    assert times.keys() - {(LATE, "leaf1")} == {("", "root"), ("", "leaf2")}
    assert max(min(times["", host]) for host in ("root", "leaf2")) < min(times[LATE, "leaf1"])
