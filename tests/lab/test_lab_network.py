"""What passes between hosts, what is lost and what is said about it, on both carriers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpwire.capture.records import Counters, Sentinel
from mpwire.capture.runfile import open_run

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_network"]


def decisions(result: dict[str, Any], payload: bytes) -> list[tuple[str, bool, str | None]]:
    """Tell (receiver, delivered, reason) for the frames that end in a payload."""
    numbers = {
        entry["number"]
        for entry in result["tape"]
        if entry.get("direction") == "out" and entry["data"].endswith(payload.hex())
    }
    return [
        (entry["receiver"], entry["delivered"] is not None, entry["reason"])
        for entry in result["tape"]
        if entry.get("kind") == "decision" and entry["frame"] in numbers
    ]


def test_unicast_broadcast_and_multicast_of_both_families(inside: Run, attached: str) -> None:
    result = inside("exchange", modules=MODULES, carrier=attached, ipv6=True)
    assert result["taken"] == {
        "h1": ["one", "all", "group", "six"],
        "h2": ["all", "group"],  # looped back by its own stack
        "h3": ["all", "group"],
    }
    assert decisions(result, b"one") == [("h1", True, None)]
    assert decisions(result, b"all") == [("h1", True, None), ("h3", True, None)]
    assert decisions(result, b"group") == [("h1", True, None), ("h3", True, None)]
    assert decisions(result, b"six") == [("h1", True, None)]


def test_no_host_asks_for_anybodys_link_address(inside: Run, attached: str) -> None:
    result = inside("exchange", modules=MODULES, carrier=attached, ipv6=True)
    frames = [bytes.fromhex(entry["data"]) for entry in result["tape"] if "data" in entry]
    assert not [frame for frame in frames if frame[12:14] == b"\x08\x06"], "ARP"
    icmpv6 = [frame[54] for frame in frames if frame[12:14] == b"\x86\xdd" and frame[20] == 58]
    assert not {133, 134, 135, 136}.intersection(icmpv6), "ND"


def test_what_the_hook_drops_is_recorded_with_its_reason(inside: Run, attached: str) -> None:
    result = inside("impaired", modules=MODULES, carrier=attached)
    assert result["taken"] == ["first", "last"]
    assert decisions(result, b"drop me") == [("h1", False, "impaired: says so")]
    assert decisions(result, b"first") == [("h1", True, None)]


def test_a_burst_that_nobody_switches_is_kept_and_accounted_for(inside: Run, attached: str) -> None:
    result = inside("burst", modules=MODULES, carrier=attached, count=3000, octets=1200)
    receiver, sender = result["counters"]["h1"], result["counters"]["h2"]
    assert sender["interface"]["tx_dropped"] == sender["capture"]["dropped"] == 0
    assert result["recorded"] == 2 * 3000
    assert receiver["interface"]["rx_dropped"] == 0
    udp = receiver["udp"]
    assert udp["InDatagrams"] + udp["RcvbufErrors"] == 3000
    assert udp["InDatagrams"] == result["taken"]


def test_a_burst_beyond_every_queue_is_a_loss_that_is_told(inside: Run, attached: str) -> None:
    result = inside("burst", modules=MODULES, carrier=attached, count=6000, octets=100)
    sender = result["counters"]["h2"]
    lost = sender["interface"]["tx_dropped"] + sender["capture"]["dropped"]
    assert lost > 0
    assert result["recorded"] == 2 * (6000 - lost)


def test_more_hosts_than_know_each_other_resolve_through_the_switch(
    inside: Run, attached: str
) -> None:
    result = inside("many", modules=MODULES, carrier=attached, hosts=70, ipv6=True)
    assert result["taken"] == ["four", "six"]
    answered = [
        entry["reason"]
        for entry in result["tape"]
        if entry.get("kind") == "decision" and entry["reason"] == "answered by the switch"
    ]
    assert len(answered) == 2, "one ARP request, one neighbour solicitation"
    assert decisions(result, b"four") == [("h70", True, None)]


@pytest.mark.parametrize("remove", [False, True])
def test_an_interface_that_goes_down_is_a_reason_and_nothing_hangs(
    inside: Run, attached: str, remove: bool
) -> None:
    result = inside("unplugged", modules=MODULES, carrier=attached, remove=remove)
    assert decisions(result, b"anybody?") == [("h1", False, "port down")]
    assert result["refused"] == "h1 does not take frames: port down"
    assert result["turns"] == 0


def test_a_vlan_tag_is_part_of_the_frame(inside: Run, attached: str) -> None:
    assert inside("tagged", modules=MODULES, carrier=attached) == [["h2", "out"], ["h1", "in"]]


def test_programs_run_in_their_hosts_and_inherit_nothing(inside: Run, attached: str) -> None:
    result = inside("programs", modules=MODULES, carrier=attached)
    found = json.loads(result["line"])
    assert found["descriptors"] == [0, 1, 2]
    assert found["environment"] == {"ONLY": "this"}
    assert found["network"] not in {result["mine"], str(Path("/proc/self/ns/net").readlink())}
    assert found["cpus"] == result["cpus"]
    assert found["session"]
    assert result["status"] == len("four\n")
    assert result["stderr"] == "to people\n"
    assert result["killed"] == [None, -9, -9]
    assert result["stayed"]


def test_fabrics_leak_no_descriptor(inside: Run, attached: str) -> None:
    counted = inside("descriptors", modules=MODULES, carrier=attached)
    assert counted["before"] == counted["after"]


def test_a_recorder_that_fails_ends_the_run_instead_of_leaving_a_hole(
    inside: Run, attached: str
) -> None:
    said = inside("full", modules=MODULES, carrier=attached)
    assert said == "frames are not recorded any more: [Errno 28] No space left on device"


def test_a_run_file_of_a_fabric_is_complete(inside: Run, attached: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    taken = inside("recorded", modules=MODULES, carrier=attached, folder=str(tmp_path))
    assert taken == ["hello"]
    run = open_run(tmp_path)
    assert run.incomplete == []
    assert len(run.of(Sentinel)) == 6
    assert [counters.capture["dropped"] for counters in run.of(Counters)] == [0, 0, 0]


def test_what_the_kernel_refuses_is_named(inside: Run) -> None:
    said = inside("refusals", modules=MODULES)
    assert said["netlink"].startswith("the kernel refused route 10.1.0.0/16: ")
    assert said["inside"]
    assert said["back"]
    assert said["closed"] == "EBADF"
    assert said["twice"] == "h1: 02:00:00:00:00:01 cannot be its link address"
    assert said["name"] == "two hosts have the same name"
    assert said["address"] == "two hosts have the same address"
    assert said["none"] == "h2 has no address"
    assert said["empty"] == "a fabric needs at least one host"
    assert said["silent"] == "no echo within 0.05 s from h1"
