"""What sentences are made of: fixed words, slots, and parts that may be left out.

A pattern is a sentence with slots in capitals and optional parts in brackets, at the end and in
any order. `SLOT:field` names the field of the step that the slot fills; plain `SLOT` fills the
field of the same name in lower case. An optional part without a slot fills a flag named after its
words. A part in braces stands among the optional ones and must be there. No two patterns of a
table match the same line.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from mpwire.lab.step import Step


@dataclass(slots=True, frozen=True)
class Slot:
    """One kind of word in a sentence."""

    name: str
    what: str
    """Completes "expected ..."."""
    meaning: str


@dataclass(slots=True, frozen=True)
class Part:
    """One place in a sentence: a fixed word, or a slot that fills a field."""

    word: str = ""
    slot: str = ""
    field: str = ""


@dataclass(slots=True)
class Form:
    """One sentence: its pattern, the step it makes, and what it means."""

    pattern: str
    step: type[Step]
    meaning: str
    example: str
    head: tuple[Part, ...] = field(init=False)
    options: tuple[tuple[tuple[Part, ...], ...], ...] = field(init=False)
    """Parts behind the head, in any order; each is a choice of alternatives."""
    required_count: int = field(init=False)
    """How many of them, the first ones, must be there."""

    def __post_init__(self) -> None:
        """Take the pattern apart."""
        head, *options = re.split(r" [{\[]", re.sub(r"[\]}]", "", self.pattern))
        self.head = _parts(head)
        self.options = tuple(
            tuple(_parts(choice) for choice in option.split("|")) for option in options
        )
        self.required_count = self.pattern.count("{")

    @property
    def sentence(self) -> str:
        """Give the pattern as people read it, without field names."""
        plain = re.sub("[{}]", "", self.pattern)
        return " ".join(_plain(word) for word in plain.split())


SLOTS: Final = {
    slot.name: slot
    for slot in (
        Slot("HOST", "a host", "a name from `hosts`"),
        Slot("SOCKET", "a socket", "the name of a socket that an earlier step made"),
        Slot("NEW", "a new name", "a name for the socket that the step makes; unique in the file"),
        Slot("PEER", "a host", "another host"),
        Slot("TARGET", "a socket or a host", "a socket of another host, or that host"),
        Slot(
            "ROLES", "roles", "`c_root/d_root`, `c_root/d_leaf`, `c_leaf/d_root`, `c_leaf/d_leaf`"
        ),
        Slot("PROTOCOL", "a protocol", "the name of a protocol entry, such as `MPW_CONFERENCE`"),
        Slot("GROUP", "a group", "an IP multicast address, such as `239.77.0.1`"),
        Slot("ROUTER", "a router", "a name from `routers`"),
        Slot("NETWORK", "a network", "a network that the router connects"),
        Slot("FAMILY", "inet or inet6", "`inet` or `inet6`, if the network has it"),
        Slot("PORT", "a port", "a port, 1 to 65535"),
        Slot("NUMBER", "a number", "a whole number"),
        Slot(
            "TEXT",
            "a text in double quotes",
            'octets as text, `"hello"`; `\\"`, `\\\\`, `\\n`, `\\t` and `\\x41` are escapes',
        ),
        Slot("EVENTS", "an event", "events separated by commas, or `all events` of a session"),
        Slot(
            "SIGHTS",
            "an event",
            "events separated by commas, each with code 0 unless an error follows its name",
        ),
        Slot("ERROR", "an error", "the name of a Winsock error, such as `WSAECONNREFUSED`"),
        Slot(
            "WHICH",
            "'every', 'the 2nd' or '5 % of'",
            "`every`, one by its number such as `the 2nd`, or a share such as `5 % of`",
        ),
        Slot(
            "MESSAGE",
            "a type of message",
            "a type of message such as `ACCEPT`, or `message` (`messages`) for any",
        ),
        Slot(
            "FLAG",
            "a flag",
            "a flag: `R`, `A`, `M`, `X`, `G` of the header, `REPAIR`, `RELAYED`, `LAST` of DATA",
        ),
        Slot("DURATION", "a time", "a time such as `300 ms` or `2 s`, or a range, `20 to 30 ms`"),
        Slot("RATE", "a rate", "a rate such as `64 kbit/s` or `2 Mbit/s`"),
    )
}

RESERVED: Final = frozenset(
    {"everything", "nothing", "nobody", "the", "all", "on", "an", "default"}
)
"""Words that name no host and no socket."""


def _parts(text: str) -> tuple[Part, ...]:
    words = text.split()
    parts = []
    for word in words:
        slot, _, name = word.partition(":")
        if slot in SLOTS:
            parts.append(Part(slot=slot, field=name or slot.lower()))
        else:
            parts.append(Part(word=word))
    return tuple(parts)


def _plain(word: str) -> str:
    slot, colon, name = word.partition(":")
    return slot + "]" * name.endswith("]") if colon else word


def reference(forms: tuple[Form, ...]) -> str:
    """Write the sentences as a Markdown table, for the documentation."""
    rows = [f"| `{_escaped(f.sentence)}` | {f.meaning} | `{f.example}` |" for f in forms]
    return "\n".join(["| sentence | meaning | example |", "|---|---|---|", *rows])


def slot_reference() -> str:
    """Write the slots as a Markdown table, for the documentation."""
    rows = [f"| `{slot.name}` | {slot.meaning} |" for slot in SLOTS.values()]
    return "\n".join(["| slot | stands for |", "|---|---|", *rows])


def _escaped(sentence: str) -> str:
    return sentence.replace("|", "\\|")
