"""Sessions of two whose protocol has half close and side chat (MPW_DIALOGUE)."""

from typing import Final

from mpwire.testing.exploration.casting import (
    LEAF_JOINED,
    LOSS,
    NOTHING,
    ONE_EACH,
    leaf,
    root,
    scenario,
)
from mpwire.testing.exploration.moves import Budget
from mpwire.winsock.protocols import Protocol

DIALOGUES: Final = {
    "half-leaf": (
        "The leaf sends and shuts sending down; the root sends before or after.",
        ("send R down",),
        ("send L up", "shutdown L"),
    ),
    "half-root": (
        "The root sends and shuts sending down; the leaf sends before or after.",
        ("send R down", "shutdown R"),
        ("send L up",),
    ),
    "half-both": ("Both shut sending down.", ("shutdown R",), ("shutdown L",)),
    "half-root-full-leaf": (
        "The root shuts sending down, the leaf closes.",
        ("shutdown R",),
        ("close L",),
    ),
    "half-leaf-full-root": (
        "The leaf shuts sending down, the root expels it.",
        ("close P1",),
        ("shutdown L",),
    ),
    "half-then-full-leaf": (
        "The leaf shuts sending down and closes; the root sends.",
        ("send R down",),
        ("shutdown L", "close L"),
    ),
    "half-then-full-both": (
        "Both shut sending down, and close as well.",
        ("shutdown R", "close P1"),
        ("shutdown L", "close L"),
    ),
    "half-data-both": (
        "Both send and shut sending down.",
        ("send R down", "shutdown R"),
        ("send L up", "shutdown L"),
    ),
    "side-down": ("P sends in private and closes.", ("whisper P1 down", "close P1"), ()),
    "side-up": ("The leaf sends in private and closes.", (), ("whisper L up", "close L")),
    "side-two": ("Two private messages, one after the other.", (), ("whisper L 1", "whisper L 2")),
    "side-both": (
        "Both send in private, one closes.",
        ("whisper P1 down",),
        ("whisper L up", "close L"),
    ),
    "side-half": (
        "Both send in private, one shuts sending down.",
        ("whisper P1 down",),
        ("whisper L up", "shutdown L"),
    ),
    "side-crossing": (
        "Both send in private, and both close.",
        ("whisper P1 down", "close P1"),
        ("whisper L up", "close L"),
    ),
}
LOSS_AND_COPY: Final = Budget(losses=1, duplicates=1)
FAST: Final = {
    "half-leaf": LOSS_AND_COPY,
    "half-root": LOSS,
    "half-then-full-leaf": LOSS_AND_COPY,
    "half-then-full-both": LOSS_AND_COPY,
    "half-data-both": NOTHING,
    "side-crossing": LOSS_AND_COPY,
}
"""Bounds of the fast profile for those that are too large for the full ones."""
for variant, (about, by_root, by_leaf) in DIALOGUES.items():
    scenario(
        f"dialogue-{variant}",
        about,
        root(*by_root),
        leaf(*by_leaf),
        prelude=LEAF_JOINED,
        fast=FAST.get(variant, ONE_EACH),
        deep=ONE_EACH,
        repair=True,
        graceful=True,
        protocol=Protocol.MPW_DIALOGUE,
    )
