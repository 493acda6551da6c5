"""Who is believed to be in a nonrooted session, and which of their data counts."""

from msgspec.structs import replace

from mpwire.core.address import Address
from mpwire.core.roster import DROPOUT, MAXIMUM_OTHERS, MISORDER, SPACING_S, BestEffort, Roster
from mpwire.core.serial import plus
from mpwire.wire.messages import Announce
from mpwire.wire.registries import AnnounceKind, LeafDirection

BOTH = LeafDirection.SEND | LeafDirection.RECEIVE
HERE: Address = ("10.0.0.1", 1)
THERE: Address = ("10.0.0.2", 1)


def announce(
    member_id: int,
    member_tag: int,
    kind: AnnounceKind = AnnounceKind.ALIVE,
    leaf_dir: int = BOTH,
    lead_seq: int = 100,
) -> Announce:
    """Return what a participant announces."""
    return Announce(
        sender_id=member_id,
        kind=kind,
        leaf_dir=leaf_dir,
        hold_s=20,
        member_tag=member_tag,
        lead_seq=lead_seq,
        conflict_id=0,
    )


# Data -----------------------------------------------------------------------------------------


def test_every_message_counts_once() -> None:
    data = BestEffort(9)
    assert [data.take(seq) for seq in (10, 12, 11, 10, 12, 13)] == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]


def test_gaps_do_not_stop_what_follows() -> None:
    data = BestEffort(0)
    assert all(data.take(seq) for seq in range(2, 20_000, 2))
    assert data.taken.bit_length() <= MISORDER


def test_sequences_wrap() -> None:
    data = BestEffort(plus(0, -2))
    assert [data.take(plus(0, step)) for step in (-1, 0, 1, -1)] == [True, True, True, False]


def test_what_is_too_old_is_not_new() -> None:
    data = BestEffort(5000)
    assert not data.take(5000 - MISORDER)
    assert data.take(5001 - MISORDER)


def test_a_jump_is_believed_when_the_next_message_backs_it() -> None:
    data = BestEffort(0)
    assert data.take(1)
    far = 1 + DROPOUT
    assert [data.take(far), data.take(2), data.take(far + 10), data.take(far + 11)] == [
        False,
        True,
        False,
        True,
    ]
    assert not data.take(far + 11)


def test_near_is_what_the_specification_says() -> None:
    taken = [step for step in (-1024, -1023, 2999, 3000) if BestEffort(10_000).take(10_000 + step)]
    assert taken == [-1023, 2999]


# Members --------------------------------------------------------------------------------------


def test_a_member_is_known_by_what_it_announces() -> None:
    roster = Roster(20)
    assert roster.hear(announce(5, 0x55), HERE, 0) == ""
    assert roster.hear(announce(5, 0x55), THERE, 0) == "ANNOUNCE of a member from elsewhere"
    other = roster.sender(5, HERE, 100, 1)
    assert other is roster.by_tag[0x55]
    assert other.heard_s == 1
    assert roster.sender(5, THERE, 100, 1) is None
    assert roster.sender(6, HERE, 100, 1) is None


def test_data_alone_makes_a_member_until_it_announces_itself() -> None:
    roster = Roster(20)
    other = roster.sender(5, HERE, 7, 0)
    assert other is not None
    assert other.reception == BestEffort(6)
    assert roster.hear(announce(5, 0x55, lead_seq=99), HERE, 1) == ""
    assert roster.by_tag == {0x55: other}
    assert other.reception == BestEffort(6)
    assert roster.hear(announce(6, 0x66), THERE, 1) == ""
    assert roster.by_id[6].reception == BestEffort(98 + 1)


def test_the_lower_tag_keeps_a_member_id() -> None:
    roster = Roster(20)
    roster.hear(announce(5, 0x55), HERE, 0)
    assert "lower" in roster.hear(announce(5, 0x66), THERE, 0)
    assert roster.by_id[5].address == HERE
    assert roster.hear(announce(5, 0x44), THERE, 0) == ""
    assert roster.by_id[5].address == THERE
    assert [*roster.by_address] == [THERE]


def test_an_announcement_prevails_over_mere_data() -> None:
    roster = Roster(20)
    roster.sender(5, HERE, 7, 0)
    roster.hear(announce(5, 0x66), THERE, 0)
    assert roster.by_id[5].address == THERE


def test_a_new_id_replaces_the_old_one() -> None:
    roster = Roster(20)
    roster.hear(announce(5, 0x55), HERE, 0)
    roster.hear(announce(7, 0x55, AnnounceKind.CONFLICT), HERE, 0)
    assert [*roster.by_id] == [7]


def test_a_new_socket_at_an_address_replaces_the_old_one() -> None:
    roster = Roster(20)
    roster.hear(announce(5, 0x55), HERE, 0)
    roster.hear(announce(7, 0x77, AnnounceKind.JOIN), HERE, 0)
    assert [*roster.by_id] == [7]
    assert [*roster.by_tag] == [0x77]


def test_leaving_forgets_a_member_that_was_known() -> None:
    roster = Roster(20)
    assert roster.hear(announce(5, 0x55, AnnounceKind.LEAVE), HERE, 0) == ""
    roster.hear(announce(5, 0x55), HERE, 0)
    roster.hear(announce(5, 0x55, AnnounceKind.LEAVE), HERE, 0)
    assert [roster.by_id, roster.by_tag, roster.by_address] == [{}, {}, {}]


def test_five_holds_of_silence_are_forgotten() -> None:
    roster = Roster(20)
    roster.hear(announce(5, 0x55), HERE, 0)
    roster.sender(6, THERE, 1, 50)
    roster.expire(100)
    assert [*roster.by_id] == [5, 6]
    roster.expire(100.1)
    assert [*roster.by_id] == [6]


def test_announcements_spread_with_the_crowd() -> None:
    roster = Roster(20)
    assert roster.alive_interval_s() == 20
    for number in range(99):
        roster.hear(announce(number, number + 1), ("10.0.0.1", number), 0)
    assert roster.alive_interval_s() == 20
    for number in range(99):
        roster.hear(announce(number, number + 1), ("10.0.0.1", number), 0)
    assert roster.alive_interval_s() == 50
    roster.expire(249)
    assert len(roster.by_id) == 99


# Too many -------------------------------------------------------------------------------------


def crowded(count: int = MAXIMUM_OTHERS, hold_s: int = 20) -> Roster:
    """Return a roster full of participants that announced themselves once, one after the other."""
    roster = Roster(20)
    for number in range(count):
        address = ("10.0.0.1", number)
        message = replace(announce(number, number + 1), hold_s=hold_s)
        assert roster.hear(message, address, number / 1000) == ""
    return roster


def test_a_newcomer_takes_the_place_of_the_longest_silent() -> None:
    roster = crowded()
    assert roster.hear(announce(70_000, 0x7000_0000), HERE, 11) == ""
    assert roster.sender(70_001, THERE, 0, 11) is not None
    assert len(roster.by_id) == len(roster.by_address) == MAXIMUM_OTHERS
    assert [number for number in (0, 1, 2, 70_000, 70_001) if number in roster.by_id] == [
        2,
        70_000,
        70_001,
    ]


def test_who_is_heard_again_and_who_speaks_stays_through_a_flood() -> None:
    roster = Roster(20)
    roster.sender(5, HERE, 7, 0)
    roster.sender(5, HERE, 8, 0)
    roster.hear(announce(6, 0x66), THERE, 0)
    roster.hear(announce(6, 0x66), THERE, 0)
    for number in range(10, 10 + 2 * MAXIMUM_OTHERS):
        roster.hear(announce(number, number + 1000), ("10.0.0.9", number), 1)
    assert {5, 6} <= roster.by_id.keys()
    assert len(roster.by_id) == MAXIMUM_OTHERS


def test_who_speaks_stays_longer_than_who_only_announces() -> None:
    roster = Roster(20)
    roster.sender(5, HERE, 7, 0)
    roster.sender(5, HERE, 8, 0)
    for number in range(10, 10 + 2 * MAXIMUM_OTHERS):
        for _ in range(2):
            roster.hear(announce(number, number + 1000), ("10.0.0.9", number), 1)
    assert 5 in roster.by_id
    assert roster.crowd_s == SPACING_S * (MAXIMUM_OTHERS + 1)


def test_a_flood_of_announcements_is_forgotten_like_any_other_silence() -> None:
    """Neither an absurd HoldS nor the size of the crowd keeps what was heard of once."""
    roster = crowded(hold_s=65535)
    roster.expire(5 * 300 + 10)
    assert [roster.by_id, roster.by_tag, roster.by_address] == [{}, {}, {}]
    assert roster.ranks == ({}, {}, {})


# The d_root -----------------------------------------------------------------------------------


def test_the_first_d_root_stays_until_it_goes() -> None:
    roster = Roster(20)
    for number in (9, 3, 5):
        roster.hear(announce(number, number, leaf_dir=7), ("10.0.0.1", number), 0)
    assert roster.root is roster.by_id[9]
    roster.hear(announce(9, 9, leaf_dir=3), ("10.0.0.1", 9), 0)
    assert roster.root is roster.by_id[3]
    roster.hear(announce(3, 3, AnnounceKind.LEAVE, 7), ("10.0.0.1", 3), 0)
    assert roster.root is roster.by_id[5]
    roster.expire(1000)
    assert roster.root is None
