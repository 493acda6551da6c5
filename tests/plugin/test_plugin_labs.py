"""Labs in namespaces, and what happens where there are none."""

import dataclasses
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import Run
from mpwire.errors import InputError, MachineError
from mpwire.plugin.lab import Lab, Place
from mpwire.plugin.labs import Labs

BED = """\
about: Somebody listens.
hosts: [root]
timers: {scale: 0.1}
script: [root opens R as c_root/d_root, root listens on R]
"""
TEST = """\
def test_it(lab):
    lab.start(hosts=["root"], timers={"scale": 0.1})
    lab.do("root opens R as c_root/d_root")
"""
BROKEN = """\
import sys
def test_it(lab):
    broken = [sys.executable, "-m", "mpwire.testing.broken", "close-not-acknowledged"]
    lab.start(hosts=["root", "leaf1"], agents={"leaf1": broken}, timers={"scale": 0.1})
    lab.do('''
        root opens R as c_root/d_root
        root listens on R
        leaf1 opens L1 as c_leaf/d_leaf
        leaf1 joins R with L1
        root accepts leaf1 on R as P1
        L1 sees FD_CONNECT
        root closes R
        L1 sees FD_CLOSE
    ''')
"""
CONFTEST = """\
from mpwire.plugin import lab_fixture

meeting = lab_fixture(hosts=["root", "leaf1"], timers={"scale": 0.1})
"""
ON_A_BRIDGE = """\
def opened(lab):
    lab.do("root opens R as c_root/d_root", "root listens on R")
    lab.do("leaf1 opens L1 as c_leaf/d_leaf", "leaf1 joins R with L1")
    lab.do("root accepts leaf1 on R as P1", "L1 sees FD_CONNECT")

def test_it(meeting, exactly_once):
    opened(meeting)
    exactly_once("P1", "FD_CLOSE")
    meeting.do("leaf1 closes L1")

def test_it_fails(meeting):
    opened(meeting)
    assert meeting.socket("L1").events == ("FD_CLOSE",)

def test_faults(lab):
    lab.start(hosts=["root", "leaf1"], faults=["drop the first ACCEPT"])
    opened(lab)
    lab.do("the network cuts off leaf1 from root")
"""
DIES = """\
def test_it(lab):
    lab.start(hosts=["root"], agents={"root": ["false"]})
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.lab
def test_a_broken_endpoint_fails_its_test_with_the_rule(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN, "utf-8")
    (tmp_path / "test_dies.py").write_text(DIES, "utf-8")
    done = run_pytest(tmp_path)
    assert "2 failed" in done.stdout, done.stdout
    assert (
        "✗ R56  A CLOSE that arrives in a live or lingering membership is answered" in done.stdout
    )
    assert "├───────── CLOSE ────────►│ ✗ R56" in done.stdout
    assert "root's agent" in done.stdout
    (kept,) = (tmp_path / "mpwire-runs").glob("test_broken*")
    (record,) = open_run(kept).of(Run)
    assert record.fabric == "switch"


@pytest.mark.lab
def test_on_a_bridge_labs_do_what_they_do_on_a_switch(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "test_bridge.py").write_text(ON_A_BRIDGE, "utf-8")
    (tmp_path / "testbeds").mkdir()
    (tmp_path / "testbeds" / "one.yaml").write_text(BED, "utf-8")
    options = ("--mpwire-fabric=bridge", "-rfs", "test_bridge.py", "testbeds")
    done = run_pytest(tmp_path, *options)
    assert "1 failed, 3 passed" in done.stdout, done.stdout
    assert "FAILED test_bridge.py::test_it_fails" in done.stdout
    (kept,) = (tmp_path / "mpwire-runs").glob("test_bridge*")
    (record,) = open_run(kept).of(Run)
    assert record.fabric == "bridge"


@pytest.mark.lab
def test_where_there_are_no_namespaces_labs_are_simulated_and_that_is_said(tmp_path: Path) -> None:
    """Take network namespaces away from pytest, as a locked container does."""
    (tmp_path / "test_one.py").write_text(TEST, "utf-8")
    (tmp_path / "testbeds").mkdir()
    (tmp_path / "testbeds" / "one.yaml").write_text(BED, "utf-8")
    pytest_command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    quoted = shlex.join([*pytest_command, "test_one.py", "testbeds"])
    explicit = shlex.join([*pytest_command, "--mpwire-fabric=switch", "test_one.py"])
    refusing = f"echo 0 > /proc/sys/user/max_net_namespaces; {quoted}; {explicit}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", refusing],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    auto, switch = done.stdout.split("test session starts")[1:]
    assert "2 passed" in auto
    told = [line for line in auto.splitlines() if line.startswith("mpwire: simulated, as")]
    assert len(told) == 1
    assert "namespaces are not to be had here: the kernel refused new user" in told[0]
    assert "1 failed" in switch
    assert "MachineError: the kernel refused new user, mount, PID and network" in switch


def place(folder: Path) -> Place:
    return Place("test_x", folder / "test_x.py", folder, ("pytest",), None)


def test_mistakes_are_told_before_anything_is_started(tmp_path: Path) -> None:
    labs = Labs("sim", tmp_path / "runs")
    lab = Lab(labs, place(tmp_path))
    below = tmp_path / "deep" / "test_x.py"
    deeper = Lab(labs, dataclasses.replace(place(tmp_path), file=below))
    for call, told in (
        (lab.start, r"no 'hosts'"),
        (lambda: lab.start(hosts=["root"], script=[]), r"lab.start\(script=...\): the test itself"),
        (lambda: lab.start("x.yaml"), rf"lab.start: found no {tmp_path / 'x.yaml'}$"),
        (lambda: deeper.start("x.yaml"), "found neither .*/deep/x.yaml nor .*x.yaml"),
        (lambda: deeper.start("/x.yaml"), "lab.start: found no /x.yaml$"),
        (lambda: lab.start("x.yaml", hosts=["root"]), "a testbed file or keywords, found both"),
        (lambda: lab.start(hosts=["root"], colour=1), r"lab.start\(colour=...\): found 'colour'"),
        (lambda: lab.do("everything settles"), "the lab was not started"),
    ):
        with pytest.raises(InputError, match=told):
            call()
    assert not (tmp_path / "runs").exists()
    assert not lab.started


def test_a_test_has_one_lab(tmp_path: Path) -> None:
    labs = Labs("sim", tmp_path / "runs")
    lab = Lab(labs, place(tmp_path)).start(hosts=["root"])
    with pytest.raises(InputError, match="a test has one lab"):
        lab.start(hosts=["root"])
    with pytest.raises(InputError, match="found no socket 'R', no step has made one yet"):
        lab.socket("R")
    lab.close()
    lab.drop()
    labs.close()
    assert list((tmp_path / "runs").iterdir()) == []


def test_processes_of_the_simulation_are_used_again(tmp_path: Path) -> None:
    labs = Labs("sim", tmp_path / "runs")
    first = Lab(labs, place(tmp_path)).start(hosts=["root"])
    second = Lab(labs, place(tmp_path)).start(hosts=["root"])
    for lab in (first, second):
        lab.judged()
        lab.close()
    third = Lab(labs, place(tmp_path)).start(hosts=["root"])
    third.close()  # which does not end in order, so its process is of no more use
    assert first.folder.name == "test_x-1"
    assert second.folder.name == "test_x-2"
    fourth = Lab(labs, place(tmp_path)).start(hosts=["root"])
    fourth.judged()
    labs.close()


def test_a_fabric_that_cannot_run_it_leaves_no_folder(tmp_path: Path) -> None:
    lab = Lab(Labs("sim", tmp_path / "runs"), place(tmp_path))
    with pytest.raises(MachineError, match="sim runs the reference agent only"):
        lab.start(hosts=["root"], agents={"root": "./mine"})
    assert list((tmp_path / "runs").iterdir()) == []
