"""How a run ends when an agent does not let it: one that hangs after Ctrl-C, one that floods."""

import asyncio
import signal
import time
from typing import Any

import pytest

from mpwire.lab.progress import AnyProgress, StepChanged
from mpwire.lab.runner import ENDING, Runner
from mpwire.lab.stage import ANSWER_PATIENCE_S
from tests.lab.plays import OK, Play

BED = "about: test\nhosts: [root, leaf1]\nscript:\n  - root opens R as c_root/d_root\n"
GARBAGE = "leaf1 broke the agent contract (JSON is malformed: invalid character (byte 0)): garbage"


@pytest.mark.parametrize("interrupted", ["everything settles", ENDING])
@pytest.mark.parametrize(
    "rules",
    [{"barrier": [[], []]}, {"exit": [[{"hang": True}]]}, {"exit": [[OK, {"hang": True}]]}],
)
def test_an_interrupt_does_not_wait_for_an_agent_that_hangs(
    play: Play, interrupted: str, rules: dict[str, Any]
) -> None:
    def meddle(runner: Runner, line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and (line.text, line.state) == (interrupted, "started"):
            asyncio.get_running_loop().call_soon(runner.interrupt)
            asyncio.get_running_loop().call_soon(runner.interrupt)

    text = BED if interrupted == ENDING else f"{BED}  - {interrupted}\n"
    begun_s = time.monotonic()
    played = play(text, meddle=meddle, leaf1=rules)
    assert time.monotonic() - begun_s < ANSWER_PATIENCE_S / 2
    assert (played.failure.kind, played.failure.reason) == ("interrupted", "interrupted")
    assert played.failure.text == interrupted
    assert {reason for _, state, reason in played.steps() if state == "failed"} == {"interrupted"}
    exits = {one.host: (one.status, one.expected) for one in played.of("agent_exit")}
    assert exits == {"root": (0, True), "leaf1": (-signal.SIGKILL, True)}
    assert played.of("counters"), "the ending was skipped"
    assert played.run.incomplete == []


def test_a_flooding_agent_ends_the_script_and_does_not_fill_the_record(play: Play) -> None:
    begun_s = time.monotonic()
    played = play(BED, agents={"leaf1": ["yes", "garbage"]})
    assert time.monotonic() - begun_s < ANSWER_PATIENCE_S / 2
    assert (played.failure.line, played.failure.reason) == (0, GARBAGE)
    said = [reason for _, state, reason in played.steps() if state == "failed"]
    assert said == [GARBAGE, f"{GARBAGE}; what it printed after that was not read"]
    assert len([one for one in played.of("agent_line") if one.host == "leaf1"]) == 1
    exits = {one.host: (one.status, one.expected) for one in played.of("agent_exit")}
    assert exits["leaf1"] == (-signal.SIGKILL, False)
    assert played.run.incomplete == []
