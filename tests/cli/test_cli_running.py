"""`mpwire run`: from a testbed file to a verdict, as a user sees it."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mpwire.capture import open_run
from mpwire.capture.records import AgentLine, StoredVerdict
from tests.cli.meetings import session_of

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).parents[2]
SCHEMA = json.loads((HOME / "docs" / "cli-schema.json").read_text("utf-8"))
BROKEN = f"{shlex.quote(sys.executable)} -m mpwire.testing.broken"
SHORT = session_of()


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Return a testbed of eight steps."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, "utf-8")
    return path


def test_the_testbeds_of_a_folder_are_run_in_order(mpwire: Mpwire, tmp_path: Path) -> None:
    beds = tmp_path / "beds"
    beds.mkdir()
    options = ("--fabric", "sim", "--out", tmp_path / "runs", "--json")
    nothing = mpwire("run", beds, *options)
    assert nothing.returncode == 2
    assert "found no testbeds there, expected *.yaml" in nothing.stdout + nothing.stderr
    for name in ("two.yaml", "one.yaml", "three.yml", "notes.txt"):
        (beds / name).write_text(SHORT, "utf-8")
    done = mpwire("run", beds, *options)
    assert done.returncode == 0
    run = [Path(one["testbed"]).name for one in json.loads(done.stdout)["results"]]
    assert run == ["one.yaml", "three.yml", "two.yaml"]


@pytest.mark.lab
def test_the_quick_tour_passes_and_is_judged_the_same_again(mpwire: Mpwire, toured: Path) -> None:
    run = open_run(toured)
    assert run.incomplete == []
    (stored,) = run.of(StoredVerdict)
    again = json.loads(mpwire("check", "--json", toured).stdout)
    assert stored.verdict["verdict"] == again["verdict"] == "PASS"
    assert stored.verdict["rules"] == again["rules"]
    assert again["events"]["must"] >= 0.95 * again["events"]["reported"]


@pytest.mark.lab
def test_a_pipe_gets_the_verdict_and_the_path(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    done = mpwire("run", short, "--out", tmp_path / "runs")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("\n PASS  short  ")
    assert done.stdout.endswith(f"  run file  {tmp_path}/runs/short-1/run.pcapng\n")
    assert "\x1b" not in done.stdout
    assert "⚑" not in done.stdout


@pytest.mark.lab
def test_a_scale_replaces_that_of_the_testbed(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    done = mpwire("run", short, "--scale", "0.05", "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [bytes(one.line) for one in open_run(tmp_path / "runs/latest").of(AgentLine)]
    configured = [line for line in lines if b'"configure"' in line and b'"id"' in line]
    assert len(configured) == 2
    for line in configured:
        assert json.loads(line)["args"]["timers"]["keepalive_s"] == 1.0


@pytest.mark.lab
def test_quiet_is_the_verdict_and_the_path(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    done = mpwire("run", "-q", short, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        " PASS  short  8 datagrams, 5 events",
        "  run file  mpwire-runs/short-1/run.pcapng",
    ]
    assert (tmp_path / "mpwire-runs" / "latest").resolve().name == "short-1"


@pytest.mark.lab
def test_several_testbeds_are_a_table(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    failing = tmp_path / "failing.yaml"
    failing.write_text(SHORT + "expect:\n  - P1 saw nothing\n", "utf-8")
    done = mpwire("run", short, failing, cwd=tmp_path)
    assert done.returncode == 1
    passed, failed, count = done.stdout.splitlines()
    assert passed.startswith("PASS          mpwire-runs/short-1/run.pcapng")
    assert failed.startswith("FAIL          mpwire-runs/failing-1/run.pcapng  line 14: expected ")
    assert count == "2 files: 1 PASS, 1 FAIL"


def test_one_that_cannot_be_run_takes_no_result_from_others(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text(SHORT.replace("script:", "agents: {default: cat}\nscript:"), "utf-8")
    report = tmp_path / "report.xml"
    options = ("--fabric", "sim", "--out", tmp_path / "runs", "--junit", report)
    done = mpwire("run", short, foreign, short, *options, "--json")
    assert done.returncode == 4
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["verdict"] == "ERROR"
    assert [one["verdict"] for one in document["results"]] == ["PASS", "ERROR", "PASS"]
    told = "the fabric sim runs the reference agent only, and root has cat"
    assert document["results"][1]["error"] == told
    assert f'message="{told}"' in report.read_text("utf-8")
    table = mpwire("run", short, foreign, *options)
    assert table.stdout.endswith("\n2 files: 1 PASS, 1 ERROR\n")
    assert table.stderr == f"{told}\n"


def test_a_path_that_no_run_file_can_hold_is_refused(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd\udcff"
    odd.mkdir()
    (odd / "bed.yaml").write_text(SHORT, "utf-8")
    for arguments in ((odd / "bed.yaml",), (odd,), (short, "--out", odd)):
        done = mpwire("run", "--fabric", "sim", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "odd\\udcff" in done.stderr
        assert "expected a path in UTF-8" in done.stderr
    assert [path.name for path in odd.iterdir()] == ["bed.yaml"]
    command = ("run", short, "--fabric", "sim", "--fault", "drop \udcff", "--json")
    assert mpwire(*command, cwd=tmp_path).returncode == 2


def test_a_fault_that_no_message_met_is_told(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    idle = ("drop the 9th ACCEPT from root to leaf1", "hold every DATA for 20 ms")
    met = ("hold every CLOSE for 20 ms", "duplicate the first CLOSE from leaf1 to root")
    faults = [word for sentence in (*idle, *met) for word in ("--fault", sentence)]
    report = tmp_path / "report.xml"
    options = ("--fabric", "sim", *faults, "--out", tmp_path / "runs", "--junit", report)
    expected = [f"no message met this fault: {sentence}" for sentence in idle]

    def said(done: subprocess.CompletedProcess[str]) -> list[str]:
        assert done.returncode == 0
        return [line.strip(" !") for line in done.stdout.splitlines() if "met this fault" in line]

    assert said(mpwire("run", short, *options)) == expected
    assert re.findall('"idle_fault" value="(.*)"', report.read_text("utf-8")) == list(idle)
    assert said(mpwire("check", tmp_path / "runs" / "latest")) == expected
    document = json.loads(mpwire("run", short, *options, "--json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["idle_faults"] == list(idle)
    assert said(mpwire("run", short, short, *options)) == expected
    heard = tmp_path / "heard.yaml"
    heard.write_text(f"{SHORT}faults: [hold every CLOSE for 1 ms]\n", "utf-8")
    still = tmp_path / "still.yaml"
    still.write_text(f"{SHORT}faults: [hold every DATA for 1 ms]\n", "utf-8")
    both = mpwire("run", heard, still, "--fabric", "sim", "--out", tmp_path / "both")
    silent = tmp_path / "both" / "still-1" / "run.pcapng"
    assert said(both) == [f"{silent}: no message met this fault: hold every DATA for 1 ms"]


@pytest.mark.lab
def test_a_failed_expectation_is_no_pass(mpwire: Mpwire, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(SHORT.replace("P1 sees FD_CLOSE", "L1 sees nothing"), "utf-8")
    text = SHORT.replace("L1 sees FD_CONNECT", "L1 sees FD_CONNECT WSAECONNREFUSED")
    path.write_text(text, "utf-8")
    done = mpwire("run", path, "--json", cwd=tmp_path)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["verdict"] == "FAIL"
    assert not [rule for rule in document["rules"] if rule["verdict"] == "FAIL"]
    (step,) = document["failed_steps"]
    assert step == {
        "line": 10,
        "text": "L1 sees FD_CONNECT WSAECONNREFUSED",
        "reason": "expected FD_CONNECT WSAECONNREFUSED on L1, seen FD_CONNECT",
        "kind": "failed",
    }
    assert mpwire("check", tmp_path / "mpwire-runs" / "latest").returncode == 1


@pytest.mark.lab
def test_a_broken_endpoint_on_one_host(mpwire: Mpwire, tmp_path: Path) -> None:
    agent = f"leaf1={BROKEN} close-reported-twice"
    done = mpwire("run", "--agent", agent, cwd=tmp_path, COLUMNS="120")
    assert done.returncode == 0, "leaf1 never hears of an end"
    agent = f"root={BROKEN} close-reported-twice"
    done = mpwire("run", "--agent", agent, cwd=tmp_path, COLUMNS="120")
    assert done.returncode == 1
    assert "✗ EV20" in done.stdout
    assert "⚑ P1 FD_CLOSE ✗ EV20" in done.stdout


@pytest.mark.lab
def test_an_agent_that_supports_nothing_is_unsupported(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import json, sys\n"
        "print(json.dumps({'hello': {'contract': 1, 'name': 'x', 'version': '1', 'calls': []}}),"
        " flush=True)\n"
        "for line in sys.stdin:\n"
        "    call = json.loads(line)\n"
        "    print(json.dumps({'id': call['id'], 'unsupported': call['call']}), flush=True)\n"
        "    if call['call'] == 'exit':\n"
        "        break\n",
        "utf-8",
    )
    command = f"{shlex.quote(sys.executable)} ./agent.py"
    done = mpwire("run", short, "--agent", command, "--json", cwd=tmp_path)
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert document["verdict"] == "UNSUPPORTED"
    assert mpwire("check", tmp_path / "mpwire-runs" / "latest").returncode == 5


@pytest.mark.lab
def test_an_agent_that_dies_fails_the_testbed_and_says_why(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    agent = f"leaf1={shlex.quote(sys.executable)} -c 'import sys; sys.exit(\"no luck\")'"
    done = mpwire("run", short, "--agent", agent, cwd=tmp_path)
    assert done.returncode == 1
    assert "no luck" in done.stdout
    assert "leaf1 wrote to standard error: mpwire-runs/short-1/leaf1.stderr" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bad.yaml"], "bad.yaml:4:5: found 'rot', expected a host"),
        (["nosuch.yaml"], "nosuch.yaml: found no readable file"),
        (["short.yaml", "bad.yaml"], "bad.yaml:4:5: found 'rot'"),
        (["short.yaml", "--agent", "no/such/program"], "found no program 'no/such/program'"),
        (["short.yaml", "--agent", "leaf7=/bin/true"], "agent for 'leaf7': no such host"),
        (["short.yaml", "--out", "short.yaml/x"], "short.yaml/x: cannot write there"),
    ],
)
@pytest.mark.usefixtures("short")
def test_mistakes_are_told_and_nothing_is_started(
    mpwire: Mpwire, tmp_path: Path, arguments: list[str], said: str
) -> None:
    text = "about: bad\nhosts: [root]\nscript:\n  - rot opens R as c_root/d_root\n"
    (tmp_path / "bad.yaml").write_text(text, "utf-8")
    done = mpwire("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert not (tmp_path / "mpwire-runs").exists()
    document = json.loads(mpwire("run", *arguments, "--json", cwd=tmp_path).stdout)
    jsonschema.validate(document, SCHEMA)
    assert said in document["error"]["text"]


def _without_namespaces(
    command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command where the kernel gives no network namespace."""
    quoted = " ".join(map(shlex.quote, command))
    return subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "sh",
            "-c",
            f"echo 0 > /proc/sys/user/max_net_namespaces && {quoted}",
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )


@pytest.mark.lab
def test_a_machine_without_namespaces_simulates_and_says_so(
    short: Path, environment: dict[str, str], argv: list[str], tmp_path: Path
) -> None:
    arguments = ["run", str(short), "--out", str(tmp_path / "runs")]
    done = _without_namespaces([*argv, *arguments], environment)
    assert done.returncode == 0
    assert "  simulated, as namespaces are not to be had here: " in done.stdout
    assert " PASS " in done.stdout


def test_a_run_can_be_simulated(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = mpwire("run", short, "--fabric", "sim", "--out", tmp_path, "--junit", report)
    assert done.returncode == 0
    assert "as namespaces are not to be had" not in done.stdout
    assert report.read_text("utf-8").count("<testsuite ") == 1
    judged = mpwire("check", str(tmp_path / "latest"))
    assert judged.returncode == 0


def test_every_message_is_lost_in_turn_in_the_simulation(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    arguments = ["--every", "drop", "--fabric", "sim", "--out", str(tmp_path), "--json"]
    done = mpwire("run", str(short), *arguments)
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "PASS"


def test_the_simulation_takes_no_other_program(mpwire: Mpwire, short: Path, tmp_path: Path) -> None:
    arguments = ["--fabric", "sim", "--agent", "root=/bin/cat", "--out", str(tmp_path)]
    done = mpwire("run", str(short), *arguments)
    assert done.returncode == 4
    assert "the fabric sim runs the reference agent only, and root has" in done.stderr


@pytest.mark.lab
def test_a_machine_that_refuses_is_status_4_with_the_remedy(
    short: Path, environment: dict[str, str], argv: list[str], tmp_path: Path
) -> None:
    arguments = ["run", str(short), "--fabric", "switch", "--out", str(tmp_path / "runs")]
    done = _without_namespaces([*argv, *arguments], environment)
    assert done.returncode == 4
    assert done.stdout == ""
    assert "raise user.max_user_namespaces and user.max_net_namespaces" in done.stderr
    assert "`mpwire doctor` says" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.lab
def test_a_reader_that_goes_away_does_not_stop_the_run(
    short: Path, environment: dict[str, str], argv: list[str], tmp_path: Path
) -> None:
    run = " ".join([*map(shlex.quote, argv), "run", str(short), "--out", str(tmp_path / "runs")])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {run} | true"],
        capture_output=True,
        env=environment,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert open_run(tmp_path / "runs" / "latest").incomplete == []
