"""Standard output and standard error, whoever reads them.

A terminal gets colours and a live view; a pipe gets plain lines; a reader that has gone away gets
nothing, and the command goes on, because its exit status and its files still matter. Under
`--json`, standard output carries one document and nothing else.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from io import TextIOWrapper
from typing import IO, Final

import msgspec
from rich.console import Console
from rich.text import Text

from mpwire.cli.status import Status
from mpwire.errors import InputError, MachineError, MpwireError
from mpwire.report.glyphs import plain_ascii

PIPE_COLUMNS: Final = 100
"""Width of what is not shown on a terminal, unless COLUMNS says otherwise."""
NARROWEST: Final = 40


class _Console(Console):
    """A console that survives its reader."""

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True
        _silence(self.file)


class Output:
    """Where a command says things."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        """Look at what standard output is.

        Args: json: print one document; quiet: leave out everything but results.
        """
        if sys.stdout is None:  # started with standard output closed
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        self.json = json
        self.quiet = quiet
        self.console = _Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
        self.closed = False
        """The reader has gone."""
        self._ascii = "utf" not in (sys.stdout.encoding or "ascii").lower()

    @property
    def is_terminal(self) -> bool:
        """Tell whether a person is watching."""
        return self.console.is_terminal and not self.json

    @property
    def knows_unicode(self) -> bool:
        """Tell whether arrows and crosses can be written."""
        return not self._ascii

    @property
    def width(self) -> int:
        """Give the number of columns."""
        columns = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
        return max(NARROWEST, columns)

    @property
    def height(self) -> int:
        """Give the number of rows."""
        return shutil.get_terminal_size((PIPE_COLUMNS, 24)).lines

    def line(self, text: Text | str = "") -> None:
        """Print one line; nothing under `--json`."""
        if self.json or self.closed:
            return
        made = Text(text) if isinstance(text, str) else text
        if self._ascii:
            made = plain_ascii(made)
        if self.console.is_terminal:
            self.console.print(made, soft_wrap=True, end="\n")
            self.closed = self.console.quiet
        else:
            self._write(made.plain + "\n")

    def lines(self, texts: Iterable[Text | str]) -> None:
        """Print lines until there are no more, or nobody reads them."""
        for text in texts:
            self.line(text)
            if self.closed:
                return

    def document(self, document: Mapping[str, object]) -> None:
        """Print the one document of `--json`."""
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
        self._write(encoded.decode() + "\n")

    def _write(self, text: str) -> None:
        if self.closed:
            return
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            self.closed = True
            _silence(sys.stdout)

    def complain(self, text: str) -> None:
        """Say what went wrong, on standard error."""
        if sys.stderr is None:
            return
        try:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where printing is done
        except (BrokenPipeError, ValueError):
            _silence(sys.stderr)

    def flush(self) -> None:
        """Hand everything to the reader, so that the interpreter has nothing left to lose."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _silence(sys.stdout)


def _silence(stream: IO[str]) -> None:
    """Lead a stream whose reader has gone to nowhere, so that flushing it cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def guarded(output: Output, command: Callable[[], Status]) -> Status:
    """Carry a command out and turn everything that may go wrong into a line and a status."""
    try:
        status = command()
    except InputError as error:
        status = _trouble(output, str(error), "input", Status.USAGE)
    except MachineError as error:
        status = _trouble(output, str(error), "machine", Status.MACHINE)
        if not output.json:
            output.complain("`mpwire doctor` says what this machine can do and what helps")
    except MpwireError as error:
        status = _trouble(output, str(error), "lab", Status.INCONCLUSIVE)
    except UnicodeEncodeError as error:  # of an argument, or of a file's name
        told = f"expected characters that can be written as UTF-8, found {error.object!a}"
        status = _trouble(output, told, "input", Status.USAGE)
    except KeyboardInterrupt:
        status = _trouble(output, "interrupted", "interrupted", Status.INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _trouble(output, f"{where}{error.strerror or error}", "machine", Status.MACHINE)
    output.flush()
    return status


def _trouble(output: Output, text: str, kind: str, status: Status) -> Status:
    if output.json:
        output.document({"error": {"kind": kind, "text": text, "status": int(status)}})
    output.complain(text)
    return status
