"""Small words of messages: lists, values, and what was probably meant."""

import difflib
from collections.abc import Iterable


def guess(word: str, candidates: Iterable[str]) -> str:
    """Say which candidate was probably meant, or nothing."""
    known = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {known[close[0]]!r}?" if close else ""


def listed(words: Iterable[str], last: str = "or") -> str:
    """Write words as a list in a sentence: a, b or c; none, if there are none."""
    *most, final = [*words] or ["none"]
    return f"{', '.join(most)} {last} {final}" if most else final


def shown(value: object) -> str:
    """Describe a value that was found."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, str) else f"the number {value}"
