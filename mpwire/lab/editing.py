"""What editors need to know of sentences: a pattern that checks them, and examples to start from.

The pattern knows words and the shapes of slots, not names: it accepts every sentence that the
reader accepts, and refuses what has the wrong words.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from mpwire.lab.forms import Form, Part

_WORD: Final = r'[^\s,"]+'
_SIGHT: Final = rf"{_WORD}( +{_WORD})?"
_SHAPES: Final = {
    "TEXT": r'"([^"\\]|\\.)*"',
    "EVENTS": rf"(all +events|{_WORD}( *, *{_WORD})*)",
    "SIGHTS": rf"{_SIGHT}( *, *{_SIGHT})*",
    "WHICH": r"(every|the +[^ ]+|[0-9.]+ *% +of)",
    "DURATION": r"[0-9.]+( +to +[0-9.]+)? +m?s",
    "RATE": r"[0-9.]+ +[kM]bit/s",
}


def sentence_schema(forms: Sequence[Form], description: str) -> dict[str, Any]:
    """Give the JSON Schema of one line; `defaultSnippets` is what YAML editors offer."""
    return {
        "type": "string",
        "description": description,
        "pattern": f"^ *({'|'.join(map(pattern, forms))}) *$",
        "examples": [form.example for form in forms],
        "defaultSnippets": [
            {"label": form.sentence, "description": form.meaning, "body": form.example}
            for form in forms
        ],
    }


def pattern(form: Form) -> str:
    """Give a regular expression for a sentence, in the dialect that JSON Schema asks for."""
    options = ["(" + "|".join(_parts(choice) for choice in option) + ")" for option in form.options]
    required = options[: form.required_count]
    any_order = f"({'|'.join(' +' + option for option in options)})*" if options else ""
    ahead = "".join(f"(?=.* {option}( |$))" for option in required)
    return f"{ahead}{_parts(form.head)}{any_order}"


def _parts(parts: Sequence[Part]) -> str:
    return " +".join(
        re.escape(part.word) if part.word else _SHAPES.get(part.slot, _WORD) for part in parts
    )
