"""The fabrics that decide, a switch on both carriers and gates at a bridge, with programs."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.tapes import assert_sentinels, frames, records

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def talk(inside: Callable[..., dict[str, Any]], attached: str) -> dict[str, Any]:
    result = inside("talk", carrier=attached, count=5)
    assert result["carrier"] == ("veth" if attached == "gates" else attached)
    return result


def test_datagrams_pass_and_the_record_is_complete(talk: dict[str, Any]) -> None:
    tape = talk["tape"]
    assert talk["answers"] == [f"HELLO {number}" for number in range(5)]
    assert talk["status"] == 0
    assert [frame["number"] for frame in frames(tape)] == list(range(1, len(frames(tape)) + 1))


def test_every_frame_sent_has_a_decision_and_every_delivery_a_cause(talk: dict[str, Any]) -> None:
    tape = talk["tape"]
    by_number = {frame["number"]: frame for frame in frames(tape)}
    decided = records(tape, "decision")
    outbound = {number for number, frame in by_number.items() if frame["direction"] == "out"}
    assert {decision["frame"] for decision in decided} == outbound
    asked = {sentinel["request"] for sentinel in records(tape, "sentinel")}
    delivered = {decision["delivered"] for decision in decided if decision["delivered"]}
    inbound = {number for number, frame in by_number.items() if frame["direction"] == "in"}
    strangers = [by_number[number] for number in inbound - delivered - asked]
    assert all(frame["data"][12:24] == "026d70770000" for frame in strangers)  # settling
    for decision in decided:
        if decision["delivered"]:
            sent, taken = by_number[decision["frame"]], by_number[decision["delivered"]]
            assert taken["host"] == decision["receiver"] != sent["host"]
            assert taken["data"] == sent["data"]
            assert taken["number"] > sent["number"]


def test_an_answer_is_printed_after_its_delivery_and_before_the_next_question(
    talk: dict[str, Any],
) -> None:
    tape = talk["tape"]
    for number in range(5):
        question = f"hello {number}".encode().hex()
        answer = f"HELLO {number}".encode().hex()
        seen = [
            (frame["host"], frame["direction"], frame["number"])
            for wanted in (question, answer)
            for frame in frames(tape)
            if frame["data"].endswith(wanted)
        ]
        assert [where[:2] for where in seen] == [
            ("h2", "out"),
            ("h1", "in"),
            ("h1", "out"),
            ("h2", "in"),
        ]
        numbers = [where[2] for where in seen]
        assert numbers == sorted(numbers)
        (line,) = (one for one in records(tape, "line") if one["line"] == f"HELLO {number}")
        assert line["after"] >= numbers[-1]


def test_sentinels_pass_through_every_stack_at_both_ends(talk: dict[str, Any]) -> None:
    assert_sentinels(talk["tape"], ("h1", "h2", "h3"))


def test_the_kernel_counts_what_was_recorded(talk: dict[str, Any]) -> None:
    tape = talk["tape"]
    counted = {one["host"]: one for one in records(tape, "counters")}
    assert set(counted) == {"h1", "h2", "h3"}
    for host, counters in counted.items():
        before = [
            entry
            for entry in tape[: tape.index(counters)]
            if entry.get("host") == host and "direction" in entry
        ]
        sent_count = sum(frame["direction"] == "out" for frame in before)
        assert counters["interface"]["tx_packets"] == sent_count
        assert counters["interface"]["rx_packets"] == len(before) - sent_count
        assert counters["interface"]["tx_dropped"] == 0
        assert counters["interface"]["rx_dropped"] == 0
        assert counters["capture"] == {"received": sent_count, "dropped": 0}
    assert counted["h1"]["udp"]["InDatagrams"] == 5
    assert counted["h1"]["udp"]["OutDatagrams"] == 5
    assert counted["h3"]["udp"]["InDatagrams"] == 0


def test_udp_checksums_in_the_record_are_valid(talk: dict[str, Any]) -> None:
    for frame in frames(talk["tape"]):
        packet = bytes.fromhex(frame["data"])[14:]
        if packet[9] == 17:
            udp = packet[20:] + b"\0" * (len(packet) % 2)
            pseudo = packet[12:20] + b"\0\x11" + packet[24:26]
            words = pseudo + udp
            total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
            assert (total & 0xFFFF) + (total >> 16) in {0xFFFF, 0x1FFFE}


def test_nobody_speaks_unasked(talk: dict[str, Any]) -> None:
    for frame in frames(talk["tape"]):
        packet = bytes.fromhex(frame["data"])
        assert packet[12:14] == b"\x08\0", "neither ARP nor IPv6"
        assert packet[23] in {1, 17}, "ICMP and UDP only"
