"""Read one-line steps: words, then the sentence they fit, then what the words stand for.

Reading is done in two passes so that errors point at the right word. The first compares shapes
only: the sentence that gets furthest along the line is the one that was meant, and the word where
it stops is the wrong one. The second looks names and values up, and reports every one that is
unknown, because by then it is certain what each word was supposed to be.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mpwire.lab import impossible
from mpwire.lab.forms import RESERVED, SLOTS, Form, Part
from mpwire.lab.source import Problem
from mpwire.lab.step import Step
from mpwire.lab.wording import guess, listed
from mpwire.lab.words import NAME, VALUES, Names, Token, WrongWord

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|"|,|[^\s,"]+')
_PHRASES: Final = {
    "WHICH": re.compile(r"every |the [0-9a-z][^ ]* |[0-9][^ ]* (% )?(of )?"),
    "DURATION": re.compile(r"[^ ]+ (to [^ ]+ )?([^ ]+ )?"),
    "RATE": re.compile(r"[^ ]+ ([^ ]+ )?"),
}
"""Shapes of what is said with several words."""
_END: Final = "the end of the line"


@dataclass(slots=True)
class Line:
    """One line to be read, and the column of each of its characters (and of its end)."""

    text: str
    line: int
    columns: Sequence[int]


@dataclass(slots=True)
class _Match:
    """How far a sentence fits a line, and what fills its slots."""

    form: Form
    reached: int = 0
    expected: list[Part] = field(default_factory=list)
    may_end: bool = False
    complete: bool = False
    filled: list[tuple[Part, list[Token]]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def stop(self, at: int, part: Part) -> None:
        """Note what would have fitted at the furthest place reached."""
        if at > self.reached:
            self.reached, self.expected = at, []
        if at == self.reached:
            self.expected.append(part)


def read_line(line: Line, forms: Sequence[Form], names: Names) -> tuple[Step | None, list[Problem]]:
    """Turn one line into a step, or into what is wrong with it.

    A socket that the line makes is added to `names`, even by a wrong line, so that one mistake is
    reported once.
    """
    tokens = [Token(found.group(), found.start()) for found in _TOKEN.finditer(line.text)]
    for token in tokens:
        if token.text == '"':
            return None, [_unclosed(line, token)]
    matches = [_match(form, tokens) for form in forms]
    best = next((match for match in matches if match.complete), None)
    if best is None:
        _remember_made(line, tokens, names)
        return None, [_misfit(line, tokens, matches, names)]
    return _resolve(line, best, names)


def _unclosed(line: Line, token: Token) -> Problem:
    hint = "put a step that contains ' #' or ': ' in single quotes"
    column = line.columns[token.start]
    return Problem(line.line, column, "a text without end", "a closing double quote", hint)


def _match(form: Form, tokens: Sequence[Token]) -> _Match:
    match = _Match(form)
    at = _match_parts(match, form.head, tokens, 0)
    options = list(form.options)
    required = options[: form.required_count]
    while at is not None:
        lacking = [option for option in required if option in options]
        if at == len(tokens) and not lacking:
            match.complete = True
            return match
        for option in options:
            step = _match_option(match, option, tokens, at)
            if step is not None:
                at = step
                options.remove(option)
                break
        else:
            match.may_end = match.reached <= at and not lacking
            match.reached = max(match.reached, at)
            return match
    return match


def _match_option(
    match: _Match, option: Sequence[tuple[Part, ...]], tokens: Sequence[Token], at: int
) -> int | None:
    for choice in option:
        step = _match_parts(match, choice, tokens, at)
        if step is not None:
            if not any(part.slot for part in choice):
                match.flags.append("_".join(part.word for part in choice))
            return step
    return None


def _match_parts(
    match: _Match, parts: Sequence[Part], tokens: Sequence[Token], at: int
) -> int | None:
    filled: list[tuple[Part, list[Token]]] = []
    for part in parts:
        taken = _take(part, tokens[at:])
        if not taken:
            match.stop(at, part)
            return None
        if part.slot:
            filled.append((part, taken))
        at += len(taken)
    match.filled += filled
    return at


def _take(part: Part, tokens: Sequence[Token]) -> list[Token]:
    """Take the tokens that have the shape of a part; none if the next one has not."""
    if not tokens:
        return []
    first = tokens[0]
    if part.word:
        return [first] if first.text == part.word else []
    if part.slot == "TEXT":
        return [first] if first.quoted else []
    if part.slot in _PHRASES:
        phrase = _PHRASES[part.slot].match(" ".join(token.text for token in tokens[:4]) + " ")
        return list(tokens[: phrase[0].count(" ")]) if phrase else []
    if first.quoted or first.text == "," or first.text in RESERVED - {"all"}:
        return []
    if part.slot in ("EVENTS", "SIGHTS"):
        return _take_list(tokens, pairs=part.slot == "SIGHTS")
    return [first] if first.text != "all" else []


def _take_list(tokens: Sequence[Token], *, pairs: bool) -> list[Token]:
    if tokens[0].text == "all":
        whole = not pairs and len(tokens) > 1 and tokens[1].text == "events"
        return list(tokens[:2]) if whole else []
    taken: list[Token] = []
    while True:
        taken.append(tokens[len(taken)])
        rest = tokens[len(taken) :]
        if pairs and rest and _may_be_error(rest[0]):
            taken.append(rest[0])
            rest = rest[1:]
        if len(rest) < 2 or rest[0].text != "," or rest[1].text == "," or rest[1].quoted:
            return taken
        taken.append(rest[0])


def _may_be_error(token: Token) -> bool:
    return not token.quoted and token.text != "," and token.text not in RESERVED


def _remember_made(line: Line, tokens: Sequence[Token], names: Names) -> None:
    for before, token in itertools.pairwise(tokens):
        made = before.text in ("opens", "as") and "/" not in token.text
        if made and NAME.fullmatch(token.text) and token.text not in (*names.hosts, *RESERVED):
            names.sockets.setdefault(token.text, ("", line.line))


def _misfit(
    line: Line, tokens: Sequence[Token], matches: Sequence[_Match], names: Names
) -> Problem:
    reached = max(match.reached for match in matches)
    furthest = [match for match in matches if match.reached == reached]
    if reached == 1:
        kind = "SOCKET" if tokens[0].text in names.sockets else "HOST"
        known = tokens[0].text in names.sockets or tokens[0].text in names.hosts
        agreeing = [match for match in furthest if match.form.head[0].slot == kind]
        furthest = agreeing if known and agreeing else furthest
    parts = list(dict.fromkeys(part for match in furthest for part in match.expected))
    words = list(dict.fromkeys(part.word for part in parts if part.word))
    wanted = list(dict.fromkeys(_wanted(part) for part in parts))
    if any(match.may_end for match in furthest):
        wanted.append(_END)
    if reached == len(tokens):
        return Problem(line.line, line.columns[-1], _END, listed(wanted))
    token = tokens[reached]
    found = token.text if token.quoted else repr(token.text)
    hint = guess(token.text, words) if len(wanted) > 1 else ""
    return Problem(line.line, line.columns[token.start], found, listed(wanted), hint)


def _wanted(part: Part) -> str:
    return repr(part.word) if part.word else SLOTS[part.slot].what


def _resolve(line: Line, match: _Match, names: Names) -> tuple[Step | None, list[Problem]]:
    values: dict[str, object] = dict.fromkeys(match.flags, True)
    wrong: list[WrongWord] = []
    for part, tokens in match.filled:
        try:
            values[part.field] = VALUES[part.slot](tokens, values, names)
        except WrongWord as error:
            wrong.append(error)
    _remember_new(line, match, values, names)
    if wrong:
        return None, [_told(line, error) for error in wrong]
    place = {"line": line.line, "column": line.columns[0], "text": line.text}
    tag = match.form.step.__struct_config__.tag
    step = msgspec.convert({**place, **values, "do": tag}, type=match.form.step)
    try:
        impossible.check(step, {part.field: tokens[0] for part, tokens in match.filled}, names)
    except WrongWord as error:
        return None, [_told(line, error)]
    return step, []


def _told(line: Line, error: WrongWord) -> Problem:
    column = line.columns[error.token.start]
    return Problem(line.line, column, error.found, error.expected, error.hint)


def _remember_new(line: Line, match: _Match, values: Mapping[str, object], names: Names) -> None:
    for part, tokens in match.filled:
        if part.slot == "NEW" and part.field in values:
            names.sockets[tokens[0].text] = (str(values.get("host", "")), line.line)
