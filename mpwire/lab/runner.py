"""Play a testbed on a fabric: start the agents, carry out the script, leave a complete record.

Whatever goes wrong in the script, the end is always the same: everything settles, the agents
leave, every host proves once more that its capture works, and the kernel's counters are read. So
a failed script, a crashed agent or Ctrl-C still leaves a run that can be judged. After Ctrl-C
nobody waits long: an agent that holds the end up is killed.
"""

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import mpwire
from mpwire.capture.records import Counters, Run, Testbed
from mpwire.errors import MpwireError
from mpwire.lab.able import lacking
from mpwire.lab.actions import perform
from mpwire.lab.clock import KERNEL_CLOCK, Clock
from mpwire.lab.decide import Strike
from mpwire.lab.impairments import Impairments
from mpwire.lab.journal import Journal, Tell
from mpwire.lab.links import CONTRACT, AgentFault, AgentLink, Bell, Refused, Unsupported
from mpwire.lab.pipes import AgentProcess
from mpwire.lab.plan import ICMP, HostPlan, Plan
from mpwire.lab.progress import Ended, Failure, Started
from mpwire.lab.stage import ANSWER_PATIENCE_S, Stage, StepFailed, gathered
from mpwire.lab.switch import Decide, RunRecorder
from mpwire.lab.topology import Topology
from mpwire.lab.vantages import recorded, routers

BEGINNING: Final = "the agents say hello and are configured"
ENDING: Final = "everything settles and the agents leave"
"""What every run does before and after its script; told as steps of line 0."""
EXIT_PATIENCE_S: Final = 10.0
HURRY_S: Final = 1.0
"""How long the end may wait for agents, each time, once somebody has interrupted the run."""
INTERRUPTED: Final = "interrupted"
REFERENCE_AGENT: Final = "mpwire.io.agent"


class Fabric(Protocol):
    """Hosts and the network between them; `mpwire.lab.fabric.SwitchFabric` is one."""

    @property
    def name(self) -> str:
        """Its name, for the run file."""

    @property
    def clock(self) -> Clock:
        """What stamps frames and records."""

    @property
    def carrier(self) -> str:
        """How hosts are attached; final after `start`."""

    @property
    def decided_by(self) -> str:
        """Say what decides about every frame, where that is a bridge; for the run file."""

    def impair(self, decide: Decide, strike: Callable[[Strike], None]) -> None:
        """Let faults act on frames, and through them on agents."""

    async def start(self, topology: Topology, recorder: RunRecorder) -> None:
        """Make the hosts, the networks and the routers between them."""

    def spawn(
        self, host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> AgentProcess:
        """Start a program on a host."""

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Set a host's interface down, or up again."""

    def remove_addresses(self, host: str) -> None:
        """Take the addresses of a host's interface; setting it up gives them back."""

    def part(self, host: str, *, is_apart: bool) -> None:
        """Let nothing pass between a host and all others, or again, where nobody decides that."""

    def drain(self) -> int:
        """Forward everything that hosts have sent by now."""

    def counters(self, host: str) -> Counters:
        """Tell what the kernel has counted for a host."""

    async def sentinel(self, host: str, stage: Literal["start", "end"]) -> None:
        """Prove that the capture of a host works now."""

    async def settle(self) -> None:
        """Wait until no frame is under way."""

    async def stop(self) -> None:
        """Remove everything."""


class Runner:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        fabric: Fabric,
        recorder: RunRecorder,
        tell: Tell | None = None,
        *,
        watched: bool = True,
        command: Sequence[str] = (),
    ) -> None:
        """Prepare.

        Args: recorder: takes frames and records, a `RunWriter`; tell: takes the live view, which
            has frames and events only if it is watched; command: what started this, for the file.
        """
        self.plan = plan
        self.said: dict[str, str] = {}
        """What each agent wrote to its standard error, once it has left."""
        self._fabric = fabric
        self._journal = Journal(recorder, tell, watched=watched, clock=fabric.clock)
        self._command = list(command)
        self._bell = Bell()
        self._links: dict[str, AgentLink] = {}
        self._former: dict[str, list[AgentLink]] = {}
        """Agents that crashed and were started anew, by host."""
        self._network = Impairments(plan, fabric.clock)
        self._stage = Stage(
            plan,
            self._links,
            fabric,
            self._journal,
            self._bell,
            network=self._network.decider,
            start=self._start_again,
        )
        self._playing: asyncio.Task[Failure | None] | None = None
        self._interrupted = False
        self._limit: asyncio.Timeout | None = None

    @property
    def _ports(self) -> list[str]:
        """List where frames are captured."""
        return list(self.plan.topology.ports)

    def interrupt(self) -> None:
        """Stop the script where it is; the run still ends in order, and soon."""
        if self._interrupted:
            return
        self._interrupted = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + HURRY_S)
        if self._playing is not None:
            self._playing.cancel()

    async def run(self) -> Failure | None:
        """Run it all; return why the script stopped early, if it did.

        Raises:
            MachineError: the kernel refused a host; nothing ran.
            BrokenRunError: it could not be carried on, or not be recorded.
        """
        started_ns = self._journal.clock.now_ns()
        self._fabric.impair(self._network, self._stage.strike)
        await self._fabric.start(self.plan.topology, self._journal)
        try:
            self._journal.drain, self._journal.failed = self._fabric.drain, self.interrupt
            self._introduce(started_ns)
            failure = await self._play_or_stop()
            ended = await self._step(0, ENDING, self._end)
        finally:
            await self._fabric.stop()
        self._journal.check()
        return failure or ended

    def _introduce(self, started_ns: int) -> None:
        plan = self.plan
        self._journal.record(
            Run(
                version=mpwire.__version__,
                command=self._command,
                started_ns=started_ns,
                seed=plan.seed,
                faults=[fault.text for fault in plan.faults],
                fabric=self._fabric.name,
                carrier=self._fabric.carrier,
                decided_by=self._fabric.decided_by,
                contract=CONTRACT,
                hosts=recorded(plan),
                routers=routers(plan),
            )
        )
        self._journal.record(Testbed(path=plan.path, text=plan.text))
        self._journal.tell(
            Started(
                time_ns=started_ns,
                name=plan.name,
                hosts=tuple(host.name for host in plan.hosts),
                addresses={
                    host.name: tuple(one.partition("/")[0] for one in host.addresses)
                    for host in plan.hosts
                },
                macs={host.name: host.mac for host in plan.hosts},
                carrier=self._fabric.carrier,
                fabric=self._fabric.name,
                decided_by=self._fabric.decided_by,
                steps=len(plan.script),
            )
        )

    async def _play_or_stop(self) -> Failure | None:
        self._playing = asyncio.create_task(self._play(), name="script")
        if self._interrupted:
            self._playing.cancel()
        await asyncio.wait([self._playing])
        if self._playing.cancelled():
            return Failure(line=0, text=BEGINNING, reason=INTERRUPTED, kind="interrupted")
        return self._playing.result()

    async def _play(self) -> Failure | None:
        failure = await self._step(0, BEGINNING, self._begin)
        for step in (*self.plan.script, *self.plan.expect):
            if failure is not None:
                break
            act = functools.partial(perform, self._stage, step)
            failure = await self._step(step.line, step.text, act)
        return failure

    async def _step(
        self, line: int, text: str, act: Callable[[], Awaitable[None]]
    ) -> Failure | None:
        self._journal.step(line, text, "started")
        kind: Literal["failed", "unsupported", "interrupted"] = "failed"
        try:
            fault = self._stage.fault()
            if fault is not None and line:
                raise fault
            await act()
        except asyncio.CancelledError:
            kind, reason = "interrupted", self._journal.trouble or INTERRUPTED
        except Unsupported as lacking:
            kind, reason = "unsupported", str(lacking)
        except (StepFailed, Refused, AgentFault, MpwireError) as error:
            reason = str(error)
            if self._interrupted:  # what was cut short shows nothing
                kind, reason = "interrupted", INTERRUPTED
        else:
            self._journal.step(line, text, "done")
            return None
        self._journal.step(line, text, "failed", reason)
        return Failure(line=line, text=text, reason=reason, kind=kind)

    async def _begin(self) -> None:
        lacks = lacking(self.plan, self._fabric.name)
        if lacks:
            raise Unsupported(f"unsupported: {lacks}")
        await gathered([self._fabric.sentinel(port, "start") for port in self._ports])
        for host in self.plan.hosts:
            self._start(host)
        await gathered([self._configure(host) for host in self.plan.hosts])

    def _start(self, host: HostPlan) -> None:
        try:
            process = self._fabric.spawn(host.name, host.agent, _environment(host))
        except OSError as error:
            raise AgentFault(
                f"{host.name}'s agent cannot be started: {host.agent[0]}: {error.strerror}"
            ) from error
        self._links[host.name] = AgentLink(host.name, process, self._journal, self._bell)

    async def _start_again(self, name: str) -> None:
        """Start an agent in the place of one that crashed; it draws other numbers than that."""
        former = self._former.setdefault(name, [])
        former.append(self._links[name])
        host = next(one for one in self.plan.hosts if one.name == name)
        self._start(host)
        await self._configure(host, life=len(former))

    async def _configure(self, host: HostPlan, life: int = 0) -> None:
        link = self._links[host.name]
        await link.greet(ANSWER_PATIENCE_S)
        for name in self.plan.requires:
            if name in link.lacks or (name != ICMP and name not in link.calls):
                raise Unsupported(f"unsupported: {name} by {host.name}")
        seed = None if host.seed is None else host.seed + life
        arguments: dict[str, object] = {"seed": seed}
        if self.plan.timers:
            arguments["timers"] = self.plan.timers
        try:
            await link.call("configure", arguments, ANSWER_PATIENCE_S)
        except Refused as refused:
            raise AgentFault(f"{host.name} refused configure with {refused.name}") from None

    async def _end(self) -> None:
        wrong: list[str] = []
        for frozen in sorted(self._stage.frozen):
            self._stage.thaw(frozen)
        try:
            await self._hurried(self._restored)
        except Unsupported:
            pass  # an agent without barrier was unsupported from its first call
        except (StepFailed, Refused, AgentFault, MpwireError) as error:
            wrong.append(str(error))
        self._stage.reach.restore()  # also when not all has settled
        wrong += await self._dismiss()
        try:
            await self._fabric.settle()
            await gathered([self._fabric.sentinel(port, "end") for port in self._ports])
        except MpwireError as error:
            wrong.append(str(error))
        for port in self._ports:
            self._journal.record(self._fabric.counters(port))
        if wrong:
            raise StepFailed("; ".join(dict.fromkeys(wrong)))

    async def _restored(self) -> None:
        """Give back what was taken, when whoever has lost it has noticed, and let all settle."""
        if self._stage.reach.hosts_are_down:
            await self._stage.settle()
        self._stage.reach.restore()
        await self._stage.settle()

    async def _hurried(self, act: Callable[[], Awaitable[object]]) -> None:
        """Do something that agents can hold up; after Ctrl-C, end those who do and try again."""
        while True:
            try:
                async with asyncio.timeout(HURRY_S if self._interrupted else None) as self._limit:
                    await act()
            except TimeoutError:
                slow = [link for link in self._links.values() if link.holds_up()]
                for link in slow:
                    link.dismiss()
                if not slow:
                    raise StepFailed(INTERRUPTED) from None
            else:
                return
            finally:
                self._limit = None

    async def _dismiss(self) -> list[str]:
        """Let all agents leave; return what was wrong with them."""
        links = {host: link for host, link in self._links.items() if not link.crashed}
        faults = {host: link.fault for host, link in links.items()}
        left: dict[str, int] = {}
        self.said = {host: self._said(link) for host, link in self._links.items()}

        async def leave(link: AgentLink) -> None:
            status = left[link.host] = await link.leave(EXIT_PATIENCE_S)
            expected = link.dismissed or faults[link.host] is None
            self._journal.exited(link.host, status, expected=expected)
            self.said[link.host] = self._said(link)

        async def all_leave() -> None:
            staying = [link for link in links.values() if link.host not in left]
            await gathered([leave(link) for link in staying])

        await self._hurried(all_leave)
        return [
            said
            for host, link in links.items()
            if (said := _farewell(link, faults[host], left[host]))
        ]

    def _said(self, link: AgentLink) -> str:
        """Give what a host's agents wrote to standard error, the former ones' first."""
        agents = [*self._former.get(link.host, ()), link]
        return "".join(agent.process.stderr() for agent in agents)


def _farewell(link: AgentLink, fault: AgentFault | None, status: int) -> str:
    """Say what was wrong with an agent that has left, if anything."""
    if fault is not None:
        return f"{fault}; what it printed after that was not read" if link.silenced else str(fault)
    how = f"status {status}" if status >= 0 else f"signal {-status}"
    return f"expected {link.host}'s agent to exit with status 0, seen {how}" if status else ""


async def run(
    plan: Plan, fabric: Fabric, recorder: RunRecorder, tell: Tell | None = None
) -> Failure | None:
    """Run a plan from beginning to end; return why its script stopped early, if it did."""
    return await Runner(plan, fabric, recorder, tell).run()


def ended(failure: Failure | None) -> Ended:
    """Make the last line of the live view."""
    return Ended(time_ns=KERNEL_CLOCK.now_ns(), failed=failure)


def _environment(host: HostPlan) -> dict[str, str] | None:
    """Let agents of mpwire itself find this very package, installed or not."""
    if not (host.agent[1:2] == ("-m",) and host.agent[2].startswith("mpwire.")):
        return None
    home = str(Path(mpwire.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, path] if path else [home])}
