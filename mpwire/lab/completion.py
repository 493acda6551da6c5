"""The end of a recording, wherever the run took place."""

from collections.abc import Mapping
from pathlib import Path

from mpwire.capture import RunWriter
from mpwire.errors import BrokenRunError


def complete(writer: RunWriter, folder: Path, all_said: Mapping[str, str]) -> Path:
    """Complete a run file, put what agents wrote to standard error beside it, and return its path.

    Raises:
        BrokenRunError: it cannot be completed.
    """
    try:
        path = writer.finish()
        for host, said in all_said.items():
            if said:
                (folder / f"{host}.stderr").write_text(said, "utf-8")
    except OSError as error:
        raise BrokenRunError(f"the run file cannot be completed: {error.strerror}") from error
    return path
