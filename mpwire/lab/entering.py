"""Find the way into the namespaces of a running lab, from outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

KINDS: Final = {"mnt": "--mount", "pid": "--pid", "net": "--net"}
"""Namespaces that a host has besides its user namespace, and nsenter's options for them."""


def entrances(supervisor: int, agents: Mapping[str, int]) -> dict[str, list[str]]:
    """Give for each host the command that runs another command there: that host's own `nsenter`.

    Args:
        supervisor: process id of the lab's supervisor.
        agents: process ids as the lab numbers them, by host.
    """
    ours = _inner_ids(supervisor)
    found = {host: ours.get(pid) for host, pid in agents.items()}
    return {host: _command(pid) for host, pid in found.items() if pid is not None}


def _command(pid: int) -> list[str]:
    """Join every namespace of a process, and its user namespace if it is not the caller's own."""
    there, here = Path(f"/proc/{pid}/ns/user"), Path("/proc/self/ns/user")
    user = ["--user", "--preserve-credentials"] if there.readlink() != here.readlink() else []
    return ["nsenter", "--target", str(pid), *user, *KINDS.values()]


def _inner_ids(ancestor: int) -> dict[int, int]:
    """Map the innermost process ids of all descendants of a process to those out here."""
    parents: dict[int, int] = {}
    inner: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text("utf-8", "replace")
        except OSError:  # it has ended meanwhile
            continue
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        pid = int(status.parent.name)
        parents[pid] = int(fields["PPid"])
        inner[pid] = int(fields.get("NSpid", str(pid)).split()[-1])
    return {inner[pid]: pid for pid in parents if _descends(pid, ancestor, parents)}


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor
