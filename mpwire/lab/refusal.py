"""Say why the kernel refused a namespace, or to forward groups, and what to do about it."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mpwire.errors import MachineError


@dataclass(slots=True)
class Facts:
    """Hold the kernel switches that decide about unprivileged user namespaces."""

    root: bool
    """The caller is the superuser."""
    limit: int | None
    """user.max_user_namespaces, None where the file is missing."""
    clone_allowed: bool | None
    """kernel.unprivileged_userns_clone of Debian kernels, None elsewhere."""
    apparmor_restricts: bool | None
    """kernel.apparmor_restrict_unprivileged_userns, None without that AppArmor."""


def _read_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None


def read_facts() -> Facts:
    """Read the switches of this machine."""
    clone = _read_number("/proc/sys/kernel/unprivileged_userns_clone")
    apparmor = _read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    return Facts(
        root=os.geteuid() == 0,
        limit=_read_number("/proc/sys/user/max_user_namespaces"),
        clone_allowed=None if clone is None else clone != 0,
        apparmor_restricts=None if apparmor is None else apparmor != 0,
    )


def remedy_for(number: int, facts: Facts) -> str:
    """Name what lifts the refusal, most certain cause first."""
    if facts.limit == 0:
        return "user.max_user_namespaces is 0: sudo sysctl -w user.max_user_namespaces=15000"
    if not facts.root and facts.clone_allowed is False:
        return (
            "kernel.unprivileged_userns_clone is 0:"
            " sudo sysctl -w kernel.unprivileged_userns_clone=1, or run as root"
        )
    if not facts.root and facts.apparmor_restricts:
        return (
            "AppArmor restricts user namespaces to programs with a profile:"
            " sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root"
        )
    if number in {errno.ENOSPC, errno.EUSERS}:
        return (
            "too many namespaces exist, or they are nested too deeply:"
            " end other sandboxes, or raise user.max_user_namespaces and user.max_net_namespaces"
        )
    if number == errno.EINVAL:
        return "the kernel was built without user namespaces: run as root, or use another kernel"
    return (
        "a container or a seccomp filter forbids it: start the container with"
        " --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        " (and --cap-add SYS_ADMIN as root), or run outside of it"
    )


STEPS = {
    "unshare": "new user, mount, PID and network namespaces",
    "map": "a user id map for the new user namespace",
    "mount": "private mounts in the new mount namespace",
}


def explain(step: str, number: int, facts: Facts) -> MachineError:
    """Build the error for a refused step."""
    what = STEPS.get(step, step)
    reason = os.strerror(number)
    return MachineError(f"the kernel refused {what} ({reason}); {remedy_for(number, facts)}")


def explain_forwarding(version: int, number: int) -> MachineError:
    """Build the error for a router that a kernel does not let forward groups.

    Args: version: of IP, 4 or 6; number: the kernel's errno.
    """
    remedy = ""
    if number == errno.ENOPROTOOPT:
        option = "CONFIG_IP_MROUTE" if version == 4 else "CONFIG_IPV6_MROUTE"
        remedy = f"; it was built without {option}: use another kernel, or --fabric sim"
    reason = os.strerror(number)
    return MachineError(f"the kernel refused to forward groups of IPv{version} ({reason}){remedy}")
