"""The lab process: one thread with the fabric and the runner in one event loop.

Started by the supervisor with the specification on standard input; standard output carries
progress lines to the caller. Ctrl-C reaches it as SIGINT, which cancels the run; what was
recorded until then is kept.
"""

import asyncio
import sys

import msgspec

from mpwire.errors import MachineError
from mpwire.lab import runner
from mpwire.lab.fabric import SwitchFabric

INTERRUPTED = 130
MACHINE_LACKS = 4


def report(progress: object) -> None:
    """Send one progress line to the caller."""
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Run what the specification asks for and return the exit status.

    Layout: {"carrier": "tap", "veth" or null, ...}; the rest is the runner's.
    """
    spec = msgspec.json.decode(sys.stdin.buffer.read())
    fabric = SwitchFabric(carrier=spec.get("carrier"))
    try:
        return asyncio.run(runner.run(spec, fabric, report))
    except MachineError as error:
        report({"lacks": str(error)})
        return MACHINE_LACKS
    except KeyboardInterrupt:
        return INTERRUPTED
