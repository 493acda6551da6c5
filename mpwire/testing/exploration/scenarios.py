"""The sessions that are explored, and how far.

Each names its parties (the root's host is number 1), what their applications may do, and what has
happened already when the walk begins: a prelude of acts, after each of which everything in flight
arrives in order, without losses. Bounds of the fast profile are those that the continuous
integration walks; the deep ones take minutes and gigabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.testing.exploration.acts import play
from mpwire.testing.exploration.party import Party
from mpwire.testing.exploration.walk import Budget, Walk

Acts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """One party of a scenario."""

    opens: str
    """"root", "lonely root" (does not listen), "leaf" or "waiting leaf" (listens)."""
    acts: Acts
    """What its application may do, each line once, in any order; "a | b": one of them."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A small session, and the bounds within which all of it is walked."""

    name: str
    about: str
    casts: tuple[Cast, ...]
    fast: Budget
    deep: Budget
    prelude: tuple[tuple[int, str], ...] = ()
    """(host number, act) before the walk begins."""
    polls: int = 1
    """Polls of a pending request before its T_PEND is over."""
    repair: bool = False
    """Whether nothing that was queued before a graceful close may be lost."""
    calm: bool = False
    """Whether no ABORT is lost, and no end may be a member alone until its keepalive says so."""

    def begin(self, budget: Budget) -> Walk:
        """Open the sockets, play the prelude, and return a walk about to begin."""
        parties = [
            Party(number, cast.opens, tuple(tuple(line.split(" | ")) for line in cast.acts))
            for number, cast in enumerate(self.casts, 1)
        ]
        for number, line in self.prelude:
            _play(parties, number, line)
        return Walk(parties, budget, polls=self.polls, repair=self.repair, calm=self.calm)


def _play(parties: list[Party], number: int, line: str) -> None:
    """Let one application act, and everything in flight arrive."""
    flying = play(parties[number - 1], line).datagrams
    while flying:
        datagram = flying.pop(0)
        host = datagram.destination[0]
        receiver = next(party for party in parties if party.host == host)
        flying += receiver.hear(datagram).datagrams


NOTHING = Budget()
ONE_EACH = Budget(losses=1, duplicates=1, early=1)
LOSS = Budget(losses=1)

SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(
    name: str,
    about: str,
    *casts: Cast,
    fast: Budget = ONE_EACH,
    deep: Budget | None = None,
    prelude: tuple[tuple[int, str], ...] = (),
    repair: bool = False,
    calm: bool = False,
) -> None:
    """Add a scenario under its name."""
    SCENARIOS[name] = Scenario(name, about, casts, fast, deep or fast, prelude, 1, repair, calm)


def root(*acts: str) -> Cast:
    """Return a root that listens."""
    return Cast("root", acts)


def lonely(*acts: str) -> Cast:
    """Return a root that does not listen."""
    return Cast("lonely root", acts)


def leaf(*acts: str) -> Cast:
    """Return a leaf that asks."""
    return Cast("leaf", acts)


def waiting(*acts: str) -> Cast:
    """Return a leaf that waits for invitations."""
    return Cast("waiting leaf", acts)


LEAF_JOINED: Final = ((2, "join"), (1, "accept"))
LEAF_INVITED: Final = ((1, "invite 2"), (2, "accept"))

# Asking and deciding ------------------------------------------------------------------------------

scenario("leaf-accept", "A leaf asks and is accepted.", root("accept"), leaf("join"))
scenario("leaf-reject", "A leaf asks and is rejected.", root("reject"), leaf("join"))
scenario(
    "leaf-defer",
    "A leaf asks, the root defers, and decides later or never.",
    root("accept | reject", "defer"),
    leaf("join"),
)
scenario(
    "leaf-cancel",
    "A leaf asks and closes its socket at any time.",
    root("accept | reject"),
    leaf("join", "close L"),
)
scenario(
    "leaf-retry",
    "A leaf is rejected and asks again with the same socket.",
    root("accept", "reject"),
    leaf("join", "join 1"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario(
    "leaf-again",
    "A leaf asks, and asks again when that has failed; the root accepts both.",
    root("accept", "accept"),
    leaf("join", "join 1"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario(
    "leaf-late",
    "A leaf asks a root for which all cookies and tombstones grow too old at some time.",
    root("accept | reject", "elapse"),
    leaf("join", "close L"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario("root-accept", "A root invites, accepted.", lonely("invite 2"), waiting("accept"))
scenario("root-reject", "A root invites, rejected.", lonely("invite 2"), waiting("reject"))
scenario(
    "root-defer",
    "A root invites, the leaf defers, and decides later or never.",
    lonely("invite 2"),
    waiting("accept | reject", "defer"),
)
scenario(
    "root-cancel",
    "A root invites and closes the pending handle at any time.",
    lonely("invite 2", "close P1"),
    waiting("accept | reject"),
)
scenario(
    "root-dismantle-inviting",
    "A root invites and closes its session at any time.",
    lonely("invite 2", "close R"),
    waiting("accept"),
)

# Joining and ending, in one life ------------------------------------------------------------------

scenario("leaf-leaves", "Asks, accepted; the leaf leaves.", root("accept"), leaf("join", "close L"))
scenario(
    "leaf-expelled",
    "A leaf asks, is accepted, and the root expels it at any time.",
    root("accept", "close P1"),
    leaf("join"),
)
scenario(
    "leaf-both-close",
    "A leaf asks, is accepted, and both ends close at any time.",
    root("accept", "close P1"),
    leaf("join", "close L"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario(
    "leaf-dismantled",
    "A leaf asks, is accepted, and the root dismantles at any time.",
    root("accept", "close R"),
    leaf("join"),
)
scenario(
    "root-both-close",
    "A root invites, the leaf accepts, and both ends close at any time.",
    lonely("invite 2", "close P1"),
    waiting("accept", "close A1"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario(
    "leaf-aborts",
    "A leaf asks, is accepted; it closes with linger 0, the root closes gracefully.",
    root("accept", "close P1"),
    leaf("join", "abort L"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)
scenario(
    "root-aborts",
    "A leaf asks, is accepted; the root closes with linger 0, the leaf gracefully.",
    root("accept", "abort R"),
    leaf("join", "close L"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)

# Ending what is joined ----------------------------------------------------------------------------

ENDINGS: Final = {
    "leave": ((), ("close L",)),
    "expel": (("close P1",), ()),
    "dismantle": (("close R",), ()),
    "both-close": (("close P1",), ("close L",)),
    "both-shutdown": (("shutdown R",), ("shutdown L",)),
    "shutdown-close": (("shutdown P1", "close P1"), ("shutdown L", "close L")),
    "leaf-abort": (("close P1",), ("abort L",)),
    "root-abort": (("abort P1",), ("close L",)),
    "both-abort": (("abort R",), ("abort L",)),
    "dismantle-expel": (("close R", "close P1"), ("close L",)),
    "root-crash": (("crash",), ("close L",)),
    "leaf-crash": (("close P1",), ("crash",)),
    "root-restart": (("restart",), ("close L",)),
    "leaf-restart": (("accept", "close P1"), ("restart", "join")),
}
LARGE: Final = {"leaf-restart", "shutdown-close"}
"""Endings with too many ways for the fast profile."""
for ending, (by_root, by_leaf) in ENDINGS.items():
    scenario(
        f"joined-{ending}",
        f"A leaf that asked is a member; {ending.replace('-', ' ')}.",
        root(*by_root),
        leaf(*by_leaf),
        prelude=LEAF_JOINED,
        fast=Budget(1, 1, 0, 1) if ending in LARGE else Budget(1, 1, 1, 1),
        deep=Budget(1, 1, 1, 1),
    )
for ending, (by_root, by_leaf) in ENDINGS.items():
    if ending in {"leave", "expel", "both-close", "leaf-abort", "root-abort"}:
        scenario(
            f"invited-{ending}",
            f"A leaf that was invited is a member; {ending.replace('-', ' ')}.",
            lonely(*by_root),
            waiting(*(line.replace("L", "A1") for line in by_leaf)),
            prelude=LEAF_INVITED,
            fast=Budget(1, 1, 1, 1),
        )

# Data ---------------------------------------------------------------------------------------------

scenario(
    "data-down",
    "The root sends two messages and dismantles, at any time, in any order.",
    root("send R one", "send R two", "close R"),
    leaf(),
    prelude=LEAF_JOINED,
)
scenario(
    "data-up",
    "The leaf sends two messages and leaves.",
    root(),
    leaf("send L one", "send L two", "close L"),
    prelude=LEAF_JOINED,
)
scenario(
    "data-crossing",
    "Both send and both close.",
    root("send R down", "close P1"),
    leaf("send L up", "close L"),
    prelude=LEAF_JOINED,
)
scenario(
    "data-early",
    "Both send as soon as they can, while the join is still being agreed.",
    root("accept", "send R down"),
    leaf("join", "send L up"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
)

# Restart ------------------------------------------------------------------------------------------

scenario(
    "restart-root-joining",
    "A leaf asks, and the root restarts at any time.",
    root("accept", "restart"),
    leaf("join", "join 1"),
    fast=LOSS,
    deep=ONE_EACH,
)
scenario(
    "restart-leaf-joining",
    "A leaf asks, restarts on the same port at any time, and asks again.",
    root("accept"),
    leaf("join", "restart", "join 1"),
    fast=LOSS,
    deep=ONE_EACH,
)

# Crossed joins ------------------------------------------------------------------------------------

GLARES: Final = {
    "plain": ((), ()),
    "cancel-root": (("close P1",), ()),
    "cancel-leaf": ((), ("close L",)),
    "cancel-both": (("close P1",), ("close L",)),
    "dismantle": (("close R",), ()),
}
for variant, (by_root, by_leaf) in GLARES.items():
    scenario(
        f"glare-{variant}",
        f"A root invites the leaf that asks it; {variant.replace('-', ' ')}.",
        lonely("invite 2", *by_root),
        leaf("join", *by_leaf),
        fast=LOSS,
        deep=ONE_EACH,
    )
    scenario(
        f"glare-listening-{variant}",
        f"A root that listens invites the leaf that asks it; {variant.replace('-', ' ')}.",
        root("invite 2", "accept", *by_root),
        leaf("join", *by_leaf),
        fast=NOTHING,
        deep=ONE_EACH,
    )

scenario(
    "glare-dead-acceptance",
    "The root accepts, aborts that at once, and invites; everything may arrive late.",
    root("accept", "abort P1", "invite 2"),
    leaf("join"),
    fast=NOTHING,
    deep=ONE_EACH,
)
scenario(
    "calm-glare",
    "A root invites the leaf that asks it; three losses, but never of an ABORT.",
    lonely("invite 2"),
    leaf("join"),
    fast=Budget(losses=3),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)
scenario(
    "calm-leaf",
    "A leaf asks, is accepted, both close; three losses, but never of an ABORT.",
    root("accept", "close P1"),
    leaf("join", "close L"),
    fast=Budget(losses=3),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)
scenario(
    "calm-root",
    "A root invites, the leaf accepts, both close; three losses, but never of an ABORT.",
    lonely("invite 2", "close P1"),
    waiting("accept", "close A1"),
    fast=Budget(losses=3),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)

# Three --------------------------------------------------------------------------------------------

scenario(
    "three-join",
    "Two leaves ask one root.",
    root("accept", "accept"),
    leaf("join"),
    leaf("join"),
    fast=NOTHING,
    deep=LOSS,
)
