"""`mpwire lab init` and `mpwire lab schema`: begin a testbed, in an editor that knows the keys."""

import shlex
from pathlib import Path
from typing import Final

import msgspec

import mpwire.lab
from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.report.telling import printable

PACKAGE: Final = Path(mpwire.lab.__file__).parent
STARTING: Final = PACKAGE / "starting.yaml"
SCHEMA: Final = PACKAGE / "testbed-schema.json"
SUFFIXES: Final = (".yaml", ".yml")


def init(output: Output, name: Path) -> Status:
    """Write a commented testbed that runs as it is.

    Raises:
        InputError: there is such a file, or it cannot be written, or that is no name.
    """
    if name.name in ("", ".."):
        raise InputError(f"{str(name)!r}: expected the name of a testbed")
    path = name if name.suffix in SUFFIXES else name.with_name(f"{name.name}.yaml")
    text = STARTING.read_text("utf-8").replace("NAME.yaml", path.name, 1)
    begun = False
    try:
        with path.open("x", encoding="utf-8") as file:
            begun = True
            file.write(f"# yaml-language-server: $schema={SCHEMA.as_uri()}\n{text}")
    except FileExistsError:
        raise InputError(f"{path}: found a file, which is left as it is; expected none") from None
    except OSError as error:
        if begun:  # it would stand in the way of another try
            path.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write there ({error.strerror})") from None
    shown = f"./{path}" if str(path).startswith("-") else str(path)
    told = f"{path}: a testbed that runs as it is; next: mpwire run {shlex.quote(shown)}"
    output.line(printable(told))
    if output.json:
        output.document({"testbed": str(path), "schema": str(SCHEMA)})
    return Status.PASS


def schema(output: Output) -> Status:
    """Print the JSON Schema of testbeds."""
    output.document(msgspec.json.decode(SCHEMA.read_bytes(), type=dict[str, object]))
    return Status.PASS
