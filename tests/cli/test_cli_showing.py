"""`mpwire show`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mpwire.capture import open_run
from tests.oracle.oracle_story import record, without
from tests.oracle.oracle_tales import tour

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))


@pytest.mark.lab
def test_a_run_is_a_ladder(mpwire: Mpwire, toured: Path) -> None:
    done = mpwire("show", toured)
    assert done.returncode == 0
    for seen in (
        "⚑ L1 FD_CONNECT",
        "⚑ P1 FD_CLOSE",
        " CHALLENGE ",
        "root accepts leaf1 on R as P1",
    ):
        assert seen in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "✗" not in done.stdout
    assert "icmp" not in done.stdout
    assert "icmp echo request" in mpwire("show", "--all-frames", toured).stdout


def test_violations_are_marked(mpwire: Mpwire, tmp_path: Path) -> None:
    path = record(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    done = mpwire("show", path)
    assert done.returncode == 0
    assert "│ ✗ EV3 " in done.stdout
    assert f"✗ breaks a rule: mpwire check {path}" in done.stdout


@pytest.mark.lab
def test_a_run_for_programs(mpwire: Mpwire, toured: Path) -> None:
    document = json.loads(mpwire("show", "--json", toured).stdout)
    jsonschema.validate(document, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/session"}]})
    assert document["hosts"] == ["root", "leaf1", "leaf2", "leaf3"]
    items = document["items"]
    assert {item["name"] for item in items if "event" in item} >= {"R", "L1", "P1", "A2"}
    assert {item["type"] for item in items if "frame" in item} >= {"JOIN_REQ", "CLOSE_ACK", "DATA"}
    assert any(item.get("text") == "root closes R" for item in items)


def test_one_frame_is_told_in_full(mpwire: Mpwire, story: Path) -> None:
    frames = open_run(story).frames
    number = next(frame.number for frame in frames if b"mp\x01\x04" in frame.data)
    done = mpwire("show", story, "--frame", number)
    assert done.returncode == 0
    assert "type               ACCEPT" in done.stdout
    assert "assigned_id        2" in done.stdout
    assert "\n  0000  6d 70 01 04 " in done.stdout
    document = json.loads(mpwire("show", story, "--frame", number, "--json").stdout)
    jsonschema.validate(document, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/frame"}]})
    assert len(document["message"]["resp_tag"]) == 16


def test_a_frame_that_breaks_a_rule_says_so(mpwire: Mpwire, tmp_path: Path) -> None:
    path = record(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    found = json.loads(mpwire("check", path, "--json").stdout)["rules"]
    (number,) = next(rule["frames"] for rule in found if rule["id"] == "EV3")
    assert "✗ EV3 " in mpwire("show", path, "--frame", number).stdout


def test_frames_that_are_no_messages(mpwire: Mpwire, story: Path) -> None:
    assert "other" in mpwire("show", story, "--frame", 1).stdout


@pytest.mark.parametrize("number", [0, 99999, -1])
def test_a_frame_that_is_not_there_is_said(mpwire: Mpwire, story: Path, number: int) -> None:
    done = mpwire("show", story, "--frame", number)
    assert done.returncode == 2
    assert "found no such frame, expected one of 1 to " in done.stderr


def test_a_capture_without_messages_says_so(mpwire: Mpwire, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    done = mpwire("show", empty)
    assert done.returncode == 0
    assert "no MPW datagrams in it" in done.stdout


def test_a_record_that_is_not_whole_says_so(mpwire: Mpwire, story: Path) -> None:
    story.write_bytes(story.read_bytes()[:-100])
    done = mpwire("show", story)
    assert done.returncode == 0
    assert "the record is not whole: " in done.stdout


def test_only_one_capture_at_a_time(mpwire: Mpwire, story: Path) -> None:
    (story.parent / "other.pcap").write_bytes(b"x")
    done = mpwire("show", story.parent)
    assert done.returncode == 2
    assert "found 2 captures, expected one" in done.stderr


def test_a_reader_that_goes_away_stops_it_quietly(
    story: Path, environment: dict[str, str], argv: list[str]
) -> None:
    pipeline = f"set -o pipefail; {' '.join(argv)} show {story} | head -1"
    done = subprocess.run(
        ["bash", "-c", pipeline], capture_output=True, env=environment, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
