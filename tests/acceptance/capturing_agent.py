"""Be the reference agent with tcpdump beside it.

    python capturing_agent.py FILE [router]

tcpdump starts first and is stopped after the agent has ended, so that FILE holds the whole session.
It captures in the agent's namespace; with "router", on all interfaces of the first router, whose
namespace has no name and is found among the descriptors that the lab holds.
"""

import ctypes
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

CLONE_NEWNET = 0x4000_0000
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def enter_router(lab: int) -> None:
    """Move into a namespace that forwards, of those that the lab's process holds."""
    libc = ctypes.CDLL(None, use_errno=True)
    for held in sorted(Path(f"/proc/{lab}/fd").iterdir(), key=lambda one: int(one.name)):
        try:
            is_network = held.readlink().name.startswith("net:[")
        except FileNotFoundError:
            continue
        if not is_network:
            continue
        with held.open("rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "enter the namespace of a router")
        if FORWARDING.read_text("ascii").strip() == "1":
            return
    raise RuntimeError("the lab has no router")


def main() -> int:
    """Capture, serve, stop capturing."""
    at_router = sys.argv[2:] == ["router"]
    interface = "any" if at_router else "eth0"
    # tcpdump gives up root for a user of its own, who does not exist in a lab: keep ours.
    options = ["-i", interface, "-U", "--immediate-mode", "-w", sys.argv[1], "-Z", "root"]
    with subprocess.Popen(
        ["tcpdump", *options],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        preexec_fn=partial(enter_router, os.getppid()) if at_router else None,  # noqa: PLW1509 - there is one thread
    ) as tcpdump:
        assert tcpdump.stderr is not None
        for line in tcpdump.stderr:
            os.write(2, line)
            if b"listening on" in line:
                break
        try:
            return subprocess.call([sys.executable, "-m", "mpwire.io.agent"])
        finally:
            tcpdump.send_signal(signal.SIGINT)
            tcpdump.stderr.read()


if __name__ == "__main__":
    sys.exit(main())
