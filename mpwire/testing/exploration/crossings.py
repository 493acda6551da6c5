"""A root invites the leaf that asks it (protocol.md 9.6); sessions in which no ABORT is lost."""

from typing import Final

from mpwire.testing.exploration.casting import (
    LOSS,
    NOTHING,
    ONE_EACH,
    leaf,
    lonely,
    root,
    scenario,
    waiting,
)
from mpwire.testing.exploration.moves import Budget

GLARES: Final = {
    "plain": ((), ()),
    "cancel-root": (("close P1",), ()),
    "cancel-leaf": ((), ("close L",)),
    "cancel-both": (("close P1",), ("close L",)),
    "again": (("invite 2",), ("join 1",)),
    "dismantle": (("close R",), ()),
}
LISTENING: Final = {"cancel-both": NOTHING, "again": None}
"""Bounds of the fast profile for those that are larger because the root listens."""
for variant, (by_root, by_leaf) in GLARES.items():
    scenario(
        f"glare-{variant}",
        f"A root invites the leaf that asks it; {variant.replace('-', ' ')}.",
        lonely("invite 2", *by_root),
        leaf("join", *by_leaf),
        fast=LOSS if variant in {"again", "cancel-both"} else Budget(losses=1, duplicates=1),
        deep=ONE_EACH,
    )
    scenario(
        f"glare-listening-{variant}",
        f"A root that listens invites the leaf that asks it; {variant.replace('-', ' ')}.",
        root("invite 2", "accept", *by_root),
        leaf("join", *by_leaf),
        fast=LISTENING.get(variant, LOSS),
        deep=Budget(losses=1, duplicates=1) if variant == "again" else ONE_EACH,
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
    fast=Budget(losses=2, early=1),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)
scenario(
    "calm-leaf",
    "A leaf asks, is accepted, both close; three losses, but never of an ABORT.",
    root("accept", "close P1"),
    leaf("join", "close L"),
    fast=Budget(losses=2, early=1),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)
scenario(
    "calm-root",
    "A root invites, the leaf accepts, both close; three losses, but never of an ABORT.",
    lonely("invite 2", "close P1"),
    waiting("accept", "close A1"),
    fast=Budget(losses=2, early=1),
    deep=Budget(losses=3, duplicates=1, early=1),
    calm=True,
)
