"""Run a testbed file from a program: what `mpwire run` and the pytest plugin call."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from mpwire.errors import BrokenRunError, InputError, MachineError
from mpwire.lab import testbed
from mpwire.lab.able import preferred
from mpwire.lab.dialogue import Answered, AnyTold
from mpwire.lab.interrupts import Interrupts, Stop, first_interrupt
from mpwire.lab.launch import LabError, launch
from mpwire.lab.plan import Order
from mpwire.lab.progress import AnyProgress, Ended, Failure, Started
from mpwire.lab.source import require_utf8

TOUR: Final = Path(__file__).with_name("tour.yaml")
"""The testbed that `mpwire run` runs when none is named: testbeds/rooted-lan.yaml."""

# Made ready before there are threads, several of which may run a lab: where two use a type for
# the first time at the same moment, msgspec crashes.
for _kind in (AnyTold, Order):
    msgspec.json.Decoder(_kind)

OnProgress = Callable[[AnyProgress], None]


@dataclass(slots=True, frozen=True)
class RunOutcome:
    """How a run went, before anybody has judged it."""

    folder: Path
    """Holds the run file and, where an agent wrote to standard error, `HOST.stderr`."""
    run_file: Path
    carrier: str
    failure: Failure | None
    """Why the script stopped early: line, text, reason, kind; None if it did not."""
    fabric: str = "switch"
    """What the hosts and the network between them were made of."""
    instead: str = ""
    """Why it is not the fabric that was preferred."""


def run_testbed(
    path: Path,
    out: Path,
    *,
    fabric: Literal["switch", "bridge"] | None = None,
    carrier: Literal["tap", "veth"] | None = None,
    agents: Mapping[str, Sequence[str]] | None = None,
    scale: float | None = None,
    seed: int | None = None,
    faults: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    command: Sequence[str] | None = None,
    stop: Stop | None = None,
) -> RunOutcome:
    """Check a testbed file, run it in namespaces of its own, and leave a run file.

    The run file is `out/NAME-N/run.pcapng`; `out/latest` leads to the newest folder. Ctrl-C stops
    the script, finishes the run file and returns with a failure of kind "interrupted"; a second
    one ends the lab at once. If the first comes too late to stop anything, KeyboardInterrupt is
    raised when the run file is complete.

    Args:
        path: the testbed file; `TOUR` is the quick tour.
        out: folder of run folders, made if it is missing.
        fabric: our own switch between the hosts, or a bridge of the kernel; None takes the
            bridge for what the switch lacks.
        carrier: how hosts are attached; None takes what the machine has.
        agents: command lines that replace those of the file, by host name or "default".
        scale: factor on every timer, in place of the file's.
        seed: origin of all that is random, in place of the file's.
        faults: sentences that are added to those of the file.
        on_progress: called with every step, frame and event as it happens.
        command: command line to be noted in the run file; None takes this process's.
        stop: by which another thread can stop the script, as Ctrl-C does.

    Raises:
        InputError: the file has mistakes (all are listed), or `out` cannot be written.
        MachineError: this machine cannot run it; says what helps.
        LabError: the lab process died of something else.
    """
    plan = testbed.load(path, agents, scale=scale, seed=seed, faults=faults)
    with run_folder(out, plan.name) as folder:
        order = Order(
            plan=plan,
            folder=str(folder.absolute()),
            command=tuple(sys.argv if command is None else command),
            fabric=fabric or preferred(plan),
            carrier=carrier,
            watched=on_progress is not None,
        )
        outcome, interrupts = _carried_out(order, folder, on_progress, stop or Stop())
    interrupts.claim(outcome.failure)
    return outcome


@contextlib.contextmanager
def run_folder(out: Path, name: str) -> Iterator[Path]:
    """Make the folder of a run, and lead `latest` to it when it has been filled.

    Raises:
        InputError: `out` cannot be written.
    """
    folder = new_folder(out, name)
    try:
        yield folder
    except BrokenRunError:
        point_latest(out, folder)
        raise
    except MachineError:
        _remove_if_empty(folder)
        raise
    except KeyboardInterrupt:
        if (folder / "run.pcapng").exists():
            point_latest(out, folder)
        raise
    point_latest(out, folder)


def _carried_out(
    order: Order, folder: Path, on_progress: OnProgress | None, stop: Stop
) -> tuple[RunOutcome, Interrupts]:
    """Let a lab carry out an order; raise as `run_testbed` does."""
    with launch(msgspec.to_builtins(order)) as lab:
        follower = Follower(on_progress)
        with first_interrupt(lab.interrupt) as interrupts, stop.reaches(lab.interrupt):
            for line in lab.lines():
                follower.take(line)
            status = lab.wait()
    return follower.outcome(folder, status), interrupts


class Follower:
    """Take a lab's progress to its end."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.lacking: MachineError | None = None
        self.ended: Ended | None = None
        self.carrier = ""
        self.fabric = "switch"
        self._on_progress = on_progress

    def take(self, line: Mapping[str, object]) -> Answered | None:
        """Take one line; return it if it answers a question.

        Raises:
            LabError: nobody understands it.
        """
        if "lacks" in line:
            kind = BrokenRunError if line.get("broke") else MachineError
            self.lacking = kind(str(line["lacks"]))
            return None
        try:
            progress: AnyTold = msgspec.convert(line, type=AnyTold)
        except msgspec.ValidationError as error:
            raise LabError(f"the lab said what nobody understands: {error}") from error
        if isinstance(progress, Answered):
            return progress
        if isinstance(progress, Ended):
            self.ended = progress
        elif isinstance(progress, Started):
            self.carrier, self.fabric = progress.carrier, progress.fabric
        if self._on_progress is not None:
            self._on_progress(progress)
        return None

    def outcome(self, folder: Path, status: int) -> RunOutcome:
        """Say how a run went whose lab has ended.

        Raises:
            MachineError: this machine cannot run it.
            LabError: the lab ended before the run did.
        """
        if self.lacking is not None:
            raise self.lacking
        if self.ended is None:
            raise LabError(f"the lab ended with status {status}; what it recorded is in {folder}")
        return RunOutcome(
            folder, folder / "run.pcapng", self.carrier, self.ended.failed, self.fabric
        )


def new_folder(out: Path, name: str) -> Path:
    """Make a folder that nobody has.

    Raises:
        InputError: `out` cannot be written.
    """
    require_utf8(out.absolute())
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = out / f"{name}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror})") from error
    raise AssertionError("numbers do not end")


def point_latest(out: Path, folder: Path) -> None:
    """Lead `latest` to a folder in one step, so that it always leads somewhere."""
    link = out / f".latest-{folder.name}"
    try:
        link.symlink_to(folder.name, target_is_directory=True)
        link.replace(out / "latest")
    except OSError as error:
        raise InputError(f"{out / 'latest'}: cannot write there ({error.strerror})") from error


def settle_latest(out: Path) -> None:
    """Lead `latest` to the newest run that is left, where the one it led to has been removed."""
    link = out / "latest"
    if link.exists() or not link.is_symlink():
        return
    left = [file for file in out.glob("*/run.pcapng") if file.parent.name != link.name]
    if left:
        point_latest(out, max(left, key=lambda file: file.stat().st_mtime_ns).parent)
    else:
        link.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    for name in ("run.pcapng", "run.journal"):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()
