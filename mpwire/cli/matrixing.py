"""`mpwire matrix`: roles × implementations × testbeds, one lab for each, one table of them all."""

import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mpwire.capture import open_run
from mpwire.cli.agents import require_programs, words_of
from mpwire.cli.files import testbeds_in
from mpwire.cli.output import Output
from mpwire.cli.running import failures_of
from mpwire.cli.status import OF_VERDICT, Status
from mpwire.errors import InputError
from mpwire.lab import testbed
from mpwire.lab.interrupts import Stop
from mpwire.lab.launch import LabError
from mpwire.lab.plan import Plan
from mpwire.lab.session import TOUR
from mpwire.lab.steps import Open
from mpwire.report import Assessment, assess
from mpwire.report.matrix import Cell, Matrix, cell_line, matrix_lines
from mpwire.report.matrix_page import matrix_page
from mpwire.report.storing import store
from mpwire.report.telling import printable
from mpwire.report.verdict import line
from mpwire.sim import FabricName, RunRequest, run_on_fabric
from mpwire.sim.session import foreign_agent
from mpwire.vocabulary import Verdict

ROOT, LEAF = "root", "leaf"
ROLES: Final = (ROOT, LEAF)
REFERENCE: Final = {"mpwire": ("mpwire", "agent")}
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,23})=(.+)", re.DOTALL)

Commands = Mapping[str, tuple[str, ...]]


@dataclass(slots=True, frozen=True)
class MatrixOptions:
    """What `mpwire matrix` was asked for."""

    testbeds: Sequence[Path]
    out: Path
    agents: Sequence[str] = ()
    roles: Sequence[str] = ()
    fabric: FabricName = "auto"
    scale: float | None = None
    seed: int | None = None
    jobs: int | None = None
    html: Path | None = None


@dataclass(slots=True)
class Lab:
    """One run, which is that of several cells if they put the same agents on the same hosts."""

    path: Path
    plan: Plan
    agents: Commands
    cells: list[Cell] = field(default_factory=list)


def run_matrix(output: Output, options: MatrixOptions) -> Status:
    """Run every cell and print the table.

    Raises:
        InputError: a testbed has mistakes, or an implementation is not there, or there is no place
            for the page.
    """
    page = options.html or options.out / "matrix.html"
    implementations = parse_implementations(options.agents)
    labs, matrix = prepare(options, implementations)
    _prepare_page(page)
    interrupted = False
    try:
        _run_all(output, options, labs)
    except KeyboardInterrupt:
        interrupted = True
    page.write_text(matrix_page(matrix, page.parent), "utf-8")
    output.line()
    output.lines(matrix_lines(matrix, output.width))
    output.line(line(("page  ", "dim"), (str(page), "bold")))
    if output.json:
        output.document({**matrix.document, "page": str(page)})
    return Status.INTERRUPTED if interrupted else OF_VERDICT[matrix.verdict]


def _prepare_page(page: Path) -> None:
    """See that the page can be written, before anything is done that takes time.

    Raises:
        InputError: it cannot.
    """
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{page.parent}: cannot write there ({error.strerror})") from None
    if page.is_dir() or not os.access(page.parent, os.W_OK):
        raise InputError(f"{page}: cannot write a page there")


def parse_implementations(options: Sequence[str]) -> Commands:
    """Read `NAME=COMMAND` options; without any there is the reference implementation.

    Raises:
        InputError: no name, no command, or one name twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for option in options:
        named = _NAMED.fullmatch(option)
        if named is None:
            raise InputError(f"--agent {option!r}: expected NAME=COMMAND")
        if named[1] in found:
            raise InputError(f"--agent {option!r}: found a second one of this name")
        found[named[1]] = words_of(option, named[2])
    return found or REFERENCE


def prepare(options: MatrixOptions, implementations: Commands) -> tuple[list[Lab], Matrix]:
    """Lay out all cells, and the labs that they need, before anything is started.

    Raises:
        InputError: the mistakes of all testbeds, or there is nobody in the roles wanted.
    """
    roles = tuple(dict.fromkeys(options.roles or ROLES))
    labs: dict[object, Lab] = {}
    cells: list[Cell] = []
    mistakes: list[str] = []
    for path, name in names_of(testbeds_in(options.testbeds or [TOUR])).items():
        try:
            cells += _cells_of((path, name), options, implementations, roles, labs)
        except InputError as error:
            mistakes.append(str(error))
    if mistakes:
        raise InputError("\n".join(mistakes))
    if not cells:
        raise InputError(f"--role: found nobody in the roles {', '.join(roles)}")
    matrix = Matrix(implementations=implementations, roles=roles, cells=cells)
    return list(labs.values()), matrix


def names_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Give each testbed file, once, its name in the table: as short as tells it from the others."""
    files = list(dict.fromkeys(paths))
    alike = Counter(path.stem for path in files)
    return {path: path.stem if alike[path.stem] == 1 else printable(str(path)) for path in files}


def _cells_of(
    bed: tuple[Path, str],
    options: MatrixOptions,
    implementations: Commands,
    roles: Sequence[str],
    labs: dict[object, Lab],
) -> Iterator[Cell]:
    path, name = bed
    hosts = hosts_of(testbed.load(path))
    for implementation, command in implementations.items():
        for role in roles:
            players = hosts.get(role, ())
            if not players:
                continue
            agents = dict.fromkeys(players, command)
            plan = testbed.load(path, dict(agents), scale=options.scale, seed=options.seed)
            require_programs(plan, agents)
            key = (path, tuple(host.agent for host in plan.hosts))
            lab = labs.setdefault(key, Lab(path, plan, agents))
            lab.cells.append(
                Cell(
                    testbed=name,
                    role=role,
                    implementation=implementation,
                    hosts=players,
                    path=path,
                )
            )
            yield lab.cells[-1]


def hosts_of(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Say who plays which role: root, leaf, or a host's own name."""
    opened = [step for step in plan.script if isinstance(step, Open)]
    roots = {step.host for step in opened if "C_ROOT" in step.flags()}
    leaves = {step.host for step in opened} - roots
    names = [host.name for host in plan.hosts]
    return {
        **{name: (name,) for name in names},
        ROOT: tuple(name for name in names if name in roots),
        LEAF: tuple(name for name in names if name in leaves),
    }


def _run_all(output: Output, options: MatrixOptions, labs: Sequence[Lab]) -> None:
    """Run all labs, some at a time, and tell each cell as it comes."""
    count = sum(len(lab.cells) for lab in labs)
    number, stop = 0, Stop()
    with ThreadPoolExecutor(options.jobs or os.cpu_count() or 1) as pool:
        running: dict[Future[None], Lab] = {
            pool.submit(_run_lab, options, lab, stop): lab for lab in labs
        }
        try:
            for future in as_completed(running):
                future.result()
                for cell in running[future].cells:
                    number += 1
                    if cell.verdict is not Verdict.PASS or not output.quiet:
                        output.line(cell_line(number, count, cell))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop.now()
            raise


def _run_lab(options: MatrixOptions, lab: Lab, stop: Stop) -> None:
    fabric = options.fabric
    if fabric == "sim" and foreign_agent(lab.plan) is not None:
        fabric = "switch"
    request = RunRequest(
        fabric=fabric,
        agents=lab.agents,
        scale=options.scale,
        seed=options.seed,
        command=_command(options, lab, fabric),
        stop=stop,
    )
    began_s = time.monotonic()
    try:
        outcome = run_on_fabric(lab.path, options.out, request)
    except LabError as error:  # this one died; the others go on
        for cell in lab.cells:
            cell.verdict, cell.reason = Verdict.INCONCLUSIVE, str(error)
        return
    if outcome.failure is not None and outcome.failure.kind == "interrupted":
        return  # it has shown nothing
    assessment = assess(open_run(outcome.run_file), failures_of(outcome))
    store(assessment)
    for cell in lab.cells:
        cell.verdict = assessment.verdict
        cell.reason = reason_of(assessment)
        cell.broken = [rule.id for rule in assessment.judgement.rules if rule.failed]
        cell.fabric = outcome.fabric
        cell.seconds = time.monotonic() - began_s
        cell.run_file = outcome.run_file


def reason_of(assessment: Assessment) -> str:
    """Say in one line why a run is no PASS."""
    if assessment.verdict is Verdict.PASS:
        return ""
    steps = [
        step.reason if step.kind == "unsupported" else step.told for step in assessment.failed_steps
    ]
    broken = [
        f"{finding.rule} {finding.reason}"
        for rule in assessment.judgement.rules
        for finding in rule.findings[:1]
        if rule.failed
    ]
    found = dict.fromkeys([*broken, *steps, *assessment.judgement.incomplete])
    return "; ".join(list(found)[:3])


def _command(options: MatrixOptions, lab: Lab, fabric: FabricName) -> list[str]:
    """Write down what runs one lab alone."""
    words = [sys.argv[0], "run", str(lab.path), "--out", str(options.out), "--fabric", fabric]
    for name, value in (("--scale", options.scale), ("--seed", options.seed)):
        words += [] if value is None else [name, str(value)]
    for host, command in lab.agents.items():
        words += ["--agent", f"{host}={shlex.join(command)}"]
    return words
