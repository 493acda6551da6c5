"""What is said to sockets beside the calls of a session: expected and seen."""

from typing import Any

import pytest

from tests.lab.plays import FIRST, Play, bed

STEP = FIRST + 2
REFUSED = {"error": {"code": 10050, "name": "WSAENETDOWN"}}
EXPECTATIONS = [
    (
        "leaf1 enumerates FD_CLOSE WSAECONNRESET on L1 touching nothing else",
        {
            "enum_network_events": [
                [{"result": {"events": [{"event": "FD_CLOSE", "code": 10054}], "codes": [0, 7]}}]
            ]
        },
        (
            "expected [424242, 424242, 424242, 424242, 424242, 10054, 424242, 424242, 424242,"
            " 424242] as codes of L1, seen [0, 7]"
        ),
    ),
    (
        "leaf1 enumerates on L1 without an event object and gets WSAEINVAL",
        {},
        "expected WSAEINVAL of enum_network_events, seen success",
    ),
    (
        "leaf1 finds its event object signalled",
        {"event_object": [[{"result": {"signalled": False}}]]},
        "expected the event object of leaf1 signalled, seen it reset",
    ),
    (
        "leaf1 finds its event object reset",
        {"event_object": [[{"result": {"signalled": True}}]]},
        "expected the event object of leaf1 reset, seen it signalled",
    ),
    (
        "leaf1 finds its event object reset",
        {"event_object": [[REFUSED]]},
        "expected success of event_object, seen WSAENETDOWN",
    ),
    (
        "the network of leaf1 carries everything",
        {"capacity_changed": [[REFUSED]]},
        "expected success of capacity_changed, seen WSAENETDOWN",
    ),
    (
        "everything settles",
        {"barrier": [[REFUSED]]},
        "expected success of barrier, seen WSAENETDOWN",
    ),
    (
        "leaf1 finds protocol MPW_ATM with rooted control and rooted data",
        {"enum_protocols": [[{"result": {"protocols": []}}]]},
        "expected one entry MPW_ATM, seen 0",
    ),
    (
        "leaf1 finds protocol MPW_ATM with nonrooted control and rooted data",
        {"enum_protocols": [[{"result": {"protocols": [{"name": "MPW_ATM"}]}}]]},
        (
            "expected XP1_MULTIPOINT_DATA_PLANE, XP1_SUPPORT_MULTIPOINT of MPW_ATM,"
            " seen none of the three"
        ),
    ),
    (
        "leaf1 tries c_root/d_root of protocol MPW_OPEN and gets WSAEINVAL",
        {},
        "expected WSAEINVAL of socket, seen success",
    ),
    (
        "leaf1 reads flow of L1 sending 5 octets/s",
        {"ioctl": [[{"result": {"value": {"sending": 5, "receiving": 1}}}]]},
        (
            "expected sending 5 receiving 0 octets/s as flow of L1, seen sending 5 receiving 1"
            " octets/s"
        ),
    ),
    (
        "leaf1 reads flow of L1",
        {"ioctl": [[{"result": {"value": 0}}]]},
        "expected sending 0 receiving 0 octets/s as flow of L1, seen 0",
    ),
    (
        "leaf1 cancels the join on L1",
        {},
        "expected a blocking join on L1, seen none",
    ),
]


@pytest.mark.parametrize(("step", "rules", "reason"), EXPECTATIONS)
def test_what_is_not_so_stops_the_script_and_says_expected_and_seen(
    play: Play, step: str, rules: dict[str, Any], reason: str
) -> None:
    played = play(bed(step), leaf1=rules)
    assert played.failure is not None
    assert (played.failure.line, played.failure.reason) == (STEP, reason)
    assert (STEP, "failed", reason) in played.steps()


@pytest.mark.parametrize(
    "step",
    [
        "leaf1 opens S1 as an ordinary socket",
        "leaf1 finds its event object reset",
        "leaf1 finds protocol MPW_ATM with rooted control and rooted data",
        "leaf1 tries c_root/d_root of protocol MPW_OPEN and gets WSAEINVAL",
        "the network of leaf1 carries everything",
    ],
)
def test_who_is_frozen_is_not_asked(play: Play, step: str) -> None:
    played = play(bed("leaf1 freezes", step))
    assert played.failure is not None
    reason = "expected leaf1 to run, seen it frozen"
    assert (played.failure.line, played.failure.reason) == (STEP + 1, reason)
