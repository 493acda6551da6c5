"""Calls of the agent beyond a plain session: protocols, select, windows, flows, cancelling."""

import json
from typing import Any

import pytest

from mpwire.io.calls import CALLS
from tests.io.agent_process import ALL_EVENTS, AgentProcess


def listening(agent: AgentProcess, **options: Any) -> tuple[int, list[Any]]:  # noqa: ANN401
    """Open a blocking root that listens; return it and its address."""
    r = agent.call("socket", flags=["C_ROOT", "D_ROOT"], **options)["socket"]
    agent.call("bind", socket=r, address=["127.0.0.1", 0])
    agent.call("listen", socket=r)
    return r, agent.call("getsockname", socket=r)["address"]


@pytest.mark.w(1)
def test_protocols_are_named_as_sockets_take_them(root: AgentProcess) -> None:
    protocols = root.call("enum_protocols")["protocols"]
    by_name = {one["name"]: one for one in protocols}
    assert by_name["MPW_ROOTED"]["socket_type"] == "SOCK_SEQPACKET"
    assert by_name["MPW_OPEN"]["socket_type"] == "SOCK_DGRAM"
    for name, protocol in by_name.items():
        flags = protocol["service_flags"]
        assert "XP1_SUPPORT_MULTIPOINT" in flags
        planes = ["C_ROOT", "D_LEAF"]
        made = root.call("socket", flags=planes, protocol=name)
        rooted = "XP1_MULTIPOINT_CONTROL_PLANE" in flags
        assert ("socket" in made) is rooted, (name, made)


def test_select_says_who_is_ready_now_or_later(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = listening(root)
    nothing: dict[str, list[int]] = {"read": [], "write": [], "exceptional": []}
    assert root.call("select", read=[r], write=[r], timeout_s=0) == nothing
    assert root.call("select", read=[r], timeout_s=0.01) == nothing
    waiting = root.start("select", read=[r])
    root.call("barrier")
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address)
    assert root.answer(waiting)["result"] == nothing | {"read": [r]}
    assert root.call("select")["error"]["name"] == "WSAEINVAL"
    assert root.call("select", read=[99])["error"]["name"] == "WSAENOTSOCK"


@pytest.mark.w(100)
def test_a_window_gets_a_message_for_every_event(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = listening(root)
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    assert leaf.call("async_select", socket=s, window=5, message=1025, events=ALL_EVENTS) == {}
    assert leaf.call("get_message", window=5) == {"message": None}
    accept = root.start("accept", socket=r)
    leaf.call("join_leaf", socket=s, address=address)
    root.answer(accept)
    found: list[dict[str, Any]] = []
    while len(found) < 2:
        leaf.call("select", write=[s], timeout_s=0.01)
        message = leaf.call("get_message", window=5)["message"]
        found += [] if message is None else [message]
    assert found == [
        {"message": 1025, "socket": s, "event": event, "code": 0}
        for event in ("FD_CONNECT", "FD_WRITE")
    ]
    assert leaf.events == []


@pytest.mark.w(28)
def test_a_call_that_waits_can_be_cancelled(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = listening(root)
    s = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
    join = leaf.start("join_leaf", socket=s, address=address)
    root.call("select", read=[r])
    assert leaf.call("cancel_blocking_call", call=join) == {}
    assert leaf.answer(join)["error"]["name"] == "WSAEINTR"
    assert leaf.call("cancel_blocking_call", call=join) == {}
    root.call("barrier")
    accept = root.start("accept", socket=r)
    assert root.answer(accept)["error"]["name"] == "WSAECONNRESET"
    accept, select = root.start("accept", socket=r), root.start("select", read=[r])
    for call in (accept, select):
        root.call("cancel_blocking_call", call=call)
        assert root.answer(call)["error"]["name"] == "WSAEINTR"


@pytest.mark.w(17)
def test_a_join_may_ask_for_a_flow(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    too_much = {"sending": 4_000_000_000, "receiving": 0}
    refused = leaf.call("join_leaf", socket=s, address=address, sqos=too_much)
    assert refused["error"]["name"] == "WSAEOPNOTSUPP"
    flow = {"sending": 1000, "receiving": 2000}
    leaf.call("join_leaf", socket=s, address=address, sqos=flow)
    root.wait_for("FD_ACCEPT", r)
    accept = root.start("accept", socket=r, condition="ask")
    ask = root.answer(accept)
    assert ask["condition"]["sqos"] == flow
    root.write(json.dumps({"answer": ask["ask"], "decision": "accept"}))
    root.answer(accept)
    assert leaf.wait_for("FD_CONNECT", s)["code"] == 0


def test_options_and_ioctls_go_by_name_and_by_number(root: AgentProcess) -> None:
    r, _ = listening(root)
    options = {
        "SO_ACCEPTCONN": True,
        "SO_LINGER": None,
        "SO_DONTLINGER": True,
        "SO_ERROR": 0,
        "SO_TYPE": 5,
        "SO_PROTOCOL_INFO": "MPW_ROOTED",
        "SO_CONDITIONAL_ACCEPT": True,
    }
    for option, value in options.items():
        assert root.call("getsockopt", socket=r, option=option) == {"value": value}
    assert root.call("setsockopt", socket=r, option="SO_DONTLINGER", value=False) == {}
    assert root.call("getsockopt", socket=r, option=0x80) == {"value": 0}
    refused = root.call("setsockopt", socket=r, option="SO_TYPE", value=1)
    assert refused["error"]["name"] == "WSAENOPROTOOPT"
    assert root.call("getsockopt", socket=r, option="SO_SPEED") == {
        "id": root.last_id,
        "unsupported": "option: SO_SPEED",
    }
    assert root.call("ioctl", socket=r, code="FIONREAD") == {"value": 0}
    assert root.call("ioctl", socket=r, code=7)["error"]["name"] == "WSAEINVAL"
    assert "SIO_X" in root.call("ioctl", socket=r, code="SIO_X")["unsupported"]
    reached = root.call(
        "ioctl", socket=r, code="SIO_ROUTING_INTERFACE_QUERY", value=["127.0.0.9", 9]
    )
    assert reached["value"][0] == "127.0.0.1"
    waiting = root.start("ioctl", socket=r, code="SIO_ADDRESS_LIST_CHANGE")
    root.call("cancel_blocking_call", call=waiting)
    assert root.answer(waiting)["error"]["name"] == "WSAEINTR"
    assert root.call("ioctl", socket=r, code="FIONBIO", value=True) == {"value": 0}
    assert root.call("accept", socket=r)["error"]["name"] == "WSAEWOULDBLOCK"


@pytest.mark.w(17)
def test_flows_are_set_and_read_by_ioctl(root: AgentProcess) -> None:
    r, _ = listening(root)
    flow = {"sending": 5, "receiving": 6}
    assert root.call("ioctl", socket=r, code="SIO_GET_QOS") == {
        "value": {"sending": 0, "receiving": 0}
    }
    assert root.call("ioctl", socket=r, code="SIO_SET_QOS", value=flow) == {"value": 0}
    assert root.call("ioctl", socket=r, code="SIO_GET_QOS") == {"value": flow}
    assert root.call("ioctl", socket=r, code="SIO_SET_QOS", value=3)["error"]["code"] == 10014


@pytest.mark.w(84)
@pytest.mark.w(85)
def test_duplicates_and_last_words(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    assert leaf.call("connect", socket=s, address=address)["error"]["name"] == "WSAEOPNOTSUPP"
    leaf.call("join_leaf", socket=s, address=address)
    root.wait_for("FD_ACCEPT", r)
    p = root.call("accept", socket=r)["socket"]
    leaf.wait_for("FD_CONNECT", s)
    twin = leaf.call("duplicate_socket", socket=s)["socket"]
    leaf.call("close", socket=s)
    root.call("barrier")
    assert "FD_CLOSE" not in {line["event"] for line in root.events}
    assert leaf.call("getpeername", socket=twin) == {"address": address}
    leaf.call("send_disconnect", socket=twin, data="627965")
    assert root.wait_for("FD_CLOSE", p)["code"] == 0
    assert root.call("recv_disconnect", socket=p) == {"data": "627965"}
    leaf.call("close", socket=twin)
    assert leaf.call("close", socket=twin)["error"]["name"] == "WSAENOTSOCK"


def test_every_call_is_documented() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
    table = page[page.index("| call | args") : page.index("`condition` of an `ask`")]
    rows = [row.split("|")[1] for row in table.splitlines()[2:] if row.startswith("|")]
    named = {name for row in rows for name in row.replace("`", "").replace(" ", "").split(",")}
    assert named == set(CALLS)


@pytest.mark.w(96)
def test_what_a_network_carries_is_told_to_the_agent_and_by_it(
    root: AgentProcess, leaf: AgentProcess
) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("listen", socket=r)
    s, (host, _) = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("event_select", socket=s, events=["FD_CONNECT", "FD_QOS"])
    leaf.call("join_leaf", socket=s, address=address, sqos={"sending": 9, "receiving": 0})
    root.wait_for("FD_ACCEPT", r)
    root.call("accept", socket=r)
    leaf.wait_for("FD_CONNECT", s)
    leaf.call("capacity_changed", address=host, octets_per_s=4)
    leaf.call("capacity_changed", address=host, octets_per_s=3)
    leaf.call("capacity_changed", address="192.0.2.1", octets_per_s=1)
    leaf.call("barrier")
    assert [event["event"] for event in leaf.events] == ["FD_QOS"]
    carried = leaf.call("ioctl", socket=s, code="SIO_GET_QOS")
    assert carried == {"value": {"sending": 3, "receiving": 0}}
    leaf.call("capacity_changed", address=host)
    leaf.call("barrier")
    assert [event["event"] for event in leaf.events] == ["FD_QOS", "FD_QOS"]
    wrong = leaf.start("capacity_changed", address=host, octets_per_s=-1)
    assert "invalid" in leaf.answer(wrong)


@pytest.mark.w(88)
@pytest.mark.w(89)
def test_enumerations_touch_what_they_are_given(root: AgentProcess, leaf: AgentProcess) -> None:
    r, address = root.opened("C_ROOT", "D_ROOT")
    root.call("event_select", socket=r, events=["FD_ACCEPT", "FD_READ"], report=False)
    root.call("listen", socket=r)
    assert root.call("event_object", event_object=2) == {"signalled": False}
    s, _ = leaf.opened("C_LEAF", "D_LEAF")
    leaf.call("join_leaf", socket=s, address=address)
    root.call("barrier")
    leaf.call("barrier")
    root.call("barrier")
    assert root.call("event_object", event_object=2) == {"signalled": True}
    wrong = root.call("enum_network_events", socket=r, event_object=0)
    assert wrong["error"]["name"] == "WSAEINVAL"
    found = root.call("enum_network_events", socket=r, fill=77)
    assert found["events"] == [{"event": "FD_ACCEPT", "code": 0}]
    assert found["codes"] == [77, 77, 77, 0, 77, 77, 77, 77, 77, 77]
    assert root.call("event_object", event_object=2) == {"signalled": True}
    assert root.call("enum_network_events", socket=r, event_object=2) == {"events": []}
    assert root.call("event_object", event_object=2) == {"signalled": False}
