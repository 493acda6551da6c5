"""What this machine lets a fabric use: descriptors, TAP devices, and which CPU it is on."""

import ctypes
import os
import resource

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.ports import TapPort


def allow_descriptors(wanted_count: int) -> None:
    """Raise the soft limit of open files where many hosts need it; few programs like it high."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted_count:
        ceiling = wanted_count if hard == resource.RLIM_INFINITY else min(wanted_count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))


def tap_opens() -> bool:
    """Try a TAP device in a namespace that is thrown away."""
    namespace = NetworkNamespace.create()
    try:
        TapPort(namespace, "").close()
    except OSError:  # /dev/net/tun is missing, or not for this user
        return False
    finally:
        namespace.close()
    return True


def present_cpu() -> int:
    """Tell the CPU on which the scheduler has put us, a better choice than any of our own."""
    cpu = ctypes.CDLL(None).sched_getcpu()
    return cpu if cpu >= 0 else min(os.sched_getaffinity(0))
