"""Examine what this machine can do for labs, and say how to enable the rest.

Nothing is deduced from versions or settings: a throwaway lab is started and tries.
"""

import platform
import shutil
import subprocess
import sys

import msgspec

from mpwire.errors import MachineError
from mpwire.lab.launch import launch

OLDEST_PYTHON = (3, 11)
TOOL_DEADLINE_S = 20.0

_TUN_REMEDY = (
    "optional, veth pairs are used instead: sudo modprobe tun && sudo chmod 0666 /dev/net/tun,"
    " or run as root"
)
_VETH_REMEDY = "load the kernel modules veth and af_packet: sudo modprobe -a veth af_packet"
_BRIDGE_REMEDY = (
    "optional, for the fabric bridge: load the kernel modules bridge and veth:"
    " sudo modprobe -a bridge veth"
)
_NETEM_REMEDY = (
    "optional, no testbed needs it, as the fabrics switch and sim impair by themselves:"
    " sudo modprobe sch_netem, where the kernel has it"
)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one thing that was looked at."""

    name: str
    ok: bool
    found: str
    """What there is."""
    remedy: str
    """How to enable it; empty where it is well."""
    required: bool
    """Without it no lab runs; what is not required only makes more possible."""


def examine() -> list[Check]:
    """Look at everything and return the findings, required ones first."""
    checks = [check_python(sys.version_info[:2], platform.python_version()), *check_lab()]
    return checks + [check_tool(name) for name in ("tshark", "tcpdump")]


def check_python(version: tuple[int, int], full: str) -> Check:
    """Compare the interpreter's version with the oldest that will do."""
    ok = version >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    remedy = "" if ok else f"install Python {oldest} or newer"
    return Check(name="Python", ok=ok, found=full, remedy=remedy, required=True)


def check_lab() -> list[Check]:
    """Start a throwaway lab that tries both ways to attach a host."""
    name = "user namespaces"
    try:
        with launch({}, "mpwire.lab.probe") as lab:
            found = {key: value for line in lab.lines() for key, value in line.items()}
            lab.wait()
    except MachineError as error:
        reason, _, remedy = str(error).partition("; ")
        return [Check(name=name, ok=False, found=reason, remedy=remedy, required=True)]
    works = Check(
        name=name, ok=True, found="user, mount, PID and network", remedy="", required=True
    )
    carriers = judge_carriers(str(found.get("tap")), str(found.get("veth")))
    return [works, *carriers, *judge_bridge(str(found.get("bridge")), str(found.get("netem")))]


def judge_carriers(tap: str, veth: str) -> list[Check]:
    """Turn the probe's findings, empty where it works, into checks: one of the two is needed."""
    return [
        Check(
            name="TAP devices",
            ok=not tap,
            found=tap or "/dev/net/tun opens",
            remedy=_TUN_REMEDY if tap else "",
            required=False,
        ),
        Check(
            name="veth pairs and packet sockets",
            ok=not veth,
            found=veth or "a pair and a ring were made",
            remedy=_VETH_REMEDY if veth else "",
            required=bool(tap),
        ),
    ]


def judge_bridge(bridge: str, netem: str) -> list[Check]:
    """Turn the probe's findings, empty where it works, into checks of the fabric bridge."""
    return [
        Check(
            name="kernel bridge",
            ok=not bridge,
            found=bridge or "a bridge with a port was made, and a ring hears it",
            remedy=_BRIDGE_REMEDY if bridge else "",
            required=False,
        ),
        Check(
            name="netem",
            ok=not netem,
            found=netem or "the kernel's network emulator is there",
            remedy=_NETEM_REMEDY if netem else "",
            required=False,
        ),
    ]


def check_tool(name: str) -> Check:
    """Ask a program of others for its version."""
    path = shutil.which(name)
    try:
        answer = subprocess.run(
            [path or name, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        found = "not installed" if path is None else str(error)
        remedy = f"optional, for a second opinion on captures: sudo apt-get install {name}"
        return Check(name=name, ok=False, found=found, remedy=remedy, required=False)
    first, *_ = [*(answer.stdout or answer.stderr).splitlines(), ""]
    return Check(name=name, ok=True, found=first or str(path), remedy="", required=False)
