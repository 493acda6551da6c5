"""Examine what this machine can do for labs, and say how to enable the rest.

Nothing is deduced from versions or settings: a throwaway lab is started and tries.
"""

import platform
import shutil
import subprocess
import sys

import msgspec

from mpwire.errors import MachineError
from mpwire.lab import smcroute
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
    "optional, as mpwire does without it what it would do on the fabric bridge:"
    " sudo modprobe -a sch_netem sch_prio cls_u32, where the kernel has them"
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
    return [*checks, check_smcroute(), *map(check_tool, ("tshark", "tcpdump"))]


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
    veths, made = "veth pairs and packet sockets", "a pair and a ring were made"
    return [
        _tried("TAP devices", tap, "/dev/net/tun opens", _TUN_REMEDY),
        _tried(veths, veth, made, _VETH_REMEDY, required=bool(tap)),
    ]


def judge_bridge(bridge: str, netem: str) -> list[Check]:
    """Turn the probe's findings, empty where it works, into checks of the fabric bridge."""
    made = "a bridge with a port was made, and a ring hears it"
    return [
        _tried("kernel bridge", bridge, made, _BRIDGE_REMEDY),
        _tried("netem", netem, "the kernel's network emulator is there", _NETEM_REMEDY),
    ]


def _tried(name: str, wrong: str, right: str, remedy: str, *, required: bool = False) -> Check:
    """Make a check of what was wrong, if anything, and of what to say if nothing was."""
    remedy = remedy if wrong else ""
    return Check(name=name, ok=not wrong, found=wrong or right, remedy=remedy, required=required)


def check_smcroute(lacks: str | None = None) -> Check:
    """Look for the routing daemon.

    Args: lacks: what it lacks, and what brings it; None finds out.
    """
    wrong, _, remedy = (smcroute.lacks() if lacks is None else lacks).partition(": ")
    remedy = f"optional, for testbeds that need it in their routers: {remedy}"
    return _tried("SMCRoute", wrong, "the routing daemon is installed", remedy)


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
