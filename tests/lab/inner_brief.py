"""A lab that is over at once, for who looks at its caller: no import but the standard library's."""

import json
import sys


def main() -> int:
    """Say what a lab says, without being one."""
    sys.stdin.buffer.read()
    started = {
        "progress": "started", "time_ns": 1, "name": "brief", "hosts": ["root"],
        "addresses": {"root": ["10.77.0.2"]}, "macs": {"root": "02:4d:50:00:00:02"},
        "carrier": "tap", "steps": 0,
    }  # fmt: skip
    for line in (started, {"progress": "ended", "time_ns": 2}):
        sys.stdout.write(json.dumps(line) + "\n")
    return 0
