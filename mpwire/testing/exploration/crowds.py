"""Sessions of three and four parties."""

from typing import Final

from mpwire.testing.exploration.casting import (
    LEAF_JOINED,
    LOSS,
    NOTHING,
    leaf,
    lonely,
    root,
    scenario,
    waiting,
)
from mpwire.testing.exploration.moves import Budget

TWO_JOINED: Final = (*LEAF_JOINED, (3, "join"), (1, "accept"))
THREE_JOINED: Final = (*TWO_JOINED, (4, "join"), (1, "accept"))

scenario(
    "three-join",
    "Two leaves ask one root, which accepts both.",
    root("accept", "accept"),
    leaf("join"),
    leaf("join"),
    fast=NOTHING,
    deep=LOSS,
)
scenario(
    "three-decide",
    "Two leaves ask one root, which accepts one and rejects one; the second cancels.",
    root("accept", "reject"),
    leaf("join"),
    leaf("join", "close L"),
    fast=NOTHING,
    deep=LOSS,
)
scenario(
    "three-invite-ask",
    "A root invites one leaf while another asks it.",
    root("invite 2", "accept"),
    waiting("accept | reject"),
    leaf("join"),
    fast=NOTHING,
    deep=LOSS,
)
scenario(
    "three-invite-two",
    "A root invites two leaves, one after the other, and may cancel the first.",
    lonely("invite 2", "invite 3", "close P1"),
    waiting("accept"),
    waiting("accept"),
    fast=NOTHING,
    deep=LOSS,
)
scenario(
    "three-glare",
    "A root invites a leaf that asks it while another leaf asks as well.",
    root("invite 2", "accept"),
    leaf("join"),
    leaf("join"),
    fast=None,
    deep=LOSS,
)
scenario(
    "three-dismantle-joining",
    "A leaf is a member, another asks, and the root dismantles.",
    root("accept", "close R"),
    leaf("close L"),
    leaf("join"),
    prelude=LEAF_JOINED,
    fast=NOTHING,
    deep=LOSS,
)
scenario(
    "three-end",
    "Of two members one leaves and one is expelled, while the root dismantles.",
    root("close P2", "close R"),
    leaf("close L"),
    leaf(),
    prelude=TWO_JOINED,
    fast=LOSS,
    deep=Budget(losses=1, duplicates=1),
)
scenario(
    "three-data",
    "The root sends to two members, of which one sends and leaves.",
    root("send R one", "close R"),
    leaf("send L up", "close L"),
    leaf(),
    prelude=TWO_JOINED,
    fast=NOTHING,
    deep=LOSS,
    repair=True,
)
scenario(
    "three-crash",
    "Of two members one dies; the other leaves.",
    root("close P1"),
    leaf("crash"),
    leaf("close L"),
    prelude=TWO_JOINED,
    fast=LOSS,
    deep=Budget(losses=1, duplicates=1),
)
scenario(
    "four-dismantle",
    "A root dismantles a session of three members, of which one leaves.",
    root("close R"),
    leaf("close L"),
    leaf(),
    leaf(),
    prelude=THREE_JOINED,
    fast=NOTHING,
    deep=LOSS,
)
