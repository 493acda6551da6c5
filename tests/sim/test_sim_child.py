"""Labs that go step by step: in a process that simulates, and in namespaces, from one file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import open_run
from mpwire.capture.records import Step
from mpwire.lab import testbed
from mpwire.lab.conversation import LiveLab
from mpwire.lab.launch import LabError, launch
from mpwire.lab.mishaps import Crash
from mpwire.lab.plan import Order, Plan
from mpwire.lab.progress import (
    AnyProgress,
    Ended,
    EventReported,
    FrameSeen,
    SocketMade,
    StepChanged,
)
from mpwire.lab.steps import Settle
from mpwire.report import assess
from mpwire.sim.child import SimChild
from mpwire.vocabulary import Verdict

TOUR = Path(__file__).parents[2] / "testbeds" / "rooted-lan.yaml"
Begin = Callable[[Order], LiveLab]


@pytest.fixture(scope="module")
def child() -> Iterator[SimChild]:
    """Keep one process for all of these."""
    child = SimChild()
    yield child
    child.close()


@pytest.fixture(params=["sim", pytest.param("switch", marks=pytest.mark.lab)])
def begin(request: pytest.FixtureRequest, child: SimChild) -> Begin:
    """Start labs on either fabric."""

    def begun(order: Order) -> LiveLab:
        if request.param == "sim":
            return LiveLab(child.begin(order), Path(order.folder))
        return LiveLab(launch(msgspec.to_builtins(order), listens=True), Path(order.folder))

    return begun


def order(folder: Path, plan: Plan | None = None) -> Order:
    return Order(plan=plan or testbed.load(TOUR), folder=str(folder), live=True)


def test_steps_that_are_asked_for_are_a_run_as_any_other(begin: Begin, tmp_path: Path) -> None:
    asked = order(tmp_path)
    with begin(asked) as lab:
        assert lab.begin() is None
        assert [lab.perform(step).failed for step in asked.plan.script] == [None] * len(
            asked.plan.script
        )
        assert lab.events("P1") == ("FD_CLOSE",)
        outcome = lab.finish()
    assert (outcome.failure, outcome.folder) == (None, tmp_path)
    run = open_run(outcome.run_file)
    assert run.incomplete == []
    assert run.run is not None
    assert run.run.fabric == outcome.fabric
    assert assess(run).verdict is Verdict.PASS
    done = [one.line for one in run.of(Step) if one.state == "done" and one.line]
    assert done == [step.line for step in asked.plan.script]


def test_a_step_that_fails_says_so_and_others_can_follow(begin: Begin, tmp_path: Path) -> None:
    asked = order(tmp_path, testbed.load(TOUR, scale=0.02))
    with begin(asked) as lab:
        lab.begin()
        closing = next(step for step in asked.plan.script if step.text == "P1 sees FD_CLOSE")
        for step in asked.plan.script[:10]:
            assert lab.perform(step).failed is None
        failed = lab.perform(closing).failed
        assert failed is not None
        assert (failed.line, failed.kind) == (closing.line, "failed")
        assert failed.reason == "expected FD_CLOSE on P1, seen nothing"
        assert lab.perform(Settle(line=1, column=1, text="everything settles")).failed is None
        outcome = lab.finish()
    assert outcome.failure is None
    assert assess(open_run(outcome.run_file)).verdict is Verdict.FAIL


def test_what_was_received_is_told(begin: Begin, tmp_path: Path) -> None:
    text = TOUR.read_text("utf-8").replace(
        'leaf1 receives "hello, leaves"', "leaf1 receives something"
    )
    plan = testbed.parse(text, tmp_path / "some.yaml", {})
    with begin(order(tmp_path, plan)) as lab:
        lab.begin()
        told = {step.text: lab.perform(step) for step in plan.script}
        lab.finish()
    assert told["leaf1 receives something on L1"].received == b"hello, leaves".hex()
    assert told['leaf3 receives "hello, leaves" on L3'].received == b"hello, leaves".hex()
    assert told["root listens on R"].received is None


@pytest.mark.lab
def test_agents_in_namespaces_are_processes(tmp_path: Path) -> None:
    with LiveLab(launch(msgspec.to_builtins(order(tmp_path)), listens=True), tmp_path) as lab:
        lab.begin()
        pids = lab.processes()
    assert sorted(pids) == ["leaf1", "leaf2", "leaf3", "root"]
    assert len(set(pids.values())) == 4


def test_simulated_agents_are_no_processes(child: SimChild, tmp_path: Path) -> None:
    with LiveLab(child.begin(order(tmp_path)), tmp_path) as lab:
        lab.begin()
        assert lab.processes() == {}
        lab.finish()


def test_whoever_watches_sees_frames_and_sockets(child: SimChild, tmp_path: Path) -> None:
    told: list[AnyProgress] = []
    asked = msgspec.structs.replace(order(tmp_path), watched=True)
    with LiveLab(child.begin(asked), tmp_path, told.append) as lab:
        lab.begin()
        for step in asked.plan.script[:6]:
            lab.perform(step)
        lab.finish()
    assert [one.name for one in told if isinstance(one, SocketMade)] == ["R", "L1", "L2", "L3"]
    assert {FrameSeen, EventReported, StepChanged, Ended} <= {type(one) for one in told}


def test_a_lab_whose_agents_are_of_no_use_ends_by_itself(tmp_path: Path) -> None:
    """Let the beginning fail; what is asked after that is refused, and there is a record."""
    child = SimChild()
    plan = testbed.load(TOUR)
    asked = order(tmp_path, msgspec.structs.replace(plan, requires=("fly",)))
    with LiveLab(child.begin(asked), tmp_path) as lab:
        failed = lab.begin()
        assert failed is not None
        assert failed.reason == "unsupported: fly by root"
        with pytest.raises(LabError, match="the lab has ended"):
            lab.perform(plan.script[0])
        assert lab.finish().failure == failed
    assert child.alive
    child.close()


def test_a_run_that_is_left_takes_its_process_along(tmp_path: Path) -> None:
    child = SimChild()
    with LiveLab(child.begin(order(tmp_path)), tmp_path) as lab:
        lab.begin()
    assert not child.alive
    with pytest.raises(LabError, match="closed"):
        lab.perform(testbed.load(TOUR).script[0])


def test_a_process_that_died_is_told_and_what_it_recorded_is_named(tmp_path: Path) -> None:
    child = SimChild()
    with LiveLab(child.begin(order(tmp_path)), tmp_path) as lab:
        lab.begin()
        os.kill(child.pid, 9)
        with pytest.raises(LabError, match=f"what it recorded is in {tmp_path}"):
            lab.perform(Crash(line=1, column=1, text="leaf1 crashes", host="leaf1"))
    assert not child.alive


def test_a_script_is_played_where_nobody_asks(child: SimChild, tmp_path: Path) -> None:
    asked = msgspec.structs.replace(order(tmp_path), live=False)
    with LiveLab(child.begin(asked), tmp_path) as lab:
        outcome = lab.wait()
    assert (outcome.failure, outcome.fabric) == (None, "sim")
    assert child.alive
