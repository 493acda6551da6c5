"""A correct story without end: members come, are told something, tell something, and go."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import msgspec

from mpwire.wire.messages import Close, CloseAck
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_plots import Join
from tests.oracle.oracle_story import Move, Wait
from tests.oracle.oracle_tales import Tale

LEAVES = ("leaf1", "leaf2", "leaf3")


class Churn(Tale):
    """Steps that are told again and again, so that every request has a Seq of its own."""

    def __init__(self) -> None:
        """Begin with the lowest Seq."""
        super().__init__()
        self.seqs = count(100)

    def member(self, leaf: str, end: int, *, by_root: bool) -> Join:
        """Draw the tags and the Seq of a join."""
        return replace(super().member(leaf, end, by_root=by_root), seq=next(self.seqs))

    def closing(self, join: Join, reason: CloseReason) -> tuple[Close, CloseAck]:
        """Build CLOSE and its answer."""
        close, ack = super().closing(join, reason)
        seq = next(self.seqs)
        return msgspec.structs.replace(close, seq=seq), msgspec.structs.replace(ack, seq=seq)


def churn(rounds: int, *, pause_s: float = 14.0) -> Iterator[Move]:
    """Let three leaves take turns: one joins, all are told and one answers, the oldest goes.

    Args:
        rounds: how many join.
        pause_s: how much time passes between them.
    """
    plot = Churn()
    plot.open("root", listening=True)
    members: list[Join] = []
    for turn in range(rounds):
        leaf = LEAVES[turn % len(LEAVES)]
        end = plot.open(leaf, listening=False)
        members.append(plot.join(leaf, end))
        plot.tell_all(f"to all {turn}".encode(), members)
        plot.tell_root(f"from {turn}".encode(), members[-1])
        if len(members) == len(LEAVES):
            _go(plot, members.pop(0), turn)
        plot.moves.append(Wait("pause", pause_s))
        plot.barrier()
        yield from plot.moves
        plot.moves.clear()
    plot.dismantle(members)
    for member in members:
        plot.call("close", member.leaf, "close", {}, socket=member.end)
        plot.call("close P", "root", "close", {}, socket=member.handle)
    plot.barrier()
    plot.barrier()
    yield from plot.moves


def _go(plot: Tale, member: Join, turn: int) -> None:
    """Let a member go, by its own will or not, and both sides close what they have."""
    if turn % 2:
        plot.leave(member)
        plot.call("close P", "root", "close", {}, socket=member.handle)
    else:
        plot.expel(member)
        plot.call("close", member.leaf, "close", {}, socket=member.end)
    plot.barrier()
