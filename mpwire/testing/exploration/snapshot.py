"""Objects as values: a graph of mutable objects frozen to a tuple, and thawed to a new graph.

    frozen = freeze(party)
    twin = thaw(frozen)  # shares nothing that can change with `party`

Two graphs of the same shape with equal leaves freeze to equal tuples, whatever was done to get
there, so that a frozen graph is at once the copy of a state and its canonical form. Objects are
numbered in the order in which they are met; every object is one record (class, field values), and
a field that holds an object holds its number. Containers belong to the one field that holds them.

What a state remembers but nothing that is explored depends on is left out, by `FORGOTTEN`; a timer
queue keeps which timers run and forgets when they expire. `docs/exploration.md` says why no
behaviour is lost by that.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias

from msgspec import Struct

from mpwire.core import Membership
from mpwire.core.agenda import Agenda
from mpwire.core.replies import Limiter
from mpwire.core.timers import TimerQueue
from mpwire.winsock import Provider

Frozen: TypeAlias = tuple[Any, ...]

FORGOTTEN: Final[dict[type, dict[str, Callable[[], Any]]]] = {
    Membership: {"heard_s": float, "effects": list},
    Limiter: {"buckets": dict},
    Provider: {
        "dropped": list,
        "datagrams": list,
        "signalled": set,
        "signallers": dict,
        "agenda": Agenda,
        "deadlines": Agenda,
    },
}
"""Fields that are not part of a state, and what they hold after thawing."""


class Number:
    """The number of an object in a frozen graph."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


NUMBERS: Final = tuple(Number(value) for value in range(4096))
_ATOMS: Final[set[type]] = {int, str, bytes, bool, float, type(None), type}
_READERS: Final[dict[type, tuple[tuple[str, ...], Callable[[Any], Any]]]] = {}


def _is_frozen(kind: type) -> bool:
    """Tell whether instances of a class are values that never change."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and parameters.frozen


def _field_names(subject: object) -> tuple[str, ...]:
    """Return the names of everything that an object holds."""
    kind = type(subject)
    names = [name for base in reversed(kind.__mro__) for name in getattr(base, "__slots__", ())]
    names += getattr(subject, "__dict__", ())
    if not names:
        raise TypeError(f"{subject!r} cannot be part of a state")
    return tuple(name for name in names if name not in FORGOTTEN.get(kind, {}))


def _reader_of(subject: object) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """Return the field names of a class of objects, and what reads them all at once."""
    kind = type(subject)
    if kind not in _READERS:
        names = _field_names(subject)
        read = attrgetter(*names)
        one = len(names) == 1
        _READERS[kind] = (names, (lambda held: (read(held),)) if one else read)
    return _READERS[kind]


_STRUCTS: Final[dict[type, tuple[tuple[str, ...], Callable[[Any], Any]]]] = {}
"""Field names and reader of every class of messages met; a message is a value, not an object."""
_SETS: Final = (set, frozenset)


class _Freezer:
    """Number the objects of one graph in the order in which they are met."""

    __slots__ = ("known", "met")

    def __init__(self) -> None:
        self.known: dict[int, Number] = {}
        self.met: list[Any] = []

    def number(self, subject: object) -> Number:
        found = self.known.get(id(subject))
        if found is None:
            found = self.known[id(subject)] = NUMBERS[len(self.met)]
            self.met.append(subject)
        return found

    def value(self, held: Any) -> Any:
        """Return what stands for a value in a record."""
        kind = type(held)
        if kind in _ATOMS:
            return held
        if kind is dict:
            return (dict, *map(self.value, held), *map(self.value, held.values()))
        if kind is list or kind is deque or kind is tuple:
            return (kind, *map(self.value, held))
        if kind is set or kind is frozenset:
            return (kind, frozenset(map(self.value, held)))
        if kind in _STRUCTS:
            return (kind, *map(self.value, _STRUCTS[kind][1](held)))
        if isinstance(held, Struct):
            names = held.__struct_fields__
            _STRUCTS[kind] = (names, attrgetter(*names))
            return self.value(held)
        if isinstance(held, Enum) or _is_frozen(kind):
            _ATOMS.add(kind)
            return held
        return self.number(held)

    def record(self, subject: Any) -> Frozen:
        """Return the record of one object."""
        if type(subject) is TimerQueue:
            running = [(self.number(owner), name) for owner, name in subject.running()]
            return (TimerQueue, *sorted(running, key=lambda one: (one[0].value, one[1].value)))
        _, read = _reader_of(subject)
        return (type(subject), *map(self.value, read(subject)))


def freeze(root: object) -> Frozen:
    """Return the canonical value of an object and of everything it refers to.

    Raises: TypeError for what is no data (a function, a bound method).
    """
    freezer = _Freezer()
    freezer.number(root)
    return tuple([freezer.record(subject) for subject in freezer.met])  # grows meanwhile


def thaw(frozen: Frozen) -> Any:
    """Build the graph that was frozen, anew."""
    objects = [record[0].__new__(record[0]) for record in frozen]

    def value(held: Any) -> Any:
        kind = type(held)
        if kind is Number:
            return objects[held.value]
        if kind is not tuple:
            return held
        made = held[0]
        if made is dict:
            middle = (len(held) + 1) // 2
            return dict(zip(map(value, held[1:middle]), map(value, held[middle:]), strict=True))
        if made in _STRUCTS:
            names = _STRUCTS[made][0]
            return made(**dict(zip(names, map(value, held[1:]), strict=True)))
        return made(map(value, held[1])) if made in _SETS else made(map(value, held[1:]))

    for subject, record in zip(objects, frozen, strict=True):
        kind = record[0]
        if kind is TimerQueue:
            subject.__init__()
            for owner, name in record[1:]:
                subject.set(objects[owner.value], name, 0.0)
            continue
        for name, held in zip(_READERS[kind][0], record[1:], strict=True):
            setattr(subject, name, value(held))
        for name, make in FORGOTTEN.get(kind, {}).items():
            setattr(subject, name, make())
    return objects[0]
