"""A routing daemon in every router: SMCRoute, started, told and ended by the lab."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from mpwire.capture import open_run
from mpwire.errors import MachineError
from mpwire.lab import smcroute, testbed
from mpwire.lab.able import lacking
from mpwire.lab.groups import GroupControl
from mpwire.lab.hosts import Host
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.topology import Network, derive
from mpwire.report import assess
from mpwire.sim import RunRequest, run_on_fabric
from mpwire.vocabulary import Verdict
from tests.lab.conftest import Here

BEDS = Path(__file__).parents[2] / "testbeds"
BED = BEDS / "routed-smcroute.yaml"
PORTS = {"edge.home": ("eth0", False), "edge.away": ("eth1", True)}


def or_skip() -> None:
    """Skip what the daemon has to be installed for."""
    if smcroute.lacks():
        pytest.skip(f"this machine cannot run it: {smcroute.lacks()}")


def test_the_configuration_names_the_interfaces_of_a_router() -> None:
    assert smcroute.configuration(PORTS) == (
        "# edge.home\nphyint eth0 enable\n# edge.away\nphyint eth1 enable\n"
    )


def test_what_is_not_installed_is_told_with_what_brings_it(tmp_path: Path) -> None:
    remedy = "sudo apt-get install smcroute"
    assert smcroute.lacks(str(tmp_path)) == f"no smcrouted and no smcroutectl: {remedy}"
    (tmp_path / "smcrouted").touch(0o755)
    assert smcroute.lacks(str(tmp_path)) == f"no smcroutectl: {remedy}"
    assert "/usr/sbin" in smcroute.search_path().split(os.pathsep)


@pytest.mark.parametrize("fabric", ["switch", "bridge"])
def test_namespaces_have_the_daemon_where_it_is_installed(fabric: str) -> None:
    found = smcroute.lacks()
    told = f"'smcroute', which is not installed: {found}" if found else ""
    assert lacking(testbed.load(BED), fabric) == told


def test_the_simulation_has_no_daemon() -> None:
    told = "'smcroute', which the fabric sim does not have"
    assert lacking(testbed.load(BED), "sim") == told


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "fabric"),
    [
        ("routed-smcroute", "switch"),
        ("routed-smcroute", "bridge"),
        ("routed-ssm-ipv6", "switch"),
    ],
)
def test_a_daemon_forwards_what_hosts_have_asked_for(
    tmp_path: Path, name: str, fabric: Literal["switch", "bridge"]
) -> None:
    or_skip()
    text = (BEDS / f"{name}.yaml").read_text("utf-8")
    if "needs:" not in text:
        text = text.replace("\nscript:", "\nneeds: [smcroute]\n\nscript:")
    path = tmp_path / "bed.yaml"
    path.write_text(text, "utf-8")
    done = run_on_fabric(path, tmp_path / "out", RunRequest(fabric=fabric))
    assessment = assess(open_run(done.run_file))
    assert assessment.verdict is Verdict.PASS, assessment.failed_steps
    logs = {one.name: one.read_text() for one in done.run_file.parent.glob("*.smcroute.log")}
    routers = {router.name for router in testbed.load(path).topology.routers}
    assert logs.keys() == {f"{router}.smcroute.log" for router in routers}
    source = "fd77::2" if name.endswith("ipv6") else "10.77.0.2"
    assert all(f"Add {source} -> " in log for log in logs.values())
    left = {one.suffix for one in done.run_file.parent.glob("*.smcroute.*")}
    assert left == {".conf", ".log"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put scripts in the places of the programs, and give a folder for a run."""

    def make(**scripts: str) -> Path:
        for name, script in scripts.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        folder = tmp_path / "run"
        folder.mkdir()
        return folder

    return make


def test_a_daemon_that_cannot_start_is_told_and_leaves_nothing(
    programs: Callable[..., Path],
) -> None:
    folder = programs(smcrouted="echo warming up >&2; echo no room for it >&2; exit 3")
    with pytest.raises(MachineError, match="smcrouted of edge does not start: no room for it"):
        smcroute.SmcrouteRouter(folder, "edge", cast("NetworkNamespace", Here()), PORTS)
    assert list(folder.iterdir()) == []


def test_a_router_whose_daemon_cannot_start_ends_those_of_the_others(
    programs: Callable[..., Path],
) -> None:
    ready = 'case "$*" in *" -i edge "*) touch edge.smcroute.pid; exec sleep 60;; esac; exit 3'
    folder = programs(smcrouted=ready)
    networks = [Network(name=name, families=("inet",)) for name in ("home", "away")]
    topology = derive(networks, {}, {"edge": ["home", "away"], "rim": ["home", "away"]})
    here = SimpleNamespace(namespace=Here(), cables={})
    hosts = cast("dict[str, Host]", {"edge": here, "rim": here})
    with pytest.raises(MachineError, match="smcrouted of rim does not start"):
        GroupControl(topology, hosts, partial(smcroute.SmcrouteRouter, folder))
    left = {one.name for one in folder.iterdir()}
    assert left == {"edge.smcroute.conf", "edge.smcroute.log"}


def test_a_daemon_that_does_not_answer_is_told(programs: Callable[..., Path]) -> None:
    ready = 'eval touch "\\"\\${$#}\\""; exec sleep 60'
    folder = programs(smcrouted=ready, smcroutectl='test "$3" = remove || exec sleep 60')
    here = cast("NetworkNamespace", Here())
    router = smcroute.SmcrouteRouter(folder, "edge", here, PORTS, deadline_s=1)
    try:
        with pytest.raises(MachineError, match=r"edge: add eth0 .*: no answer within 1 s"):
            router.forward("10.77.0.2", "239.1.2.3", "edge.home", ["edge.away"])
    finally:
        router.close()


def test_what_the_daemon_refuses_is_told(programs: Callable[..., Path]) -> None:
    ready = 'eval touch "\\"\\${$#}\\""; exec sleep 60'  # the last word is the file that says so
    told = 'echo "$3 $4 $5 $6 $7" >> told; test "$3" = remove || { echo unheard of >&2; exit 1; }'
    folder = programs(smcrouted=ready, smcroutectl=told)
    router = smcroute.SmcrouteRouter(folder, "edge", cast("NetworkNamespace", Here()), PORTS)
    flow = "10.77.0.2", "239.1.2.3", "edge.home"
    try:
        with pytest.raises(MachineError, match=r"smcroutectl of edge: add eth0 .*: unheard of"):
            router.forward(*flow, ["edge.away"])
        router.forward(*flow, ["edge.away"])  # that has been asked for
        router.forward(*flow, [])
    finally:
        router.close()
        router.close()
    assert (folder / "told").read_text().splitlines() == [
        "remove eth0 10.77.0.2 239.1.2.3 ",
        "add eth0 10.77.0.2 239.1.2.3 eth1",
        "remove eth0 10.77.0.2 239.1.2.3 ",
    ]
    left = {one.name for one in folder.iterdir()}
    assert left == {"told", "edge.smcroute.conf", "edge.smcroute.log"}
