"""The testbeds of the repository, and those of them that can be simulated."""

from pathlib import Path

from mpwire.lab import testbed
from mpwire.lab.able import lacking

FOLDER = Path(__file__).parents[1] / "testbeds"


def everything() -> list[Path]:
    """List all testbeds."""
    return sorted(FOLDER.glob("*.yaml"))


def possible(fabric: str) -> list[Path]:
    """List the testbeds that need nothing this fabric lacks."""
    return [path for path in everything() if not lacking(testbed.load(path), fabric)]


def simulated() -> list[Path]:
    """List the testbeds that need nothing the simulation lacks."""
    return possible("sim")
