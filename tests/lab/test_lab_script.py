"""Sentences: every one is read as meant, and a wrong word is pointed at."""

import re
from typing import Any

import msgspec
import pytest

from mpwire.lab import controls, faults, mishaps, steps
from mpwire.lab.forms import RESERVED, SLOTS, Form
from mpwire.lab.grammar import EXPECTATIONS, FORMS
from mpwire.lab.script import Line, read_line
from mpwire.lab.step import Step
from mpwire.lab.steps import Sight
from mpwire.lab.words import Names

HOSTS = ("root", "leaf1", "leaf2", "leaf3")


def names() -> Names:
    """Everybody has opened a socket."""
    made = {"R": ("root", 3), "L1": ("leaf1", 4), "L2": ("leaf2", 5), "L3": ("leaf3", 6)}
    made |= {"P1": ("root", 7), "P2": ("root", 8), "A2": ("leaf2", 9)}
    return Names(HOSTS, ("inet", "inet6"), made, routers={"edge": ("north", "south")})


def read(text: str, known: Names | None = None, forms: tuple[Form, ...] = FORMS) -> Step:
    """Read a line that is right."""
    line = Line(text, 9, range(5, 6 + len(text)))
    step, problems = read_line(line, forms, known or names())
    assert problems == []
    assert step is not None
    assert (step.line, step.column, step.text) == (9, 5, text)
    return step


def wrong(text: str, known: Names | None = None, forms: tuple[Form, ...] = FORMS) -> list[str]:
    """Read a line that is not, and give its problems as a person sees them, columns from 1."""
    line = Line(text, 1, range(1, 2 + len(text)))
    step, problems = read_line(line, forms, known or names())
    assert step is None
    return [f"{p.column}: found {p.found}, expected {p.expected}|{p.hint}" for p in problems]


MEANT: list[tuple[str, type[Step], dict[str, Any]]] = [
    (
        "leaf1 opens X as c_leaf/d_leaf",
        steps.Open,
        {"host": "leaf1", "socket": "X", "roles": "c_leaf/d_leaf", "port": 61717, "family": None},
    ),
    (
        "root opens X as c_root/d_leaf on port 5000 over inet6 without binding without events",
        steps.Open,
        {"port": 5000, "family": "inet6", "without_binding": True, "without_events": True},
    ),
    ("root opens X as c_root/d_root without events on port 1", steps.Open, {"port": 1}),
    ("root opens X as c_root/d_root", steps.Open, {"protocol": "MPW_ROOTED"}),
    (
        "root opens X as c_root/d_leaf of protocol MPW_CONFERENCE",
        steps.Open,
        {"protocol": "MPW_CONFERENCE"},
    ),
    (
        "leaf1 opens X as an ordinary socket of protocol MPW_OPEN without binding",
        steps.Open,
        {"socket": "X", "roles": "", "protocol": "MPW_OPEN", "without_binding": True},
    ),
    ("leaf1 connects L1 to R", steps.Connect, {"target": "R", "port": None, "error": None}),
    (
        "leaf1 connects L1 to root at port 7 and gets WSAECONNREFUSED",
        steps.Connect,
        {"socket": "L1", "target": "root", "port": 7, "error": "WSAECONNREFUSED"},
    ),
    ("leaf1 finds L1 readable", steps.Find, {"sets": ("read",)}),
    ("leaf1 finds L1 writable", steps.Find, {"sets": ("write",)}),
    ("leaf1 finds L1 readable and writable", steps.Find, {"sets": ("read", "write")}),
    ("leaf1 finds L1 not ready", steps.Find, {"sets": ()}),
    ("leaf1 duplicates L1 as X", steps.Duplicate, {"socket": "L1", "new": "X"}),
    ("root selects FD_READ, FD_CLOSE on R", steps.Select, {"events": ("FD_READ", "FD_CLOSE")}),
    ("root selects all events on R", steps.Select, {"events": steps.EVENTS}),
    ("root selects FD_READ on R without reports", steps.Select, {"without_reports": True}),
    ("root selects nothing on R", steps.Select, {"events": ()}),
    ("root listens on R", steps.Listen, {"backlog": 5, "error": None}),
    (
        "root listens on R with backlog 0 and gets WSAEINVAL",
        steps.Listen,
        {"backlog": 0, "error": "WSAEINVAL"},
    ),
    (
        "leaf1 joins R with L1",
        steps.Join,
        {"target": "R", "socket": "L1", "direction": "BOTH", "caller_data": None, "room": 0},
    ),
    (
        (
            'leaf1 joins root with L1 for sending only at port 7 with caller data "x, \\"y\\""'
            " with room for 9 octets and gets WSAEISCONN"
        ),
        steps.Join,
        {
            "target": "root",
            "direction": "SENDER_ONLY",
            "port": 7,
            "caller_data": b'x, "y"',
            "room": 9,
            "error": "WSAEISCONN",
        },
    ),
    ("leaf1 joins R with L1 for receiving only", steps.Join, {"direction": "RECEIVER_ONLY"}),
    (
        "leaf1 joins group FF15:0::7 with L1 for sending only at port 9",
        steps.Join,
        {"group": "ff15::7", "target": "", "port": 9, "direction": "SENDER_ONLY"},
    ),
    (
        "leaf1 joins group 239.77.0.1 with L1 and gets WSAEISCONN",
        steps.Join,
        {"group": "239.77.0.1", "error": "WSAEISCONN"},
    ),
    ("root invites L2 with R as X", steps.Invite, {"target": "L2", "new": "X", "error": None}),
    (
        "root invites L2 with R and gets WSAEALREADY for sending only",
        steps.Invite,
        {"new": None, "error": "WSAEALREADY", "direction": "SENDER_ONLY"},
    ),
    (
        'root accepts leaf1 on R as X with callee data "ok"',
        steps.Accept,
        {"peer": "leaf1", "new": "X", "callee_data": b"ok", "error": None},
    ),
    (
        "root accepts leaf1 on R and gets WSAECONNRESET",
        steps.Accept,
        {"peer": "leaf1", "new": None, "error": "WSAECONNRESET"},
    ),
    (
        "root accepts nobody on R and gets WSAEWOULDBLOCK",
        steps.Accept,
        {"peer": "nobody", "error": "WSAEWOULDBLOCK"},
    ),
    ("root rejects leaf3 on R", steps.Reject, {"peer": "leaf3"}),
    ("root defers leaf3 on R", steps.Defer, {"peer": "leaf3"}),
    ("the join on L1 succeeds", steps.JoinEnds, {"socket": "L1", "error": None}),
    ("the join on L1 fails with WSAETIMEDOUT", steps.JoinEnds, {"error": "WSAETIMEDOUT"}),
    ("leaf1 reads error WSAETIMEDOUT on L1", steps.Failure, {"error": "WSAETIMEDOUT"}),
    ("leaf1 reads no error on L1", steps.Failure, {"error": "SUCCESS"}),
    ("leaf1 turns loopback of L1 off", steps.Loopback, {"off": True, "error": None}),
    (
        "leaf1 turns loopback of L1 on and gets WSAEINVAL",
        steps.Loopback,
        {"off": False, "error": "WSAEINVAL"},
    ),
    ("leaf1 sets scope of L1 to 3", steps.Scope, {"scope": 3, "error": None}),
    ('leaf1 reads callee data "" on L1', steps.CalleeData, {"data": b""}),
    ('root sends "a\\n\\t\\x00\\\\é" on R', steps.Send, {"data": b"a\n\t\x00\\\xc3\xa9"}),
    ('leaf1 receives "hello" on L1', steps.Receive, {"data": b"hello", "error": None}),
    ("leaf1 receives something on L1", steps.Take, {"socket": "L1"}),
    ("leaf1 receives on L1 and gets WSAEDISCON", steps.Receive, {"data": None}),
    ("root shuts down R", steps.Shutdown, {"how": "BOTH"}),
    ("root shuts down R for sending", steps.Shutdown, {"how": "SEND"}),
    ("root shuts down R for receiving", steps.Shutdown, {"how": "RECEIVE"}),
    ('leaf1 parts with "bye" on L1', steps.Part, {"data": b"bye", "error": None}),
    (
        'root reads parting words "bye" on P1 and gets WSAENOPROTOOPT',
        steps.PartingWords,
        {"data": b"bye", "error": "WSAENOPROTOOPT"},
    ),
    ("leaf1 sets linger of L1 to 0 seconds", steps.Linger, {"seconds": 0}),
    ("leaf1 sets linger of L1 off", steps.Linger, {"seconds": None}),
    ("root closes P2", steps.Close, {"socket": "P2", "error": None}),
    ("root enumerates FD_ACCEPT on R", steps.Enumerate, {"sights": (Sight("FD_ACCEPT"),)}),
    ("root enumerates nothing on R", steps.Enumerate, {"sights": ()}),
    (
        "leaf1 joins R with L1 receiving 5 octets/s",
        steps.Join,
        {"flow": {"sending": 0, "receiving": 5}},
    ),
    ("leaf1 joins R with L1", steps.Join, {"flow": None}),
    (
        "leaf1 sets flow of L1 sending 7 octets/s and gets WSAEOPNOTSUPP",
        controls.SetFlow,
        {"flow": {"sending": 7, "receiving": 0}, "error": "WSAEOPNOTSUPP"},
    ),
    ("leaf1 reads flow of L1", controls.ReadFlow, {"flow": {"sending": 0, "receiving": 0}}),
    (
        "leaf1 finds protocol MPW_CONFERENCE with rooted control and nonrooted data",
        controls.FindProtocol,
        {"with_rooted_control": True, "and_rooted_data": False, "and_nonrooted_data": True},
    ),
    (
        "root tries c_root/d_root of protocol MPW_OPEN and gets WSAEINVAL",
        controls.OpenInVain,
        {"lacking": "c_root/d_root", "protocol": "MPW_OPEN", "error": "WSAEINVAL"},
    ),
    (
        "root enumerates on R without an event object and gets WSAEINVAL",
        controls.EnumerateWrongly,
        {"socket": "R", "error": "WSAEINVAL"},
    ),
    (
        "root enumerates nothing on R touching nothing else",
        steps.Enumerate,
        {"touching_nothing_else": True, "resetting_its_event_object": False},
    ),
    ("root finds its event object reset", controls.EventObject, {"signalled": False}),
    ("the network of leaf1 carries 5 octets/s", controls.Capacity, {"capacity": 5}),
    ("the network of leaf1 carries everything", controls.Capacity, {"capacity": None}),
    (
        "leaf1 awaits a change of its addresses on L1",
        controls.AwaitAddresses,
        {"error": "WSAEWOULDBLOCK"},
    ),
    (
        "leaf1 awaits a change of its way to root on L1 and gets WSAEINVAL",
        controls.AwaitRoute,
        {"peer": "root", "error": "WSAEINVAL"},
    ),
    ("leaf1 selects FD_QOS on L1", steps.Select, {"events": ("FD_QOS",)}),
    ("leaf1 cancels the join on L1", controls.CancelJoin, {"host": "leaf1", "socket": "L1"}),
    ("L1 sees FD_CONNECT", steps.See, {"socket": "L1", "sights": (Sight("FD_CONNECT"),)}),
    (
        "L3 sees FD_CONNECT WSAECONNREFUSED, FD_CLOSE",
        steps.See,
        {"sights": (Sight("FD_CONNECT", "WSAECONNREFUSED"), Sight("FD_CLOSE"))},
    ),
    ("P1 sees nothing", steps.See, {"sights": ()}),
    ("leaf1 crashes", mishaps.Crash, {"host": "leaf1"}),
    ("leaf1 restarts", mishaps.Restart, {"host": "leaf1"}),
    ("leaf1 loses its interface", mishaps.Lose, {"host": "leaf1"}),
    ("leaf1 regains its interface", mishaps.Regain, {"host": "leaf1"}),
    ("leaf1 loses its addresses", mishaps.LoseAddress, {"host": "leaf1"}),
    ("leaf1 regains its addresses", mishaps.RegainAddress, {"host": "leaf1"}),
    ("leaf1 freezes", mishaps.Freeze, {"host": "leaf1"}),
    ("leaf1 thaws", mishaps.Thaw, {"host": "leaf1"}),
    ("the network cuts off leaf1", mishaps.Cut, {"host": "leaf1", "peer": None, "one_way": False}),
    (
        "the network cuts off leaf1 one way from root",
        mishaps.Cut,
        {"host": "leaf1", "peer": "root", "one_way": True},
    ),
    ("the network heals", mishaps.Heal, {}),
    (
        "router edge loses south",
        mishaps.Unplug,
        {"router": "edge", "network": "south", "port": "edge.south"},
    ),
    ("router edge regains north", mishaps.Plug, {"port": "edge.north"}),
    ("root opens X as c_root/d_root at scope 3", steps.Open, {"scope": 3}),
    ("everything settles", steps.Settle, {}),
]


@pytest.mark.parametrize(("text", "kind", "fields"), MEANT, ids=[text for text, _, _ in MEANT])
def test_a_sentence_becomes_the_step_it_says(
    text: str, kind: type[Step], fields: dict[str, Any]
) -> None:
    step = read(text)
    assert type(step) is kind
    assert {name: getattr(step, name) for name in fields} == fields


@pytest.mark.parametrize(("text", "field"), [("P1 saw FD_CLOSE", 1), ("P1 saw nothing", 0)])
def test_expectations_are_read(text: str, field: int) -> None:
    step = read(text, forms=EXPECTATIONS)
    assert isinstance(step, steps.Saw)
    assert len(step.sights) == field


@pytest.mark.parametrize("form", [*FORMS, *EXPECTATIONS], ids=lambda form: form.sentence)
def test_every_example_in_the_documentation_is_of_its_form_only(form: Form) -> None:
    fitting = []
    for one in (*FORMS, *EXPECTATIONS):
        known = names()
        for made in ("P1", "P2", "R"):
            if re.search(rf"(as|opens) {made}\b", form.example):
                del known.sockets[made]
        known.sockets |= {"R": ("root", 1)} if "opens R" not in form.example else {}
        line = Line(form.example, 1, range(1, 2 + len(form.example)))
        step, _ = read_line(line, (one,), known)
        fitting += [one.sentence] if step is not None else []
    assert fitting == [form.sentence]


def test_every_form_is_tried_above() -> None:
    tried = set()
    for text, _, _ in MEANT:
        for form in FORMS:
            line = Line(text, 1, range(1, 2 + len(text)))
            if read_line(line, (form,), names())[0] is not None:
                tried.add(form.pattern)
    assert {form.pattern for form in FORMS} - tried == set()


def test_every_option_may_stand_in_any_order_and_only_once() -> None:
    one = read("root opens X as c_root/d_root on port 9 without events")
    two = read("root opens X as c_root/d_root without events on port 9")
    assert msgspec.structs.replace(one, text="") == msgspec.structs.replace(two, text="")
    assert wrong("root opens X as c_root/d_root on port 9 on port 9") == [
        "41: found 'on', expected 'of', 'over', 'at', 'without' or the end of the line|"
    ]


def test_all_slots_are_used_and_reserved_words_name_nothing() -> None:
    used = {
        part.slot
        for form in (*FORMS, *faults.FORMS)
        for parts in (form.head, *(choice for option in form.options for choice in option))
        for part in parts
        if part.slot
    }
    assert used == set(SLOTS)
    assert "nobody" in RESERVED


def test_steps_survive_the_way_to_the_lab() -> None:
    for text, kind, _ in MEANT:
        step = read(text)
        field = msgspec.json.encode({"script": [step]})
        again = msgspec.json.decode(field, type=ScriptOnly).script[0]
        assert type(again) is kind
        assert again == step


class ScriptOnly(msgspec.Struct):
    """The part of a plan that holds steps."""

    script: tuple[steps.AnyStep, ...]
