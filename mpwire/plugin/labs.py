"""The labs of a pytest session: which fabric they run on, and which folders they leave."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

from mpwire.errors import BrokenRunError, MachineError
from mpwire.lab.able import preferred
from mpwire.lab.conversation import ListeningLab, LiveLab
from mpwire.lab.launch import launch
from mpwire.lab.plan import Order, Plan
from mpwire.lab.progress import Failure
from mpwire.lab.session import RunOutcome, new_folder, point_latest
from mpwire.sim import FabricName
from mpwire.sim.child import SimChild
from mpwire.sim.session import foreign_agent

__tracebackhide__ = True
"""A test's traceback ends in the test."""

NAME_CHARACTERS: Final = 60


@dataclass(slots=True)
class Begun:
    """A lab whose agents are ready, or have failed."""

    live: LiveLab
    failure: Failure | None
    supervisor: int | None
    """Process id of what holds its namespaces; None where it has none."""
    instead: str
    """Why it is simulated, though that was not asked for."""


@dataclass(slots=True)
class Labs:
    """Start labs, and keep what is worth keeping of them."""

    fabric: FabricName
    out: Path
    """Folder of run folders."""
    instead: str = ""
    """Why namespaces are not to be had here, once that is known."""
    _idle: list[SimChild] = field(default_factory=list)
    _busy: list[SimChild] = field(default_factory=list)

    def folder(self, name: str) -> Path:
        """Make a folder for the run of a test."""
        plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[-NAME_CHARACTERS:]
        return new_folder(self.out, plain.strip("-.") or "lab")

    def begin(self, plan: Plan, folder: Path, command: tuple[str, ...]) -> Begun:
        """Start a lab that goes step by step.

        Raises:
            MachineError: this machine cannot run it.
            LabError: the lab process died.
        """
        order = self._order(plan, folder, command, live=True)
        return self._anywhere(order, lambda live, pid: Begun(live, live.begin(), pid, ""))

    def play(self, plan: Plan, folder: Path, command: tuple[str, ...]) -> tuple[RunOutcome, str]:
        """Play a testbed to its end; say also why it was simulated, if that was not asked for.

        Raises:
            MachineError: this machine cannot run it.
            LabError: the lab process died.
        """
        order = self._order(plan, folder, command, live=False)

        def played(live: LiveLab, pid: int | None) -> Begun:
            outcomes.append(live.wait())
            return Begun(live, None, pid, "")

        outcomes: list[RunOutcome] = []
        begun = self._anywhere(order, played)
        begun.live.close()
        return outcomes[-1], begun.instead

    def _order(self, plan: Plan, folder: Path, command: tuple[str, ...], *, live: bool) -> Order:
        named: dict[str, Literal["switch", "bridge"]] = {"switch": "switch", "bridge": "bridge"}
        fabric = named.get(self.fabric) or preferred(plan)
        return Order(plan=plan, folder=str(folder), command=command, fabric=fabric, live=live)

    def _anywhere(self, order: Order, act: Callable[[LiveLab, int | None], Begun]) -> Begun:
        """Carry an order out in namespaces, or in the simulation if it may be there."""
        if self.fabric == "sim" or self._must_simulate(order.plan):
            return self._simulated(order, act)
        lab = launch(msgspec.to_builtins(order), listens=order.live)
        with contextlib.ExitStack() as closing:
            closing.callback(lab.close)
            try:
                begun = act(LiveLab(lab, Path(order.folder)), lab.pid)
            except BrokenRunError:
                raise
            except MachineError as error:
                if self.fabric != "auto":
                    raise
                self.instead = str(error)
                if not self._must_simulate(order.plan):
                    raise
            else:
                closing.pop_all()
                return begun
        for name in ("run.pcapng", "run.journal"):
            (Path(order.folder) / name).unlink(missing_ok=True)
        return self._simulated(order, act)

    def _must_simulate(self, plan: Plan) -> bool:
        refused = self.fabric == "auto" and bool(self.instead)
        return refused and foreign_agent(plan) is None

    def _simulated(self, order: Order, act: Callable[[LiveLab, int | None], Begun]) -> Begun:
        foreign = foreign_agent(order.plan)
        if foreign is not None:
            raise MachineError(f"the fabric sim runs the reference agent only, and {foreign}")
        child = next((one for one in self._idle if one.alive), None) or SimChild()
        self._idle = [one for one in self._idle if one is not child]
        self._busy.append(child)
        lab = _Returning(child.begin(order), lambda: self._return(child))
        with contextlib.ExitStack() as closing:
            closing.callback(lab.close)
            begun = act(LiveLab(lab, Path(order.folder)), None)
            closing.pop_all()
        begun.instead = self.instead
        return begun

    def _return(self, child: SimChild) -> None:
        if child in self._busy:
            self._busy.remove(child)
            if child.alive:
                self._idle.append(child)

    def keep(self, folder: Path) -> None:
        """Lead `latest` to a folder that is worth a look."""
        point_latest(self.out, folder)

    def drop(self, folder: Path) -> None:
        """Remove the folder of a run of which there is nothing to be said."""
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End all simulations."""
        for child in (*self._idle, *self._busy):
            child.close()
        self._idle.clear()
        self._busy.clear()


class _Returning:
    """A simulated lab that gives its process back when it is closed."""

    def __init__(self, lab: ListeningLab, give_back: Callable[[], None]) -> None:
        self._lab = lab
        self._give_back = give_back

    def lines(self) -> Iterator[dict[str, object]]:
        return self._lab.lines()

    def say(self, line: bytes) -> None:
        self._lab.say(line)

    def wait(self) -> int:
        return self._lab.wait()

    def close(self) -> None:
        self._lab.close()
        self._give_back()
