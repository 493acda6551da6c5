"""What tests of the runner share: a short script, what agents say, and what came of it."""

from collections.abc import Callable
from typing import Any

from mpwire.capture import RunFile
from mpwire.lab.progress import AnyProgress, Failure


class Played:
    """What came of a run."""

    def __init__(self, failure: Failure | None, run: RunFile, told: list[AnyProgress]) -> None:
        self.failure: Any = failure
        self.run: Any = run
        self.told = told

    def steps(self) -> list[tuple[int, str, str | None]]:
        """List how each step ended: line, state, reason."""
        return [
            (one.line, one.state, one.reason) for one in self.of("step") if one.state != "started"
        ]

    def of(self, kind: str) -> list[Any]:
        """List the records of one kind."""
        return [one for one in self.run.records if one.__struct_config__.tag == kind]


Play = Callable[..., Played]

HEAD = """\
about: test
hosts: [root, leaf1]
timers: {rto_initial_s: 0.01, rto_maximum_s: 0.02, drain_s: 0.01, pend_s: 0.02, dead_s: 0.02}
script:
"""
FIRST = 5
"""Line of the first step."""
OPEN = ("root opens R as c_root/d_root", "leaf1 opens L1 as c_leaf/d_leaf")
CONNECTED = {"event": "FD_CONNECT", "socket": 1, "code": 0}
ACCEPTABLE = {"event": "FD_ACCEPT", "socket": 1, "code": 0}
OK: dict[str, Any] = {"result": {}}


def bed(*steps: str) -> str:
    """Write a testbed whose sockets R and L1 are open, with further steps."""
    return HEAD + "".join(f"  - {step}\n" for step in (*OPEN, *steps))
