"""The sessions of two parties that are explored; `crossings` and `crowds` add the others."""

from typing import Final

from mpwire.testing.exploration import conferences, crossings, crowds, dialogues
from mpwire.testing.exploration.casting import (
    LEAF_INVITED,
    LEAF_JOINED,
    LOSS,
    ONE_EACH,
    SCENARIOS,
    leaf,
    lonely,
    root,
    scenario,
    waiting,
)
from mpwire.testing.exploration.moves import Budget

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
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
    repair=True,
)
scenario(
    "data-up",
    "The leaf sends two messages and leaves.",
    root(),
    leaf("send L one", "send L two", "close L"),
    prelude=LEAF_JOINED,
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
    repair=True,
)
scenario(
    "data-leave",
    "The leaf sends a message and leaves.",
    root(),
    leaf("send L one", "close L"),
    prelude=LEAF_JOINED,
    repair=True,
)
scenario(
    "data-crossing",
    "Both send and both close.",
    root("send R down", "close P1"),
    leaf("send L up", "close L"),
    prelude=LEAF_JOINED,
    fast=LOSS,
    deep=ONE_EACH,
    repair=True,
)
scenario(
    "data-early",
    "Both send as soon as they can, while the join is still being agreed.",
    root("accept", "send R down"),
    leaf("join", "send L up"),
    fast=Budget(losses=1, duplicates=1),
    deep=ONE_EACH,
    repair=True,
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


__all__ = ["SCENARIOS", "conferences", "crossings", "crowds", "dialogues"]
