"""The runner against agents that behave, lie, crash and hang, over real pipes."""

import signal
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from mpwire.lab.progress import AnyProgress, EventReported, SocketMade, StepChanged
from mpwire.lab.runner import BEGINNING, ENDING, Runner


class Played(Protocol):
    """What came of a run; see conftest.py."""

    failure: Any
    run: Any
    told: list[AnyProgress]

    def steps(self) -> list[tuple[int, str, str | None]]: ...
    def of(self, kind: str) -> list[Any]: ...


Play = Callable[..., Played]

HEAD = """\
about: test
hosts: [root, leaf1]
timers: {rto_initial_s: 0.01, rto_maximum_s: 0.02, drain_s: 0.01, pend_s: 0.02, dead_s: 0.02}
script:
"""
FIRST = 5
"""Line of the first step."""
OPEN = ("root opens R as c_root/d_root", "leaf1 opens L1 as c_leaf/d_leaf")
CONNECTED = {"event": "FD_CONNECT", "socket": 1, "code": 0}
ACCEPTABLE = {"event": "FD_ACCEPT", "socket": 1, "code": 0}
OK: dict[str, Any] = {"result": {}}
HELLO_ONLY = {"hello": {"contract": 1, "name": "x", "version": "", "calls": []}}


def bed(*steps: str) -> str:
    return HEAD + "".join(f"  - {step}\n" for step in (*OPEN, *steps))


def test_a_script_that_holds_runs_to_its_end_and_leaves_a_complete_file(play: Play) -> None:
    played = play(
        bed(
            "root listens on R",
            'leaf1 joins R with L1 with caller data "hi"',
            "root accepts leaf1 on R as P1",
            "L1 sees FD_CONNECT",
            'leaf1 sends "abc" on L1',
            "everything settles",
        ),
        root={
            "listen": [[OK, ACCEPTABLE]],
            "accept": [
                [{"result": {"socket": 2, "address": ["10.77.0.3", 1], "caller_data": "6869"}}]
            ],
        },
        leaf1={"join_leaf": [[{"result": {"socket": 1}}, CONNECTED]]},
    )
    assert played.failure is None
    assert [state for _, state, _ in played.steps()] == ["done"] * 10
    assert [type(one).__name__ for one in played.run.records][:2] == ["Run", "Testbed"]
    exits = {one.host: (one.status, one.expected) for one in played.of("agent_exit")}
    assert exits == {"root": (0, True), "leaf1": (0, True)}


def test_calls_carry_what_the_contract_says(play: Play) -> None:
    played = play(bed('leaf1 joins R with L1 for sending only with caller data "x"'))
    to_leaf = [
        bytes(one.line).decode()
        for one in played.of("agent_line")
        if one.host == "leaf1" and one.direction == "to"
    ]
    assert to_leaf[1:] == [
        '{"id":2,"call":"socket","args":{"flags":["C_LEAF","D_LEAF"],"family":"inet"}}',
        (
            '{"id":3,"call":"event_select","args":{"socket":1,"events":'
            '["FD_READ","FD_WRITE","FD_ACCEPT","FD_CONNECT","FD_CLOSE"],"report":true}}'
        ),
        '{"id":4,"call":"bind","args":{"socket":1,"address":["10.77.0.3",61717]}}',
        (
            '{"id":5,"call":"join_leaf","args":{"socket":1,"address":["10.77.0.2",61717],'
            '"flags":"SENDER_ONLY","caller_data":"78","callee_capacity":0}}'
        ),
        '{"id":6,"call":"barrier","args":{}}',
        '{"id":7,"call":"exit","args":{}}',
    ]
    assert to_leaf[0].startswith('{"id":1,"call":"configure","args":{"seed":')


def test_progress_says_steps_sockets_and_events_as_they_happen(play: Play) -> None:
    played = play(
        bed("leaf1 joins R with L1", "L1 sees FD_CONNECT"),
        leaf1={"join_leaf": [[{"result": {"socket": 1}}, CONNECTED]]},
    )
    kinds = [type(line).__name__ for line in played.told]
    assert kinds[0] == "Started"
    events = [line for line in played.told if isinstance(line, EventReported)]
    assert [(e.host, e.socket, e.event, e.code, e.seq) for e in events] == [
        ("leaf1", 1, "FD_CONNECT", 0, 1)
    ]
    made = [line for line in played.told if isinstance(line, SocketMade)]
    assert [(one.host, one.socket, one.name) for one in made] == [
        ("root", 1, "R"),
        ("leaf1", 1, "L1"),
    ]
    steps = [line.text for line in played.told if isinstance(line, StepChanged)]
    assert steps[0] == BEGINNING
    assert steps[-1] == ENDING


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


def test_unsupported_is_said_with_call_and_host(play: Play) -> None:
    played = play(bed("leaf1 listens on L1"), leaf1={"listen": [[{"unsupported": "listen"}]]})
    failed(played, STEP, "unsupported: listen by leaf1")
    assert played.failure.kind == "unsupported"


def test_an_agent_that_supports_nothing_is_unsupported_before_the_script(play: Play) -> None:
    nothing = {
        "hello": [[HELLO_ONLY]],
        "configure": [[{"unsupported": "configure"}]],
        "barrier": [[{"unsupported": "barrier"}]],
        "exit": [[{"unsupported": "exit"}]],
    }
    played = play(bed(), leaf1=nothing)
    assert (played.failure.line, played.failure.kind) == (0, "unsupported")
    assert played.failure.reason == "unsupported: configure by leaf1"


def test_required_calls_are_looked_for_in_the_hello(play: Play) -> None:
    text = bed().replace("script:", "requires: [getsockname]\nscript:")
    played = play(text)
    assert played.failure.kind == "unsupported"
    assert played.failure.reason == "unsupported: getsockname by root"


FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"listen": [[{"stderr": "Traceback\nno more"}, {"exit": 3}]]},
        "leaf1's agent exited with status 3 (no more)",
    ),
    ({"listen": [[{"kill": signal.SIGKILL}]]}, "leaf1's agent was killed by signal 9"),
    (
        {"listen": [[{"raw": "hello"}]]},
        "leaf1 broke the agent contract (JSON is malformed: invalid character (byte 0)): hello",
    ),
    (
        {"listen": [[{"raw": '{"id": 99, "result": {}}'}]]},
        'leaf1 broke the agent contract (no call with this id is open): {"id": 99, "result": {}}',
    ),
    (
        {"listen": [[{"raw": '{"event": "FD_READ", "socket": 1, "code": 0, "seq": 2}'}]]},
        (
            "leaf1 broke the agent contract (events are numbered without gaps, expected 1): "
            '{"event": "FD_READ", "socket": 1, "code": 0, "seq": 2}'
        ),
    ),
    (
        {"listen": [[{"raw": '{"event": "FD_OOPS", "socket": 1, "code": 0, "seq": 1}'}]]},
        (
            "leaf1 broke the agent contract (an event needs a known name, a socket and a code): "
            '{"event": "FD_OOPS", "socket": 1, "code": 0, "seq": 1}'
        ),
    ),
    (
        {"listen": [[{"raw": '{"ask": 1, "call": 5, "condition": {}}'}]]},
        (
            "leaf1 broke the agent contract (no open call has a condition to be asked for): "
            '{"ask": 1, "call": 5, "condition": {}}'
        ),
    ),
    (
        {"listen": [[{"raw": "{}"}]]},
        "leaf1 broke the agent contract (it is neither an answer, an event nor a question): {}",
    ),
    (
        {"listen": [[{"id": 5}]]},
        (
            "leaf1 broke the agent contract (an answer has a result, an error, unsupported or"
            ' invalid): {"id": 5}'
        ),
    ),
    (
        {"listen": [[{"invalid": "no backlog"}]]},
        "leaf1 finds listen no valid call: no backlog",
    ),
    (
        {"listen": [[{"big": 1 << 21}]]},
        "leaf1's agent printed a line above 1048576 octets",
    ),
]


@pytest.mark.parametrize(("rules", "reason"), FAULTS, ids=[reason[:40] for _, reason in FAULTS])
def test_a_faulty_agent_stops_the_script_with_a_reason(
    play: Play, rules: dict[str, Any], reason: str
) -> None:
    played = play(bed("leaf1 listens on L1", "everything settles"), leaf1=rules)
    failed(played, STEP, reason)


def test_an_agent_that_dies_while_another_is_waited_for_is_noticed(play: Play) -> None:
    played = play(bed("L1 sees FD_CONNECT"), root={"bind": [[OK, {"exit": 4}]]})
    assert "root's agent exited with status 4" in played.failure.reason


def test_an_agent_that_cannot_be_started_is_a_reason(play: Play) -> None:
    played = play(bed(), agents={"leaf1": ["/nonexistent/agent"]})
    assert played.failure.reason == (
        "leaf1's agent cannot be started: /nonexistent/agent: No such file or directory"
    )


def test_an_agent_must_speak_contract_1(play: Play) -> None:
    hello = {"hello": {"contract": 2, "name": "x", "version": "", "calls": []}}
    played = play(bed(), leaf1={"hello": [[hello]]})
    assert played.failure.reason == "leaf1 speaks contract 2, expected 1"


def test_the_first_line_must_be_the_hello(play: Play) -> None:
    played = play(bed(), leaf1={"hello": [[{"raw": '{"id": 1, "result": {}}'}]]})
    assert "the first line must be the hello" in played.failure.reason


def test_a_wrong_exit_status_is_a_failure_of_the_ending(play: Play) -> None:
    played = play(bed(), leaf1={"exit": [[OK, {"exit": 7}]]})
    assert (played.failure.line, played.failure.reason) == (
        0,
        "expected leaf1's agent to exit with status 0, seen status 7",
    )


def test_interrupting_stops_the_script_and_still_ends_in_order(play: Play) -> None:
    def meddle(runner: Runner, line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and line.text.startswith("L1 sees") and not line.reason:
            runner.interrupt()

    played = play(bed("L1 sees FD_CONNECT"), meddle=meddle)
    failed(played, STEP, "interrupted")
    assert played.failure.kind == "interrupted"


def test_lines_of_the_contract_are_recorded_verbatim_even_odd_ones(play: Play) -> None:
    odd = '{ "event" :"FD_CONNECT","socket":1, "code":0,"seq":1, "extra": [1] }'
    played = play(bed("L1 sees FD_CONNECT"), leaf1={"bind": [[OK, {"raw": odd}]]})
    assert played.failure is None
    assert odd in [bytes(one.line).decode() for one in played.of("agent_line")]
