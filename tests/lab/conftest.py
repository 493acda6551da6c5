"""Run plans without a network: real agent processes and pipes, a fabric that carries nothing."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from mpwire.capture import RunWriter, open_run
from mpwire.capture.records import Counters
from mpwire.errors import MachineError
from mpwire.lab import testbed
from mpwire.lab.clock import KERNEL_CLOCK
from mpwire.lab.decide import Strike
from mpwire.lab.process import HostProcess
from mpwire.lab.progress import AnyProgress, Failure
from mpwire.lab.runner import Runner
from mpwire.lab.switch import Decide, Recorder
from mpwire.lab.topology import Topology
from mpwire.lab.vantages import vantages
from tests.lab.plays import Play, Played

AGENT = Path(__file__).with_name("scripted_agent.py")

Rules = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]


class Here:
    """Stand where a namespace is expected, and stay in this one."""

    def entered(self) -> contextlib.AbstractContextManager[None]:
        """Go nowhere."""
        return contextlib.nullcontext()


class ProcessFabric:
    """Start agents as plain processes; hosts have no network."""

    name = "processes"
    carrier = "none"
    decided_by = ""
    clock = KERNEL_CLOCK

    def __init__(self) -> None:
        self.processes: dict[str, HostProcess] = {}
        self.stopped = False

    def impair(self, decide: Decide, strike: Callable[[Strike], None]) -> None:
        """Have nothing to impair."""

    async def start(self, topology: Topology, recorder: Recorder) -> None:
        """Make nothing."""

    def spawn(
        self, host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> HostProcess:
        """Start a program."""
        namespace = cast("Any", Here())
        process = HostProcess(namespace, argv, env, os.sched_getaffinity(0))
        self.processes[host] = process
        return process

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Have no interfaces."""
        raise MachineError(f"{host} has no interface to be set {'up' if is_up else 'down'}")

    def part(self, host: str, *, is_apart: bool) -> None:
        """Have nothing to part."""

    def remove_addresses(self, host: str) -> None:
        """Have no addresses."""
        raise MachineError(f"{host} has no addresses to be taken")

    def drain(self) -> int:
        """Find no frames."""
        return 0

    def counters(self, host: str) -> Counters:
        """Count nothing."""
        return Counters(host=host, interface={}, udp={}, capture={})

    async def sentinel(self, host: str, stage: Literal["start", "end"]) -> None:
        """Prove nothing."""

    async def settle(self) -> None:
        """Be settled."""

    async def stop(self) -> None:
        """End the programs."""
        self.stopped = True
        for process in self.processes.values():
            process.close()


@pytest.fixture
def process_fabric() -> type[ProcessFabric]:
    """Give the fabric's class, for tests that need one that fails."""
    return ProcessFabric


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Play a testbed; keyword arguments are the rules of the hosts' scripted agents.

    `meddle` is called with the runner and each progress line; `fabric` may be one that fails.
    """

    def played(
        text: str,
        agents: Mapping[str, Sequence[str]] | None = None,
        meddle: Callable[[Runner, AnyProgress], None] | None = None,
        fabric: ProcessFabric | None = None,
        **rules: Rules,
    ) -> Played:
        commands = {
            host: (sys.executable, "-I", "-S", str(AGENT), json.dumps(rule))
            for host, rule in {"default": {}, **rules}.items()
        }
        plan = testbed.parse(text, tmp_path / "bed.yaml", {**commands, **(agents or {})})
        writer = RunWriter(tmp_path, vantages(plan))
        told: list[AnyProgress] = []
        fabric = fabric or ProcessFabric()

        def tell(line: AnyProgress) -> None:
            told.append(line)
            if meddle is not None:
                meddle(runner, line)

        runner = Runner(plan, fabric, writer, tell)

        async def carried_out() -> Failure | None:
            return await Runner.run(runner)

        failure = asyncio.run(carried_out())
        writer.finish()
        assert fabric.stopped
        return Played(failure, open_run(tmp_path), told)

    return played
