"""Merge captures that were taken at several hosts, each with its own clock."""

from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.framefile import FrameFile
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.merging import DRIFT, MIDDLE, Source, merge
from mpwire.errors import InputError

PCAPS = Path(__file__).parents[2] / "pcaps"
ADDRESSES = {f"10.77.0.{place}" for place in (2, 3, 4, 5)}
OFFSETS_NS = {"root": 0, "leaf1": 3_600_000_000_000, "leaf2": -250_000_000, "leaf3": 40_000_000}


def taken(host: str, *, slower: float = 0.0, directions: bool = False) -> RunFile:
    """Return what tcpdump at one host would have captured, by that host's clock."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    start_ns = run.frames[0].time_ns
    frames = [
        msgspec.structs.replace(
            frame,
            number=place,
            direction=frame.direction if directions else None,
            time_ns=frame.time_ns + OFFSETS_NS[host] - int(slower * (frame.time_ns - start_ns)),
        )
        for place, frame in enumerate((f for f in run.frames if f.vantage == host), 1)
    ]
    path = Path(f"{host}.pcap")
    return msgspec.structs.replace(run, path=path, frames=frames, records=[])


def between() -> RunFile:
    """Return what a capture in the middle would have seen."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    frames = [
        msgspec.structs.replace(frame, direction=None)
        for frame in run.frames
        if frame.direction == "out"
    ]
    return msgspec.structs.replace(run, path=Path("middle.pcap"), frames=frames, records=[])


def test_clocks_are_found_within_microseconds() -> None:
    merged = merge([Source(taken(host)) for host in OFFSETS_NS])
    assert not merged.drifting
    for source, offset_ns in zip(merged.sources, OFFSETS_NS.values(), strict=True):
        assert source.earliest_ns <= -offset_ns <= source.latest_ns
        assert abs(source.offset_ns + offset_ns) < 50_000


def test_places_are_found_out_from_the_addresses() -> None:
    """Tell the host even of a leaf that spoke with the root only: the root's capture is there."""
    merged = merge([Source(taken(host)) for host in ("leaf1", "root", "leaf3")])
    assert [source.name for source in merged.sources] == ["10.77.0.3", "10.77.0.2", "10.77.0.5"]
    assert all(source.inferred for source in merged.sources)


def test_order_and_content_are_those_of_the_run() -> None:
    run = open_run(PCAPS / "rooted-lan.pcapng")
    merged = merge([Source(taken(host)) for host in OFFSETS_NS]).run
    name = {host: f"10.77.0.{place}" for place, host in enumerate(OFFSETS_NS, 2)}
    sent = [
        (name[one.vantage], one.data)
        for one in run.frames
        if one.direction == "out" and isinstance(decode_frame(one.linktype, one.data), Datagram)
    ]
    again = [(one.vantage, one.data) for one in merged.frames if one.direction == "out"]
    assert sorted(again) == sorted(sent)
    assert [one.number for one in merged.frames] == list(range(1, len(run.frames) + 1))
    assert merged.frames[0].comment == f"{merged.path.name} frame 1"


def test_nothing_arrives_before_it_has_left() -> None:
    merged = merge([Source(taken(host)) for host in OFFSETS_NS]).run
    left: set[bytes] = set()
    for frame in merged.frames:
        if frame.direction == "out":
            left.add(frame.data)
        elif frame.direction == "in" and frame.data[12:14] == b"\x08\x00" and frame.data[23] == 17:
            assert frame.data in left


def test_clocks_that_agree_are_left_alone() -> None:
    merged = merge([Source(taken("root")), Source(between(), frozenset({MIDDLE}))])
    assert [source.offset_ns for source in merged.sources] == [0, 0]


def test_drifting_clocks_are_told() -> None:
    """Slow one clock by a tenth: no offset puts all its arrivals after their departures."""
    sources = [Source(taken("root")), Source(taken("leaf2", slower=0.1))]
    sources[1].places = frozenset({"10.77.0.4"})
    merged = merge(sources)
    assert merged.drifting
    assert merged.run.clocks == DRIFT
    left: set[bytes] = set()
    for frame in merged.run.frames:
        if frame.direction == "out":
            left.add(frame.data)
        elif frame.vantage == "10.77.0.4" and frame.data[12:14] == b"\x08\x00":
            assert frame.data in left or frame.data[23] != 17, "causes come first all the same"


def test_what_two_captures_hold_was_sent_once() -> None:
    merged = merge([Source(taken("root")), Source(between(), frozenset({MIDDLE}))])
    assert merged.sources[0].count + merged.sources[1].count == len(merged.run.frames)
    alone = merge([Source(between(), frozenset({MIDDLE}))]).run
    assert merged.sources[1].count < len(alone.frames)


def test_a_capture_between_two_hosts_is_ambiguous() -> None:
    with pytest.raises(InputError, match=r"leaf1.pcap: cannot tell .* at 10.77.0.2 and 10.77.0.3"):
        merge([Source(taken("leaf1"))])


def test_two_captures_cannot_be_of_one_place() -> None:
    with pytest.raises(
        InputError, match=r"root.pcap: cannot tell where it was taken, at 10.77.0.2"
    ):
        merge([Source(taken("root")), Source(taken("root"))])


def test_a_run_file_has_all_vantages_already() -> None:
    run = open_run(PCAPS / "rooted-lan.pcapng")
    with pytest.raises(InputError, match="a run file holds all vantages already"):
        merge([Source(run)])


def test_many_frames_are_kept_in_a_file_and_are_the_same() -> None:
    """Merge with all frames in memory, and with none."""
    held = merge([Source(taken(host)) for host in OFFSETS_NS]).run
    kept = merge([Source(taken(host)) for host in OFFSETS_NS], held_frames=0).run
    assert isinstance(kept.frames, FrameFile)
    assert list(kept.frames) == list(held.frames)
