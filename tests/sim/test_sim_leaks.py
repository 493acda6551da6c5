"""Two hundred labs in a row: whoever starts them holds no more afterwards than before."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.lab import testbed
from mpwire.lab.conversation import LiveLab
from mpwire.lab.launch import launch
from mpwire.report import assess
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict

LABS = 200
FIRST = 20
"""Labs until everything that is kept once has been made."""
OBJECTS = 100
"""What may be more in the end, of all objects that the collector knows: not one for each lab."""
BED = """\
about: A leaf comes and goes.
hosts: [root, leaf1]
timers: {scale: 0.1}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - root sends "hello" on R
  - leaf1 receives "hello" on L1
  - leaf1 closes L1
  - P1 sees FD_CLOSE
"""
OCTETS = 8 * 1024 * 1024
"""What may be more of memory, which no count of objects shows: 45 KiB for each lab is seen."""
INNER = str(Path(__file__).parents[1] / "lab")


def resident_octets() -> int:
    """Tell how much memory this process takes."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def held() -> tuple[int, set[str], str]:
    """Count objects, and list descriptors and children."""
    gc.collect()
    links = Path("/proc/self/fd").iterdir()
    descriptors = {f"{one.name} {os.readlink(one)}" for one in links if one.exists()}  # noqa: PTH115
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii")
    return len(gc.get_objects()), descriptors, children


def leaks_nothing(lab: Callable[[int], None]) -> None:
    for number in range(FIRST):
        lab(number)
    objects, descriptors, children = held()
    octets = resident_octets()
    for number in range(FIRST, LABS):
        lab(number)
    objects_after, descriptors_after, children_after = held()
    assert descriptors_after == descriptors
    assert children_after == children
    assert objects_after - objects < OBJECTS
    assert resident_octets() - octets < OCTETS


def test_simulated_labs_leave_nothing_in_their_process(tmp_path: Path) -> None:
    def lab(number: int) -> None:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        run_simulated(testbed.parse(BED, tmp_path / "bed.yaml", {}), folder)
        if number % FIRST == 0:
            assert assess(open_run(folder)).verdict is Verdict.PASS

    leaks_nothing(lab)


@pytest.mark.lab
def test_labs_in_namespaces_leave_nothing_in_their_caller(tmp_path: Path) -> None:
    def lab(_number: int) -> None:
        with LiveLab(launch({}, "inner_brief", [INNER]), tmp_path) as live:
            assert live.wait().carrier == "tap"

    leaks_nothing(lab)
