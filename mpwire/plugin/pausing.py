"""Stop when a test has failed, while its lab still runs: look around in its hosts, then go on."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from mpwire.errors import MpwireError
from mpwire.lab.entering import entrances
from mpwire.plugin.labs import Begun

SCRIPT: Final = "at"
"""Runs a command on a host."""


def pause(item: pytest.Item, begun: Begun, reason: str) -> None:
    """Stop, if that is wanted, until somebody says to go on."""
    if not item.config.getoption("mpwire_pause"):
        return
    cancel = getattr(item.ihook, "pytest_timeout_cancel_timer", None)
    if cancel is not None:  # people take their time
        cancel(item=item)
    capture = item.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend(in_=True)
    try:
        _stand(item.nodeid, reason, _ways_in(begun))
    finally:
        if capture is not None:
            capture.resume()


def _ways_in(begun: Begun) -> dict[str, list[str]]:
    if begun.supervisor is None:
        return {}
    try:
        return entrances(begun.supervisor, begun.live.processes())
    except MpwireError:  # the lab itself has died
        return {}


def _stand(test: str, reason: str, ways: Mapping[str, Sequence[str]]) -> None:
    _say(f"\nmpwire: {test} has failed and its lab still runs\n{reason}")
    if not ways:
        _say("There are no namespaces to enter: the lab is simulated, or has died.")
    if sys.stdin is not None and sys.stdin.isatty() and ways:
        _shell(ways)
        return
    for host, command in ways.items():
        _say(f"  {host:15} {shlex.join(command)}")
    _say("A line on standard input, or its end, lets the tests go on.")
    if sys.stdin is not None:
        sys.stdin.readline()


def _shell(ways: Mapping[str, Sequence[str]]) -> None:
    """Give the user's shell, in which a command leads into each host."""
    shell = os.environ.get("SHELL", "/bin/sh")
    with tempfile.TemporaryDirectory(prefix="mpwire-") as folder:
        script = Path(folder, SCRIPT)
        script.write_text(script_of(ways), "utf-8")
        script.chmod(0o755)
        _say(f"`{SCRIPT} HOST [COMMAND...]` runs a command, or a shell, on {', '.join(ways)};")
        _say("`exit` lets the tests go on.")
        path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
        subprocess.run([shell], env={**os.environ, "PATH": path}, check=False)


def script_of(ways: Mapping[str, Sequence[str]]) -> str:
    """Write the program that runs a command on the host that is its first argument."""
    cases = "".join(
        f'    {host}) exec {shlex.join(command)} "${{@:-${{SHELL:-sh}}}}" ;;\n'
        for host, command in ways.items()
    )
    return (
        "#!/bin/bash\n"
        'host=$1; shift\ncase "$host" in\n'
        f'{cases}    *) echo "usage: {SCRIPT} {"|".join(ways)} [COMMAND...]" >&2; exit 2 ;;\n'
        "esac\n"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
