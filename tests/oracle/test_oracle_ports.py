"""Ports of routers belong to the record: their captures are proved, their drops explained."""

from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.records import PORT_DOWN, AnyRecord, Counters, Decision, Sentinel, Step
from mpwire.lab import testbed
from mpwire.oracle.judge import judge
from mpwire.sim import run_simulated

PARTITION = Path(__file__).parents[2] / "testbeds" / "routed-partition.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFile:
    """Run the testbed whose router loses its ports."""
    folder = tmp_path_factory.mktemp("partition")
    run_simulated(testbed.load(PARTITION), folder)
    return open_run(folder)


def incomplete(run: RunFile, records: list[AnyRecord]) -> list[str]:
    """Judge with other records, and say what the gate finds."""
    return judge(msgspec.structs.replace(run, records=records)).incomplete


def dropping(run: RunFile, port: str, count: int) -> list[AnyRecord]:
    """Let a port have dropped so many frames."""
    return [
        msgspec.structs.replace(one, interface={**one.interface, "rx_dropped": count})
        if isinstance(one, Counters) and one.host == port
        else one
        for one in run.records
    ]


@pytest.mark.parametrize("port", ["edge.north", "edge.south"])
def test_a_port_drops_what_it_refused_while_it_was_down(run: RunFile, port: str) -> None:
    refused = sum(one.receiver == port and one.reason == PORT_DOWN for one in run.of(Decision))
    assert refused
    assert incomplete(run, dropping(run, port, refused)) == []
    (reason,) = incomplete(run, dropping(run, port, refused + 1))
    assert reason.startswith(f"{port}: interface counter rx_dropped is {refused + 1}")


def test_only_a_script_explains_it(run: RunFile) -> None:
    silent = [
        msgspec.structs.replace(one, text="somebody sleeps")
        if isinstance(one, Step) and one.text.startswith("router ")
        else one
        for one in run.records
    ]
    assert {one.partition(":")[0] for one in incomplete(run, silent)} == {
        "edge.north",
        "edge.south",
    }


def test_the_capture_of_every_port_is_proved(run: RunFile) -> None:
    for kind, reason in (
        (Sentinel, "edge.south: no sentinel at the start, so its capture is not proved"),
        (Counters, "edge.south: no drop counters"),
    ):
        kept = [
            one for one in run.records if not (isinstance(one, kind) and one.host == "edge.south")
        ]
        assert reason in incomplete(run, kept)
