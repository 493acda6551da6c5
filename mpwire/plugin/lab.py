"""The `lab` fixture: start a lab, say what happens, claim what must not, have it judged.

A lab is not started before the test says what it is made of. Each step returns when what it says
is done, or raises; when the test has ended the run ends in order and is judged as any other.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec

from mpwire.capture import open_run
from mpwire.errors import InputError
from mpwire.lab import source, testbed
from mpwire.lab.plan import Plan
from mpwire.lab.progress import Failure
from mpwire.lab.session import RunOutcome
from mpwire.lab.steps import Settle
from mpwire.lab.wording import guess, listed
from mpwire.plugin.claims import Claim, Times, messages_of
from mpwire.plugin.hosts import Host, Socket
from mpwire.plugin.labs import Begun, Labs
from mpwire.plugin.sentences import Spoken, head_of, place_of_caller, sentences_in
from mpwire.plugin.telling import skip_unsupported
from mpwire.report import Assessment, FailedStep, assess
from mpwire.report.storing import store

__tracebackhide__ = True
"""A test's traceback ends in the test."""

NOT_HERE: Final = ("about", "script", "expect")
"""Keys of a testbed file that are not for `Lab.start`: the test itself says what happens."""
STEPS_FILE: Final = "steps.yaml"


class StepFailed(AssertionError):  # noqa: N818 - an outcome of a step
    """A step of a test did not do what it says."""


@dataclass(slots=True, frozen=True)
class Place:
    """Where a lab belongs."""

    name: str
    """Of the test."""
    file: Path
    """Of the test."""
    root: Path
    """Of the project."""
    command: tuple[str, ...]
    """Runs the test alone."""
    seed: int | None
    """In place of that of the testbed."""


@dataclass(slots=True, frozen=True)
class Running:
    """A lab that was started, and everything about it."""

    begun: Begun
    plan: Plan
    """With its script, which `Lab.play` plays."""
    spoken: Spoken
    folder: Path
    data: dict[str, object]
    """Keys of its testbed, but for the script."""


class Lab:
    """One lab of one test."""

    def __init__(self, labs: Labs, place: Place) -> None:
        """Prepare; nothing runs before `start`."""
        self.broken: list[str] = []
        """Claims that do not hold, once the run has ended."""
        self.finished_by_test = False
        """The test has ended the run itself, so it looks at the verdict itself."""
        self._labs = labs
        self._place = place
        self._claims: list[Claim] = []
        self._running: Running | None = None
        self._assessment: Assessment | None = None

    def start(self, testbed_file: str | Path | None = None, /, **keys: object) -> Self:
        """Start the agents on their hosts.

        Args:
            testbed_file: whose hosts, networks, timers and faults to take; looked for beside the
                test, then in the project's root folder. Its script is played by `play` only.
            keys: the same as keyword arguments: `hosts=["root", "leaf1"]`, `timers={"scale": 0.1}`,
                `networks`, `routers`, `agents`, `faults`, `seed`, `requires`.

        Raises:
            InputError: something is wrong with them; nothing was started.
            MachineError: this machine cannot run it.
            StepFailed: an agent is of no use.
        """
        if self._running is not None:
            raise InputError("a test has one lab, and this one was started already")
        path, text = self._written(testbed_file, keys)
        plan = _parsed(text, path, list(keys), self._place.seed)
        data = source.read(text, str(path)).data
        assert isinstance(data, dict)
        kept = {key: value for key, value in data.items() if key not in ("script", "expect")}
        unscripted = msgspec.structs.replace(plan, script=(), expect=())
        folder = self._labs.folder(self._place.name)
        try:
            begun = self._labs.begin(unscripted, folder, self._place.command)
        except BaseException:
            self._labs.drop(folder)
            raise
        self._running = Running(begun, plan, Spoken(plan), folder, {**kept, "seed": plan.seed})
        _raise_if_failed(begun.failure)
        return self

    def _written(
        self, testbed_file: str | Path | None, keys: dict[str, object]
    ) -> tuple[Path, str]:
        if testbed_file is None:
            wrong = [key for key in keys if key in NOT_HERE]
            if wrong:
                raise InputError(f"lab.start({wrong[0]}=...): the test itself says what happens")
            head = {"about": self._place.name, **keys, "script": ["everything settles"]}
            return self._place.file, head_of(head)
        if keys:
            raise InputError("lab.start: expected a testbed file or keywords, found both")
        folders = (self._place.file.parent, self._place.root)
        places = list(dict.fromkeys(folder / testbed_file for folder in folders))
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            told = " nor ".join(map(str, places))
            raise InputError(f"lab.start: found {'neither' if len(places) > 1 else 'no'} {told}")
        return found, found.read_text("utf-8")

    @property
    def running(self) -> Running:
        """Give what runs.

        Raises:
            InputError: the lab was not started.
        """
        if self._running is None:
            raise InputError("the lab was not started: lab.start(hosts=[...]) comes first")
        return self._running

    @property
    def started(self) -> bool:
        """Tell whether there is, or was, something that runs."""
        return self._running is not None

    @property
    def folder(self) -> Path:
        """Tell where the run file is, or will be: `folder / "run.pcapng"`."""
        return self.running.folder

    def do(self, *sentences: str) -> bytes | None:
        """Carry out sentences of the step language, one or more lines each.

        Returns what the last one has received, if it received anything.

        Raises:
            SentenceError: one is no sentence; those before it were carried out.
            StepFailed: what one says is not so.
        """
        received = None
        _, line = place_of_caller()
        for sentence in sentences_in(sentences):
            received = self._perform(sentence, line)
        return received

    def play(self) -> None:
        """Carry out the script of the testbed file that the lab was started with, and its `expect`.

        Raises:
            StepFailed: what a line says is not so.
        """
        plan = self.running.plan
        for step in (*plan.script, *plan.expect):
            self._perform(step.text, step.line)

    def _perform(self, sentence: str, line: int) -> bytes | None:
        step = self.running.spoken.read(sentence, line)
        live = self.running.begun.live
        answer = live.perform(step)  # type: ignore[arg-type]  # forms make only such
        _raise_if_failed(answer.failed)
        return None if answer.received is None else bytes.fromhex(answer.received)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """List the hosts, in their order."""
        return tuple(Host(self, host.name) for host in self.running.plan.hosts)

    def host(self, name: str) -> Host:
        """Give a host.

        Raises:
            InputError: there is none of that name.
        """
        known = {host.name: host for host in self.hosts}
        if name not in known:
            raise InputError(_unknown("host", name, [*known]))
        return known[name]

    def socket(self, name: str) -> Socket:
        """Give a socket that a step has made.

        Raises:
            InputError: there is none of that name.
        """
        known = self.running.spoken.names.sockets
        if name not in known:
            raise InputError(_unknown("socket", name, [*known]))
        return Socket(self, self.host(known[name][0]), name)

    def events(self, socket: str | Socket) -> tuple[str, ...]:
        """List what a socket has reported so far, as the sentences write it."""
        return self.running.begun.live.events(self.socket(str(socket)).name)

    def expect(self, subject: str | Socket, event: str | None = None) -> None:
        """Wait for an event of a socket, as `sees` does; or claim that a message is sent.

        Raises:
            StepFailed: the event does not come, or comes with another code.
        """
        if event is None:
            self._claim("at least once", str(subject))
            return
        self.do(f"{subject} sees {event}")

    def never(self, subject: str | Socket, event: str | None = None) -> None:
        """Claim that a socket never reports an event, or that a message is never sent."""
        self._claim("never", str(subject), event)

    def exactly_once(self, subject: str | Socket, event: str | None = None) -> None:
        """Claim that a socket reports an event exactly once, or that a message is sent once."""
        self._claim("exactly once", str(subject), event)

    def _claim(self, times: Times, subject: str, event: str | None = None) -> None:
        file, line = place_of_caller()
        where = f"{Path(file).name}:{line}"
        names = self.running.spoken.names
        if event is None:
            messages = messages_of(subject, names)
            self._claims.append(Claim(times, subject, None, where, messages))
        else:
            self._claims.append(Claim(times, event, self.socket(subject).name, where))

    def finish(self) -> Assessment:
        """End the run in order and give its assessment, whose verdict is the test's to look at.

        A test that does not call this fails when the verdict is FAIL.
        """
        self.finished_by_test = True
        return self.judged()

    def judged(self) -> Assessment:
        """End the run in order, once, and give its assessment."""
        if self._assessment is None:
            self.check_events()
            outcome = self.running.begun.live.finish()
            run = open_run(outcome.run_file)
            self._assessment = assess(run, _failures(outcome))
            store(self._assessment)
            of_messages = (claim.against_run(run) for claim in self._claims if claim.messages)
            self.broken += [wrong for wrong in of_messages if wrong]
        return self._assessment

    def check_events(self) -> bool:
        """Let everything settle and tell whether a claim about events is broken."""
        claims = [claim for claim in self._claims if claim.socket]
        if claims and self._assessment is None and not self.broken:
            live = self.running.begun.live
            live.perform(Settle(line=0, column=1, text="everything settles"))
            found = (claim.against_events(live.events(str(claim.socket))) for claim in claims)
            self.broken += [wrong for wrong in found if wrong]
        return bool(self.broken)

    def keep(self) -> Path:
        """Keep the folder of the run, with the steps as a testbed; return the run file."""
        told = self.running.spoken.testbed(head_of(self.running.data))
        with suppress(OSError, InputError):  # a full disk hides no failure
            (self.folder / STEPS_FILE).write_text(told, "utf-8")
            self._labs.keep(self.folder)
        return self.folder / "run.pcapng"

    def drop(self) -> None:
        """Remove the folder of the run."""
        self._labs.drop(self.folder)

    def close(self) -> None:
        """End what still runs, at once."""
        if self._running is not None:
            self._running.begun.live.close()


def _parsed(text: str, path: Path, keys: Sequence[str], seed: int | None) -> Plan:
    """Read the text of a testbed; what a call has made of it, its mistakes are told of."""
    try:
        return testbed.parse(text, path, {}, seed=seed)
    except source.TestbedError as error:
        if not keys:
            raise
        lines = ("about", *keys, "script")
        told = (f"lab.start({lines[one.line - 1]}=...): {one.told()}" for one in error.problems)
        raise InputError("\n".join(told)) from None


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    expected = f"expected {listed(known)}" if known else "no step has made one yet"
    hint = guess(name, known)
    return f"found no {kind} {name!r}, {expected}{f'; {hint}' if hint else ''}"


def _raise_if_failed(failure: Failure | None) -> None:
    if failure is None:
        return
    if failure.kind == "unsupported":
        skip_unsupported([failure.reason])
    raise StepFailed(f"{failure.text}\n{failure.reason}")


def _failures(outcome: RunOutcome) -> list[FailedStep]:
    one = outcome.failure
    if one is None:
        return []
    return [FailedStep(line=one.line, text=one.text, reason=one.reason, kind=one.kind)]
