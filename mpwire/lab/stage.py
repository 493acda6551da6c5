"""What the script's names stand for while it runs, and the waiting that all steps share.

Waiting is for causes. An event is waited for as long as the timers of the specification could
still produce it; then everything is made to settle, so that a slow machine gets the time it needs,
and only what is missing after that is missing.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mpwire.lab import timers
from mpwire.lab.decide import Decider, Strike, delay_s
from mpwire.lab.journal import Journal
from mpwire.lab.links import AgentFault, AgentLink, Bell, Decide, Report
from mpwire.lab.plan import HostPlan, Plan
from mpwire.lab.progress import SocketMade
from mpwire.lab.reach import Reach, Severable
from mpwire.lab.steps import Sight
from mpwire.lab.wording import listed
from mpwire.vocabulary import WsaError

ANSWER_PATIENCE_S: Final = 30.0
"""An agent that takes longer for a call that cannot block hangs; nothing else is measured by it."""
DELAYED_FLIGHTS: Final = 8
"""Messages one after the other that an event may wait for, each as late as the faults make it."""
SETTLE_ROUNDS: Final = 100
"""Hosts that still talk after so many barriers are not going to stop."""


class StepFailed(Exception):  # noqa: N818 - an outcome of a step
    """What a step claims is not so; the text says what was expected and what was seen."""


@dataclass(slots=True)
class SocketView:
    """A named socket of the script."""

    name: str
    host: str
    descriptor: int | None
    """None while a blocking invitation has not handed it out yet."""
    address: tuple[str, int]
    selected: frozenset[str] = frozenset()
    """Events that are selected and reported."""
    blocking: bool = True
    joining: asyncio.Future[dict[str, Any]] | None = None
    """Answer to a blocking join that is still under way."""
    joining_id: int = 0
    """The number of the call of that join."""
    invited: "SocketView | None" = None
    """Stands for the leaf that the blocking join invites."""
    position: int = 0
    """How many of its events lie before the last one that a `sees` step took."""
    twins: list["SocketView"] = field(default_factory=list)
    """All names of a socket that has several descriptors, the oldest first; else none."""


class Ground(Severable, Protocol):
    """The part of a fabric that a script stands on."""

    async def settle(self) -> None:
        """Wait until no frame is under way."""


class Stage:
    """Hold the agents and sockets of a running script."""

    def __init__(
        self,
        plan: Plan,
        links: Mapping[str, AgentLink],
        fabric: Ground,
        journal: Journal,
        bell: Bell,
        *,
        network: Decider | None = None,
        start: Callable[[str], Awaitable[None]],
    ) -> None:
        """Begin with no sockets; `start` puts a new agent in the place of one that crashed."""
        self.plan = plan
        self.hosts: dict[str, HostPlan] = {host.name: host for host in plan.hosts}
        self.links = links
        self.sockets: dict[str, SocketView] = {}
        self.asked: dict[tuple[str, str], bytes | None] = {}
        """Caller data of the newest request, by (host that asked, host that was asked)."""
        self._held: dict[str, AgentLink] = {}
        """Which agent holds a socket, by its name: not the one that has taken its place."""
        self._start = start
        self._fabric = fabric
        self._journal = journal
        self._bell = bell
        self.reach = Reach(plan.topology, fabric, network or Decider(plan.faults, plan.seed))
        self.frozen: set[str] = set()
        """Hosts whose agents have been stopped."""
        self._strikes: list[asyncio.Task[None]] = []
        self.received: bytes | None = None
        """What the newest step that received anything has got."""

    def add(self, view: SocketView) -> None:
        """Give a socket its name."""
        self.sockets[view.name] = view
        self._held[view.name] = self.links[view.host]
        if view.descriptor is not None:
            self._tell(view)

    def address(self, host: str, family: str) -> str:
        """Give a host's address of a family.

        Raises:
            StepFailed: its network has none.
        """
        found = self.hosts[host].address(family)
        if found is None:
            raise StepFailed(f"expected an address of {host} in {family}, seen none")
        return found

    def link(self, view: SocketView) -> AgentLink:
        """Give the agent that holds a socket, though it may be of no more use."""
        return self._held.get(view.name) or self.links[view.host]

    def running(self, host: str) -> AgentLink:
        """Give the agent of a host, which is to answer now.

        Raises:
            StepFailed: it is frozen.
        """
        if host in self.frozen:
            raise StepFailed(f"expected {host} to run, seen it frozen")
        return self.links[host]

    def settle_descriptor(self, view: SocketView, descriptor: int) -> None:
        """Learn the descriptor of a socket that had only a name."""
        view.descriptor = descriptor
        self._tell(view)

    def _tell(self, view: SocketView) -> None:
        assert view.descriptor is not None
        self._journal.tell(
            SocketMade(
                time_ns=self._journal.clock.now_ns(),
                host=view.host,
                socket=view.descriptor,
                name=view.name,
            )
        )

    def patience_s(self, error: str = "SUCCESS") -> float:
        """Say how long the timers of this run may keep an event back."""
        held_s = DELAYED_FLIGHTS * delay_s(self.plan.faults)
        return timers.patience_s(self.plan.timers, error) + held_s

    async def call(
        self,
        view: SocketView,
        name: str,
        arguments: Mapping[str, object] | None = None,
        decide: Decide | None = None,
    ) -> dict[str, Any]:
        """Make a call on a socket; a blocking one may take as long as the timers allow."""
        asked = {"socket": self.descriptor(view), **(arguments or {})}
        return await self.ask(view, name, asked, decide, blocks=view.blocking)

    async def ask(
        self,
        view: SocketView,
        name: str,
        arguments: Mapping[str, object],
        decide: Decide | None = None,
        *,
        blocks: bool = False,
    ) -> dict[str, Any]:
        """Make a call of the agent that holds a socket.

        Raises:
            StepFailed: the agent is frozen.
        """
        self.running(view.host)
        patience_s = ANSWER_PATIENCE_S + (self.patience_s() if blocks else 0)
        return await self.link(view).call(name, arguments, patience_s, decide, blocks=blocks)

    def descriptor(self, view: SocketView) -> int:
        """Give a socket's descriptor.

        Raises:
            StepFailed: the call that hands it out has not returned.
        """
        if view.descriptor is None:
            raise StepFailed(f"expected a socket {view.name}, seen none: the call is still open")
        return view.descriptor

    def reports(self, view: SocketView) -> list[Report]:
        """List the events of a socket, oldest first."""
        return self.link(view).reported(view.descriptor)

    async def see(self, view: SocketView, sight: Sight) -> None:
        """Wait for an event that no step has taken, after the last one that was seen.

        Raises:
            StepFailed: it does not come, or comes with another code.
            AgentFault: the agent cannot report anything any more.
        """

        def search() -> int | None:
            for index, report in enumerate(self.reports(view)):
                if index >= view.position and report.event == sight.event and not report.taken:
                    return index
            return None

        await self._wait(view, lambda: search() is not None, sight.error)
        index = search()
        if index is None:
            unseen = [r for r in self.reports(view)[view.position :] if not r.taken]
            raise StepFailed(f"expected {sight} on {view.name}, seen {said(unseen)}")
        report = self.reports(view)[index]
        if report.code != WsaError[sight.error]:
            raise StepFailed(f"expected {sight} on {view.name}, seen {said([report])}")
        report.taken = True
        view.position = index + 1

    async def announced(self, view: SocketView, event: str, purpose: str) -> Report | None:
        """Wait for the event that announces an accept or a receive; None if it is not selected.

        Raises:
            StepFailed: it does not come, or carries an error.
            AgentFault: the agent cannot report anything any more.
        """
        if event not in view.selected:
            return None

        def search() -> Report | None:
            told = (report for one in view.twins or [view] for report in self.reports(one))
            return next((one for one in told if one.event == event and not one.used), None)

        await self._wait(view, lambda: search() is not None, "SUCCESS")
        report = search()
        if report is None or report.code:
            seen = said([report] if report else [])
            raise StepFailed(f"expected {event} on {view.name} {purpose}, seen {seen}")
        report.taken = True
        return report

    async def _wait(self, view: SocketView, holds: Callable[[], bool], error: str) -> None:
        link = self.link(view)
        came = await self._bell.until(
            lambda: holds() or bool(link.fault or self.fault()), self.patience_s(error)
        )
        if not came:
            await self.settle()
        if not holds() and (fault := link.fault or self.fault()):
            raise fault

    async def returned(self, answer: asyncio.Future[dict[str, Any]], error: str) -> bool:
        """Wait for the answer to a blocking call; False if the timers cannot bring it any more."""
        await asyncio.wait([answer], timeout=self.patience_s(error))
        if not answer.done():
            await self.settle()
        return answer.done()

    async def crash(self, host: str) -> None:
        """Kill an agent in the middle of things; what it had printed is read.

        Raises:
            AgentFault: it was of no more use already.
        """
        link = self.links[host]
        if link.fault is not None:
            raise link.fault
        await self._bury(link)

    async def _bury(self, link: AgentLink) -> None:
        status = await link.crash(ANSWER_PATIENCE_S)
        self._journal.exited(link.host, status, expected=True)

    def strike(self, strike: Strike) -> None:
        """Stop or kill an agent at this very moment, between two frames."""
        link = self.links.get(strike.host)
        if link is None or link.crashed or link.leaving:
            return
        if strike.frozen_s is not None:
            self._freeze_for(link, strike.frozen_s)
            return
        link.crashed = True
        link.process.kill()
        self._strikes.append(asyncio.get_running_loop().create_task(self._bury(link)))

    def _freeze_for(self, link: AgentLink, frozen_s: float) -> None:
        loop = asyncio.get_running_loop()
        until_s = link.thaws_s = max(loop.time() + frozen_s, link.thaws_s)
        link.process.signal(signal.SIGSTOP)

        def go_on() -> None:
            # A loop may call a moment early: who froze it last is told by the time, not the clock.
            if link.thaws_s == until_s and link.host not in self.frozen:
                link.process.signal(signal.SIGCONT)

        loop.call_at(until_s, go_on)

    def freeze(self, host: str) -> None:
        """Stop an agent's process; it keeps its sockets, and its kernel goes on.

        Raises:
            AgentFault: it was of no more use already.
        """
        link = self.links[host]
        if link.fault is not None:
            raise link.fault
        self.frozen.add(host)
        link.process.signal(signal.SIGSTOP)

    def thaw(self, host: str) -> None:
        """Let an agent's process go on."""
        self.frozen.discard(host)
        self.links[host].process.signal(signal.SIGCONT)

    async def restart(self, host: str) -> None:
        """Put a new agent in the place of one, which is killed if it still runs.

        Raises:
            AgentFault: the old one was of no more use already, or the new one is of none.
        """
        await gathered(self._strikes)
        if not self.links[host].crashed:
            await self.crash(host)
        self.frozen.discard(host)
        await self._start(host)

    def fault(self) -> AgentFault | None:
        """Give what is wrong with the first agent that is of no more use unasked."""
        broken = (link.fault for link in self.links.values() if not link.crashed)
        return next((fault for fault in broken if fault), None)

    async def settle(self) -> None:
        """Wait until nothing moves: no frame is under way and no agent has anything to add.

        Raises:
            StepFailed: the hosts never stop talking.
            AgentFault: an agent does not answer its barrier.
        """
        for _ in range(SETTLE_ROUNDS):
            await self._fabric.settle()
            before = self._activity()
            await gathered([self._barrier(link) for link in self.links.values()])
            await gathered(self._strikes)
            await self._fabric.settle()
            if self._activity() == before:
                return
        raise StepFailed(f"expected everything to settle, seen talk after {SETTLE_ROUNDS} barriers")

    async def _barrier(self, link: AgentLink) -> None:
        if link.fault is not None or link.crashed or link.host in self.frozen:
            return
        try:
            await link.call("barrier", {}, ANSWER_PATIENCE_S)
        except AgentFault:
            if not link.crashed:
                raise

    def _activity(self) -> tuple[int, int]:
        events = sum(len(link.reports) for link in self.links.values())
        return self._journal.traffic_count, events


async def gathered(waiting: list[Any]) -> None:
    """Wait for all; then raise the first error, if any."""
    outcomes: list[Awaitable[Any]] = waiting
    for outcome in await asyncio.gather(*outcomes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def said(reports: list[Report]) -> str:
    """Write events as the script would."""
    return listed((name(report) for report in reports), "and") if reports else "nothing"


def name(report: Report) -> str:
    """Write one event as the script would."""
    if not report.code:
        return report.event
    known = report.code in WsaError.__members__.values()
    return f"{report.event} {WsaError(report.code).name if known else report.code}"
