"""The ladder, fed one thing at a time, as a person would read it."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mpwire.capture import Frame, RunFile
from mpwire.report.cast import Cast
from mpwire.report.ladder import Ladder, Marks, SocketEvent
from mpwire.report.recorded import ladder_of, ladder_rows
from mpwire.wire.messages import Cancel, CloseAck, Data
from tests.report.report_stage import START_NS, Stage

Begin = Callable[..., Stage]
CANCEL = Cancel(init_tag=7, reason=2, attempt=3)
CLOSE_ACK = CloseAck(ack_flags=1, rcv_next=1, final_seq=1, session_id=1, destination_tag=2)


def drawn(run: RunFile, width: int = 80, **options: object) -> list[str]:
    """Give the lines of a run's ladder without the one that names the lifelines."""
    ladder = ladder_of(run, width, **options)  # type: ignore[arg-type]  # options by name
    return [row.text.plain for row in ladder_rows(ladder, run.timeline())][1:]


def event(host: str = "root", name: str = "FD_CLOSE", code: int = 0) -> SocketEvent:
    return SocketEvent(host=host, socket=1, event=name, code=code, seq=1, time_ns=START_NS)


def test_a_frame_is_an_arrow_with_its_name_and_what_tells_it_apart(stage: Begin) -> None:
    made = stage("root", "leaf1", "leaf2")
    made.send("root", "leaf1", CANCEL)
    made.send("leaf2", "root", CANCEL)
    assert drawn(made.run()) == [
        "    1     0.0  ├────── CANCEL ─────►│                    │ try 3, TIMEOUT",
        "    3     2.0  │◄───────────────────┼────── CANCEL ──────┤ try 3, TIMEOUT",
    ]


def test_lost_frames_are_crossed_with_the_reason(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", CANCEL, lost="drop:the 2nd CANCEL")
    assert drawn(made.run()) == [
        "    1     0.0  ├───────── CANCEL ──────╳ │ lost: the 2nd CANCEL; try 3, TIMEOUT"
    ]


def test_what_arrives_later_has_a_row_of_its_own(stage: Begin) -> None:
    made = stage("root", "leaf1")
    sent = made.send("root", "leaf1", CANCEL, late=True)
    made.send("leaf1", "root", CLOSE_ACK)
    made.deliver(sent, "leaf1", made.datagram("root", "leaf1", CANCEL))
    lines = drawn(made.run())
    assert lines[0].endswith("│ arrives as 4; try 3, TIMEOUT")
    assert "╳" not in lines[0]
    assert "╌╌╌►│" in lines[2]


def test_what_arrives_late_says_which_fault_it_met(stage: Begin) -> None:
    made = stage("root", "leaf1")
    sent = made.send("root", "leaf1", CLOSE_ACK, late=True)
    made.send("leaf1", "root", CLOSE_ACK)
    data = made.datagram("root", "leaf1", CLOSE_ACK)
    made.deliver(sent, "leaf1", data, "impaired: hold it")
    lines = drawn(made.run())
    assert "│ arrives as 4, hold it; " in lines[0]


def test_a_multicast_has_an_arrowhead_at_every_receiver(stage: Begin) -> None:
    made = stage("root", "leaf1", "leaf2")
    data = made.datagram("root", "nobody", CANCEL)
    sent = made.frame("root", "out", data)
    made.deliver(sent, "leaf1", data)
    made.deliver(sent, "leaf2", data)
    (line,) = drawn(made.run())
    assert line.count("►") == 2


def test_events_are_flags_at_the_lifeline_of_their_host(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.step(3, "leaf1 opens L1 as c_leaf/d_leaf")
    made.call("leaf1", "socket", {"socket": 1})
    made.event("leaf1", 1, "FD_CLOSE", 10054)
    made.event("leaf1", 9, "FD_READ")
    made.event("root", 1, "FD_STRANGE\x1b", 77777)
    assert drawn(made.run())[1:] == [
        "          0.0  │                         │⚑ L1 FD_CLOSE WSAECONNRESET",
        "          0.0  │                         │⚑ socket 9 FD_READ",
        "          0.0  │⚑ socket 1 FD_STRANGE\\x1b 77777",
    ]


def test_a_flag_without_room_stands_on_the_other_side(stage: Begin) -> None:
    made = stage("root", "leaf1", "leaf2", "leaf3", "leaf4", "leaf5", "leaf6", "leaf7")
    made.event("leaf7", 1, "FD_CONNECT", 10061)
    (line,) = drawn(made.run())
    assert line.endswith("socket 1 FD_CONNECT WSAECONNREFUSED ⚑│")


def test_names_that_do_not_fit_on_the_arrow_stand_behind_it(stage: Begin) -> None:
    made = stage("root", *(f"leaf{n}" for n in range(1, 8)))
    made.send("root", "leaf1", CLOSE_ACK)
    assert drawn(made.run())[0].startswith(
        "    1     0.0  ├────►│ CLOSE_ACK │     │     │     │     │ DATA_MISSING"
    )


def test_hosts_that_do_not_fit_are_told_in_words(stage: Begin) -> None:
    made = stage("root", *(f"leaf{n}" for n in range(1, 20)))
    made.send("root", "leaf19", CANCEL)
    made.event("leaf19", 1, "FD_CLOSE")
    assert drawn(made.run()) == [
        "    1     0.0  root → leaf19  CANCEL  try 3, TIMEOUT",
        "          1.0  leaf19 ⚑ socket 1 FD_CLOSE",
    ]


def test_strangers_are_told_in_words(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "stranger", CANCEL, lost="nobody there")
    made.frame("leaf1", "in", made.datagram("stranger", "leaf1", CANCEL))
    lines = drawn(made.run())
    assert "root → stranger  CANCEL  lost: nobody there" in lines[0]
    assert "10.77.0.99 → leaf1  CANCEL" in lines[1]


def test_other_programs_captures_are_drawn_by_address(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", CANCEL)
    made.frame("root", "out", made.datagram("root", "leaf1", CANCEL))
    made.frame("root", "in", made.datagram("leaf1", "root", CANCEL))
    run = made.run()
    run.records = []
    lines = drawn(run)
    assert [line[15] + line[-16] for line in lines] == ["├│", "├│", "│┤"]
    assert [("►" in line, "◄" in line, "╌" in line) for line in lines] == [
        (True, False, False),
        (True, False, False),
        (False, True, False),
    ]


def test_steps_are_headings_of_what_happens_in_them(stage: Begin) -> None:
    made = stage("root", "leaf1")
    for line, text in ((4, "root listens on R"), (5, "L1 sees FD_CONNECT"), (6, "root closes R")):
        made.step(line, text)
        if line == 6:
            made.send("root", "leaf1", CANCEL)
        made.step(line, text, "done")
    assert [line.partition("  ")[0] for line in drawn(made.run())] == [
        "── 4 root listens on R",
        "── 6 root closes R",
        "",
    ]


def test_a_check_gets_a_heading_only_for_what_happens_meanwhile(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.step(5, "L1 sees FD_CLOSE")
    made.event("leaf1", 1, "FD_CLOSE")
    made.event("leaf1", 1, "FD_READ")
    made.step(5, "L1 sees FD_CLOSE", "done")
    lines = drawn(made.run())
    assert len(lines) == 3
    assert lines[0].startswith("── 5 L1 sees FD_CLOSE ")


def test_a_failed_step_says_why(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.step(5, "L1 sees FD_CLOSE")
    made.step(5, "L1 sees FD_CLOSE", "failed", "expected FD_CLOSE, seen nothing")
    first, second = drawn(made.run())
    assert first.startswith("── 5 ✗ L1 sees FD_CLOSE ")
    assert second.startswith("   expected FD_CLOSE, seen nothing ")


def test_an_agent_that_dies_is_seen(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.ended("leaf1", -11)
    made.ended("root", 3)
    lines = drawn(made.run())
    assert lines[0].endswith("│╳ agent ended by signal 11")
    assert "│╳ agent ended with status 3" in lines[1]


def test_what_is_no_session_traffic_is_hidden_unless_asked_for(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", b"hello")
    made.frame("root", "in", bytes(12) + b"\x08\x06" + bytes(28))
    run = made.run()
    (line,) = drawn(run)
    assert " UDP " in line
    shown = drawn(run, all_frames=True)
    assert len(shown) == 2
    assert "arp" in shown[1]


def test_rules_that_are_broken_are_marked(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", CANCEL)
    made.event("leaf1", 1, "FD_CLOSE")
    marks = Marks(frames={2: ["R42", "EV3"]}, events={("leaf1", 1): ["EV20"]})
    run = made.run()
    ladder = ladder_of(run, 80, marks=marks)
    rows = list(ladder_rows(ladder, run.timeline()))[1:]
    assert [row.marked for row in rows] == [True, True]
    assert "│ ✗ R42 EV3 try 3, TIMEOUT" in rows[0].text.plain
    assert rows[1].text.plain.endswith("⚑ socket 1 FD_CLOSE ✗ EV20")


def test_octets_that_claim_to_be_a_message_are_named_and_refused(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", b"mp\x01\x05")
    (line,) = drawn(made.run(), 120)
    assert " CONFIRM " in line
    assert "R3 at octet 4" in line


def test_a_mark_names_the_rule_that_refused_octets_once(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.send("root", "leaf1", b"mp\x01\x05")
    run = made.run()
    ladder = ladder_of(run, 120, marks=Marks(frames={2: ["R3"]}))
    (row,) = list(ladder_rows(ladder, run.timeline()))[1:]
    assert "✗ R3 at octet 4" in row.text.plain


def test_peers_cannot_write_to_the_terminal(stage: Begin) -> None:
    made = stage("root", "leaf1")
    data = Data(origin=1, dflags=0, hop=0, payload=b"\x1b[2J\x07", session_id=1, destination_tag=2)
    made.send("root", "leaf1", data)
    made.event("leaf1", 1, "\x1b]0;title\x07")
    made.step(5, "L1 sees \x1b[31m")
    made.step(5, "L1 sees \x1b[31m", "failed", "seen \x9b2J")
    assert all(line.isprintable() for line in drawn(made.run()))


def test_the_names_of_the_lifelines_come_again(stage: Begin) -> None:
    made = stage("root", "leaf1")
    for _ in range(5):
        made.event("root", 1, "FD_READ")
    lines = drawn(made.run(), header_every=2)
    assert sum("leaf1" in line for line in lines) == 2


def test_long_names_keep_their_ends() -> None:
    names = [f"averylonghost{n}" for n in range(8)]
    ladder = Ladder(Cast(lifelines=names), 80)
    header = ladder.header().text.plain
    assert header.split()[2:] == ["…st0", *(f"…ost{n}" for n in range(1, 8))]


@pytest.mark.parametrize(("grows", "lost"), [(False, False), (True, False), (True, True)])
def test_the_live_view_knows_what_is_lost_from_what_has_not_arrived(
    grows: bool, lost: bool
) -> None:
    """Without the fabric's word, only in a whole record what no delivery follows has been lost."""
    cast = Cast(["root", "leaf1"], {"10.77.0.1": "root", "10.77.0.2": "leaf1"})
    ladder = Ladder(cast, 80, grows=grows)
    with TemporaryDirectory() as folder, Stage(Path(folder), cast.lifelines) as made:
        data = made.datagram("root", "leaf1", CANCEL)
    sent = Frame(
        number=1,
        vantage="root",
        direction="out",
        time_ns=START_NS,
        data=data,
        linktype=1,
        original_octets=len(data),
    )
    assert ladder.frame(sent) == []
    if lost:
        ladder.lose(1, "leaf1", "impaired: drop it")
    _, row, _ = rows = ladder.event(event())
    assert ("╳ │" in row.text.plain) is (lost or not grows)
    assert ("lost: drop it" in row.text.plain) is lost
    assert ("not there yet" in row.text.plain) is (grows and not lost)
    assert "►" not in row.text.plain
    assert len(rows) == 3
    assert ladder.finish() == []


@pytest.mark.parametrize("width", [40, 60, 80, 120, 250])
@pytest.mark.parametrize("count", [1, 2, 5, 8, 12])
def test_no_line_is_wider_than_the_terminal(stage: Begin, width: int, count: int) -> None:
    made = stage("root", *(f"leaf{n}" for n in range(1, count)))
    last = f"leaf{count - 1}" if count > 1 else "root"
    made.step(3, f"root sends {'x' * 300}")
    made.send("root", last, CANCEL)
    made.send(last, "root", b"mp" + bytes(50), lost="drop:" + "because " * 30)
    made.send("root", "stranger", CANCEL, lost="x")
    made.event(last, 1, "FD_CONNECT", 10061)
    made.step(3, "root", "failed", "seen " * 60)
    assert max(len(line) for line in drawn(made.run(), width)) <= width
