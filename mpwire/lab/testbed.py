"""Testbed files: who is on the network, which agents they run, and what happens.

A testbed is data. Nothing in it names an address, a descriptor or a file: those are derived, so
that the same file runs anywhere. Reading one checks everything that can be checked without
starting anything and reports all mistakes at once, each with its line and column.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mpwire.errors import InputError
from mpwire.lab import faults as fault_forms
from mpwire.lab import places, script
from mpwire.lab.editing import sentence_schema
from mpwire.lab.forms import Form
from mpwire.lab.grammar import EXPECTATIONS, FORMS
from mpwire.lab.models import HOSTS_TAGS, REQUIRED, Network, Testbed, Timers
from mpwire.lab.plan import HostPlan, Plan
from mpwire.lab.source import Document, Problem, TestbedError, foreign, read, require_utf8
from mpwire.lab.step import Step
from mpwire.lab.topology import Network as NetworkSpec
from mpwire.lab.topology import derive
from mpwire.lab.wording import guess, listed, shown
from mpwire.lab.words import Names

DEFAULT_AGENT: Final = (sys.executable, "-m", "mpwire.io.agent")
_EXPECTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping ('key: value' lines)",
    "model_type": "a mapping ('key: value' lines)",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number not below {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number up to {le:g}",
    "literal_error": "{expected}",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "1 to 15 small letters, digits and hyphens, a letter first",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
    "string_too_short": "a text that is not empty",
    "string_unicode": "characters that can be written as UTF-8",
}
"""How pydantic's error types complete "expected ..."."""


def load(
    path: Path,
    agents: Mapping[str, Sequence[str]] | None = None,
    *,
    scale: float | None = None,
    seed: int | None = None,
    faults: Sequence[str] = (),
) -> Plan:
    """Read and check a testbed file.

    Args:
        agents: command lines that replace those of the file, by host name or "default".
        scale: replaces `scale` of the file's timers.
        seed: replaces the file's.
        faults: sentences that are added to the file's.

    Raises:
        TestbedError: mistakes in the file, each with its position.
        InputError: the file cannot be read, or `agents` names a host that is not there.
    """
    require_utf8(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: found no readable file ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TestbedError(str(path), [foreign(error)]) from None
    return parse(text, path, agents or {}, scale=scale, seed=seed, faults=faults)


def parse(
    text: str,
    path: Path,
    agents: Mapping[str, Sequence[str]],
    *,
    scale: float | None = None,
    seed: int | None = None,
    faults: Sequence[str] = (),
) -> Plan:
    """Check the text of a testbed file; see `load`."""
    document = read(text, str(path))
    problems: list[Problem] = []
    testbed = None
    try:
        testbed = Testbed.model_validate(document.data)
    except ValidationError as error:
        problems += [_explained(item, document) for item in error.errors()]
    problems += places.problems(document) + _unknown_agents(document)
    sentences = _sentences(document, problems)
    if problems or testbed is None:
        raise TestbedError(str(path), problems)
    for name in agents:
        if name != "default" and name not in testbed.placed:
            expected = listed((*testbed.placed, "default"))
            raise InputError(f"agent for {name!r}: no such host, expected {expected}")
    changes: dict[str, object] = {"agents": {**testbed.agents, **agents}}
    if scale is not None:
        changes["timers"] = testbed.timers.model_copy(update={"scale": scale})
    if seed is not None:
        changes["seed"] = seed
    sentences.faults += [read_fault(one, [*testbed.placed]) for one in faults]
    testbed = testbed.model_copy(update=changes)
    return _plan(testbed, (path, text), sentences)


def read_fault(text: str, hosts: Sequence[str]) -> Step:
    """Read a fault that stands in no file.

    Raises:
        InputError: it is no sentence of that kind.
    """
    line = script.Line(text, 0, range(1, len(text) + 2))
    fault, wrong = script.read_line(line, fault_forms.FORMS, Names(tuple(hosts)))
    if fault is None:
        told = [f"fault {text!r}, column {one.column}: {one.told()}" for one in wrong]
        raise InputError("\n".join(told))
    return fault


def schema() -> dict[str, Any]:
    """Give the JSON Schema of a testbed file, for editors."""
    made = Testbed.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "mpwire testbed"
    for key, forms in (("faults", fault_forms.FORMS), ("script", FORMS), ("expect", EXPECTATIONS)):
        made["properties"][key]["items"] = sentence_schema(forms, f"One sentence of `{key}`.")
    return made


def _explained(error: ErrorDetails, document: Document) -> Problem:
    """Say one of pydantic's findings in our words, at its place."""
    kind, path, value = error["type"], _place(error["loc"]), error["input"]
    context = error.get("ctx", {})
    if kind == "missing":
        expected = {"hosts": "a list of names", "script": "a list of steps"}.get(
            str(path[-1]), "a text"
        )
        return Problem(*document.place(path[:-1]), f"no {path[-1]!r}", expected)
    if kind == "extra_forbidden":
        known = _known_keys(path)
        place = document.place(path, key=True)
        return Problem(*place, repr(path[-1]), listed(known), guess(str(path[-1]), known))
    if path and path[-1] == "[key]":
        place, found = document.place(path[:-1], key=True), repr(path[-2])
    else:
        place, found = document.place(path), shown(value)
    if kind == "command":
        return Problem(*place, context["found"], context["expected"])
    if kind in ("too_short", "too_long"):
        found = f"{len(value)} of them" if value else "none"
    expected = _EXPECTED[kind].format(**context)
    if path[:1] == ("requires",) and kind == "literal_error":
        return Problem(*place, found, "a call of the agent contract", guess(str(value), REQUIRED))
    return Problem(*place, found, expected, _advice(path, value))


def _place(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Leave out what pydantic adds to the place of a mistake."""
    tagged = path[:1] == ("hosts",) and len(path) > 1 and path[1] in HOSTS_TAGS
    return path[:1] + path[2:] if tagged else path


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Testbed
    if path[0] == "networks" and len(path) > 1:
        model = Network
    elif path[0] == "timers" and len(path) > 1:
        model = Timers
    return list(model.model_fields)


def _advice(path: tuple[str | int, ...], value: object) -> str:
    sentences = path[:1] in (("faults",), ("script",), ("expect",)) and len(path) > 1
    if sentences and isinstance(value, dict):
        return "put a step that contains ': ' in single quotes"
    if path[:1] == ("networks",) and isinstance(value, str):
        return guess(value, ("inet", "inet6", "both"))
    return ""


def _unknown_agents(document: Document) -> list[Problem]:
    data = document.data if isinstance(document.data, dict) else {}
    agents = data.get("agents")
    known = [*places.host_names(document), "default"]
    return [
        Problem(
            *document.place(("agents", name), key=True),
            repr(name),
            f"a host ({listed(known)})",
            guess(name, known),
        )
        for name in (agents if isinstance(agents, dict) else ())
        if name not in known
    ]


@dataclass(slots=True)
class _Sentences:
    """What the lines of a testbed say."""

    faults: list[Step]
    script: list[Step]
    expect: list[Step]


def _sentences(document: Document, problems: list[Problem]) -> _Sentences:
    families = places.families(document)
    names = Names(tuple(places.host_names(document)), places.FAMILIES, families_of=families)
    names.routers = places.routers(document)
    return _Sentences(
        _lines(document, "faults", fault_forms.FORMS, names, problems),
        _lines(document, "script", FORMS, names, problems),
        _lines(document, "expect", EXPECTATIONS, names, problems),
    )


def _lines(
    document: Document,
    key: str,
    forms: Sequence[Form],
    names: Names,
    problems: list[Problem],
) -> list[Step]:
    data = document.data if isinstance(document.data, dict) else {}
    lines = data.get(key)
    steps: list[Step] = []
    for index, text in enumerate(lines if isinstance(lines, list) else ()):
        if not isinstance(text, str):
            continue
        path = (key, index)
        line, column = document.place(path)
        if document.lines(path) > 1:
            found = f"a step over {document.lines(path)} lines"
            problems.append(Problem(line, column, found, "one line"))
            continue
        step, wrong = script.read_line(
            script.Line(text, line, document.columns(path)), forms, names
        )
        problems += wrong
        if step is not None:
            steps.append(step)
    return steps


def _plan(
    testbed: Testbed,
    file: tuple[Path, str],
    sentences: _Sentences,
) -> Plan:
    path, text = file
    agents: Mapping[str, Sequence[str]] = testbed.agents
    topology = derive(
        [
            NetworkSpec(name=name, families=network.families, mtu=network.mtu)
            for name, network in testbed.networks.items()
        ],
        testbed.placed,
        testbed.routers,
    )
    families = {network.name: network.families for network in topology.networks}
    hosts = tuple(
        HostPlan(
            name=node.name,
            port=node.port,
            families=families[node.port.network],
            agent=_argv(agents.get(node.name, agents.get("default", DEFAULT_AGENT)), path.parent),
            seed=None if testbed.seed is None else _host_seed(testbed.seed, node.name),
        )
        for node in topology.hosts
    )
    return Plan(
        name=path.stem,
        path=str(path),
        about=testbed.about,
        text=text,
        seed=testbed.seed,
        hosts=hosts,
        topology=topology,
        timers=testbed.timers.arguments(),
        requires=tuple(testbed.requires),
        needs=tuple(testbed.needs),
        script=tuple(sentences.script),  # type: ignore[arg-type]  # FORMS makes only AnyStep
        expect=tuple(sentences.expect),  # type: ignore[arg-type]  # EXPECTATIONS makes only Saw
        faults=tuple(sentences.faults),  # type: ignore[arg-type]  # only AnyFault
    )


def _host_seed(seed: int, name: str) -> int:
    """Give every host its own entropy; 48 bits, which every JSON reader keeps exactly."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:6])


def resolved(command: Sequence[str]) -> tuple[str, ...]:
    """Say what is started for a command line: agents of mpwire itself run in its own Python."""
    if tuple(command[:2]) == ("mpwire", "agent"):
        return (*DEFAULT_AGENT, *command[2:])
    if tuple(command[:2]) == ("python", "-m") and "".join(command[2:3]).startswith("mpwire."):
        return (sys.executable, *command[1:])
    return tuple(command)


def _argv(command: Sequence[str], folder: Path) -> tuple[str, ...]:
    command = resolved(command)
    beside = [str((folder / word).resolve()) if word.startswith("./") else word for word in command]
    return tuple(beside)
