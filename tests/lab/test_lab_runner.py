"""The runner against agents that behave, lie, crash and hang, over real pipes."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from mpwire.capture import RunWriter
from mpwire.lab import testbed
from mpwire.lab.echoes import FabricError
from mpwire.lab.journal import Journal
from mpwire.lab.models import CALLS as OFFERED
from mpwire.lab.plan import Plan
from mpwire.lab.progress import (
    AnyProgress,
    EventReported,
    Failure,
    SocketMade,
    Started,
    StepChanged,
)
from mpwire.lab.runner import BEGINNING, ENDING, Runner, run
from mpwire.lab.vantages import vantages
from tests.lab.plays import ACCEPTABLE, CONNECTED, FIRST, OK, Play, Played, bed

HELLO_ONLY = {"hello": {"contract": 1, "name": "x", "version": "", "calls": []}}


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


@pytest.mark.parametrize("lacking", [True, False])
def test_who_is_not_told_of_icmp_errors_says_so_in_the_hello(play: Play, *, lacking: bool) -> None:
    text = bed().replace("script:", "requires: [icmp]\nscript:")
    hello = {"contract": 1, "name": "deaf", "version": "1", "calls": list(OFFERED)}
    told = {**hello, "lacks": ["icmp", "something later"]} if lacking else hello
    played = play(text, leaf1={"hello": [[{"hello": told}]]})
    if lacking:
        assert played.failure.kind == "unsupported"
        assert played.failure.reason == "unsupported: icmp by leaf1"
    else:
        assert played.failure is None


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


def test_an_agent_that_refuses_to_be_configured_is_a_fault(play: Play) -> None:
    refused = {"error": {"code": 10022, "name": "WSAEINVAL"}}
    played = play(bed(), leaf1={"configure": [[refused]]})
    failed(played, 0, "leaf1 refused configure with WSAEINVAL")


def test_an_agent_that_dies_between_two_steps_is_noticed_at_the_next(play: Play) -> None:
    played = play(
        bed("leaf1 listens on L1", "L1 sees FD_CONNECT", "root closes R"),
        leaf1={"listen": [[OK, {"exit": 5}]]},
    )
    failed(played, STEP + 1, "leaf1's agent exited with status 5")


def test_interrupting_before_the_script_begins_runs_none_of_it(play: Play) -> None:
    def meddle(runner: Runner, line: AnyProgress) -> None:
        if isinstance(line, Started):
            runner.interrupt()

    played = play(bed(), meddle=meddle)
    assert (played.failure.line, played.failure.kind) == (0, "interrupted")
    assert [text for _, text, _ in played.steps()] == ["done"], "only the ending"


def test_a_fabric_that_proves_nothing_is_told_and_all_is_recorded(
    play: Play, process_fabric: type
) -> None:
    class Deaf(process_fabric):  # type: ignore[misc]  # a class that the fixture gives
        async def sentinel(self, host: str, stage: str) -> None:
            raise FabricError(f"no echo from {host} at the {stage}")

        async def settle(self) -> None:
            raise FabricError("hosts still talk")

    played = play(bed(), fabric=Deaf())
    failed_at = (played.failure.line, played.failure.reason)
    assert failed_at == (0, "no echo from root at the start")
    assert played.steps()[-1] == (0, "failed", "hosts still talk")
    assert len(played.of("counters")) == 2


def test_a_fabric_that_fails_in_a_step_fails_the_step(play: Play, process_fabric: type) -> None:
    class Broken(process_fabric):  # type: ignore[misc]  # a class that the fixture gives
        async def settle(self) -> None:
            raise FabricError("hosts still talk")

    played = play(bed("everything settles"), fabric=Broken())
    failed(played, STEP, "hosts still talk")


def test_hosts_that_never_stop_talking_are_told(play: Play, process_fabric: type) -> None:
    class Chatty(process_fabric):  # type: ignore[misc]  # a class that the fixture gives
        async def start(self, hosts: object, recorder: Journal) -> None:
            assert hosts
            self.recorder = recorder

        async def settle(self) -> None:
            self.recorder.frame("root", "out", bytes(60), 1)

    played = play(bed("everything settles"), fabric=Chatty())
    failed(played, STEP, "expected everything to settle, seen talk after 100 barriers")


def test_the_short_form_runs_a_plan_too(play: Play, process_fabric: type, tmp_path: Path) -> None:
    first = play(bed())
    (tmp_path / "again").mkdir()
    agent = first.run.run.hosts[0].agent
    plan = testbed.parse(bed(), tmp_path / "bed.yaml", {"default": agent})
    writer = RunWriter(tmp_path / "again", vantages(plan))
    assert asyncio.run(run_plan(plan, process_fabric, writer)) is None
    writer.finish()


async def run_plan(plan: Plan, fabric: type, writer: RunWriter) -> Failure | None:
    """Make the fabric inside the loop that runs it."""
    return await run(plan, fabric(), writer)
