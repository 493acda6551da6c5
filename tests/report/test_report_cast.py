"""Who takes part: hosts, addresses, and the names that only the script knows."""

from collections.abc import Callable

from mpwire.capture import open_run
from mpwire.capture.records import LIFE
from mpwire.report.cast import SocketNames, cast_of
from mpwire.wire.messages import Cancel
from tests.report.report_stage import Stage

CANCEL = Cancel(init_tag=7, reason=2)
Begin = Callable[..., Stage]


def test_names_come_from_the_sentence_and_the_answer_of_its_call() -> None:
    names = SocketNames()
    names.step("root opens R as c_root/d_root", "started")
    names.line("root", "to", b'{"id": 1, "call": "socket", "args": {}}')
    names.line("root", "from", b'{"id": 1, "result": {"socket": 4}}')
    assert names.known == {("root", 4): "R"}


def test_accepts_and_invitations_name_what_they_return() -> None:
    names = SocketNames()
    names.step('root accepts leaf1 on R as P1 with callee data "as Q9"', "started")
    names.line("root", "to", b'{"id": 1, "call": "accept"}')
    names.line("root", "from", b'{"id": 1, "result": {"socket": 2}}')
    names.step("root invites L2 with R as P2", "started")
    names.line("root", "to", b'{"id": 2, "call": "join_leaf"}')
    names.step("L2 sees FD_ACCEPT", "started")
    names.line("root", "from", b'{"id": 2, "result": {"socket": 3}}')
    assert names.known == {("root", 2): "P1", ("root", 3): "P2"}


def test_calls_of_other_hosts_and_of_other_kinds_name_nothing() -> None:
    names = SocketNames()
    names.step("root opens R as c_root/d_root", "started")
    names.line("leaf1", "to", b'{"id": 1, "call": "socket"}')
    names.line("leaf1", "from", b'{"id": 1, "result": {"socket": 1}}')
    names.line("root", "to", b'{"id": 1, "call": "bind"}')
    names.line("root", "from", b'{"id": 1, "result": {}}')
    names.line("root", "from", b'"no object"')
    names.line("root", "from", b'{"event": "FD_READ", "socket": 1, "code": 0, "seq": 1}')
    names.step("root closes R", "started")
    names.line("root", "to", b'{"id": 2, "call": "socket"}')
    names.line("root", "from", b'{"id": 2, "result": {"socket": 1}}')
    assert names.known == {}


def test_a_call_that_fails_names_nothing() -> None:
    names = SocketNames()
    names.step("root opens R as c_root/d_root", "started")
    names.line("root", "to", b'{"id": 1, "call": "socket"}')
    names.line("root", "from", b'{"id": 1, "error": {"code": 10024, "name": "WSAEMFILE"}}')
    assert names.known == {}


def test_a_run_knows_its_hosts(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.step(3, "root opens R as c_root/d_root")
    made.call("root", "socket", {"socket": 1})
    cast = cast_of(made.run())
    assert cast.lifelines == ["root", "leaf1"]
    assert cast.lifeline(("10.77.0.2", 5)) == "leaf1"
    assert cast.lifeline(("10.77.0.9", 5)) is None
    assert cast.socket("root", 1) == "R"
    assert cast.socket("leaf1", 1) == "socket 1"
    assert cast.retold("leaf1:L1 and root:R1 at 12:30") == "leaf1 socket 1 and root R at 12:30"


def test_a_strange_capture_has_a_lifeline_per_address(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", CANCEL)
    run = made.run()
    run.records = []
    assert cast_of(run).lifelines == ["10.77.0.1", "10.77.0.2"]


def test_an_address_with_several_ports_has_a_lifeline_per_port(stage: Begin) -> None:
    made = stage("root")
    data = made.datagram("root", "root", CANCEL)
    made.frame("root", "out", data[:34] + (9999).to_bytes(2, "big") + data[36:])
    run = open_run(made.run().path)
    run.records = []
    cast = cast_of(run)
    assert cast.lifelines == ["10.77.0.1 9999", "10.77.0.1 61717"]
    assert cast.lifeline(("10.77.0.1", 9999)) == "10.77.0.1 9999"


def test_an_agent_that_is_started_anew_numbers_its_sockets_anew(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.step(3, "leaf1 opens L1 as c_leaf/d_leaf")
    made.call("leaf1", "socket", {"socket": 1})
    made.ended("leaf1", -9)
    made.now_ns += 1
    made.step(5, "leaf1 opens M1 as c_leaf/d_leaf")
    made.call("leaf1", "socket", {"socket": 1})
    cast = cast_of(made.run())
    assert cast.socket("leaf1", 1) == "L1"
    assert cast.socket("leaf1", LIFE + 1) == "M1"
    assert cast.socket("leaf1", LIFE + 2) == "socket 2"
    assert cast.retold(f"leaf1:L{LIFE + 1} and leaf1:L{LIFE + 2}") == "leaf1 M1 and leaf1 socket 2"
    assert (cast.life("leaf1", made.now_ns), cast.life("root", made.now_ns)) == (LIFE, 0)


def test_a_call_that_its_agent_did_not_live_to_answer_names_nothing() -> None:
    names = SocketNames()
    names.step("leaf1 opens L1 as c_leaf/d_leaf", "started")
    names.line("leaf1", "to", b'{"id": 1, "call": "socket"}')
    names.exit("leaf1")
    names.line("leaf1", "from", b'{"id": 1, "result": {"socket": 1}}')
    assert names.known == {}
