"""A loss at each place where something can get lost: the verdict says so, and where; never FAIL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import PORT_DOWN, Counters, Decision
from mpwire.lab import testbed
from mpwire.oracle import Judgement, judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_gates"]

SETTLED = "everything settles"
FROZEN = "leaf1 freezes"
LOSSES = [
    ("receive_buffer", FROZEN, "leaf1: UDP counter RcvbufErrors is "),
    ("wrong_checksum", SETTLED, "leaf1: UDP counter InCsumErrors is 1"),
    ("strange_protocol", SETTLED, "leaf1: interface counter rx_dropped is 1"),
    ("no_echo", SETTLED, "leaf2: no sentinel at the end"),
    ("undecided_delivery", SETTLED, "delivered, but by no decision of the fabric"),
    ("lost_decision", SETTLED, "no decision of the fabric"),
]
DROPPED = "leaf2: the capture dropped "
OVERFLOW = {"tap": "leaf2: interface counter tx_dropped is ", "veth": DROPPED, "gates": DROPPED}

BED = """
about: Something gets lost on the way.
networks: {lan: {family: inet}}
hosts: [root, leaf1, leaf2]
seed: 11
timers: {scale: 0.05}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf on port 4000
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - everything settles
  - leaf1 freezes
  - root sends "one" on R
  - leaf1 thaws
  - leaf1 receives "one" on L1
  - root closes R
  - L1 sees FD_CLOSE
"""
UNREPAIRED = """
about: What a group misses nobody repairs.
networks: {lan: {family: inet}}
hosts: [root, leaf1, leaf2]
seed: 11
timers: {scale: 0.05}
script:
  - root opens R as c_leaf/d_leaf of protocol MPW_OPEN
  - leaf1 opens L1 as c_leaf/d_leaf of protocol MPW_OPEN
  - root joins group 239.77.0.1 with R
  - leaf1 joins group 239.77.0.1 with L1
  - R sees FD_CONNECT
  - L1 sees FD_CONNECT
  - everything settles
  - leaf1 freezes
  - root sends "one" on R
  - leaf1 thaws
  - everything settles
"""
HELD = """
about: What is on its way to an interface finds it gone.
networks: {lan: {family: inet}}
hosts: [root, leaf1, leaf2]
seed: 11
timers: {scale: 0.05}
faults:
  - hold the 1st DATA from root to leaf1 for 1 s
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf2 opens L2 as c_leaf/d_leaf
  - leaf2 joins R with L2
  - root accepts leaf2 on R as P2
  - L2 sees FD_CONNECT
  - everything settles
  - root sends "one" on R
  - leaf2 receives "one" on L2
  - leaf1 loses its interface
  - L1 sees FD_CLOSE WSAENETDOWN
  - P1 sees FD_CLOSE WSAECONNABORTED
  - leaf1 regains its interface
"""
"""Where leaf2 has it, the message to leaf1 is held: it was sent first."""


@pytest.fixture
def judged(inside: Run, attached: str, tmp_path: Path) -> Callable[..., Judgement]:
    """Run a testbed with a loss and judge what is on record."""

    def judged(loss: str, after: str, bed: str = BED, **spec: object) -> Judgement:
        tmp_path.chmod(0o777)
        folder = str(tmp_path)
        spec |= {"loss": loss, "after": after, "bed": bed, "folder": folder, "carrier": attached}
        inside("losing", modules=MODULES, **spec)
        return judge(open_run(tmp_path))

    return judged


def failures(judgement: Judgement) -> list[str]:
    """List the findings that fail, in words."""
    return [f"{f.rule}: {f.reason}" for f in judgement.findings if f.verdict is Verdict.FAIL]


@pytest.mark.parametrize("bed", [BED, UNREPAIRED])
def test_a_run_that_loses_nothing_passes(judged: Callable[..., Judgement], bed: str) -> None:
    judgement = judged("nothing", SETTLED, bed)
    assert judgement.verdict is Verdict.PASS, (judgement.incomplete, judgement.stopped)


@pytest.mark.parametrize(("loss", "after", "place"), LOSSES)
def test_a_loss_makes_the_run_inconclusive_and_is_named(
    judged: Callable[..., Judgement], loss: str, after: str, place: str
) -> None:
    judgement = judged(loss, after, deadline_s=1.0 if loss == "no_echo" else 10.0)
    assert failures(judgement) == []
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any(place in reason for reason in judgement.incomplete), judgement.incomplete


def test_frames_beyond_every_queue_are_missed(
    judged: Callable[..., Judgement], attached: str
) -> None:
    judgement = judged("queue_overflow", SETTLED)
    assert failures(judgement) == []
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any(OVERFLOW[attached] in reason for reason in judgement.incomplete)


def test_what_a_full_buffer_swallowed_is_held_against_nobody(
    judged: Callable[..., Judgement],
) -> None:
    """Deliver a message, as the wire shows, that its receiver never gets: EV26 must not fail."""
    judgement = judged("group_buffer", FROZEN, UNREPAIRED)
    assert failures(judgement) == []
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any("leaf1: UDP counter RcvbufErrors" in reason for reason in judgement.incomplete)
    assert judgement.rule("EV26").undecided


def test_what_meets_an_interface_that_the_script_took_down_is_no_loss(
    judged: Callable[..., Judgement], attached: str, tmp_path: Path
) -> None:
    judgement = judged("nothing", SETTLED, HELD)
    assert judgement.verdict is Verdict.PASS, (judgement.incomplete, judgement.stopped)
    run = open_run(tmp_path)
    refused = [one for one in run.of(Decision) if one.reason == PORT_DOWN]
    (counters,) = [one for one in run.of(Counters) if one.host == "leaf1"]
    assert len(refused) == 1
    assert counters.interface["rx_dropped"] == (1 if attached == "tap" else 0)


def test_a_simulated_interface_is_no_other(tmp_path: Path) -> None:
    plan = testbed.parse(HELD, tmp_path / "held.yaml", {})
    run = open_run(run_simulated(plan, tmp_path).run_file)
    assert judge(run).verdict is Verdict.PASS
    assert [one.receiver for one in run.of(Decision) if one.reason == PORT_DOWN] == ["leaf1"]
    assert [one.interface["rx_dropped"] for one in run.of(Counters)] == [0, 1, 0]


def test_an_interface_that_goes_explains_what_it_drops_and_nothing_else(
    inside: Run, attached: str
) -> None:
    told = inside("outage", modules=MODULES, carrier=attached, hosts=2, burst=300, times=40)
    assert told["refused"] >= 40, "each outage refuses a datagram, and perhaps what it answers"
    assert told["interface"]["rx_dropped"] == (told["refused"] if attached == "tap" else 0)
    assert sum(told["outages"]) == told["interface"]["tx_dropped"]
    assert attached != "tap" or told["outages"], "no frame was caught in forty outages"


def test_what_a_kernel_says_while_its_interface_is_down_is_explained(
    inside: Run, attached: str
) -> None:
    told = inside("leaving", modules=MODULES, carrier=attached, hosts=2)
    assert told["interface"]["tx_dropped"] > 0
    assert sum(told["outages"]) == told["interface"]["tx_dropped"]


@pytest.mark.usefixtures("bridge")
def test_gates_that_cannot_start_leave_nothing_open(inside: Run) -> None:
    told = inside("full_at_once", modules=MODULES)
    assert told == {"said": "[Errno 28] No space left on device", "left": 0}
