"""A frozen party is equal however it came about, and a thawed one goes on like the original."""

import pytest

from mpwire.core.events import SendDatagram
from mpwire.core.timers import TimerName
from mpwire.testing.exploration.acts import play
from mpwire.testing.exploration.party import Party
from mpwire.testing.exploration.scenarios import SCENARIOS
from mpwire.testing.exploration.snapshot import Archive
from mpwire.testing.exploration.walk import Walk


def deliver(parties: dict[str, Party], flying: list[SendDatagram]) -> None:
    """Let everything arrive, in order."""
    while flying:
        datagram = flying.pop(0)
        flying += parties[datagram.destination[0]].hear(datagram).datagrams


def session() -> tuple[Party, Party]:
    """Return a root and its member."""
    root, leaf = Party(1, "root"), Party(2, "leaf")
    parties = {party.host: party for party in (root, leaf)}
    for party, line in ((leaf, "join"), (root, "accept"), (leaf, "send L up")):
        deliver(parties, play(party, line).datagrams)
    return root, leaf


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_thawed_freezes_to_the_same(number: int) -> None:
    archive = Archive()
    frozen = archive.freeze(session()[number])
    assert archive.freeze(archive.thaw(frozen).root) == frozen


def test_equal_lives_freeze_to_equal_values() -> None:
    archive = Archive()
    one, other = session(), session()
    assert [*map(archive.freeze, one)] == [*map(archive.freeze, other)]


def test_a_thawed_party_goes_on_like_the_original_and_leaves_it_alone() -> None:
    archive = Archive()
    freeze = archive.freeze
    root, leaf = session()
    frozen = freeze(leaf)
    twin: Party = archive.thaw(frozen).root
    sent = play(twin, "close L").datagrams
    assert freeze(leaf) == frozen
    assert sent == play(leaf, "close L").datagrams
    assert freeze(leaf) == freeze(twin)
    assert freeze(root) != freeze(leaf)


def test_running_timers_are_part_of_a_state_and_their_times_are_not() -> None:
    _, early = session()
    _, late = session()
    late.clock_s = 5.0
    for party in (early, late):
        play(party, "close L")
        party.clock_s = 0.0
    archive = Archive()
    assert archive.freeze(early) == archive.freeze(late)
    (key,) = (key for key in late.timers(1) if key[1] is TimerName.RETRANSMIT)
    assert len(late.expire(key).datagrams) == 1


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be part of a state"):
        Archive().freeze([lambda: None])


def test_a_step_depends_on_nothing_but_the_state_and_the_input() -> None:
    """What the walk remembers of a step is what the step would do again."""

    def outcomes(walker: Walk) -> list[object]:
        moves = walker.moves(walker.first)
        return [(kind, subject, walker.unpack(state)) for kind, _, subject, state in moves]

    scenario = SCENARIOS["joined-both-close"]
    one, other = scenario.begin(scenario.bounds), scenario.begin(scenario.bounds)
    assert outcomes(one) == outcomes(other) == outcomes(one)
