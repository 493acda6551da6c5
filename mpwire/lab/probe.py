"""Try, inside a lab that is thrown away, what a lab may do on this machine.

Prints one line: by capability, an empty text where it works, else why not.
"""

import json
import os
import sys
from collections.abc import Iterator

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from mpwire.errors import MachineError
from mpwire.lab.bridge_cables import BridgePort, Cables
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.hosts import Host, make_pairs
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.ports import TapPort
from mpwire.lab.ring import PacketRing
from mpwire.lab.topology import Node, Port, lan

MTU = 1500
DEADLINE_S = 2.0
LIMIT_COUNT = 1000
"""Packets that an emulated link may hold; here it holds none back."""
SPEC = Port(name="probe", mac="02:00:00:00:00:01", addresses=("192.0.2.1/24",))


def _try_tap() -> None:
    with NetworkNamespace.created() as namespace:
        namespace.close()
        TapPort("probe").close()


def _try_veth() -> None:
    ring = PacketRing(MTU)
    try:
        host = Host(Node(name="probe", ports=(SPEC,)))
        try:
            for cable in make_pairs([host]):
                cable.plug(ring)
        finally:
            host.close()
    finally:
        ring.close()


def _on_bridge() -> Iterator[BridgePort]:
    ring = BridgeRing()
    try:
        cables = Cables(lan([SPEC]), snooping=False, deadline_s=DEADLINE_S)
        try:
            cables.make()
            cables.connect(ring)
            yield cables["probe"]
        finally:
            cables.close()
    finally:
        ring.close()


def _try_bridge() -> None:
    for _ in _on_bridge():
        pass


def _try_netem() -> None:
    for port in _on_bridge():
        try:
            with IPRoute() as route:
                route.tc("add", "netem", port.index, "1:", limit=LIMIT_COUNT)
        except NetlinkError as error:
            raise MachineError(f"the kernel refused netem: {os.strerror(error.code)}") from error


ATTEMPTS = {"tap": _try_tap, "veth": _try_veth, "bridge": _try_bridge, "netem": _try_netem}


def main() -> int:
    """Try and report."""
    found = {}
    for name, attempt in ATTEMPTS.items():
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
