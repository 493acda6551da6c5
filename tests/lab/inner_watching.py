"""Scenarios in which the addresses of a host change under its sockets."""

import asyncio
from ipaddress import IPv4Interface

import inner_scenarios as inner

from mpwire.core import TimerPlan
from mpwire.io.aio import Leaf, Root
from mpwire.io.host import Host
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import Request, RouteSocket, address_add, address_delete, link_set
from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError
from mpwire.winsock.control import Ioctl

LOOPBACK = 1
ROOT, LEAF, NEW = "10.99.0.1", "10.99.0.2", "10.99.0.3"
WAIT_S = 20.0


def adding(host: str) -> Request:
    """Ask for an address on the loopback interface."""
    return address_add(LOOPBACK, IPv4Interface(f"{host}/24"))


def removing(host: str) -> Request:
    """Ask to take it away."""
    return address_delete(LOOPBACK, IPv4Interface(f"{host}/24"))


@inner.scenario
async def readdressing(_spec: inner.Spec) -> object:
    """Take the address of a member away, and give the host another one."""
    namespace = NetworkNamespace.create()
    with namespace.entered(), RouteSocket() as routes:
        routes.apply([link_set(LOOPBACK), adding(ROOT), adding(LEAF)])
        host = Host(TimerPlan().scaled(0.01))
        root = Root((ROOT, 0), host=host)
        root.listen()
        leaf, other = Leaf((LEAF, 0), host=host), Leaf((ROOT, 0), host=host)
        accepting = asyncio.create_task(root.accept())
        await leaf.join_leaf(root.getsockname())
        await accepting
        told: dict[str, list[str]] = {"leaf": [], "other": []}

        async def listen(name: str, socket: Leaf, last: str) -> None:
            async for event, code in socket.events():
                told[name].append(f"{event.name} {WsaError(code).name}")
                if event.name == last:
                    return

        def ask() -> None:
            try:
                other.ioctl(Ioctl.SIO_ADDRESS_LIST_CHANGE)
            except SocketError as error:
                told["other"].append(error.code.name)

        ask()
        routes.apply([removing(LEAF)])
        await asyncio.wait_for(listen("leaf", leaf, "FD_CLOSE"), WAIT_S)
        await asyncio.wait_for(listen("other", other, "FD_ADDRESS_LIST_CHANGE"), WAIT_S)
        lost = sorted(host.provider.lost)
        ask()
        routes.apply([adding(NEW)])
        await asyncio.wait_for(listen("other", other, "FD_ADDRESS_LIST_CHANGE"), WAIT_S)
        routes.apply([adding(LEAF)])
        while host.provider.lost:
            await asyncio.wait_for(host.change(), WAIT_S)
        host.close()
    namespace.close()
    return {"told": told, "lost": lost}
