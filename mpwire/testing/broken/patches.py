"""What a patch is, and how it takes hold of the reference endpoint.

A patch replaces functions of core, winsock or io from outside. Each replacement is noted, so that
tests can apply a patch and take it back, and one whose target is gone fails at once instead of
breaking nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(slots=True, frozen=True)
class Patch:
    """One way to be wrong."""

    name: str
    about: str
    """What the endpoint does wrong, in one sentence."""
    rule: str
    """The rule that must catch it."""
    scene: str
    """The testbed in which it shows: of `testbeds/`, or of `scenes`."""
    host: str
    """Whose endpoint is broken; two, if it takes both sides to show."""
    apply: Callable[[], None]
    """Changes the reference endpoint of this process, for good."""


PATCHES: Final[dict[str, Patch]] = {}
Register = Callable[[Callable[[], None]], Callable[[], None]]


def patch(rule: str, scene: str, host: str) -> Register:
    """Register a patch under the name of its function; its docstring says what it breaks."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        name = apply.__name__.replace("_", "-")
        if name in PATCHES:
            raise ValueError(f"two patches are called {name}")
        PATCHES[name] = Patch(name, apply.__doc__ or "", rule, scene, host, apply)
        return apply

    return register


# Taking hold ----------------------------------------------------------------------------------

_UNDO: Final[list[Callable[[], None]]] = []


def put(owner: object, name: str, value: object) -> None:
    """Replace an attribute of the product.

    Raises:
        AttributeError: there is none to replace.
    """
    found: Any = vars(owner) if isinstance(owner, type) else None
    old = found[name] if found is not None and name in found else getattr(owner, name)
    inherited = found is not None and name not in found
    setattr(owner, name, value)
    _UNDO.append(lambda: delattr(owner, name) if inherited else setattr(owner, name, old))


def put_item(table: dict[Any, Any], key: object, value: object) -> None:
    """Replace an entry of a table of the product.

    Raises:
        KeyError: there is none to replace.
    """
    old = table[key]
    table[key] = value
    _UNDO.append(lambda: table.__setitem__(key, old))


def restore() -> int:
    """Take every replacement back; return how many there were."""
    count = len(_UNDO)
    while _UNDO:
        _UNDO.pop()()
    return count
