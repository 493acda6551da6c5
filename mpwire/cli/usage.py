"""Mistakes in a command line, told in our words and with what was probably meant."""

import re
from typing import Any, Final

import typer
from typer.core import TyperGroup

from mpwire.lab.wording import guess

_CHOICE: Final = re.compile(r"'(?P<found>[^']*)' is not one of (?P<known>.*)\.")
_NUMBERS: Final = {"valid integer": "a whole number", "valid number": "a number"}
"""Part of what Typer says, and what it expected."""


class Commands(TyperGroup):
    """Carry commands out; what Typer says of wrong values is put in our words."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as Typer has it
        """Carry out the command that the command line names."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain(error.message)
            raise


def plain(message: str) -> str:
    """Say in our words why a value is wrong."""
    choice = _CHOICE.search(message)
    if choice is not None:
        hint = guess(choice["found"], re.findall(r"'([^']*)'", choice["known"]))
        told = f"found {choice['found']!r}, expected one of {choice['known']}"
        return f"{told}; {hint}" if hint else told
    for part, expected in _NUMBERS.items():
        if part in message:
            return f"expected {expected}"
    return message
