"""Frames in a few words: every message type has its telling fields, and nothing harmful."""

import pytest

from mpwire.capture import Frame
from mpwire.capture.frames import Datagram, Other
from mpwire.report.telling import (
    flags_of,
    is_ours,
    named,
    printable,
    quoted,
    shortened,
    tell,
    tell_message,
    type_name,
)
from mpwire.wire import messages as m
from mpwire.wire.numbers import DataFlag, RejectReason

TIMERS = m.Timers(
    rto_initial_ms=1,
    rto_maximum_ms=1,
    keepalive_ms=1,
    dead_ms=1,
    pend_ms=1,
    linger_ms=1,
    drain_ms=1,
    mrc=1,
    tflags=0,
)


def join_req(**changes: object) -> m.JoinReq:
    fields: dict[str, object] = {
        "init_tag": 1,
        "role": 2,
        "jl": 4,
        "leaf_dir": 3,
        "planes": 3,
        "next_data_seq": 1,
        "max_payload": 1,
        "timers": TIMERS,
        "caps": 0,
        "versions": (1,),
    }
    return m.JoinReq(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def accept(**changes: object) -> m.Accept:
    fields: dict[str, object] = {
        "resp_tag": 1,
        "assigned_id": 2,
        "leaf_dir": 3,
        "max_payload": 1,
        "next_data_seq": 1,
        "timers": TIMERS,
        "caps": 0,
        "versions": (1,),
    }
    return m.Accept(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (m.VersionNeg(versions=(1, 2)), "versions 1 2"),
        (join_req(), ""),
        (join_req(role=1, attempt=2, cookie=b"x"), "try 2, invites, cookie"),
        (join_req(role=9, caller_data=b"hi"), 'role 9, "hi"'),
        (m.Challenge(cookie_life_ms=1, cookie=b"x"), ""),
        (m.Pending(resp_tag=1, state=2, queue_pos=3, poll_ms=1), "DEFERRED, position 3"),
        (accept(callee_data=b"\x00"), "member 2, 0x00"),
        (accept(assigned_id=0), ""),
        (m.Confirm(assigned_id=3, next_data_seq=1, leaf_dir=3), "member 3"),
        (
            m.Reject(reason=2, retry_after_s=5, detail=0, reason_text="full\x1b"),
            'BACKLOG_FULL, retry after 5 s, "full\\x1b"',
        ),
        (m.Cancel(init_tag=1, reason=1, attempt=3), "try 3, WITHDRAWN"),
        (m.CancelAck(result=2, attempt=3), "WAS_JOINED"),
        (
            m.Close(reason=1, cflags=1, final_seq=1, side_final_seq=0, disc_data=b"bye"),
            'LEAVE, HALF, "bye"',
        ),
        (m.CloseAck(ack_flags=1, rcv_next=1, final_seq=1), "DATA_MISSING"),
        (m.Abort(reason=4, echo_seq=0, flags=0x80), "PEER_DEAD, flag R"),
        (m.Probe(nonce=1, next_data_seq=1, pad_octets=9), "9 octets of padding"),
        (m.ProbeAck(nonce=1, rcv_next=1, loss_permille=15), "1.5 % lost"),
        (m.Ack(acked_type=0x11), "of SIDE"),
        (
            m.Data(origin=7, dflags=3, hop=0, payload=b"x" * 99, sender_id=1),
            f'"{"x" * 47}…", REPAIR, RELAYED, from member 7',
        ),
        (m.Side(sflags=1, payload=b"hi"), '"hi", ACK_REQ'),
        (m.Sync(origin=1, trail_seq=1, sflags=1, seq=8), "next 8, FIN"),
        (m.Nack(origin=1, ranges=((1, 1), (3, 5))), "1 3-5"),
        (m.Nack(origin=1, ranges=tuple((n, n) for n in range(1, 6))), "1 2 3 4 …"),
        (m.Member(action=1, leaf_dir=3, member_id=4, boundary_seq=1), "4 JOINED"),
        (
            m.Announce(kind=4, leaf_dir=3, hold_s=1, member_tag=1, lead_seq=1, conflict_id=1),
            "CONFLICT",
        ),
        (m.DataAck(origin=1, rcv_next=5, window=2), "next 5, window 2"),
        (m.Rekey(sealed=b"x", extra=((0x1A0A, b""),)), "TLV 0x1a0a"),
    ],
)
def test_every_message_tells_what_it_is_about(message: m.Message, detail: str) -> None:
    told = tell_message(message)
    assert told.detail == detail
    assert told.name.replace("_", "").lower() == type(message).__name__.lower()
    assert not told.broken


def test_every_type_is_told_by_the_parameters_above() -> None:
    told = {
        mark.args[1][place][0].__class__
        for mark in test_every_message_tells_what_it_is_about.pytestmark  # type: ignore[attr-defined]  # set by pytest
        for place in range(len(mark.args[1]))
    }
    assert told == set(m.Message.__args__)


def datagram(payload: bytes) -> Datagram:
    return Datagram(
        source=("10.0.0.1", 1),
        destination=("10.0.0.2", 2),
        payload=payload,
        ttl=64,
        df=True,
        checksum="ok",
    )


def test_a_broken_message_is_named_with_the_rule_it_breaks() -> None:
    told = tell(datagram(b"mp\x01\x04"))
    assert told.name == "ACCEPT"
    assert told.broken
    assert told.detail.startswith("R3 at octet 4")


def test_foreign_datagrams_and_frames_are_named() -> None:
    assert tell(datagram(b"hello")).detail == '5 octets, "hello"'
    assert tell(Other(name="malformed", reason="cut\x07")).detail == "cut\\x07"
    assert tell(Other(name="arp request")).detail == ""


def test_a_type_that_nobody_knows_is_a_number() -> None:
    assert type_name(b"mp\x01\xfa") == "type 0xfa"
    assert type_name(b"mp") == "MPW"


def test_codes_without_a_name_stay_numbers() -> None:
    assert named(RejectReason, 1) == "APP_REFUSED"
    assert named(RejectReason, 250) == "250"
    assert list(flags_of(DataFlag, 5)) == ["REPAIR", "LAST"]


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"text", '"text"'),
        ("grüße".encode(), '"grüße"'),
        (b"", '""'),
        (b"\x1b[31m", "0x1b5b33316d"),
        (b"\xff", "0xff"),
    ],
)
def test_octets_are_shown_as_text_only_where_they_are_text(octets: bytes, shown: str) -> None:
    assert quoted(octets) == shown


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    assert printable("a\x1b[2Jb\rc\u202e") == "a\\x1b[2Jb\\rc\\u202e"
    assert printable("plain → text") == "plain → text"


def test_what_is_cut_shows_it() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"


def test_ours_is_what_has_the_magic() -> None:
    frame = Frame(
        number=1,
        vantage="x",
        direction=None,
        time_ns=0,
        data=b"junk",
        linktype=1,
        original_octets=4,
    )
    assert not is_ours(frame)
