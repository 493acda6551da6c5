"""Write the tables of docs/testbeds.md and docs/testbed-schema.json from the code.

    python -m mpwire.lab.reference [--check]

In the document, whatever stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced
by the fragment of that name.
"""

import json
import re
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from mpwire.lab import faults, forms, grammar, models, testbed, timers

FOLDER: Final = Path(__file__).parents[2] / "docs"
DOCUMENT: Final = FOLDER / "testbeds.md"
SCHEMA: Final = FOLDER / "testbed-schema.json"
SHIPPED: Final = Path(__file__).with_name("testbed-schema.json")
"""The same, as part of the package: testbeds name it in their first line."""

_FRAGMENT: Final = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_KINDS: Final = {
    "about": "text",
    "networks": "mapping",
    "hosts": "list of names, or mapping",
    "routers": "mapping",
    "agents": "mapping",
    "timers": "mapping",
    "seed": "whole number or null",
    "requires": "list of calls, or `icmp`",
    "needs": "list of `kernel`, `snooping`, `smcroute`",
    "faults": "list of sentences",
    "script": "list of sentences",
    "expect": "list of sentences",
}


def fragments() -> dict[str, str]:
    """Make every fragment, by name."""
    return {
        "keys": _table(models.Testbed, _KINDS),
        "network": _table(models.Network, {"family": "`inet`, `inet6`, `both`", "mtu": "576-9000"}),
        "timers": _timer_table(),
        "slots": forms.slot_reference(),
        "faults": forms.reference(faults.FORMS),
        "sentences": forms.reference(grammar.FORMS),
        "expectations": forms.reference(grammar.EXPECTATIONS),
    }


def rendered(document: str) -> str:
    """Return the document with its fragments replaced by what they should be.

    Raises:
        KeyError: it has markers of another name, or lacks some.
    """
    made = fragments()
    found = {match[2] for match in _FRAGMENT.finditer(document)}
    if found != set(made):
        raise KeyError(f"markers for {sorted(found)}, expected {sorted(made)}")
    return _FRAGMENT.sub(lambda match: f"{match[1]}\n{made[match[2]]}\n\n{match[3]}", document)


def schema_text() -> str:
    """Return the JSON Schema as it is published."""
    return json.dumps(testbed.schema(), indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite both files; with `--check` only say whether they are what they should be."""
    wanted = {
        DOCUMENT: rendered(DOCUMENT.read_text("utf-8")),
        SCHEMA: schema_text(),
        SHIPPED: schema_text(),
    }
    stale = [path for path, text in wanted.items() if not _is(path, text)]
    for path in stale:
        sys.stdout.write(f"{path.name} is not what the code says\n")
        if "--check" not in arguments:
            path.write_text(wanted[path], "utf-8")
    return 1 if stale and "--check" in arguments else 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _table(model: type[BaseModel], kinds: dict[str, str]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _default(name, field.default)
        rows.append(f"| `{name}` | {kinds[name]} | {default} | {field.description} |")
    return "\n".join(["| key | holds | without it | meaning |", "|---|---|---|---|", *rows])


def _default(name: str, value: object) -> str:
    if isinstance(value, BaseModel):
        return "as specified"
    if isinstance(value, dict):
        return "one, `lan`" if value else {"agents": "the reference agent"}.get(name, "none")
    return f"`{value}`" if value not in ([], None) else "none"


def _timer_table() -> str:
    rows = ["| `scale` | 1 | " + str(models.Timers.model_fields["scale"].description) + " |"]
    for name, default in timers.DEFAULTS.items():
        field = models.Timers.model_fields[name]
        rows.append(f"| `{name}` | {default:g} | {field.description} |")
    return "\n".join(["| key | without it | meaning |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
