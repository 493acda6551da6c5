"""`--agent`: which program plays which host."""

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mpwire.errors import InputError
from mpwire.lab.plan import Plan
from mpwire.lab.testbed import resolved

EVERY_HOST: Final = ""
_FOR_HOST: Final = re.compile(r"([a-z][a-z0-9-]{0,14})=(.*)", re.DOTALL)

Agents = Mapping[str, tuple[str, ...]]
"""Command lines by host; by EVERY_HOST for those that are not named."""


def parse_agents(options: Sequence[str]) -> Agents:
    """Read `HOST=COMMAND` and `COMMAND` options.

    Raises:
        InputError: no command line, or two for one host.
    """
    agents: dict[str, tuple[str, ...]] = {}
    for option in options:
        named = _FOR_HOST.fullmatch(option)
        host, text = (named[1], named[2]) if named else (EVERY_HOST, option)
        if host in agents:
            raise InputError(f"--agent {option!r}: found a second one for {host or 'every host'}")
        agents[host] = words_of(option, text)
    return agents


def words_of(option: str, text: str) -> tuple[str, ...]:
    """Split a command line as a shell would; `./` is here, and not beside the testbed.

    Raises:
        InputError: there are no words.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words:
        raise InputError(f"--agent {option!r}: expected HOST=COMMAND or COMMAND")
    return tuple(
        str(Path(word).absolute()) if word.startswith(("./", "../")) else word for word in words
    )


def for_hosts(agents: Agents, plan: Plan) -> dict[str, tuple[str, ...]]:
    """Say for each host of a testbed which command line replaces its own."""
    everybody = agents.get(EVERY_HOST)
    replaced = {} if everybody is None else {host.name: everybody for host in plan.hosts}
    return {**replaced, **{host: words for host, words in agents.items() if host != EVERY_HOST}}


def require_programs(plan: Plan, agents: Mapping[str, Sequence[str]]) -> None:
    """Check before anything is started that every agent's program exists.

    Raises:
        InputError: one does not.
    """
    for host in plan.hosts:
        words = resolved(agents.get(host.name, host.agent))
        if shutil.which(words[0]) is None:
            raise InputError(
                f"agent of {host.name}: found no program {words[0]!r}, expected a command line"
            )
