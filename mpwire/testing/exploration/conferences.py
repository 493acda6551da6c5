"""Sessions whose data goes further than to the root: relayed by it, or sent to an IP group."""

from typing import Final

from mpwire.testing.exploration.casting import (
    LEAF_JOINED,
    LOSS,
    NOTHING,
    ONE_EACH,
    Cast,
    leaf,
    root,
    scenario,
)
from mpwire.testing.exploration.crowds import TWO_JOINED
from mpwire.testing.exploration.moves import Budget
from mpwire.winsock.protocols import Protocol


def conference(
    name: str,
    about: str,
    *casts: Cast,
    fast: Budget | None = LOSS,
    deep: Budget = ONE_EACH,
    prelude: tuple[tuple[int, str], ...] = TWO_JOINED,
    protocol: Protocol = Protocol.MPW_CONFERENCE,
) -> None:
    """Add a scenario in which nothing may be lost; both leaves are members unless it says more."""
    scenario(
        name,
        about,
        *casts,
        fast=fast,
        deep=deep,
        prelude=prelude,
        repair=True,
        graceful=True,
        protocol=protocol,
    )


conference(
    "relay-one",
    "A leaf sends a message, which the root passes on to the other.",
    root(),
    leaf("send L one"),
    leaf(),
)
conference(
    "relay-two",
    "A leaf sends two messages, which may overtake each other at either end of the relay.",
    root(),
    leaf("send L one", "send L two"),
    leaf(),
    fast=NOTHING,
    deep=Budget(losses=1, duplicates=1),
)
conference(
    "relay-leave",
    "A leaf sends a message and leaves.",
    root(),
    leaf("send L one", "close L"),
    leaf(),
)
conference(
    "relay-both",
    "Both leaves send.",
    root(),
    leaf("send L one"),
    leaf("send L two"),
    fast=None,
    deep=NOTHING,
)
conference(
    "relay-origin-expelled",
    "A leaf sends a message, and the root expels it.",
    root("close P1"),
    leaf("send L one"),
    leaf(),
)
conference(
    "relay-receiver-expelled",
    "A leaf sends a message; the root expels the other.",
    root("close P2"),
    leaf("send L one"),
    leaf(),
)
conference(
    "relay-dismantle",
    "A leaf sends a message, and the root dismantles.",
    root("close R"),
    leaf("send L one"),
    leaf(),
)
conference(
    "relay-late",
    "A leaf sends a message while another asks and is accepted.",
    root("accept"),
    leaf("send L one"),
    leaf("join"),
    prelude=LEAF_JOINED,
)

ASM: Final = Protocol.MPW_ROOTED_ASM
conference(
    "group-one",
    "The root sends a message to the group.",
    root("send R one"),
    leaf(),
    leaf(),
    protocol=ASM,
)
conference(
    "group-close",
    "The root sends a message to the group and dismantles.",
    root("send R one", "close R"),
    leaf(),
    leaf(),
    protocol=ASM,
    deep=Budget(losses=1, duplicates=1),
)
conference(
    "group-leave",
    "The root sends a message to the group, which one of two leaves.",
    root("send R one"),
    leaf("close L"),
    leaf(),
    protocol=ASM,
)
conference(
    "group-late",
    "The root sends to its group, of one member, while another leaf asks and is accepted.",
    root("accept", "send R one"),
    leaf(),
    leaf("join"),
    protocol=ASM,
    prelude=LEAF_JOINED,
)
