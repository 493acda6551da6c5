"""YAML text into plain data that remembers where everything stood.

Whoever writes a testbed by hand makes mistakes by hand. Each is told as
`file:line:column: found ..., expected ...`, several at once, so this module keeps the position of
every key and value beside the data, and maps a place inside a quoted text back to its column.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from mpwire.errors import InputError

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the file to one value."""

_CLASHES: Final = (
    ("mapping values are not allowed", "': ' inside plain text", "single quotes around the line"),
    ("found character '\\t'", "a tab", "spaces"),
    ("found undefined alias", "an alias", "the value itself"),
    ("but found another document", "a second YAML document", "one document"),
    ("found unexpected end of stream", "the end of the file", "a closing quote"),
    ("could not find expected ':'", "a line without ': '", "'key: value'"),
    ("'<stream end>'", "the end of the file", "a closing bracket"),
    ("expected '<document start>'", "a line that does not go on with those above", "'key: value'"),
    ("expected <block end>", "a line that does not fit the indentation", "one list or mapping"),
    ("found unknown escape character", "an unknown escape in double quotes", "single quotes"),
)
"""What ruamel.yaml says, and how we say it: (part of its text, found, expected)."""

_ESCAPE: Final = re.compile(r"\\(x..|u.{4}|U.{8}|.)|.", re.DOTALL)
_SCALARS: Final = {
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:bool": "bool",
    "tag:yaml.org,2002:int": "int",
    "tag:yaml.org,2002:float": "float",
    "tag:yaml.org,2002:str": "str",
}


@dataclass(slots=True, order=True)
class Problem:
    """One mistake in a file."""

    line: int
    """Counted from 1; 0 means the file as a whole."""
    column: int
    """Counted from 1."""
    found: str
    expected: str
    hint: str = ""
    """What to do about it, or what was probably meant."""

    def at(self, name: str) -> str:
        """Say it with the file's name, ready to be clicked in an editor."""
        place = f"{name}:{self.line}:{self.column}" if self.line else name
        return f"{place}: {self.told()}"

    def told(self) -> str:
        """Say it without the place."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"found {self.found}, expected {self.expected}{hint}"


class TestbedError(InputError):
    """A testbed file is wrong; the text has one line per mistake, in file order."""

    __test__ = False

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(problem.at(name) for problem in self.problems))


@dataclass(slots=True)
class Document:
    """Plain data and where each part of it was written."""

    data: object
    """What the file says: None, bool, int, float, str, list and dict only."""
    nodes: dict[Path, Node] = field(default_factory=dict)
    keys: dict[Path, Node] = field(default_factory=dict)
    met: set[int] = field(default_factory=set)
    """Identities of the nodes that were read; an alias leads to one of them again."""

    def place(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Give line and column of a value, or of its key; of its nearest parent if absent."""
        if key and path in self.keys:
            return _start(self.keys[path])
        while path not in self.nodes and path:
            path = path[:-1]
        return _start(self.nodes[path]) if path in self.nodes else (1, 1)

    def lines(self, path: Path) -> int:
        """Say over how many lines a value is written."""
        node = self.nodes[path]
        return int(node.end_mark.line - node.start_mark.line) + 1

    def columns(self, path: Path) -> list[int]:
        """List the column of every character of a one-line text, and the one after its end.

        Quotes and escapes of YAML take room in the file that the text does not have.
        """
        node = self.nodes[path]
        assert isinstance(node, ScalarNode)
        start = int(node.start_mark.column) + 1
        text = str(node.value)
        if node.style not in ("'", '"'):
            return list(range(start, start + len(text) + 1))
        raw = node.start_mark.buffer[node.start_mark.index + 1 : node.end_mark.index - 1]
        pattern = _ESCAPE if node.style == '"' else re.compile(r"''|.", re.DOTALL)
        columns = [start + 1 + match.start() for match in pattern.finditer(raw)]
        return [*columns, start + 1 + len(raw)]


def read(text: str, name: str) -> Document:
    """Read YAML text of which only plain mappings, lists and values are wanted.

    Raises:
        TestbedError: no YAML, or YAML that hides things (tags, aliases, repeated keys).
    """
    reader = YAML(typ="safe", pure=True)
    try:
        node = reader.compose(text)
    except MarkedYAMLError as error:
        raise TestbedError(name, [_clash(error)]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        character = f"the character U+{ord(text[error.position]):04X}"
        raise TestbedError(name, [Problem(line, column, character, "printable text")]) from None
    except RecursionError:
        raise TestbedError(name, [Problem(1, 1, "endless nesting", "a testbed")]) from None
    document = Document(None)
    if node is not None:
        problems: list[Problem] = []
        document.data = _plain(node, (), document, problems)
        if problems:
            raise TestbedError(name, problems)
    return document


def foreign(error: UnicodeDecodeError) -> Problem:
    """Say where a file stops being UTF-8."""
    before = bytes(error.object[: error.start]).decode()
    line, begun = before.count("\n") + 1, before.rfind("\n") + 1
    found = f"the octet 0x{error.object[error.start]:02x}, which is no UTF-8"
    return Problem(line, len(before) - begun + 1, found, "text in UTF-8")


def require_utf8(path: os.PathLike[str]) -> None:
    """See that a run file can hold a path: octets that are no UTF-8 stand in it as surrogates.

    Raises:
        InputError: it cannot.
    """
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{error.object!a}: expected a path in UTF-8") from None


def _start(node: Node) -> tuple[int, int]:
    return int(node.start_mark.line) + 1, int(node.start_mark.column) + 1


def _clash(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = str(error.problem)
    for part, found, expected in _CLASHES:
        if part in said:
            return Problem(line, column, found, expected)
    return Problem(line, column, f"no YAML ({said})", "lines of 'key: value' or '- item'")


def _plain(node: Node, path: Path, document: Document, problems: list[Problem]) -> object:
    if id(node) in document.met:
        problems.append(Problem(*_start(node), "a value with an alias", "it written out each time"))
        return None
    document.met.add(id(node))
    document.nodes[path] = node
    if isinstance(node, MappingNode):
        return _mapping(node, path, document, problems)
    if isinstance(node, SequenceNode):
        return [
            _plain(item, (*path, index), document, problems)
            for index, item in enumerate(node.value)
        ]
    return _scalar(node, problems)


def _mapping(
    node: MappingNode, path: Path, document: Document, problems: list[Problem]
) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in node.value:
        name = str(key.value)
        below = (*path, name)
        if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            problems.append(Problem(*_start(key), "a key that is no text", "a word"))
        elif name in found:
            first = document.keys[below].start_mark.line + 1
            told = f"{name!r} a second time (first in line {first})"
            problems.append(Problem(*_start(key), told, "every key once"))
        else:
            document.keys[below] = key
            found[name] = _plain(value, below, document, problems)
    return found


def _scalar(node: Node, problems: list[Problem]) -> object:
    kind = _SCALARS.get(str(node.tag))
    text = str(node.value)
    if kind is None:
        problems.append(Problem(*_start(node), f"the YAML type {node.tag}", "a plain value"))
    elif kind == "bool":
        return text.lower() == "true"
    elif kind in ("int", "float"):
        try:
            return _whole(text) if kind == "int" else _real(text)
        except ValueError:
            problems.append(Problem(*_start(node), "a number that cannot be read", "a plain value"))
    return text if kind == "str" else None


def _whole(text: str) -> int:
    return int(text) if text.lstrip("+-").isdigit() else int(text.replace("_", ""), 0)


def _real(text: str) -> float:
    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
