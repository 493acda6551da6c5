"""The pytest plugin: labs in tests, testbeds as tests, run files of what failed.

In reading order:
    hooks        what pytest calls: options, fixtures, collection, the end of a test
    fixtures     a fixture of one's own, in one line
    lab          the `lab` fixture: a topology, steps, claims, the verdict
    hosts        hosts and sockets with a method for each kind of step
    claims       what never happens, or exactly once
    sentences    a sentence of a test as a step, with its place in the test
    labs         the labs of a session: which fabric, which folder
    testbeds     testbed files as tests
    pausing      stop on failure, with a way into the namespaces
    telling      the text of a failure

pytest loads `hooks` in every session of every project that has mpwire installed, so nothing but
that is imported before somebody uses it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mpwire.plugin.fixtures import lab_fixture
    from mpwire.plugin.hosts import Host, Socket
    from mpwire.plugin.lab import Lab, StepFailed
    from mpwire.plugin.telling import IdleFaultWarning

__all__ = ["Host", "IdleFaultWarning", "Lab", "Socket", "StepFailed", "lab_fixture"]

_HOMES: Final = {
    "Host": "hosts",
    "IdleFaultWarning": "telling",
    "Lab": "lab",
    "Socket": "hosts",
    "StepFailed": "lab",
    "lab_fixture": "fixtures",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
