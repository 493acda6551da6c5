"""Answers of agents that are stopped while they are waited for."""

from pathlib import Path

import pytest

from mpwire.lab.patience import came_in_time
from mpwire.sim import RunRequest, run_on_fabric
from mpwire.sim.loop import VirtualLoop

FROZEN_FOR_LONG = """\
about: A fault stops the root for longer than anybody waits for an answer.
hosts: [root, leaf1]
faults: [freeze root after every message for 100 s]
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf1 joins R with L1
  - L1 sees FD_CONNECT WSAETIMEDOUT
  - root closes R
"""


@pytest.mark.parametrize(
    ("answers_s", "stopped", "came"),
    [
        (1.9, {}, True),
        (2.1, {}, False),
        (11.9, {0.0: 10.0}, True),
        (12.1, {0.0: 10.0}, False),
        (11.9, {1.0: 10.0}, True),
        (21.9, {1.0: 10.0, 9.0: 20.0}, True),
        (22.1, {1.0: 10.0, 9.0: 20.0}, False),
    ],
    ids=["soon", "late", "thawed", "thawed, late", "stopped then", "stopped again", "and late"],
)
def test_patience_begins_when_nothing_stops_the_agent_any_more(
    answers_s: float, stopped: dict[float, float], came: bool
) -> None:
    """`stopped`: at which times it is stopped, and until when."""
    loop = VirtualLoop()

    def thaws_s() -> float:
        return max((until for at, until in stopped.items() if at <= loop.time()), default=0.0)

    async def wait() -> bool:
        answer = loop.create_future()
        loop.call_at(answers_s, answer.set_result, None)
        return await came_in_time(answer, 2.0, thaws_s)

    try:
        assert loop.run_until_complete(wait()) is came
    finally:
        loop.close()


def test_an_agent_that_a_fault_stops_for_long_is_waited_for(tmp_path: Path) -> None:
    bed = tmp_path / "bed.yaml"
    bed.write_text(FROZEN_FOR_LONG, "utf-8")
    assert run_on_fabric(bed, tmp_path / "out", RunRequest(fabric="sim")).failure is None
