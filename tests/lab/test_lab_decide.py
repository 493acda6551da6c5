"""Decisions: who is hit follows from the seed and the message, not from time or other traffic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.lab.decide import UNHARMED, Change, Copy, Decider, Fate, Sighting, Strike, delay_s
from mpwire.lab.faults import FLAGS, FORMS, TYPES, AnyFault
from mpwire.lab.script import Line, read_line
from mpwire.lab.words import Names

HOSTS = ("root", "leaf1", "leaf2")
ACCEPT = Sighting(150, "ACCEPT", frozenset(), 108)
DATA = Sighting(90, "DATA", frozenset({"REPAIR"}), 48)
ARP = Sighting(60)


def fault(text: str) -> AnyFault:
    """Read a sentence that is right."""
    made, wrong = read_line(Line(text, 1, range(1, 2 + len(text))), FORMS, Names(HOSTS))
    assert wrong == []
    return made  # type: ignore[return-value]  # FORMS makes only faults


def decider(*texts: str, seed: int | None = 1) -> Decider:
    return Decider([fault(text) for text in texts], seed, overtaking_s=0.5)


def fates(who: Decider, *seen: Sighting, receiver: str = "leaf1") -> list[Fate]:
    return [who.decide(one, "root", receiver, 0.0) for one in seen]


def hits(who: Decider, count: int, seen: Sighting = ACCEPT, receiver: str = "leaf1") -> list[int]:
    """List which of so many messages came to harm, from 1."""
    met = fates(who, *[seen] * count, receiver=receiver)
    return [number for number, one in enumerate(met, 1) if one != UNHARMED]


@pytest.mark.parametrize(("said", "number"), [("first", 1), ("2nd", 2), ("third", 3), ("11th", 11)])
def test_one_message_of_a_kind_is_met_on_every_link(said: str, number: int) -> None:
    who = decider(f"drop the {said} ACCEPT from root")
    assert hits(who, 20) == [number]
    assert hits(who, 20, DATA) == []
    assert hits(who, 20, receiver="leaf2") == [number]
    assert who.decide(ACCEPT, "leaf1", "leaf2", 0.0) == UNHARMED


def test_a_message_is_of_a_host_or_from_it() -> None:
    assert hits(decider("drop every ACCEPT of root to leaf1"), 2) == [1, 2]
    assert hits(decider("drop every ACCEPT of leaf1"), 2) == []


def test_other_types_do_not_count_and_a_message_is_any() -> None:
    assert fates(decider("drop the 2nd ACCEPT"), ACCEPT, DATA, ACCEPT)[2].copies == ()
    assert hits(decider("drop the 2nd message"), 3, ARP) == []
    assert [one.copies for one in fates(decider("drop the 2nd message"), ACCEPT, ARP, DATA)] == [
        (Copy(),),
        (Copy(),),
        (),
    ]


def test_a_flag_narrows_the_aim_and_the_count() -> None:
    who = decider("drop the 2nd DATA with REPAIR")
    plain = Sighting(90, "DATA", frozenset(), 48)
    assert [one.copies for one in fates(who, DATA, plain, DATA)] == [(Copy(),), (Copy(),), ()]


def test_a_link_is_named_by_both_ends() -> None:
    who = decider("drop every message from leaf1 to root")
    assert who.decide(ACCEPT, "leaf1", "root", 0.0).copies == ()
    assert who.decide(ACCEPT, "root", "leaf1", 0.0) == UNHARMED
    assert who.decide(ACCEPT, "leaf1", "leaf2", 0.0) == UNHARMED


def test_a_share_is_drawn_with_the_seed() -> None:
    first = hits(decider("drop 20 % of messages"), 1000)
    assert 150 < len(first) < 250
    assert first == hits(decider("drop 20% of messages".replace("20%", "20 %")), 1000)
    assert first != hits(decider("drop 20 % of messages", seed=2), 1000)
    assert hits(decider("drop 0.1 % of messages", seed=None), 100) == hits(
        decider("drop 0.1 % of messages", seed=0), 100
    )
    assert hits(decider("drop 100 % of messages"), 9) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@given(st.lists(st.sampled_from(["leaf1", "leaf2", "arp", "data"]), max_size=40))
def test_what_else_travels_does_not_change_who_is_hit(others: list[str]) -> None:
    alone = hits(decider("drop 30 % of ACCEPT"), 12)
    who = decider("drop 30 % of ACCEPT")
    met: list[int] = []
    for number in range(1, 13):
        for other in others:
            seen = {"arp": ARP, "data": DATA}.get(other, ACCEPT)
            who.decide(seen, "leaf2" if seen is ACCEPT else "root", "leaf1", number / 3)
        if who.decide(ACCEPT, "root", "leaf1", float(number)) != UNHARMED:
            met.append(number)
    assert met == alone


def test_effects_add_up_and_each_names_its_sentence() -> None:
    who = decider(
        "duplicate every ACCEPT",
        "hold every ACCEPT for 300 ms",
        "reorder every ACCEPT",
        "corrupt octet 9 of every ACCEPT unnoticed",
        "kill leaf1 after the first ACCEPT",
        "freeze root after every ACCEPT for 200 ms",
    )
    copy = Copy(0.8, passed=True, changes=(Change(9, unnoticed=True),))
    assert fates(who, ACCEPT) == [
        Fate(
            (copy, copy),
            "duplicate every ACCEPT; hold every ACCEPT for 300 ms; reorder every ACCEPT;"
            " corrupt octet 9 of every ACCEPT unnoticed; kill leaf1 after the first ACCEPT;"
            " freeze root after every ACCEPT for 200 ms",
            (Strike("leaf1"), Strike("root", 0.2)),
        )
    ]


def test_each_corruption_of_a_message_is_made_in_order() -> None:
    one, other = "corrupt octet 9 of every DATA unnoticed", "corrupt octet 40 of the first DATA"
    (fate,) = fates(decider(one, other), DATA)
    changes = (Change(9, unnoticed=True), Change(40, unnoticed=False))
    assert fate == Fate((Copy(changes=changes),), f"{one}; {other}")
    assert fates(decider(other, one), DATA)[0].copies == (Copy(changes=changes[::-1]),)


def test_what_is_lost_neither_arrives_twice_nor_kills() -> None:
    who = decider("duplicate every ACCEPT", "kill leaf1 after every ACCEPT", "drop every ACCEPT")
    (fate,) = fates(who, ACCEPT)
    assert (fate.copies, fate.strikes) == ((), ())


def test_a_range_of_delays_keeps_the_order_of_a_link() -> None:
    who = decider("hold every message for 20 to 60 ms")
    due = [
        number / 100 + who.decide(ACCEPT, "root", "leaf1", number / 100).copies[0].delay_s
        for number in range(100)
    ]
    assert due == sorted(due)
    assert len({round(at - number / 100, 4) for number, at in enumerate(due)}) > 10
    assert who.decide(ACCEPT, "root", "leaf2", 0.0).copies[0].delay_s < 0.0601


def test_a_slow_link_sends_one_frame_after_the_other_and_loses_what_waits_too_long() -> None:
    who = decider("send at most 8 kbit/s from root to leaf1")
    assert [one.copies[0].delay_s for one in fates(who, *[Sighting(500)] * 3)] == [0.5, 1.0, 1.5]
    (fate,) = fates(who, ARP)
    assert fate == Fate((), "send at most 8 kbit/s from root to leaf1")
    assert who.decide(Sighting(1000), "root", "leaf1", 10.0).copies[0].delay_s == 1.0
    assert who.decide(ARP, "root", "leaf2", 0.0) == UNHARMED


def test_a_drawn_octet_lies_in_the_payload_and_a_given_one_may_not() -> None:
    found = [one.copies[0].changes for one in fates(decider("corrupt every DATA"), *[DATA] * 200)]
    octets = {change.octet for (change,) in found}
    assert octets <= set(range(48))
    assert len(octets) > 20
    assert fates(decider("corrupt octet 48 of every DATA"), DATA) == [UNHARMED]


def test_cuts_stop_everything_until_they_are_healed() -> None:
    who = decider()
    assert [who.active] == [False]
    who.cut("root", "leaf1", "the network cuts off leaf1")
    assert [who.active] == [True]
    assert fates(who, ARP) == [Fate((), "the network cuts off leaf1")]
    assert who.decide(ARP, "leaf1", "root", 0.0) == UNHARMED
    who.heal()
    assert [who.active] == [False]
    assert fates(who, ARP) == [UNHARMED]


def test_how_late_a_message_can_be_adds_up() -> None:
    texts = ["drop every ACK", "hold every ACK for 20 to 60 ms", "send at most 1 Mbit/s"]
    texts += ["freeze root after every ACK for 2 s", "reorder every ACK"]
    assert delay_s([fault(text) for text in texts]) == pytest.approx(3.06)
    assert delay_s([]) == 0.0


WRONG = [
    ("drop the ACCEPT", "column 6: found 'the', expected 'every', 'the 2nd' or '5 % of'"),
    ("drop the frist ACCEPT", "column 10: found 'frist', expected a number such as 'first' or"),
    ("drop the 0th ACCEPT", "column 10: found '0th', expected a number such as"),
    ("drop ACCEPT", "column 6: found 'ACCEPT', expected 'every', 'the 2nd' or '5 % of'"),
    ("drop 5 ACCEPT", "column 6: found '5', expected a share such as '5 % of'"),
    ("drop 0 % of ACCEPT", "column 6: found '0', expected a share above 0 and up to 100 %"),
    ("drop the first ACEPT", "expected a type of message, or 'message'; did you mean 'ACCEPT'?"),
    ("drop every ACCEPT from rot", "found 'rot', expected a host (root, leaf1 or leaf2); did you"),
    ("drop every ACCEPT with REPEIR", "expected a flag (R, A, M, X, G, REPAIR, RELAYED or LAST);"),
    ("drop every ACCEPT in vain", "expected 'from', 'of', 'to', 'with' or the end of the line"),
    (
        "hold every ACCEPT",
        "column 18: found the end of the line, expected 'for', 'from', 'of', 'to' or",
    ),
    ("hold every ACCEPT from root", "found the end of the line, expected 'for', 'to' or 'with'"),
    ("hold every ACCEPT for 300", "found '300', expected a time such as '300 ms' or '2 s'"),
    ("hold every ACCEPT for 0 ms", "found '0', expected a number"),
    ("hold every ACCEPT for 9 to 8 ms", "found '8', expected a number not below 9"),
    ("send at most 64 baud", "found 'baud', expected a rate such as '64 kbit/s' or '2 Mbit/s'"),
    ("send at most x kbit/s", "found 'x', expected a number"),
    ("corrupt octet x of every ACK", "found 'x', expected a whole number"),
    ("lose every ACK", "found 'lose', expected 'drop', 'duplicate', 'hold', 'reorder', 'corrupt',"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_fault_is_told_where_and_how(text: str, told: str) -> None:
    from mpwire.errors import InputError
    from mpwire.lab.testbed import read_fault

    with pytest.raises(InputError) as caught:
        read_fault(text, HOSTS)
    assert str(caught.value).startswith(f"fault {text!r}, column ")
    assert told in str(caught.value)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.sentence)
def test_every_example_is_a_fault_of_its_kind(form: object) -> None:
    assert isinstance(fault(form.example), form.step)  # type: ignore[attr-defined]


def test_types_and_flags_are_those_of_the_protocol() -> None:
    assert {"message", "JOIN_REQ", "DATA_ACK", "CLOSE"} <= set(TYPES)
    assert FLAGS == ("R", "A", "M", "X", "G", "REPAIR", "RELAYED", "LAST")
