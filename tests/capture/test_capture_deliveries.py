"""What became of frames, where somebody decides and where nobody does."""

from pathlib import Path

import pytest

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.deliveries import FOR_NOBODY, NOT_DELIVERED, decides, deliveries
from mpwire.capture.records import Decision, Host
from tests.capture.runs import run_record

MACS = {name: f"02:00:00:00:00:0{number}" for number, name in enumerate(("a", "b", "c"), 1)}


def frame(to: str, sender: str, text: str) -> bytes:
    """Make a frame between hosts; to anybody else it is for a group."""
    octets = bytes.fromhex(MACS.get(to, "01:00:5e:01:02:03").replace(":", ""))
    return octets + bytes.fromhex(MACS[sender].replace(":", "")) + b"\x08\x00" + text.encode()


def run_of(folder: Path, moves: list[tuple[str, str, bytes]], fabric: str = "bridge") -> RunFile:
    """Record frames, (vantage, direction, octets), and read them back."""
    hosts = [Host(name=name, mac=mac, addresses=[]) for name, mac in MACS.items()]
    with RunWriter(folder, hosts) as writer:
        writer.record(run_record(hosts, fabric=fabric, carrier="veth"))
        for vantage, direction, octets in moves:
            writer.frame(vantage, "in" if direction == "in" else "out", octets, 1)
    return open_run(folder)


def told(run: RunFile) -> list[tuple[int, str, int | None, str | None]]:
    """Write down each delivery."""
    return [(one.frame, one.receiver, one.delivered, one.reason) for one in deliveries(run)]


def test_unicast_and_group_frames_are_found_where_they_arrive(tmp_path: Path) -> None:
    one, many = frame("b", "a", "one"), frame("group", "a", "many")
    moves = [("a", "out", one), ("b", "in", one), ("a", "out", many)]
    moves += [("b", "in", many), ("c", "in", many)]
    assert told(run_of(tmp_path, moves)) == [
        (1, "b", 2, None),
        (3, "b", 4, None),
        (3, "c", 5, None),
    ]


def test_what_arrives_nowhere_is_told(tmp_path: Path) -> None:
    lost, nobody = frame("b", "a", "lost"), frame("group", "a", "nobody")
    assert told(run_of(tmp_path, [("a", "out", lost), ("a", "out", nobody)])) == [
        (1, "b", None, NOT_DELIVERED),
        (2, "", None, FOR_NOBODY),
    ]


def test_of_equal_frames_the_newest_has_arrived_and_each_only_once(tmp_path: Path) -> None:
    same = frame("b", "a", "same")
    moves = [("a", "out", same), ("a", "out", same), ("b", "in", same), ("b", "in", same)]
    moves.append(("b", "in", same))  # by nobody
    assert told(run_of(tmp_path, moves)) == [(1, "b", 4, None), (2, "b", 3, None)]


def test_a_host_hears_no_frame_of_its_own(tmp_path: Path) -> None:
    back = frame("group", "a", "back")
    assert told(run_of(tmp_path, [("a", "out", back), ("a", "in", back)])) == [
        (1, "", None, FOR_NOBODY)
    ]


@pytest.mark.parametrize("fabric", ["switch", "sim"])
def test_where_somebody_decides_only_the_decisions_count(fabric: str, tmp_path: Path) -> None:
    one = frame("b", "a", "one")
    run = run_of(tmp_path, [("a", "out", one), ("b", "in", one)], fabric)
    assert deliveries(run) == run.of(Decision) == []
    assert decides(run.run)
    assert decides(None)
