"""What this machine lets a fabric use: descriptors, TAP devices, and which CPU it is on."""

import ctypes
import fcntl
import os
import resource
from contextlib import suppress

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.ports import TapPort


def allow_descriptors(wanted_count: int) -> None:
    """Make room for so many open files, which few programs like to be many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted_count:
        ceiling = wanted_count if hard == resource.RLIM_INFINITY else min(wanted_count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
        soft = ceiling
    highest = wanted_count if soft == resource.RLIM_INFINITY else min(wanted_count, soft)
    # The table grows now and at once: later, beside another thread, the kernel waits for all CPUs
    # whenever it grows it. Where that fails (no standard input, no room), starts only take longer.
    with suppress(OSError):
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, highest - 1))


def tap_opens() -> bool:
    """Try a TAP device in a namespace that is thrown away."""
    with NetworkNamespace.created() as namespace:
        namespace.close()
        try:
            TapPort("").close()
        except OSError:  # /dev/net/tun is missing, or not for this user
            return False
    return True


def present_cpu() -> int:
    """Tell the CPU on which the scheduler has put us, a better choice than any of our own."""
    cpu = ctypes.CDLL(None).sched_getcpu()
    return cpu if cpu >= 0 else min(os.sched_getaffinity(0))
