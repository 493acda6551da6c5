"""Labs that several threads of one process follow, as sweeps and matrices do."""

import subprocess
import sys

import pytest

RACE = """
import sys, threading
from importlib import import_module
import msgspec
from mpwire.lab.dialogue import AnyTold
from mpwire.lab import session
from mpwire.capture.recordfile import Lines
from mpwire.oracle import calls

sys.setswitchinterval(1e-6)
told = {"progress": "frame", "time_ns": 1, "number": 1, "host": "h", "direction": "in", "data": ""}
record = b'{"kind":"step","time_ns":1,"line":1,"text":"x","state":"done"}\\n'
start = threading.Barrier(4)

def follow():
    start.wait()
    for _ in range(100):
        msgspec.convert(told, type=AnyTold)
        Lines().feed("here", record)
        msgspec.json.decode(b"{}", type=calls.Line)

threads = [threading.Thread(target=follow) for _ in range(4)]
for one in threads:
    one.start()
for one in threads:
    one.join()
"""


@pytest.mark.parametrize("turn", range(8))
def test_threads_that_begin_to_follow_labs_at_once_do_not_crash(turn: int) -> None:
    """Begin anew each time: it is the first use of a type that is dangerous."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), turn
