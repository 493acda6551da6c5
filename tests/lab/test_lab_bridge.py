"""The fabric bridge: what passes, what is recorded of it, and what the kernel makes of it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpwire.capture.deliveries import deliveries
from mpwire.capture.records import Counters, Sentinel
from mpwire.capture.runfile import open_run
from tests.lab.tapes import assert_sentinels, frames, records

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_network", "inner_bridge"]


def heard(tape: list[dict[str, Any]], payload: bytes) -> list[tuple[str, str]]:
    """Tell (host, direction) of the frames that end in a payload, in order."""
    return [
        (entry["host"], entry["direction"])
        for entry in frames(tape)
        if entry["data"].endswith(payload.hex())
    ]


@pytest.fixture(scope="module")
def talk(inside: Run, bridge: str) -> dict[str, Any]:
    """Let two programs talk, and give everything recorded."""
    result: dict[str, Any] = inside("talk", carrier=bridge, count=5)
    assert result["carrier"] == "veth"
    return result


def test_datagrams_pass_and_every_frame_is_recorded_at_both_ends(talk: dict[str, Any]) -> None:
    assert talk["answers"] == [f"HELLO {number}" for number in range(5)]
    assert talk["status"] == 0
    tape = talk["tape"]
    assert [one["number"] for one in frames(tape)] == list(range(1, len(frames(tape)) + 1))
    for number in range(5):
        assert heard(tape, b"hello %d" % number) == [("h2", "out"), ("h1", "in")]
        assert heard(tape, b"HELLO %d" % number) == [("h1", "out"), ("h2", "in")]


@pytest.mark.usefixtures("bridge")
def test_where_ports_may_hold_messages_back_there_is_a_decision_about_each_frame(
    inside: Run,
) -> None:
    tape = inside("talk", carrier="noting", count=5)["tape"]
    by_number = {frame["number"]: frame for frame in frames(tape)}
    decided = records(tape, "decision")
    outbound = {number for number, frame in by_number.items() if frame["direction"] == "out"}
    assert {one["frame"] for one in decided} == outbound
    delivered = [one for one in decided if one["delivered"]]
    assert len(delivered) == 2 * 5
    for one in delivered:
        sent, taken = by_number[one["frame"]], by_number[one["delivered"]]
        assert taken["host"] == one["receiver"] != sent["host"]
        assert (taken["data"], one["reason"]) == (sent["data"], None), "no message of the protocol"
    assert {one["reason"] for one in decided if not one["delivered"]} == {"for the switch"}


def test_an_answer_is_printed_after_its_delivery_and_before_the_next_question(
    talk: dict[str, Any],
) -> None:
    tape = talk["tape"]
    for number in range(5):
        words = (b"hello %d" % number, b"HELLO %d" % number)
        numbers = [
            frame["number"]
            for word in words
            for frame in frames(tape)
            if frame["data"].endswith(word.hex())
        ]
        assert len(numbers) == 4
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
        before = [one for one in frames(tape[: tape.index(counters)]) if one["host"] == host]
        sent_count = sum(frame["direction"] == "out" for frame in before)
        capture = {"received": sent_count, "delivered": len(before) - sent_count, "dropped": 0}
        assert counters["capture"] == capture
        assert counters["interface"]["tx_packets"] == capture["received"]
        assert counters["interface"]["rx_packets"] == capture["delivered"]
        assert counters["interface"]["port_tx_dropped"] == 0


def test_the_bridge_decides_nothing_and_nobody_speaks_unasked(talk: dict[str, Any]) -> None:
    assert not records(talk["tape"], "decision")
    for frame in frames(talk["tape"]):
        packet = bytes.fromhex(frame["data"])
        assert packet[12:14] == b"\x08\0", "neither ARP nor IPv6"
        assert packet[23] in {1, 17}, "ICMP and UDP only"


def test_unicast_broadcast_and_multicast_of_both_families(inside: Run, bridge: str) -> None:
    result = inside("exchange", modules=MODULES, carrier=bridge, ipv6=True)
    assert result["taken"] == {
        "h1": ["one", "all", "group", "six"],
        "h2": ["all", "group"],
        "h3": ["all", "group"],
    }
    tape = result["tape"]
    assert heard(tape, b"one") == [("h2", "out"), ("h1", "in")], "no flood"
    for word in (b"all", b"group"):
        sent, *arrived = heard(tape, word)
        assert (sent, sorted(arrived)) == (("h2", "out"), [("h1", "in"), ("h3", "in")])
    assert heard(tape, b"six") == [("h2", "out"), ("h1", "in")]


def test_the_first_datagram_to_an_ipv6_address_arrives(inside: Run, bridge: str) -> None:
    assert inside("first_datagrams", modules=MODULES, carrier=bridge) == [["six"]] * 20


def test_a_burst_is_recorded_whole(inside: Run, bridge: str) -> None:
    result = inside("burst", modules=MODULES, carrier=bridge, count=20_000, octets=1200)
    receiver, sender = result["counters"]["h1"], result["counters"]["h2"]
    assert sender["interface"]["tx_dropped"] == sender["capture"]["dropped"] == 0
    assert result["recorded"] == 2 * 20_000
    udp = receiver["udp"]
    assert udp["InDatagrams"] + udp["RcvbufErrors"] == 20_000


def test_many_hosts_resolve_as_on_any_lan(inside: Run, bridge: str) -> None:
    result = inside("many", modules=MODULES, carrier=bridge, hosts=70, ipv6=True)
    assert result["taken"] == ["four", "six"]


def test_a_vlan_tag_is_part_of_the_frame(inside: Run, bridge: str) -> None:
    seen = inside("tagged", modules=MODULES, carrier=bridge)
    assert seen == [["h2", "out"], ["h1", "in"]]


def test_a_frame_to_a_stranger_goes_nowhere(inside: Run, bridge: str) -> None:
    assert inside("stranger", modules=MODULES, carrier=bridge) == [["h2", "out"]]


def test_programs_run_in_their_hosts_and_inherit_nothing(inside: Run, bridge: str) -> None:
    result = inside("programs", modules=MODULES, carrier=bridge)
    found = json.loads(result["line"])
    assert found["descriptors"] == [0, 1, 2]
    assert found["environment"] == {"ONLY": "this"}
    assert found["network"] not in {result["mine"], str(Path("/proc/self/ns/net").readlink())}
    assert found["cpus"] == result["cpus"]
    assert result["status"] == len("four\n")


def test_fabrics_leak_no_descriptor(inside: Run, bridge: str) -> None:
    counted = inside("descriptors", modules=MODULES, carrier=bridge)
    assert counted["before"] == counted["after"]


def test_a_recorder_that_fails_ends_the_run_instead_of_leaving_a_hole(
    inside: Run, bridge: str
) -> None:
    said = inside("full", modules=MODULES, carrier=bridge)
    assert said == "frames are not recorded any more: [Errno 28] No space left on device"


def test_a_run_file_of_a_bridge_is_complete(inside: Run, bridge: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    taken = inside("recorded", modules=MODULES, carrier=bridge, folder=str(tmp_path))
    assert taken == ["hello"]
    run = open_run(tmp_path)
    assert run.incomplete == []
    assert len(run.of(Sentinel)) == 6
    assert [counters.capture["dropped"] for counters in run.of(Counters)] == [0, 0, 0]
    (passed,) = (one for one in deliveries(run) if one.delivered is not None)
    assert passed.receiver == "h1"


def test_what_is_cut_off_or_unplugged_hears_nothing_and_comes_back(
    inside: Run, bridge: str
) -> None:
    result = inside("parted", modules=MODULES, carrier=bridge)
    assert result["taken"] == {
        "first": [["first"], ["first"]],
        "apart": [[], []],
        "healed": [["healed"], ["healed"]],
        "up, apart": [[], []],
        "back": [["back"], ["back"]],
    }
    assert result["refused"] == "h1 does not take frames: port down"
    assert sorted(heard(result["tape"], b"apart")) == [
        *[("h1", "out")] * 2,
        *[("h2", "out")] * 2,
    ], "what is sent is recorded, though nobody gets it"
    assert heard(result["tape"], b"down") == [("h2", "out")]
    for interface in result["counters"].values():
        assert not [name for name, count in interface.items() if "drop" in name and count]


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("snooping", [False, True])
@pytest.mark.parametrize("carrier", ["bridge", "gates"])
@pytest.mark.usefixtures("bridge")
def test_groups_are_for_everybody_or_with_snooping_for_members(
    inside: Run, carrier: str, snooping: bool, ipv6: bool
) -> None:
    result = inside("groups", modules=MODULES, carrier=carrier, snooping=snooping, ipv6=ipv6)
    assert result["taken"] == ["group"]
    sent, *arrived = (tuple(one) for one in result["heard"])
    others = [] if snooping else [("h3", "in")]
    assert (sent, sorted(arrived)) == (("h2", "out"), [("h1", "in"), *others])


def test_what_found_the_ring_full_is_told(inside: Run, bridge: str) -> None:
    said = inside("flooded", modules=MODULES, carrier=bridge, count=40_000)
    assert re.fullmatch(
        r"h1 has sent 40000 and was sent \d+ frames, 3\d{4} and \d+ were heard;"
        r" the ring was full for \d{5}",
        said,
    )


def test_a_frame_that_the_kernel_counts_and_nobody_hears_is_told(inside: Run, bridge: str) -> None:
    result = inside("held_up", modules=MODULES, carrier=bridge)
    assert result["said"] == "h1 has sent 1 and was sent 1 frames, 0 and 0 were heard", "ICMP"
    assert result["kernel"] == 1
    assert result["capture"] == {"received": 0, "delivered": 0, "dropped": 0}
    assert result["ports"] == 3
