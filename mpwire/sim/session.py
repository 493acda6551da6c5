"""Run a testbed in the simulation: the same plan, runner and run file as in namespaces."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpwire.capture import RunWriter
from mpwire.errors import MachineError
from mpwire.lab.plan import Plan
from mpwire.lab.runner import REFERENCE_AGENT, Runner, recorded
from mpwire.lab.session import OnProgress, RunOutcome
from mpwire.sim.fabric import SimFabric
from mpwire.sim.loop import VirtualLoop


def run_simulated(
    plan: Plan,
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
    command: Sequence[str] = (),
) -> RunOutcome:
    """Run a plan in virtual time and leave a run file in a folder that exists.

    Raises:
        MachineError: the plan has an agent that is another program.
    """
    _require_reference({host.name: host.agent for host in plan.hosts})
    loop = VirtualLoop()
    writer = RunWriter(folder, [recorded(host) for host in plan.hosts])
    try:
        runner = Runner(
            plan,
            SimFabric(loop),
            writer,
            on_progress,
            watched=on_progress is not None,
            command=command,
        )
        loop.add_signal_handler(signal.SIGINT, runner.interrupt)
        failure = loop.run_until_complete(runner.run())
    finally:
        loop.close()
    path = writer.finish()
    for host, said in runner.said.items():
        if said:
            (folder / f"{host}.stderr").write_text(said, "utf-8")
    return RunOutcome(folder, path, SimFabric.carrier, failure)


def _require_reference(agents: Mapping[str, Sequence[str]]) -> None:
    for host, argv in agents.items():
        if REFERENCE_AGENT not in argv:
            raise MachineError(
                f"the fabric sim runs the reference agent only, and {host} has {argv[0]}; "
                "use --fabric switch"
            )
