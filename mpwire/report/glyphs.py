"""The same rows for terminals and files that know no Unicode, column for column."""

from typing import Final

from rich.text import Text

ASCII: Final = str.maketrans(
    {
        "│": "|",
        "─": "-",
        "╌": ".",
        "├": "|",
        "┤": "|",
        "┼": "+",
        "►": ">",
        "◄": "<",
        "╳": "X",
        "⚑": "*",
        "✓": "+",
        "✗": "x",
        "–": "-",
        "·": ".",
        "…": "~",
        "⋮": ":",
        "→": ">",
    }
)
"""Each glyph of ours and the character of equal width that stands for it."""


def plain_ascii(text: Text) -> Text:
    """Replace our glyphs; what else is not ASCII is left to the stream's error handler."""
    made = text.copy()
    made.plain = text.plain.translate(ASCII)
    return made
