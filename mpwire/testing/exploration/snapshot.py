"""Objects as values: a graph of mutable objects frozen to a tuple, and thawed to a new graph.

    archive = Archive()
    frozen = archive.freeze(party)
    twin = archive.thaw(frozen).root  # shares nothing that can change with `party`

Two graphs of the same shape with equal leaves freeze to equal tuples, whatever was done to get
there, so that a frozen graph is at once the copy of a state and its canonical form. Objects are
numbered in the order in which they are met; every object is one record (class, field values), and
a field that holds an object holds its number. Containers belong to the one field that holds them.
An archive keeps each record once: hundreds of thousands of states share a few thousand records, and
a frozen graph is the places of its records.

What a state remembers but nothing that is explored depends on is left out, by `FORGOTTEN`; a timer
queue keeps which timers run and forgets when they expire. `docs/exploration.md` says why no
behaviour is lost by that.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import repeat
from operator import attrgetter, is_
from typing import Any, Final, TypeAlias

from msgspec import Struct

from mpwire.core import Membership
from mpwire.core.agenda import Agenda
from mpwire.core.replies import Limiter
from mpwire.core.timers import TimerPlan, TimerQueue
from mpwire.winsock import Provider
from mpwire.wire.messages import JoinReq

Frozen: TypeAlias = tuple[int, ...]
"""The places of the records of a graph, in the order in which its objects are met."""
Record: TypeAlias = tuple[Any, ...]
"""(class, what stands for each of its fields)."""

FORGOTTEN: Final[dict[type, dict[str, Callable[[], Any]]]] = {
    Membership: {"heard_s": float, "effects": list, "feedback_count": int},
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


class Constant:
    """Something that never changes: equal ones have the same, and copies share it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Container(tuple[Any, ...]):
    """A container as a value: its class, and what stands for what it holds."""

    __slots__ = ()


NUMBERS: Final = tuple(Number(value) for value in range(4096))
CHANGING: Final = JoinReq
"""The one message that its holder changes: the Attempt of a queued request."""
_ATOMS: Final[set[type]] = {int, str, bytes, bool, float, type(None), type}
_OBJECTS: Final[set[type]] = set()
"""Classes of objects that change, as far as they were met."""
_READERS: Final[dict[type, tuple[tuple[str, ...], Callable[[Any], Any]]]] = {}
_CONSTANTS: Final[dict[int, tuple[Any, Constant]]] = {}
"""By identity, with the thing itself, so that no other can take its identity."""
_CONSTANTS_BY_VALUE: Final[dict[Any, Constant]] = {}
_EMPTY: Final = {kind: Container((kind,)) for kind in (dict, list, deque)}


def _is_frozen(kind: type) -> bool:
    """Tell whether instances of a class are values that never change."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and parameters.frozen


def _field_names(subject: object) -> tuple[str, ...]:
    """Return the names of everything that an object holds."""
    kind = type(subject)
    if isinstance(subject, Struct):
        return tuple(subject.__struct_fields__)
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

    def values(self, held: Collection[Any]) -> Iterable[Any]:
        """Return what stands for some values in a record: atoms for themselves."""
        if _ATOMS.issuperset(map(type, held)):
            return held
        return [one if type(one) in _ATOMS else self.value(one) for one in held]

    def value(self, held: Any) -> Any:
        """Return what stands for a value that is no atom, as far as is known."""
        kind = type(held)
        if kind in _OBJECTS:
            return self.number(held)
        if kind is tuple and _ATOMS.issuperset(map(type, held)):
            return held
        if kind in _EMPTY:
            if not held:
                return _EMPTY[kind]
            if kind is dict:
                return Container((dict, *self.values(held), *self.values(held.values())))
            return Container((kind, *self.values(held)))
        if kind is tuple:
            return Container((tuple, *self.values(held)))
        if kind is set or kind is frozenset:
            return Container((kind, frozenset(self.values(held))))
        if kind is CHANGING:
            return Container((kind, *self.values(_reader_of(held)[1](held))))
        if isinstance(held, Struct | TimerPlan):
            return self.constant(held)
        if kind in _ATOMS or isinstance(held, Enum) or _is_frozen(kind):
            _ATOMS.add(kind)
            return held
        _OBJECTS.add(kind)
        return self.number(held)

    def constant(self, held: Any) -> Constant:
        """Return what stands for a value that nobody changes."""
        known = _CONSTANTS.get(id(held))
        if known is None:
            key = (type(held), *self.values(_reader_of(held)[1](held)))
            constant = _CONSTANTS_BY_VALUE.setdefault(key, Constant(held))
            known = _CONSTANTS[id(held)] = (held, constant)
        return known[1]

    def record(self, subject: Any) -> Record:
        """Return the record of one object."""
        if type(subject) is TimerQueue:
            running = [(self.number(owner), name) for owner, name in subject.running()]
            return (TimerQueue, *sorted(running, key=lambda one: (one[0].value, one[1].value)))
        return (type(subject), *self.values(_reader_of(subject)[1](subject)))


class _Mould:
    """What objects are made of that have one record in common."""

    __slots__ = ("copied", "fresh", "kind", "names", "nested", "values")

    def __init__(self, record: Record) -> None:
        self.kind: Any = record[0]
        fields = () if self.kind is TimerQueue else _READERS[self.kind][0]
        forgotten = FORGOTTEN.get(self.kind, {})
        self.names = (*fields, *forgotten)
        self.values = [held.value if type(held) is Constant else held for held in record[1:]]
        """What never changes, by its place; the rest is made for each object."""
        self.fresh = tuple(forgotten.values())
        """What makes the values of the fields that are forgotten."""
        self.copied: list[tuple[int, Any]] = []
        """(place, a container that has no objects in it), of which each object gets a copy."""
        self.nested: list[tuple[int, Number | Container]] = []
        """(place, what stands for an object, or for a container that has objects in it)."""
        for place, held in enumerate(record[1:] if fields else ()):
            if _is_plain(held):
                self.copied.append((place, _Thawer([]).value(held)))
            elif type(held) is Number or type(held) is Container:
                self.nested.append((place, held))

    def fits(self, subject: Any, values: list[Any], freezer: _Freezer) -> bool:
        """Tell whether an object that was made of this, with these values, has still this record.

        Numbers the objects that it holds in the order in which `_Freezer.record` would.
        """
        fields = _READERS.get(self.kind)
        if fields is None or not all(map(is_, fields[1](subject), values)):
            return False
        for place, held in self.copied:
            now = values[place]
            if now != held or (now and self._is_turned(now, held)):
                return False
        return all(freezer.value(values[place]) == nested for place, nested in self.nested)

    @staticmethod
    def _is_turned(now: Any, held: Any) -> bool:
        """Tell whether equal dictionaries differ in their order."""
        return type(now) is dict and [*now] != [*held]


def _is_plain(held: Any) -> bool:
    """Tell whether a value is a container that can be copied, and has no objects in it."""
    if type(held) is not Container or held[0] not in {*_EMPTY, set, frozenset}:
        return False
    content = held[1] if held[0] in {set, frozenset} else held
    return _HOLDING.isdisjoint(map(type, content))


_HOLDING: Final = {Number, Container}
_MADE_ANEW: Final = {Number, Constant, Container}


class _Thawer:
    """Build the objects of one frozen graph."""

    __slots__ = ("objects",)

    def __init__(self, moulds: list[_Mould]) -> None:
        self.objects = [mould.kind.__new__(mould.kind) for mould in moulds]

    def value(self, held: Any) -> Any:
        """Return what a number, a constant or a container stands for; an atom for itself."""
        kind = type(held)
        if kind is Number:
            return self.objects[held.value]
        if kind is Constant:
            return held.value
        if kind is not Container:
            return held
        made = held[0]
        if made is dict:
            middle = (len(held) + 1) // 2
            return dict(zip(self.values(held[1:middle]), self.values(held[middle:]), strict=True))
        if made is CHANGING:
            names = _READERS[made][0]
            return made(**dict(zip(names, self.values(held[1:]), strict=True)))
        return made(self.values(held[1] if made is set or made is frozenset else held[1:]))

    def values(self, held: Collection[Any]) -> Iterable[Any]:
        """Return what some values stand for."""
        return held if _MADE_ANEW.isdisjoint(map(type, held)) else map(self.value, held)

    def fill(self, subject: Any, mould: _Mould) -> list[Any]:
        """Give an object what its record says; return that."""
        values = mould.values.copy()
        if mould.kind is TimerQueue:
            subject.__init__()
            for owner, name in values:
                subject.set(self.objects[owner.value], name, 0.0)
            return values
        for place, held in mould.copied:
            values[place] = held.copy()
        for place, nested in mould.nested:
            values[place] = self.value(nested)
        values += [make() for make in mould.fresh]
        any(map(setattr, repeat(subject), mould.names, values))  # runs the whole map, at once
        return values


@dataclass(slots=True)
class Thawed:
    """A graph that was thawed, and what its objects were made of."""

    root: Any
    origins: dict[int, tuple[Any, int, list[Any]]]
    """(object, place of its record, its values) by identity of the object."""


class Archive:
    """Keep frozen graphs, every record once."""

    __slots__ = ("_moulds", "_places")

    def __init__(self) -> None:
        self._places: dict[Record, int] = {}
        self._moulds: list[_Mould] = []

    def freeze(self, root: object, thawed: Thawed | None = None) -> Frozen:
        """Return the canonical value of an object and of everything it refers to.

        Args:
            root: the object.
            thawed: what it was thawed from, if it was: most of its objects are as they were.

        Raises: TypeError for what is no data (a function, a bound method).
        """
        freezer = _Freezer()
        freezer.number(root)
        origins = thawed.origins if thawed else {}
        return tuple([self._place(one, freezer, origins) for one in freezer.met])  # grows

    def _place(
        self, subject: Any, freezer: _Freezer, origins: dict[int, tuple[Any, int, list[Any]]]
    ) -> int:
        """Return the place of the record of an object."""
        origin = origins.get(id(subject))
        if origin is not None:
            _, place, values = origin
            if self._moulds[place].fits(subject, values, freezer):
                return place
        record = freezer.record(subject)
        place = self._places.setdefault(record, len(self._moulds))
        if place == len(self._moulds):
            self._moulds.append(_Mould(record))
        return place

    def thaw(self, frozen: Frozen) -> Thawed:
        """Build the graph that was frozen, anew; only what never changes is shared."""
        moulds = [self._moulds[place] for place in frozen]
        thawer = _Thawer(moulds)
        origins = {
            id(subject): (subject, place, thawer.fill(subject, mould))
            for subject, place, mould in zip(thawer.objects, frozen, moulds, strict=True)
        }
        return Thawed(thawer.objects[0], origins)
