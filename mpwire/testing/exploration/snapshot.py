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
from collections.abc import Callable, Iterable
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias

from msgspec import Struct

from mpwire.core import Membership
from mpwire.core.agenda import Agenda
from mpwire.core.replies import Limiter
from mpwire.core.timers import TimerPlan, TimerQueue
from mpwire.winsock import Provider
from mpwire.wire.messages import JoinReq

Frozen: TypeAlias = tuple[Any, ...]

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


NUMBERS: Final = tuple(Number(value) for value in range(4096))
CHANGING: Final = JoinReq
"""The one message that its holder changes: the Attempt of a queued request."""
_ATOMS: Final[set[type]] = {int, str, bytes, bool, float, type(None), type}
_READERS: Final[dict[type, tuple[tuple[str, ...], Callable[[Any], Any]]]] = {}
_CONSTANTS: Final[dict[int, tuple[Any, Constant]]] = {}
"""By identity, with the thing itself, so that no other can take its identity."""
_CONSTANTS_BY_VALUE: Final[dict[Any, Constant]] = {}


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

    def values(self, held: Iterable[Any]) -> list[Any]:
        """Return what stands for some values in a record."""
        return [one if type(one) in _ATOMS else self.value(one) for one in held]

    def value(self, held: Any) -> Any:
        """Return what stands for a value that is no atom, as far as is known."""
        kind = type(held)
        if kind is dict:
            return (dict, *self.values(held), *self.values(held.values()))
        if kind is list or kind is deque or kind is tuple:
            return (kind, *self.values(held))
        if kind is set or kind is frozenset:
            return (kind, frozenset(self.values(held)))
        if kind is CHANGING:
            return (kind, *self.values(_reader_of(held)[1](held)))
        if isinstance(held, Struct | TimerPlan):
            return self.constant(held)
        if kind in _ATOMS or isinstance(held, Enum) or _is_frozen(kind):
            _ATOMS.add(kind)
            return held
        return self.number(held)

    def constant(self, held: Any) -> Constant:
        """Return what stands for a value that nobody changes."""
        known = _CONSTANTS.get(id(held))
        if known is None:
            key = (type(held), *self.values(_reader_of(held)[1](held)))
            constant = _CONSTANTS_BY_VALUE.setdefault(key, Constant(held))
            known = _CONSTANTS[id(held)] = (held, constant)
        return known[1]

    def record(self, subject: Any) -> Frozen:
        """Return the record of one object."""
        if type(subject) is TimerQueue:
            running = [(self.number(owner), name) for owner, name in subject.running()]
            return (TimerQueue, *sorted(running, key=lambda one: (one[0].value, one[1].value)))
        return (type(subject), *self.values(_reader_of(subject)[1](subject)))


def freeze(root: object) -> Frozen:
    """Return the canonical value of an object and of everything it refers to.

    Raises: TypeError for what is no data (a function, a bound method).
    """
    freezer = _Freezer()
    freezer.number(root)
    return tuple([freezer.record(subject) for subject in freezer.met])  # grows meanwhile


class _Thawer:
    """Build the objects of one frozen graph."""

    __slots__ = ("objects",)

    def __init__(self, frozen: Frozen) -> None:
        self.objects = [record[0].__new__(record[0]) for record in frozen]

    def value(self, held: Any) -> Any:
        """Return what a number, a constant or a container stands for; an atom for itself."""
        kind = type(held)
        if kind is Number:
            return self.objects[held.value]
        if kind is Constant:
            return held.value
        if kind is not tuple:
            return held
        made = held[0]
        if made is dict:
            middle = (len(held) + 1) // 2
            keys = map(self.value, held[1:middle])
            return dict(zip(keys, map(self.value, held[middle:]), strict=True))
        if made is CHANGING:
            names = _READERS[made][0]
            return made(**dict(zip(names, map(self.value, held[1:]), strict=True)))
        if made is set or made is frozenset:
            return made(map(self.value, held[1]))
        return made(map(self.value, held[1:]))

    def fill(self, subject: Any, record: Frozen) -> None:
        """Give an object what its record says."""
        kind = record[0]
        if kind is TimerQueue:
            subject.__init__()
            for owner, name in record[1:]:
                subject.set(self.objects[owner.value], name, 0.0)
            return
        value = self.value
        for name, held in zip(_READERS[kind][0], record[1:], strict=True):
            setattr(subject, name, held if type(held) in _ATOMS else value(held))
        for name, make in FORGOTTEN.get(kind, {}).items():
            setattr(subject, name, make())


def thaw(frozen: Frozen) -> Any:
    """Build the graph that was frozen, anew; only what never changes is shared."""
    thawer = _Thawer(frozen)
    for subject, record in zip(thawer.objects, frozen, strict=True):
        thawer.fill(subject, record)
    return thawer.objects[0]
