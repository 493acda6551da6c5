"""Sentences of a test as steps, each with the line of the test that says it."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from mpwire.errors import InputError
from mpwire.lab.forms import Form
from mpwire.lab.grammar import EXPECTATIONS, FORMS
from mpwire.lab.places import FAMILIES
from mpwire.lab.plan import Plan
from mpwire.lab.script import Line, read_line
from mpwire.lab.step import Step
from mpwire.lab.steps import Saw
from mpwire.lab.words import Names

__tracebackhide__ = True
"""A test's traceback ends in the test."""

_HERE: Final = str(Path(__file__).parent)


class SentenceError(InputError):
    """A sentence of a test is none, or is about what is not there."""


class Spoken:
    """Everything that a test has said to a lab."""

    def __init__(self, plan: Plan) -> None:
        """Begin with the hosts of a plan, and no sockets."""
        hosts = tuple(host.name for host in plan.hosts)
        families = {host.name: host.families for host in plan.hosts}
        routers = {
            router.name: tuple(port.network for port in router.ports)
            for router in plan.topology.routers
        }
        self.names = Names(hosts, FAMILIES, families_of=families, routers=routers)
        self.steps: list[Step] = []

    def read(self, text: str, line: int) -> Step:
        """Read one sentence of a script, or of its expectations.

        Raises:
            SentenceError: it is no such sentence.
        """
        step = read_sentence(text, line, (*FORMS, *EXPECTATIONS), self.names)
        self.steps.append(step)
        return step

    def testbed(self, head: str) -> str:
        """Write it all down as a testbed file, which does the same again."""
        script = [step.text for step in self.steps if not isinstance(step, Saw)]
        expect = [step.text for step in self.steps if isinstance(step, Saw)]
        lines = [head.rstrip(), *_listed("script", script or ["everything settles"])]
        return "\n".join(lines + (_listed("expect", expect) if expect else [])) + "\n"


def read_sentence(text: str, line: int, forms: Sequence[Form], names: Names) -> Step:
    """Read a sentence by a table of forms.

    Raises:
        SentenceError: it is none of them.
    """
    step, wrong = read_line(Line(text, line, range(1, len(text) + 2)), forms, names)
    if step is None:
        told = "\n".join(problem.told() for problem in wrong)
        raise SentenceError(f"{text}\n{told}")
    return step


def sentences_in(texts: Iterable[str]) -> list[str]:
    """Take texts of one or more lines apart; empty lines, `- ` and comments are left out."""
    lines = [line.strip().removeprefix("- ").strip() for text in texts for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("#")]


def quoted(data: bytes | str) -> str:
    """Write octets as the sentences do."""
    octets = data.encode() if isinstance(data, str) else data
    plain = (chr(octet) if 32 <= octet < 127 else f"\\x{octet:02x}" for octet in octets)
    return '"' + "".join({'"': '\\"', "\\": "\\\\"}.get(one, one) for one in plain) + '"'


def place_of_caller() -> tuple[str, int]:
    """Give file and line of whoever called into this package."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the one way to see one's caller
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    assert frame is not None
    return frame.f_code.co_filename, frame.f_lineno


def head_of(keys: dict[str, object]) -> str:
    """Write the keys of a testbed file, one a line."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in keys.items())


def _listed(name: str, sentences: Sequence[str]) -> list[str]:
    return [f"{name}:", *("  - '" + one.replace("'", "''") + "'" for one in sentences)]
