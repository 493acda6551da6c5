"""Judge run files in parts, and find the same as in one piece."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.oracle import judge
from mpwire.oracle.audit import audit
from mpwire.oracle.carried import TAGS_KEPT, Carried, Spans
from mpwire.oracle.ledger import Ledger
from mpwire.oracle.limits import Limits
from mpwire.vocabulary import Verdict
from mpwire.wire.messages import Cancel, Data
from tests.oracle.oracle_churn import churn
from tests.oracle.oracle_edits import Fault
from tests.oracle.oracle_faults import FAULTS
from tests.oracle.oracle_story import Line, Move, Send, play, record

ROUNDS = 14
WHOLE = Limits(whole=1 << 40)
PARTS = Limits(whole=0, held=200, growth=0, share=0, quiet=1.05)
SOME = Limits(whole=0, held=200)
SEEDS = range(24)


def numbers_held(run: RunFile, limits: Limits) -> list[int]:
    """Return how much was held after each time that something was forgotten."""
    ledger = Ledger(run, limits, complete=True, until_ns=audit(run).until_ns)
    held: list[int] = []
    ledger.watch = held.append
    ledger.judge()
    return held


def test_a_run_is_judged_in_parts_as_in_one_piece(tmp_path: Path) -> None:
    run = open_run(record(churn(ROUNDS), tmp_path))
    assert judge(run, PARTS).to_json() == judge(run, WHOLE).to_json()
    assert judge(run, PARTS).verdict is Verdict.PASS


def test_what_is_held_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """Compare what is left of a session, once its first members have gone, and near its end."""
    held = numbers_held(open_run(record(churn(5 * ROUNDS), tmp_path)), PARTS)
    settled = [after for before, after in pairwise(held) if after < before]
    assert len(settled) > 2 * ROUNDS
    assert min(settled[-ROUNDS:]) <= min(settled[ROUNDS // 2 : 2 * ROUNDS])
    assert max(settled[-ROUNDS:]) <= max(settled[ROUNDS // 2 : 2 * ROUNDS])


def test_a_long_run_file_is_not_held_by_its_reader(tmp_path: Path) -> None:
    """Read frames and records anew, and find what reading them at once finds."""
    path = record(churn(ROUNDS), tmp_path)
    held, read = open_run(path), open_run(path, held_octets=0)
    assert not isinstance(read.frames, list)
    assert not isinstance(read.records, list)
    assert list(read.frames) == list(held.frames)
    assert list(read.records) == list(held.records)
    assert len(read.records) == len(held.records)
    assert judge(read, PARTS).to_json() == judge(held, WHOLE).to_json()


def lost(moves: list[Move], random: Random) -> list[Move]:
    """Lose a datagram on its way."""
    place = chosen(moves, random, lambda move: isinstance(move, Send))
    return [
        replace(move, delivered=False) if at == place and isinstance(move, Send) else move
        for at, move in enumerate(moves)
    ]


def twice(moves: list[Move], random: Random) -> list[Move]:
    """Send a datagram once more, at once or much later."""
    place = chosen(moves, random, lambda move: isinstance(move, Send))
    later = place + random.choice((1, 5, 30, 200))
    return [*moves[:later], moves[place], *moves[later:]]


def miscoded(moves: list[Move], random: Random) -> list[Move]:
    """Report an event with a wrong code."""
    place = chosen(moves, random, is_event)
    return [
        replace(move, content={**move.content, "code": 10054})
        if at == place and isinstance(move, Line)
        else move
        for at, move in enumerate(moves)
    ]


def again(moves: list[Move], random: Random) -> list[Move]:
    """Report an event once more."""
    place = chosen(moves, random, is_event)
    return [*moves[: place + 1], moves[place], *moves[place + 1 :]]


def left_out(moves: list[Move], random: Random) -> list[Move]:
    """Leave a move out."""
    place = random.randrange(len(moves))
    return [*moves[:place], *moves[place + 1 :]]


def exchanged(moves: list[Move], random: Random) -> list[Move]:
    """Let two moves change places."""
    first = random.randrange(len(moves) - 8)
    second = first + random.randrange(1, 8)
    made = list(moves)
    made[first], made[second] = made[second], made[first]
    return made


def is_event(move: Move) -> bool:
    """Tell whether a move is an event line."""
    return isinstance(move, Line) and "event" in move.content


def chosen(moves: list[Move], random: Random, fits: Callable[[Move], bool]) -> int:
    """Choose the place of a move that fits."""
    return random.choice([place for place, move in enumerate(moves) if fits(move)])


EDITS = (lost, twice, miscoded, again, left_out, exchanged)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_is_judged_alike(seed: int, tmp_path: Path) -> None:
    """Let something go wrong somewhere, and compare the documents."""
    random = Random(seed)
    moves = list(churn(ROUNDS))
    for _ in range(1 + seed % 3):
        moves = random.choice(EDITS)(moves, random)
    run = open_run(record(moves, tmp_path))
    assert judge(run, PARTS).to_json() == judge(run, WHOLE).to_json()


RECORDED = sorted((Path(__file__).parents[2] / "pcaps").glob("*.pcapng"))


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_recorded_runs_are_judged_alike(path: Path) -> None:
    """Look very often for what is settled, and wait very little for it."""
    run = open_run(path)
    impatient = replace(PARTS, held=40, quiet=0.1)
    assert judge(run, impatient).to_json() == judge(run, WHOLE).to_json()


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{n}-{f.rule}" for n, f in enumerate(FAULTS)])
def test_faults_are_judged_alike(fault: Fault, tmp_path: Path) -> None:
    """Judge every story in which an agent or a node does something wrong."""
    run = play(fault.edit(fault.plot()), tmp_path)
    assert judge(run, replace(PARTS, held=40)).to_json() == judge(run, WHOLE).to_json()


def test_spans_of_numbers_join() -> None:
    spans = Spans()
    for number in (5, 1, 2, 7, 6, 1):
        spans.add(number)
    assert [number for number in range(9) if number in spans] == [1, 2, 5, 6, 7]
    assert len(spans) == 2
    assert [spans.past(number) for number in (0, 1, 3, 5)] == [0, 3, 3, 8]


def test_tags_are_forgotten_oldest_first() -> None:
    carried = Carried()
    carried.bury(range(TAGS_KEPT + 1))
    assert 0 not in carried.tags
    assert TAGS_KEPT in carried.tags


def test_what_comes_to_an_exchange_that_is_over_is_noticed() -> None:
    """Take what is newer than all that was known of an exchange that was kept."""
    carried = Carried(passed={7: 40})
    data = Data(destination_tag=7, origin=1, dflags=0, hop=0, payload=b"x")
    assert not carried.knows_message(data, 40)
    assert carried.knows_message(data, 41)
    carried.bury([7])
    assert carried.knows_message(data, 40)


def test_a_request_is_known_by_the_tag_that_it_draws() -> None:
    cancel = Cancel(destination_tag=0, init_tag=7, reason=1)
    carried = Carried()
    assert not carried.knows_message(cancel, 1)
    carried.bury([7])
    assert carried.knows_message(cancel, 1)
