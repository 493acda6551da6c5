"""`mpwire check --merge`: captures that tcpdump took at several hosts."""

import json
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mpwire.capture import open_run
from mpwire.capture.blocks import Direction

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "cli-schema.json").read_text("utf-8"))
HOSTS = ("root", "leaf1", "leaf2", "leaf3")


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one classic pcap per host; each clock is a second ahead of the one before."""
    folder = tmp_path_factory.mktemp("captures")
    for ahead_s, host in enumerate(HOSTS):
        write(folder / f"{host}.pcap", host, ahead_s=ahead_s)
    return folder


def write(
    path: Path, host: str, *, ahead_s: int, directions: tuple[Direction, ...] = ("out", "in")
) -> None:
    """Write what was captured at one host as classic pcap."""
    with path.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for frame in open_run(ROOT / "pcaps" / "rooted-lan.pcapng").frames:
            if frame.vantage == host and frame.direction in directions:
                time_s, rest_ns = divmod(frame.time_ns, 10**9)
                size = len(frame.data)
                stream.write(struct.pack("<IIII", time_s + ahead_s, rest_ns, size, size))
                stream.write(frame.data)


def test_several_captures_are_judged_as_one(mpwire: Mpwire, captures: Path) -> None:
    done = mpwire("check", "--merge", *(str(captures / f"{host}.pcap") for host in HOSTS))
    assert done.returncode == 3
    assert "root.pcap  at 10.77.0.2 (found out), 93 frames, its clock counts\n" in done.stdout
    assert "leaf1.pcap  at 10.77.0.3 (found out), 68 frames, clock -1000.0" in done.stdout
    assert "leaf3.pcap  at 10.77.0.5 (found out), 73 frames, clock -" in done.stdout
    assert "  ✓ join              22 " in done.stdout, "what one vantage cannot show is shown now"


def test_quiet_is_the_verdict_alone(mpwire: Mpwire, captures: Path) -> None:
    names = [captures / f"{host}.pcap" for host in HOSTS]
    done = mpwire("check", "--merge", "--quiet", *names)
    assert len(done.stdout.splitlines()) == 1


def test_what_was_merged_is_kept(mpwire: Mpwire, captures: Path, tmp_path: Path) -> None:
    kept = tmp_path / "merged.pcapng"
    files = [str(captures / f"{host}.pcap") for host in HOSTS]
    done = mpwire("check", "--merge", *files, "--save", str(kept), "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [one["addresses"] for one in document["vantages"]] == [
        [f"10.77.0.{place}"] for place in (2, 3, 4, 5)
    ]
    again = json.loads(mpwire("check", str(kept), "--json").stdout)
    assert again["rules"] == document["rules"]
    assert again["inferred"] == document["inferred"]


def test_a_place_may_be_said(mpwire: Mpwire, captures: Path) -> None:
    alone = str(captures / "leaf1.pcap")
    done = mpwire("check", "--merge", alone)
    assert done.returncode == 2
    assert "leaf1.pcap: cannot tell where it was taken, at 10.77.0.2 and 10.77.0.3" in done.stderr
    done = mpwire("check", "--merge", f"{alone}@10.77.0.3")
    assert done.returncode == 3
    assert "leaf1.pcap  at 10.77.0.3, 68 frames" in done.stdout
    done = mpwire("check", "--merge", f"{alone}@-")
    assert "leaf1.pcap  in the middle, 68 frames" in done.stdout


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("10.77.0.9", "leaf1.pcap: cannot have been taken at 10.77.0.9: no datagram in it is from"),
        ("leaf1", "--merge: found 'leaf1' behind @, expected an IP address, or -"),
    ],
)
def test_a_place_where_it_cannot_have_been_taken_is_refused(
    mpwire: Mpwire, captures: Path, place: str, told: str
) -> None:
    done = mpwire("check", "--merge", str(captures / "root.pcap"), f"{captures}/leaf1.pcap@{place}")
    assert done.returncode == 2
    assert told in done.stderr


def test_clocks_that_nothing_bounds_are_said_to_be_so(mpwire: Mpwire, captures: Path) -> None:
    """Two leaves never meet, and have no datagram in common."""
    places = [f"{captures}/leaf1.pcap@10.77.0.3", f"{captures}/leaf2.pcap@10.77.0.4"]
    done = mpwire("check", "--merge", *places)
    assert "68 frames, its clock counts" in done.stdout
    assert "its clock is taken for the same: nothing in both captures bounds it" in done.stdout


@pytest.mark.parametrize(
    ("direction", "told"),
    [
        ("in", r"clock \+0\.000 ms, at least -\d+\.\d+ ms\n"),
        ("out", r"clock (-\d+\.\d+ ms), at most \1\n"),
    ],
)
def test_one_way_bounds_a_clock_on_one_side(
    mpwire: Mpwire, captures: Path, tmp_path: Path, direction: Direction, told: str
) -> None:
    """Take at the leaf only what went one way, as `tcpdump -Q` does."""
    half = tmp_path / "leaf1.pcap"
    write(half, "leaf1", ahead_s=1, directions=(direction,))
    done = mpwire("check", "--merge", str(captures / "root.pcap"), f"{half}@10.77.0.3")
    assert re.search(told, done.stdout), done.stdout[:400]


def test_save_goes_with_merge_and_needs_a_folder(mpwire: Mpwire, captures: Path) -> None:
    one = str(captures / "root.pcap")
    done = mpwire("check", one, "--save", "x.pcapng")
    assert done.returncode == 2
    done = mpwire("check", "--merge", one, "--save", str(captures / "nowhere" / "x.pcapng"))
    assert done.returncode == 2
    assert "expected a file in a folder that is there" in done.stderr
