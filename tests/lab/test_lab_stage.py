"""Waiting, expected and seen: what steps make of what agents say."""

from typing import Any

import pytest

from tests.lab.plays import ACCEPTABLE, CONNECTED, FIRST, HEAD, OK, Play, Played, bed


def failed(played: Played, line: int, reason: str) -> None:
    assert played.failure is not None
    assert (played.failure.line, played.failure.reason) == (line, reason)
    assert (line, "failed", reason) in played.steps()
    assert played.of("counters"), "the ending was skipped"
    assert len(played.of("agent_exit")) == 2


STEP = FIRST + 2

EXPECTATIONS = [
    (
        "L1 sees FD_CONNECT",
        {},
        "expected FD_CONNECT on L1, seen nothing",
    ),
    (
        "L1 sees FD_CONNECT",
        {"bind": [[OK, CONNECTED | {"code": 10061}]]},
        "expected FD_CONNECT on L1, seen FD_CONNECT WSAECONNREFUSED",
    ),
    (
        "L1 sees FD_CLOSE",
        {"bind": [[OK, CONNECTED | {"code": 12345}]]},
        "expected FD_CLOSE on L1, seen FD_CONNECT 12345",
    ),
    (
        "L1 sees nothing",
        {"bind": [[OK, CONNECTED, CONNECTED]]},
        "expected nothing on L1, seen FD_CONNECT and FD_CONNECT",
    ),
    (
        "the join on L1 fails with WSAETIMEDOUT",
        {"bind": [[OK, CONNECTED]]},
        "expected FD_CONNECT WSAETIMEDOUT on L1, seen FD_CONNECT",
    ),
    (
        "leaf1 listens on L1",
        {"listen": [[{"error": {"code": 10022, "name": "WSAEINVAL"}}]]},
        "expected success of listen, seen WSAEINVAL",
    ),
    (
        "leaf1 listens on L1 and gets WSAEINVAL",
        {},
        "expected WSAEINVAL of listen, seen success",
    ),
    (
        'leaf1 receives "hello" on L1',
        {},
        "expected FD_READ on L1 to receive, seen nothing",
    ),
    (
        'leaf1 receives "hello" on L1',
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "68656c6c"}}]],
        },
        'expected data "hello", seen "hell"',
    ),
    (
        'leaf1 receives "hello" on L1',
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "00ff"}}]],
        },
        'expected data "hello", seen octets 00ff',
    ),
    (
        'leaf1 receives "hello" on L1',
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "68656c6c6f", "private": True}}]],
        },
        "expected group data, seen the other kind",
    ),
    (
        'leaf1 receives "hello" on L1 in private',
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "68656c6c6f"}}]],
        },
        "expected private data, seen the other kind",
    ),
    (
        'leaf1 sends "hello" on L1',
        {"send": [[{"result": {"octets": 4}}]]},
        "expected 5 octets sent, seen 4",
    ),
    (
        'leaf1 reads callee data "a" on L1',
        {"callee_data": [[{"result": {"callee_data": ""}}]]},
        'expected callee data "a", seen ""',
    ),
    (
        "leaf1 enumerates FD_ACCEPT on L1",
        {"enum_network_events": [[{"result": {"events": [{"event": "FD_CLOSE", "code": 10054}]}}]]},
        "expected FD_ACCEPT in the record of L1, seen FD_CLOSE WSAECONNRESET",
    ),
    (
        "leaf1 accepts root on L1 as A1",
        {"bind": [[OK, ACCEPTABLE]]},
        "expected a request from root on L1, seen one from leaf1",
    ),
    (
        "leaf1 accepts root on L1 as A1",
        {
            "bind": [[OK, ACCEPTABLE]],
            "accept": [
                [{"result": {"socket": 2, "address": ["10.77.0.2", 1], "caller_data": "00"}}]
            ],
        },
        "expected caller data of root none, seen octets 00",
    ),
    (
        "leaf1 rejects root on L1",
        {"bind": [[OK, ACCEPTABLE]], "accept": [[{"result": {"socket": 2}}]]},
        "expected the condition function to be asked, seen success of accept",
    ),
    (
        "leaf1 rejects root on L1",
        {
            "bind": [[OK, ACCEPTABLE]],
            "accept": [
                [
                    {"ask": 1, "condition": {"address": ["10.9.9.9", 1]}},
                    {"listen": True},
                    {"error": {"code": 11002, "name": "WSATRY_AGAIN"}},
                ]
            ],
        },
        "expected a request from root on L1, seen one from 10.9.9.9",
    ),
    (
        "leaf1 rejects root on L1",
        {
            "bind": [[OK, ACCEPTABLE]],
            "accept": [
                [
                    {"ask": 1, "condition": {"address": ["10.77.0.2", 1]}},
                    {"listen": True},
                    {"result": {"socket": 3}},
                ]
            ],
        },
        "expected WSAECONNREFUSED of accept, seen success",
    ),
]


@pytest.mark.parametrize(("step", "rules", "reason"), EXPECTATIONS)
def test_what_is_not_so_stops_the_script_and_says_expected_and_seen(
    play: Play, step: str, rules: dict[str, Any], reason: str
) -> None:
    played = play(bed(step, "everything settles"), leaf1=rules)
    failed(played, STEP, reason)
    assert played.failure.kind == "failed"
    assert played.failure.text == step


def test_an_expectation_at_the_end_knows_the_whole_history(play: Play) -> None:
    text = bed("everything settles") + "expect: [L1 saw FD_CONNECT, R saw nothing]\n"
    played = play(text, leaf1={"bind": [[OK, CONNECTED, CONNECTED]]})
    failed(played, STEP + 1, "expected FD_CONNECT on L1 in all, seen FD_CONNECT, FD_CONNECT")


def test_events_between_are_passed_over_and_taken_ones_are_gone(play: Play) -> None:
    write = {"event": "FD_WRITE", "socket": 1, "code": 0}
    close = {"event": "FD_CLOSE", "socket": 1, "code": 0}
    played = play(
        bed("L1 sees FD_CONNECT, FD_CLOSE", "L1 sees nothing"),
        leaf1={"bind": [[OK, CONNECTED, write, close]]},
    )
    assert played.failure is None


def test_reject_and_defer_ask_who_it_is(play: Play) -> None:
    def turn(error: str, code: int) -> list[dict[str, Any]]:
        return [
            {"ask": 1, "condition": {"address": ["10.77.0.2", 61717]}},
            {"listen": True},
            {"error": {"code": code, "name": error}},
        ]

    played = play(
        bed("leaf1 defers root on L1", "leaf1 rejects root on L1"),
        leaf1={
            "bind": [[OK, ACCEPTABLE]],
            "accept": [turn("WSATRY_AGAIN", 11002), turn("WSAECONNREFUSED", 10061)],
        },
    )
    assert played.failure is None
    said = [bytes(one.line) for one in played.of("agent_line") if b'"answer"' in bytes(one.line)]
    assert said == [b'{"answer":1,"decision":"defer"}', b'{"answer":1,"decision":"reject"}']


def test_a_blocking_join_stays_open_until_it_ends(play: Play) -> None:
    text = HEAD + (
        "  - root opens R as c_root/d_root without events\n"
        "  - leaf1 opens L1 as c_leaf/d_leaf\n"
        "  - root invites L1 with R as P1\n"
        "  - root listens on R\n"
        "  - the join on R succeeds\n"
        "  - root closes P1\n"
    )
    # The invitation is call 4; it is answered when listen, call 5, has been.
    returned = {"id": 4, "result": {"socket": 9}}
    played = play(text, root={"join_leaf": [[]], "listen": [[OK, returned]]})
    assert played.failure is None
    lines = [bytes(one.line) for one in played.of("agent_line") if one.direction == "to"]
    assert [line for line in lines if b'"close"' in line] == [
        b'{"id":6,"call":"close","args":{"socket":9}}'
    ]


def test_a_socket_of_a_blocking_invitation_is_there_when_the_call_has_returned(play: Play) -> None:
    text = HEAD + (
        "  - root opens R as c_root/d_root without events\n"
        "  - root invites leaf1 with R as P1\n"
        "  - root closes P1\n"
    )
    played = play(text, root={"join_leaf": [[]]})
    failed(played, FIRST + 2, "expected a socket P1, seen none: the call is still open")


def test_a_blocking_join_may_fail(play: Play) -> None:
    text = HEAD + (
        "  - leaf1 opens L1 as c_leaf/d_leaf without events\n"
        "  - leaf1 joins root with L1\n"
        "  - the join on L1 fails with WSAECONNREFUSED\n"
        "  - leaf1 joins root with L1\n"
        "  - the join on L1 succeeds\n"
    )
    refused = {"error": {"code": 10061, "name": "WSAECONNREFUSED"}}
    played = play(text, leaf1={"join_leaf": [[refused], [refused]]})
    failed(played, FIRST + 4, "expected success of the join, seen WSAECONNREFUSED")


def test_a_blocking_join_that_does_not_end_is_told(play: Play) -> None:
    text = HEAD + (
        "  - leaf1 opens L1 as c_leaf/d_leaf without events\n"
        "  - leaf1 joins root with L1\n"
        "  - the join on L1 succeeds\n"
    )
    played = play(text, leaf1={"join_leaf": [[]]})
    failed(played, FIRST + 2, "expected success of the join, seen no end of it")


def test_a_blocking_join_that_succeeds_where_it_should_not_is_told(play: Play) -> None:
    text = HEAD + (
        "  - leaf1 opens L1 as c_leaf/d_leaf without events\n"
        "  - leaf1 joins root with L1\n"
        "  - the join on L1 fails with WSAEACCES\n"
    )
    played = play(text, leaf1={"join_leaf": [[{"result": {"socket": 1}}]]})
    failed(played, FIRST + 2, "expected WSAEACCES of the join, seen success")


def refusal(name: str, code: int) -> list[dict[str, Any]]:
    return [{"error": {"code": code, "name": name}}]


def test_every_call_of_a_script_can_be_made_and_be_expected_to_fail(play: Play) -> None:
    again = [[OK], refusal("WSAEINVAL", 10022)]
    invalid = [refusal("WSAEINVAL", 10022)]
    played = play(
        bed(
            "leaf1 selects FD_READ on L1 without reports",
            "leaf1 enumerates nothing on L1",
            "leaf1 enumerates FD_READ, FD_CLOSE WSAECONNRESET on L1",
            "leaf1 selects nothing on L1",
            "leaf1 listens on L1 and gets WSAEINVAL",
            "leaf1 joins R with L1 and gets WSAEISCONN",
            "leaf1 invites root with L1 and gets WSAEISCONN",
            "leaf1 accepts nobody on L1 and gets WSAEINVAL",
            'leaf1 sends "x" on L1 and gets WSAEINVAL',
            "leaf1 receives on L1 and gets WSAEINVAL",
            'leaf1 receives "" on L1',
            'leaf1 reads callee data "" on L1',
            "leaf1 sets linger of L1 to 3 seconds",
            "leaf1 sets linger of L1 off and gets WSAEINVAL",
            "leaf1 shuts down L1 for sending",
            "leaf1 shuts down L1 and gets WSAEINVAL",
            "leaf1 closes L1",
            "leaf1 closes L1 and gets WSAEINVAL",
        ),
        leaf1={
            "enum_network_events": [
                [{"result": {"events": []}}],
                [
                    {
                        "result": {
                            "events": [
                                {"event": "FD_CLOSE", "code": 10054},
                                {"event": "FD_READ", "code": 0},
                            ]
                        }
                    }
                ],
            ],
            "listen": invalid,
            "join_leaf": [refusal("WSAEISCONN", 10056)] * 2,
            "accept": invalid,
            "send": invalid,
            "recv": [refusal("WSAEINVAL", 10022), [{"result": {"data": ""}}]],
            "set_linger": again,
            "shutdown": again,
            "close": again,
        },
    )
    assert played.failure is None


ODD = [
    ("root opens X as c_root/d_root", {"socket": [[OK]]}, "root answered socket without a socket"),
    (
        "root opens X as c_root/d_root",
        {"socket": [refusal("WSAEMFILE", 10024)]},
        "expected success of socket, seen WSAEMFILE",
    ),
    ("root invites L1 with R as P", {}, "root answered join_leaf without a socket"),
    (
        "root enumerates nothing on R",
        {"enum_network_events": [[{"result": {"events": [3, {"event": "FD_X", "code": 1}]}}]]},
        "expected nothing in the record of R, seen 3, FD_X 1",
    ),
    (
        "root accepts leaf1 on R as P",
        {
            "bind": [[OK, ACCEPTABLE]],
            "accept": [[{"result": {"socket": 2, "address": []}}]],
        },
        "expected a request from leaf1 on R, seen one from []",
    ),
    (
        "root accepts leaf1 on R as P",
        {"bind": [[OK, ACCEPTABLE | {"code": 10050}]]},
        "expected FD_ACCEPT on R to accept, seen FD_ACCEPT WSAENETDOWN",
    ),
    (
        'root receives "a" on R',
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "zz"}}]],
        },
        "expected data \"a\", seen no hexadecimal text: 'zz'",
    ),
    (
        "root receives something on R",
        {
            "bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]],
            "recv": [[{"result": {"data": "zz"}}]],
        },
        "expected data as hexadecimal text, seen no hexadecimal text: 'zz'",
    ),
    (
        'root receives "a" on R',
        {"bind": [[OK, {"event": "FD_READ", "socket": 1, "code": 0}]], "recv": [[OK]]},
        'expected data "a", seen none',
    ),
]


@pytest.mark.parametrize(("step", "rules", "reason"), ODD)
def test_odd_answers_are_told(play: Play, step: str, rules: dict[str, Any], reason: str) -> None:
    text = (HEAD + "  - leaf1 opens L1 as c_leaf/d_leaf\n") if " opens " in step else bed()
    played = play(f"{text}  - {step}\n", root=rules)
    failed(played, text.count("\n") + 1, reason)
