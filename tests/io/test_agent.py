"""The agent as its callers see it: real processes, pipes, and UDP over loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpwire.io.calls import CALLS
from tests.io.agent_process import ALL_EVENTS, SCHEMA, AgentProcess


def test_says_who_it_is_first(root: AgentProcess) -> None:
    assert root.hello["contract"] == 1
    assert root.hello["name"] == "mpwire"
    assert set(root.hello["calls"]) == set(CALLS)


def test_a_session_from_join_to_dismantle(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    joined = leaf.call(
        "join_leaf", socket=s, address=address, caller_data="6869", callee_capacity=8
    )
    assert joined == {"socket": s}
    assert root.wait_for("FD_ACCEPT", r)["code"] == 0
    accepted = root.call("accept", socket=r, callee_data="6f6b")
    assert accepted["caller_data"] == "6869"
    p = accepted["socket"]
    assert leaf.wait_for("FD_CONNECT", s)["code"] == 0
    assert leaf.wait_for("FD_WRITE", s)["code"] == 0
    assert leaf.call("callee_data", socket=s) == {"callee_data": "6f6b"}
    assert leaf.call("getpeername", socket=s) == {"address": address}
    assert root.wait_for("FD_WRITE", r)["code"] == 0
    assert root.call("send", socket=r, data="01") == {"octets": 1}
    leaf.wait_for("FD_READ", s)
    assert leaf.call("recv", socket=s) == {"data": "01"}
    leaf.call("send", socket=s, data="02")
    root.wait_for("FD_READ", r)
    assert root.call("recv", socket=r) == {"data": "02"}
    assert root.call("recv", socket=r)["error"]["name"] == "WSAEWOULDBLOCK"
    root.call("shutdown", socket=r, how="BOTH")
    assert leaf.wait_for("FD_CLOSE", s)["code"] == 0
    assert root.wait_for("FD_CLOSE", p)["code"] == 0
    assert root.wait_for("FD_CLOSE", r)["code"] == 0
    assert [line["seq"] for line in leaf.events] == []


def test_blocking_calls_are_answered_when_they_end(root: AgentProcess, leaf: AgentProcess) -> None:
    r = root.call("socket", flags=["C_ROOT", "D_ROOT"])["socket"]
    root.call("bind", socket=r, address=["127.0.0.1", 0])
    root.call("listen", socket=r)
    address = root.call("getsockname", socket=r)["address"]
    accept = root.start("accept", socket=r, callee_data="aa")
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    join = leaf.start("join_leaf", socket=s, address=address, callee_capacity=4)
    assert leaf.answer(join)["result"] == {"socket": s, "callee_data": "aa"}
    p = root.answer(accept)["result"]["socket"]
    receive = leaf.start("recv", socket=s)
    leaf.call("barrier")
    root.call("barrier")
    root.call("send", socket=r, data="0102")
    assert leaf.answer(receive)["result"] == {"data": "0102"}
    assert p != r


def test_the_condition_function_can_be_the_caller(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, local = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address, caller_data="07")
    root.wait_for("FD_ACCEPT", r)
    first = root.start("accept", socket=r, condition="ask")
    ask = root.answer(first)
    assert ask["condition"]["address"] == local
    assert ask["condition"]["caller_data"] == "07"
    waiting = root.start("getsockname", socket=r)
    root.write(json.dumps({"answer": ask["ask"], "decision": "defer"}))
    assert root.answer(first)["error"]["name"] == "WSATRY_AGAIN"
    assert root.answer(waiting)["result"] == {"address": address}
    second = root.start("accept", socket=r, condition="ask")
    ask = root.answer(second)
    root.write(json.dumps({"answer": ask["ask"], "decision": "reject"}))
    assert root.answer(second)["error"]["name"] == "WSAECONNREFUSED"
    assert leaf.wait_for("FD_CONNECT", s)["code"] == 10061


def test_the_last_word_of_a_socket_is_sent(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address)
    root.wait_for("FD_ACCEPT", r)
    p = root.call("accept", socket=r)["socket"]
    leaf.wait_for("FD_CONNECT", s)
    leaf.call("set_linger", socket=s, seconds=0)
    leaf.call("close", socket=s)
    assert root.wait_for("FD_CLOSE", p)["code"] == 10054


def test_a_close_that_lingers_is_answered_when_it_has_ended(
    root: AgentProcess, leaf: AgentProcess
) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    waiting = leaf.start("join_leaf", socket=s, address=address)
    root.wait_for("FD_ACCEPT", r)
    p = root.call("accept", socket=r)["socket"]
    leaf.answer(waiting)
    leaf.call("set_linger", socket=s, seconds=5)
    assert leaf.call("send", socket=s, data="00") == {"octets": 1}
    assert leaf.call("close", socket=s) == {}
    assert root.wait_for("FD_CLOSE", p)["code"] == 0


def test_a_socket_may_end_while_it_is_drained(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address)
    root.wait_for("FD_ACCEPT", r)
    leaf.call("close", socket=s)
    for agent in (root, leaf, root, leaf):
        assert agent.call("barrier") == {}
    assert root.call("accept", socket=r)["error"]["name"] == "WSAECONNRESET"


def test_a_caller_that_is_gone_ends_the_agent() -> None:
    agent = AgentProcess()
    assert agent.process.stdin is not None
    assert agent.process.stdout is not None
    agent.process.stdout.close()
    agent.write('{"id": 1, "call": "barrier"}')
    assert agent.process.wait(10) != 0
    agent.process.stdin.close()


def test_a_refused_port_fails_the_join(root: AgentProcess, leaf: AgentProcess) -> None:
    leaf.call("configure", timers={"rto_initial_s": 0.01, "rto_maximum_s": 0.02})
    _, address = root.opened("C_LEAF", "D_LEAF")
    root.call("exit")
    assert root.process.wait(10) == 0
    r, _ = leaf.opened("C_ROOT", "D_ROOT")
    leaf.call("join_leaf", socket=r, address=address)
    assert leaf.wait_for("FD_CONNECT", r)["code"] == 10061


def test_a_wildcard_address_answers_from_where_it_was_asked(
    root: AgentProcess, leaf: AgentProcess
) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT", host="0.0.0.0")
    root.call("listen", socket=r)
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    leaf.call("event_select", socket=s, events=ALL_EVENTS)
    leaf.call("join_leaf", socket=s, address=["127.0.0.5", address[1]])
    root.wait_for("FD_ACCEPT", r)
    p = root.call("accept", socket=r)["socket"]
    assert leaf.wait_for("FD_CONNECT", s)["code"] == 0
    assert root.call("getsockname", socket=p)["address"][0] == "127.0.0.5"


def test_unreported_events_wait_to_be_enumerated(root: AgentProcess, leaf: AgentProcess) -> None:
    r = root.call("socket", flags=["C_ROOT", "D_ROOT"])["socket"]
    root.call("bind", socket=r, address=["127.0.0.1", 0])
    root.call("event_select", socket=r, events=["FD_ACCEPT"], report=False)
    root.call("listen", socket=r)
    address = root.call("getsockname", socket=r)["address"]
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address)
    found: list[dict[str, Any]] = []
    while not found:
        root.call("barrier")
        leaf.call("barrier")
        found = root.call("enum_network_events", socket=r)["events"]
    assert found == [{"event": "FD_ACCEPT", "code": 0}]
    assert root.call("enum_network_events", socket=r) == {"events": []}
    assert root.events == []


@pytest.mark.parametrize(
    ("line", "key", "text"),
    [
        ("{", "invalid", "truncated"),
        ('{"id": 1}', "invalid", "call"),
        ('{"id": 1, "call": "fly"}', "unsupported", "fly"),
        (
            '{"id": 1, "call": "socket", "args": {"flags": [], "qos": 1}}',
            "unsupported",
            "socket: qos",
        ),
        ('{"id": 1, "call": "socket", "args": {"flags": ["X"]}}', "invalid", "socket: "),
        ('{"id": 1, "call": "configure", "args": {"timers": {"x_s": 1}}}', "invalid", "x_s"),
        ('{"id": 1, "call": "send", "args": {"socket": 1, "data": "0"}}', "invalid", "'0'"),
        ('{"id": 1, "call": "close", "args": {"socket": 9}}', "error", "WSAENOTSOCK"),
        ("[" * 100_000, "invalid", ""),
    ],
)
def test_what_is_wrong_with_a_line_is_said(
    root: AgentProcess, line: str, key: str, text: str
) -> None:
    root.write(line)
    answer = root.read()
    assert text in str(answer[key])
    assert root.call("barrier") == {}


@pytest.mark.parametrize(
    ("call", "address", "code"),
    [
        ("bind", ["127.0.0.1", 70_000], "WSAEADDRNOTAVAIL"),
        ("bind", ["127.0.0.1", -1], "WSAEADDRNOTAVAIL"),
        ("bind", ["nowhere", 1], "WSAEADDRNOTAVAIL"),
        ("bind", ["::1", 1], "WSAEAFNOSUPPORT"),
        ("join_leaf", ["127.0.0.1", 99_999], "WSAEADDRNOTAVAIL"),
        ("join_leaf", ["127.0.0.1", 0], "WSAEADDRNOTAVAIL"),
        ("join_leaf", ["239.1.1.1", 61_717], "WSAEADDRNOTAVAIL"),
        ("join_leaf", ["255.255.255.255", 61_717], "WSAEADDRNOTAVAIL"),
        ("join_leaf", ["0.0.0.0", 61_717], "WSAEADDRNOTAVAIL"),
    ],
)
def test_impossible_addresses_are_refused(
    root: AgentProcess, call: str, address: list[object], code: str
) -> None:
    s = root.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    assert root.call(call, socket=s, address=address)["error"]["name"] == code


def test_any_spelling_of_an_address_will_do(root: AgentProcess, leaf: AgentProcess) -> None:
    r = root.call("socket", flags=["C_ROOT", "D_ROOT"], family="inet6")["socket"]
    root.call("bind", socket=r, address=["0:0:0:0:0:0:0:1", 0])
    root.call("event_select", socket=r, events=ALL_EVENTS)
    root.call("listen", socket=r)
    host, port = root.call("getsockname", socket=r)["address"]
    assert host == "::1"
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"], family="inet6")["socket"]
    leaf.call("event_select", socket=s, events=ALL_EVENTS)
    leaf.call("join_leaf", socket=s, address=["0::0:1", port])
    root.wait_for("FD_ACCEPT", r)
    root.call("accept", socket=r)
    assert leaf.wait_for("FD_CONNECT", s)["code"] == 0


def test_configure_comes_before_the_first_socket(root: AgentProcess) -> None:
    root.call("configure", seed=5, timers={"retransmissions": 3, "rto_initial_s": 0.1})
    root.call("socket", flags=["C_LEAF", "D_LEAF"])
    assert "before" in root.call("configure", seed=6)["invalid"]


def test_serves_a_file_of_calls(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    calls.write_text('{"id": 1, "call": "barrier"}\n\n{"id": 2, "call": "exit"}\n')
    with calls.open() as stream:
        printed = subprocess.run(
            [sys.executable, "-m", "mpwire.io.agent"],
            stdin=stream,
            capture_output=True,
            text=True,
            check=True,
        )
    assert printed.stderr == ""
    assert printed.stdout.splitlines()[1:] == ['{"id":1,"result":{}}', '{"id":2,"result":{}}']


def test_side_chat_is_marked(root: AgentProcess, leaf: AgentProcess) -> None:
    flags: dict[AgentProcess, list[str]] = {root: ["C_ROOT", "D_ROOT"], leaf: ["C_LEAF", "D_LEAF"]}
    opened = {}
    for agent, roles in flags.items():
        opened[agent] = agent.call("socket", flags=roles, protocol="MPW_DIALOGUE")["socket"]
        agent.call("bind", socket=opened[agent], address=["127.0.0.1", 0])
        agent.call("event_select", socket=opened[agent], events=ALL_EVENTS)
    r, s = opened[root], opened[leaf]
    root.call("listen", socket=r)
    address = root.call("getsockname", socket=r)["address"]
    leaf.call("join_leaf", socket=s, address=address)
    root.wait_for("FD_ACCEPT", r)
    p = root.call("accept", socket=r)["socket"]
    leaf.wait_for("FD_WRITE", s)
    root.wait_for("FD_WRITE", p)
    assert root.call("send", socket=p, data="01") == {"octets": 1}
    leaf.wait_for("FD_READ", s)
    assert leaf.call("recv", socket=s) == {"data": "01", "private": True}
    assert leaf.call("send", socket=s, data="0203", private=True) == {"octets": 2}
    root.wait_for("FD_READ", p)
    assert root.call("recv", socket=p) == {"data": "0203", "private": True}
    error = root.call("send", socket=r, data="04", private=True)["error"]
    assert error["name"] == "WSAEOPNOTSUPP"


@pytest.mark.parametrize("side_chat", [True, False])
def test_side_chat_can_be_the_rule(root: AgentProcess, *, side_chat: bool) -> None:
    root.call("configure", side_chat=side_chat)
    usual = root.call("socket", flags=["C_ROOT", "D_ROOT"])["socket"]
    named = root.call("socket", flags=["C_ROOT", "D_ROOT"], protocol="MPW_ROOTED")["socket"]
    protocols = [
        root.call("getsockopt", socket=one, option="SO_PROTOCOL_INFO")["value"]
        for one in (usual, named)
    ]
    assert protocols == ["MPW_DIALOGUE" if side_chat else "MPW_ROOTED", "MPW_ROOTED"]


def test_starts_without_scapy() -> None:
    program = "import mpwire.io.agent, sys; print([n for n in sys.modules if 'scapy' in n])"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "[]\n"


def test_the_published_schema_is_the_one_in_use() -> None:
    published = Path(__file__).parents[2] / "docs" / "agent-schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(SCHEMA))


def test_a_line_that_is_no_utf_8_is_invalid_and_survived(root: AgentProcess) -> None:
    assert root.process.stdin is not None
    os.write(root.process.stdin.fileno(), b'{"id": 1, "call": "barr\xff\xfeier"}\n')
    assert "invalid" in root.read()
    assert root.call("barrier") == {}
