"""`mpwire show`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mpwire.capture import open_run
from mpwire.capture.writer import Writer
from mpwire.cli.showing import SHOWN_FRAMES_MAX
from tests.oracle.oracle_story import record, remade, without
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
    _, *ladder = done.stdout.splitlines()  # the first line names the file, however long that is
    assert max(map(len, ladder)) <= 100
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


def test_programs_learn_what_became_of_frames(mpwire: Mpwire, tmp_path: Path) -> None:
    path = record(remade(tour(), "leaf1 CONFIRM", delivered=False), tmp_path)
    document = json.loads(mpwire("show", path, "--json").stdout)
    jsonschema.validate(document, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/session"}]})
    (decision,) = [item for item in document["items"] if "decision" in item]
    (lost,) = [item for item in document["items"] if item.get("frame") == decision["decision"]]
    assert lost["type"] == "CONFIRM"
    assert (decision["receiver"], decision["delivered"]) == ("root", None)
    assert decision["reason"]


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


def test_a_part_is_shown(mpwire: Mpwire, story: Path) -> None:
    """Show some frames with what the agents said between them, and say what is left out."""
    done = mpwire("show", story, "--from", 20, "--count", 10)
    there = len(open_run(story).frames)
    assert f"frames 20 to 29 of {there}; --from N and --count N show others" in done.stdout
    assert len(done.stdout) < len(mpwire("show", story).stdout) / 2
    document = json.loads(mpwire("show", story, "--from", 20, "--count", 10, "--json").stdout)
    jsonschema.validate(document, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/session"}]})
    shown = [item["frame"] for item in document["items"] if "frame" in item]
    assert shown == list(range(20, 30))
    assert (document["first_frame"], document["frames_left_out"]) == (20, there - 10)
    assert any("event" in item for item in document["items"])


def test_a_part_that_is_not_there_is_refused(mpwire: Mpwire, story: Path) -> None:
    done = mpwire("show", story, "--from", 100_000)
    assert done.returncode == 2
    assert "--from 100000: found no such frame, expected one of 1 to " in done.stderr


def test_of_a_long_capture_the_beginning_is_shown(mpwire: Mpwire, tmp_path: Path) -> None:
    path = tmp_path / "long.pcapng"
    with path.open("wb") as stream:
        writer = Writer(stream, application="test")
        vantage = writer.interface("x")
        for number in range(SHOWN_FRAMES_MAX + 1):
            writer.packet(vantage, bytes(12) + b"\x08\x06" + bytes(28), number)
    done = mpwire("show", path, "--all-frames")
    assert "frames 1 to 1,000 of 10,001; --from N and --count N show others" in done.stdout
    assert len(done.stdout.splitlines()) < 1_100
    assert mpwire("show", path, "--frame", SHOWN_FRAMES_MAX + 1).returncode == 0
