"""Try, inside a lab that is thrown away, what a lab may do on this machine.

Prints one line: by capability, an empty text where it works, else why not.
"""

import json
import sys

from mpwire.errors import MachineError
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.ports import TapPort, VethPort
from mpwire.lab.ring import PacketRing

MTU = 1500


def _try_tap() -> None:
    namespace = NetworkNamespace.create()
    try:
        TapPort(namespace, "probe").close()
    finally:
        namespace.close()


def _try_veth() -> None:
    namespace = NetworkNamespace.create()
    ring = PacketRing(MTU)
    try:
        VethPort(namespace, MTU, ring).close()
    finally:
        ring.close()
        namespace.close()


def main() -> int:
    """Try and report."""
    found = {}
    for name, attempt in {"tap": _try_tap, "veth": _try_veth}.items():
        try:
            attempt()
        except OSError as error:
            found[name] = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        except MachineError as error:
            found[name] = str(error)
        else:
            found[name] = ""
    json.dump(found, sys.stdout)
    print(flush=True)  # noqa: T201 - a progress line to the caller
    return 0
