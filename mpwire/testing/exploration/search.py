"""Every state that a small session can be in, breadth first, and the shortest way to an offence."""

from array import array
from dataclasses import dataclass, field
from itertools import pairwise

from mpwire.core.timers import TimerName
from mpwire.testing.exploration.invariants import Invariant, Offence
from mpwire.testing.exploration.moves import Move, Refuted
from mpwire.testing.exploration.walk import Walk


@dataclass(slots=True)
class Tally:
    """What a walk has met."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    runs: int = 0
    ends: int = 0
    """States in which nothing more can happen unless an application wants it."""
    offence: Offence | None = None
    path: list[Move] = field(default_factory=list)
    """The shortest way to the offence."""


def search(walker: Walk) -> Tally:
    """Meet every state, breadth first, and judge it; stop at the first offence.

    A walk without an offence also shows that the states have no cycle, so that every run ends,
    whatever is lost and whatever the applications do.
    """
    tally = Tally()
    states = [walker.first]
    indices = {walker.first: 0}
    parents = array("i", [-1])
    edges = array("i")
    offsets = array("q", [0])
    level_end = 1
    here = shown = 0
    try:
        walker.judge(walker.first)
        while here < len(states):
            if here == level_end:
                tally.depth += 1
                level_end = len(states)
            rests = is_calm = True
            shown = here
            for kind, _, subject, state in walker.moves(states[here]):
                index = indices.setdefault(state, len(states))
                if index == len(states):
                    states.append(state)
                    parents.append(here)
                    shown = index
                    walker.judge(state)
                    shown = here
                edges.append(index)
                if kind != "acts":
                    rests = False
                    is_calm &= isinstance(subject, tuple) and subject[1] is TimerName.KEEPALIVE
            offsets.append(len(edges))
            if is_calm:
                walker.judge_calm(states[here])
            if rests:
                tally.ends += 1
                walker.judge_end(states[here])
            here += 1
    except Refuted as refuted:
        tally.offence = refuted.offence
        tally.path = _path(walker, states, _way(parents, shown))
    else:
        if cycle := _on_a_cycle(edges, offsets):
            tally.offence = _endless(_way(parents, cycle[0]))
            tally.path = _path(walker, states, [*_way(parents, cycle[0]), *cycle[1:]])
    tally.states, tally.transitions, tally.runs = len(states), len(edges), walker.runs
    return tally


def _endless(way: list[int]) -> Offence:
    what = f"from step {len(way)} on this goes on for ever"
    return Offence(Invariant.TERMINATION, what)


def _way(parents: "array[int]", last: int) -> list[int]:
    """Return the shortest way from the first state to this one."""
    way = [last]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    return way[::-1]


def _path(walker: Walk, states: list[int], way: list[int]) -> list[Move]:
    """Return the moves that lead along a way."""
    return [
        next(move for move in walker.moves(states[here]) if move[-1] == states[there])
        for here, there in pairwise(way)
    ]


def _on_a_cycle(edges: "array[int]", offsets: "array[int]") -> list[int]:
    """Return the states of some cycle, in order, or nothing if every run ends.

    States that nothing leads to any more are peeled off, then those that lead nowhere: what is
    left lies on a cycle or between two.
    """
    count = len(offsets) - 1
    arrivals = array("i", bytes(4 * count))
    for index in edges:
        arrivals[index] += 1
    free = [index for index in range(count) if not arrivals[index]]
    while free:
        here = free.pop()
        for place in range(offsets[here], offsets[here + 1]):
            there = edges[place]
            arrivals[there] -= 1
            if not arrivals[there]:
                free.append(there)
    left = {index for index in range(count) if arrivals[index]}
    following = {here: edges[offsets[here] : offsets[here + 1]] for here in left}
    while dead := {here for here in left if not any(there in left for there in following[here])}:
        left -= dead
    way: list[int] = []
    here = min(left, default=-1)
    while left and here not in way:
        way.append(here)
        here = next(there for there in following[here] if there in left)
    return [*way[way.index(here) :], here] if way else []
