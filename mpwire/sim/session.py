"""Run a testbed on the fabric that was asked for: in the simulation, or in namespaces."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from mpwire.capture import RunWriter
from mpwire.errors import BrokenRunError, MachineError
from mpwire.lab import testbed
from mpwire.lab.completion import complete
from mpwire.lab.interrupts import Stop, first_interrupt
from mpwire.lab.plan import Plan
from mpwire.lab.progress import Failure
from mpwire.lab.runner import REFERENCE_AGENT, Runner
from mpwire.lab.session import OnProgress, RunOutcome, run_folder, run_testbed
from mpwire.lab.vantages import vantages
from mpwire.sim.fabric import SimFabric
from mpwire.sim.loop import VirtualLoop

FabricName = Literal["auto", "switch", "sim", "bridge"]


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for besides the testbed: see `mpwire.lab.session.run_testbed`."""

    fabric: FabricName = "auto"
    """auto: in namespaces where that is possible, else in the simulation."""
    carrier: Literal["tap", "veth"] | None = None
    agents: Mapping[str, Sequence[str]] | None = None
    scale: float | None = None
    seed: int | None = None
    faults: Sequence[str] = ()
    command: Sequence[str] | None = None
    stop: Stop | None = None


def run_on_fabric(
    path: Path, out: Path, request: RunRequest, on_progress: OnProgress | None = None
) -> RunOutcome:
    """Run a testbed file and leave a run file, as `mpwire.lab.session.run_testbed` does.

    Raises:
        InputError: the file has mistakes, or `out` cannot be written.
        MachineError: this machine, or this fabric, cannot run it.
        LabError: the lab process died of something else.
    """
    if request.fabric == "sim":
        return _simulate(path, out, request, on_progress)
    try:
        return _in_namespaces(path, out, request, on_progress)
    except BrokenRunError:
        raise
    except MachineError as error:
        if request.fabric != "auto" or request.carrier is not None:
            raise
        plan = _load(path, request)
        if foreign_agent(plan) is not None:
            raise
        return replace(_simulate(path, out, request, on_progress), instead=str(error))


def _in_namespaces(
    path: Path, out: Path, request: RunRequest, on_progress: OnProgress | None
) -> RunOutcome:
    bridged = request.fabric == "bridge"
    return run_testbed(
        path,
        out,
        fabric=None if request.fabric == "auto" else "bridge" if bridged else "switch",
        carrier=request.carrier,
        agents=request.agents,
        scale=request.scale,
        seed=request.seed,
        faults=request.faults,
        on_progress=on_progress,
        command=request.command,
        stop=request.stop,
    )


def _load(path: Path, request: RunRequest) -> Plan:
    return testbed.load(
        path, request.agents, scale=request.scale, seed=request.seed, faults=request.faults
    )


def _simulate(
    path: Path, out: Path, request: RunRequest, on_progress: OnProgress | None
) -> RunOutcome:
    plan = _load(path, request)
    command = sys.argv if request.command is None else request.command
    foreign = foreign_agent(plan)
    if foreign is not None:
        raise MachineError(f"the fabric sim runs the reference agent only, and {foreign}")
    with run_folder(out, plan.name) as folder:
        return run_simulated(plan, folder, on_progress=on_progress, command=command)


def foreign_agent(plan: Plan) -> str | None:
    """Say which host has an agent that cannot be simulated; None if there is none."""
    for host in plan.hosts:
        if REFERENCE_AGENT not in host.agent:
            return f"{host.name} has {host.agent[0]}"
    return None


def run_simulated(
    plan: Plan,
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
    command: Sequence[str] = (),
) -> RunOutcome:
    """Run a plan in virtual time and leave a run file in a folder that exists.

    All its agents are taken for the reference agent.
    """
    loop = VirtualLoop()
    writer = RunWriter(folder, vantages(plan))
    watched = on_progress is not None
    runner = Runner(plan, SimFabric(loop), writer, on_progress, watched=watched, command=command)
    try:
        with first_interrupt(lambda: loop.call_soon_threadsafe(runner.interrupt)) as interrupts:
            failure: Failure | None = loop.run_until_complete(runner.run())
    finally:
        loop.close()
    path = complete(writer, folder, runner.said)
    interrupts.claim(failure)
    return RunOutcome(folder, path, SimFabric.carrier, failure, SimFabric.name)
