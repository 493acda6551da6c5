"""The plugin as a project sees it that has mpwire installed: pytest in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import Run, Testbed
from mpwire.lab import testbed
from mpwire.plugin.hooks import FABRICS
from mpwire.sim import FabricName

pytest_plugins = ["pytester"]

CONFTEST = """\
from mpwire.plugin import lab_fixture

meeting = lab_fixture(hosts=["root", "leaf1", "leaf2"], timers={"scale": 0.1})
"""
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
  - leaf1 closes L1
  - P1 sees FD_CLOSE
expect:
  - P1 saw FD_CLOSE
"""
JOIN = """
    meeting.do('''
        root opens R as c_root/d_root
        root listens on R
        - leaf1 opens L1 as c_leaf/d_leaf
        # a comment

        leaf1 joins R with L1
        root accepts leaf1 on R as P1
        L1 sees FD_CONNECT
    ''')
"""
GOOD = f"""
def test_methods(meeting, expect, never, exactly_once):
    root, leaf1, leaf2 = meeting.hosts
    R = root.opens("R", "c_root/d_root")
    R.listens()
    L1 = leaf1.opens("L1", "c_leaf/d_leaf")
    L1.joins(R, caller_data="hi")
    P1 = R.accepts(leaf1, "P1")
    expect(L1, "FD_CONNECT")
    never("ABORT")
    never(L1, "FD_CLOSE")
    exactly_once("P1", "FD_CLOSE")
    exactly_once("ACCEPT from root to leaf1")
    expect("DATA to leaf1")
    R.sends(b"hello \\x00")
    assert L1.receives() == b"hello \\x00"
    L1.closes()
    P1.sees("FD_CLOSE")
    assert P1.events == ("FD_CLOSE",)
    assert meeting.socket("P1").host.name == "root"

def test_sentences(meeting):
    {JOIN.strip()}
    assert meeting.events("L1") == ("FD_CONNECT", "FD_WRITE")

def test_file(lab):
    lab.start("beds/meet.yaml").play()
    assert lab.host("leaf1").name == "leaf1"

def test_nothing_is_judged(meeting):
    pass

def test_without_start(lab):
    pass

def test_own_judgement(meeting):
    meeting.do("root opens R as c_root/d_root")
    assert meeting.finish().verdict == "PASS"
"""
BAD = f"""
import pytest

@pytest.fixture
def opened(meeting):
    meeting.do("root opens R as c_root/d_root")
    meeting.do("R sees FD_ACCEPT")

def test_step(meeting):
    meeting.do("root opens R as c_root/d_root")
    meeting.host("root")
    meeting.do("R sees FD_ACCEPT")

def test_sentence(meeting):
    meeting.do("root opens R as c_rot/d_root")

def test_method(meeting):
    meeting.host("root").opens("R", "c_root/d_root").sees("FD_ACCEPT")

def test_assertion(meeting):
    {JOIN.strip()}
    assert 1 == 2

def test_claims(meeting, never, exactly_once, expect):
    {JOIN.strip()}
    never("P1", "FD_CLOSE")
    never("CLOSE")
    expect("ABORT from root")
    exactly_once("L1", "FD_CONNECT WSAECONNREFUSED")
    meeting.do("leaf1 closes L1")

def test_fixture(opened):
    pass

def test_keys(lab):
    lab.start(hosts=["root"], timers={{"scale": "fast"}})

def test_unknown(meeting):
    meeting.host("rot")

def test_foreign(lab):
    lab.start(hosts=["root"], agents={{"root": "./my-agent"}})

def test_refused(lab):
    lab.start(hosts=["root"], requires=["duplicate_socket"])
    pytest.skip("for a reason of its own")

def test_expected(meeting):
    with pytest.raises(AssertionError):
        {JOIN.strip()}
        meeting.do("L1 sees FD_CLOSE")
"""


def files_of_runs(folder: Path) -> dict[str, list[str]]:
    """List what is in each run folder that was kept."""
    found = {}
    for one in sorted(folder.glob("mpwire-runs/*")):
        if not one.is_symlink():
            found[one.name] = sorted(path.name for path in one.iterdir())
    return found


def test_three_lines_are_enough(pytester: pytest.Pytester) -> None:
    """Let tests of every kind pass, and leave nothing behind."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_good=GOOD)
    pytester.mkdir("beds").joinpath("meet.yaml").write_text(BED, "utf-8")
    done = pytester.runpytest_subprocess("--mpwire-fabric=sim", "--mpwire-seed=7", "-W", "error")
    done.assert_outcomes(passed=6)
    done.stdout.fnmatch_lines(["mpwire: fabric sim, seed 7"])
    assert not list(pytester.path.glob("mpwire-runs/test*"))


def test_what_fails_tells_why_and_keeps_its_run(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_bad=BAD)
    done = pytester.runpytest_subprocess("--mpwire-fabric=sim", "-rs")
    done.assert_outcomes(failed=9, errors=1, skipped=1)
    text = done.stdout.str()
    told = {
        name: block.split("\n_____", 1)[0]
        for name, block in re.findall(
            r"_{3,} (?:ERROR at setup of )?(\w+) _{3,}\n(.*?)(?=\n_{3,} |\n===)", text, re.DOTALL
        )
    }
    step = told["test_step"]
    assert "E       mpwire.plugin.lab.StepFailed: R sees FD_ACCEPT" in step
    assert "E       expected FD_ACCEPT on R, seen nothing" in step
    assert "lab.py:" not in step, "a traceback ends in the test"
    assert "Captured mpwire call" in step
    assert re.search(r"test_bad.py:(\d+): StepFailed\n.*testbed, line \1  R sees", step, re.DOTALL)
    assert "again        pytest test_bad.py::test_step --mpwire-fabric=sim" in step
    (run_file,) = re.findall(r"run file +(\S+)", step)
    run = open_run(run_file)
    (record,) = run.of(Run)
    assert record.command[:2] == ["pytest", "test_bad.py::test_step"]
    assert run.of(Testbed)[0].path == str(pytester.path / "test_bad.py")

    assert "found 'c_rot/d_root', expected roles" in told["test_sentence"]
    assert "E       expected FD_ACCEPT on R, seen nothing" in told["test_method"]
    assert "hosts.py:" not in told["test_method"]
    assert " PASS  test_bad  " in told["test_assertion"]
    claims = told["test_claims"]
    assert re.search(r"test_bad.py:\d+: FD_CLOSE on P1: expected never, seen FD_CLOSE\n", claims)
    assert re.search(r"CLOSE: expected never, seen 1 of them\n", claims)
    assert "ABORT from root: expected at least once, seen 0 of them" in claims
    assert "FD_CONNECT WSAECONNREFUSED on L1: expected exactly once, seen FD_CONNECT\n" in claims
    assert "expected FD_ACCEPT on R, seen nothing" in told["test_fixture"]
    assert "lab.start(timers=...): found 'fast', expected a number" in told["test_keys"]
    assert (
        "found no host 'rot', expected root, leaf1 or leaf2; did you mean 'root'?"
        in told["test_unknown"]
    )
    assert "the fabric sim runs the reference agent only" in told["test_foreign"]
    assert "expected FD_CLOSE on L1, seen FD_WRITE" in told["test_expected"], "a step is a claim"

    kept = files_of_runs(pytester.path)
    assert kept == {
        f"test_bad-{name}-1": ["run.pcapng", "steps.yaml"]
        for name in (
            "test_assertion",
            "test_claims",
            "test_expected",
            "test_fixture",
            "test_method",
            "test_sentence",
            "test_step",
            "test_unknown",
        )
    }
    assert (pytester.path / "mpwire-runs" / "latest").is_symlink()


def test_the_steps_of_a_failure_are_a_testbed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        test_bad=f"def test_it(meeting):\n    {JOIN.strip()}\n"
        "    meeting.do('L1 saw FD_CONNECT, FD_WRITE')\n    assert 0\n"
    )
    done = pytester.runpytest_subprocess("--mpwire-fabric=sim", "--mpwire-out=runs")
    done.assert_outcomes(failed=1)
    plan = testbed.load(pytester.path / "runs" / "latest" / "steps.yaml")
    assert [step.text for step in plan.script][-1] == "L1 sees FD_CONNECT"
    assert [step.text for step in plan.expect] == ["L1 saw FD_CONNECT, FD_WRITE"]
    assert [host.name for host in plan.hosts] == ["root", "leaf1", "leaf2"]
    again = [sys.executable, "-m", "mpwire", "run", "runs/latest/steps.yaml", "--fabric", "sim"]
    assert (
        subprocess.run(again, cwd=pytester.path, capture_output=True, check=False).returncode == 0
    )


def test_a_fault_that_no_message_met_is_warned_of(pytester: pytest.Pytester) -> None:
    beds = pytester.mkdir("testbeds")
    (beds / "still.yaml").write_text(BED + "faults: [drop every DATA]\n", "utf-8")
    (beds / "heard.yaml").write_text(BED + "faults: [hold every CLOSE for 1 ms]\n", "utf-8")
    pytester.makepyfile(
        test_still="def test_it(lab):\n"
        "    lab.start(hosts=['root', 'leaf1'], faults=['drop the 9th CLOSE'])\n"
        "    lab.do('root opens R as c_root/d_root')\n"
    )
    options = ("--mpwire-fabric=sim", "testbeds", "test_still.py")
    done = pytester.runpytest_subprocess(*options)
    done.assert_outcomes(passed=3, warnings=2)
    text = done.stdout.str()
    assert "IdleFaultWarning: no message met this fault: drop every DATA" in text
    assert "IdleFaultWarning: no message met this fault: drop the 9th CLOSE" in text
    refused = pytester.runpytest_subprocess(*options, "-W", "error::mpwire.plugin.IdleFaultWarning")
    refused.assert_outcomes(passed=1, failed=2)


def test_testbeds_are_tests_where_they_are_asked_for(pytester: pytest.Pytester) -> None:
    beds = pytester.mkdir("testbeds")
    (beds / "meet.yaml").write_text(BED, "utf-8")
    (beds / "missing.yml").write_text(BED.replace("P1 saw FD_CLOSE", "P1 saw nothing"), "utf-8")
    (beds / "wrong.yaml").write_text(BED.replace("leaf1 joins", "leaf1 jons"), "utf-8")
    (beds / "unable.yaml").write_text("requires: [listen]\nagents: {leaf1: ./no}\n" + BED, "utf-8")
    (beds / "half.yaml").write_text("about: [\n", "utf-8")
    (beds / "compose.yaml").write_text("services: {}\n", "utf-8")
    pytester.makepyfile(test_nothing="def test_it(): pass")

    done = pytester.runpytest_subprocess("--mpwire-fabric=sim", "-v", "testbeds")
    done.assert_outcomes(passed=1, failed=4)
    text = done.stdout.str()
    assert "testbeds/meet.yaml::meet PASSED" in text
    assert "half.yaml:2:1: found the end of the file, expected a closing bracket" in text
    assert "testbeds/missing.yml::missing FAILED" in text
    assert "expected nothing on P1 in all, seen FD_CLOSE" in text
    assert "testbed, line 14" in text
    assert re.search(r"run file +\S+mpwire-runs/missing-1/run.pcapng", text)
    assert "wrong.yaml:8:11: found 'jons', expected" in text
    assert "the fabric sim runs the reference agent only, and leaf1 has" in text
    assert "Traceback" not in text
    assert sorted(files_of_runs(pytester.path)) == ["missing-1"]

    done = pytester.runpytest_subprocess(
        "--mpwire-fabric=sim", "testbeds/meet.yaml", "test_nothing.py"
    )
    done.assert_outcomes(passed=2)


def test_a_folder_that_is_named_beside_the_one_it_is_in_is_asked_for(
    pytester: pytest.Pytester,
) -> None:
    (pytester.mkdir("testbeds") / "meet.yaml").write_text(BED, "utf-8")
    pytester.makepyfile(test_nothing="def test_it(): pass")
    done = pytester.runpytest_subprocess("--collect-only", "-q", ".", "testbeds")
    found = [line for line in done.stdout.lines if "::" in line]
    assert sorted(found) == ["test_nothing.py::test_it", "testbeds/meet.yaml::meet"]


def test_what_a_fabric_lacks_skips_and_is_said(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("testbeds") / "meet.yaml").write_text("needs: [kernel]\n" + BED, "utf-8")
    pytester.makepyfile(
        test_it="""
        def test_it(lab):
            lab.start(hosts=["root"], needs=["kernel"])
            lab.do("root opens R as c_root/d_root")
        """
    )
    options = ("--mpwire-fabric=sim", "-rs", "testbeds", "test_it.py")
    done = pytester.runpytest_subprocess(*options)
    done.assert_outcomes(skipped=2)
    told = "UNSUPPORTED: 'kernel', which the fabric sim does not have"
    done.stdout.fnmatch_lines_random(
        [f"SKIPPED * testbeds/meet.yaml:1: {told}", f"SKIPPED * test_it.py:1: {told}"]
    )
    assert not files_of_runs(pytester.path)


def test_testbeds_are_left_alone_where_nobody_asks(pytester: pytest.Pytester) -> None:
    for folder in ("testbeds", "other"):
        pytester.mkdir(folder).joinpath("meet.yaml").write_text(BED, "utf-8")
    pytester.makepyfile(test_nothing="def test_it(): pass")
    assert "meet" not in pytester.runpytest_subprocess("--collect-only", "-q").stdout.str()
    done = pytester.runpytest_subprocess("--collect-only", "-q", "other")
    assert "meet" not in done.stdout.str()
    pytester.makeini("[pytest]\ntestpaths = testbeds\n")
    done = pytester.runpytest_subprocess("--collect-only", "-q")
    assert "testbeds/meet.yaml::meet" in done.stdout.str()


def test_several_processes_do_not_touch_each_other(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        test_many="import pytest\n@pytest.mark.parametrize('n', range(6))\n"
        f"def test_it(meeting, n):\n    {JOIN.strip()}\n    assert n % 2\n"
    )
    done = pytester.runpytest_subprocess("--mpwire-fabric=sim", "-n", "2")
    done.assert_outcomes(passed=3, failed=3)
    assert sorted(files_of_runs(pytester.path)) == [f"test_many-test_it-{n}-1" for n in (0, 2, 4)]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--mpwire-seed=-1"], "--mpwire-seed: expected a number not below 0, found -1"),
        (["--mpwire-pause", "-n", "2"], "--mpwire-pause: expected tests in one process, found -n"),
        (["--mpwire-fabric=cable"], "invalid choice: 'cable'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    pytester: pytest.Pytester, options: list[str], complaint: str
) -> None:
    done = pytester.runpytest_subprocess(*options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in done.stderr.str()


def test_fabrics_are_those_that_there_are() -> None:
    assert get_args(FabricName) == FABRICS


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, pytest; old = {*sys.modules}; import mpwire.plugin.hooks;"
        " print(*{*sys.modules} - old)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["mpwire", "mpwire.plugin", "mpwire.plugin.hooks"]
