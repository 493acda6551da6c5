"""What is missing is said in sentences that name it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.blocks import Interface, Packet, Statistics
from mpwire.capture.completeness import PacketTally, drop_counters, number_gaps, record_gaps
from mpwire.capture.records import (
    AgentExit,
    AnyRecord,
    Decision,
    End,
    Sentinel,
    StoredVerdict,
    Testbed,
)
from tests.capture.runs import run_record

ETHERNET = Interface(index=0, name="eth0", linktype=1)


def end(frames: int, records: int, agent_lines: int = 0) -> End:
    """Build an end record."""
    return End(frames=frames, agent_lines=agent_lines, records=records, time_ns=0)


def exit_after(after: int) -> AgentExit:
    """Build a record that knows its place."""
    return AgentExit(time_ns=0, host="", status=0, expected=True, after=after)


def test_packets_tell_of_cuts_missing_stamps_and_drops() -> None:
    tally = PacketTally()
    assert list(tally.gaps()) == []
    for place in range(1, 12):
        tally.add(
            Packet(
                interface=ETHERNET,
                time_ns=None if place == 3 else 0,
                data=b"",
                original_octets=1 if place > 1 else 0,
                dropped_count=place == 5,
            )
        )
    assert list(tally.gaps()) == [
        "packets captured only in part, by place in the file: 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
        "packets without a time, by place in the file: 3",
        "the capturing program lost 1 packets between those it kept",
    ]


def test_the_newest_statistics_of_an_interface_count() -> None:
    other = Interface(index=1, name="eth1", linktype=1)
    statistics = [
        Statistics(interface=ETHERNET, time_ns=1, dropped_count=5),
        Statistics(interface=ETHERNET, time_ns=2, dropped_count=7, os_dropped_count=1),
        Statistics(interface=other, time_ns=2, received_count=9, dropped_count=0),
    ]
    assert list(drop_counters(statistics)) == ["eth0: 8 packets dropped while capturing"]


@pytest.mark.parametrize(
    ("numbers", "sentences"),
    [
        ([], []),
        ([1, 2, 3], []),
        ([2, 3], ["missing frames: 1"]),
        ([1, 4], ["missing frames: 2, 3"]),
        ([1, 1, 2], ["frames more than once: 1"]),
        ([2, 1], ["frames out of order: 1"]),
        ([1, 0, 2, 0], ["packets without a frame number, by place in the file: 2, 4"]),
        ([100_000], ["missing frames: 1, 2, 3, 4, 5, 6, 7, 8 and 99991 more"]),
    ],
)
def test_frame_numbers(numbers: list[int], sentences: list[str]) -> None:
    assert list(number_gaps(numbers)) == sentences


def test_an_absurd_number_costs_no_time() -> None:
    (sentence,) = number_gaps([2**64 - 1])
    assert sentence.endswith(f"8 and {2**64 - 1 - 9} more")


@given(st.lists(st.integers(0, 9), max_size=9))
def test_numbers_are_complete_only_when_dense(numbers: list[int]) -> None:
    assert (not list(number_gaps(numbers))) == (numbers == list(range(1, len(numbers) + 1)))


NO_END = "no end record: the run was not finished"


@pytest.mark.parametrize(
    ("records", "frame_count", "sentences"),
    [
        ([run_record(), end(0, 1)], 0, []),
        ([run_record(), end(0, 1), StoredVerdict(verdict={})], 0, []),
        ([StoredVerdict(verdict={}), run_record(), end(0, 1)], 0, []),
        ([], 0, ["0 run records where one is expected", NO_END]),
        ([run_record()] * 2, 0, ["2 run records where one is expected", NO_END]),
        (
            [run_record(), end(0, 1), Testbed(path="", text="")],
            0,
            ["1 end records, or records after the end"],
        ),
        (
            [run_record(), end(0, 1), end(0, 1)],
            0,
            ["2 end records, or records after the end"],
        ),
        (
            [run_record(), end(3, 2, 1)],
            2,
            [
                "2 frames where the end record says 3",
                "0 agent lines where the end record says 1",
                "1 records where the end record says 2",
            ],
        ),
        (
            [
                run_record(),
                Decision(frame=9, receiver="", delivered=1),
                Decision(frame=1, receiver="", delivered=8),
                Decision(frame=1, receiver="", delivered=None),
                Sentinel(host="", stage="end", request=7, reply=6),
                end(1, 5),
            ],
            1,
            ["records name frames that are not there: 6, 7, 8, 9"],
        ),
        (
            [run_record(), exit_after(1), exit_after(0), end(1, 3)],
            1,
            ["records are out of order"],
        ),
        (
            [run_record(), exit_after(2), end(1, 2)],
            1,
            ["a record follows frame 2, but 1 frames are there"],
        ),
    ],
)
def test_records(records: list[AnyRecord], frame_count: int, sentences: list[str]) -> None:
    assert list(record_gaps(records, list(range(1, frame_count + 1)))) == sentences
