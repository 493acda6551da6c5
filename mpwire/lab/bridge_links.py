"""Requests about bridges and their ports, in the kernel's own layout.

A bridge of ours is a cable that forwards: it learns nothing from traffic (who has which link
address is told to it), floods no frame to a stranger, runs no spanning tree and waits for nothing.
"""

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from mpwire.lab.netlink import (
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    LINK,
    NDA_LLADDR,
    NESTED,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    Request,
    attribute,
    attributes,
    dump,
    text,
    word,
)

RTM_GETLINK, RTM_SETLINK = 18, 19
_AF_BRIDGE: Final = 7
_MASTER, _PROTINFO, _OPERSTATE = 10, 12, 16
_BR_FORWARD_DELAY, _BR_STP, _BR_SNOOPING, _BR_QUERIER, _BR_RESPONSE = 1, 5, 23, 25, 34
_BR_IGMP_VERSION, _BR_MLD_VERSION = 43, 44
_PORT_STATE, _PORT_LEARNING, _PORT_UNICAST_FLOOD, _PORT_MULTICAST_ROUTER = 1, 8, 9, 25
_ALWAYS: Final = 2
_NUD_NOARP, _NTF_MASTER = 0x40, 0x04
_OPER_UP: Final = 6
DISABLED, FORWARDING = 0, 3
"""States of a port."""
RESPONSE_S: Final = 0.01
"""How long hosts may take to answer a querier, and so how long it hears before it relies on it."""


class PortState(NamedTuple):
    """What a dump says of a port."""

    is_up: bool
    """There is a carrier, and the kernel has noticed it."""
    state: int


def _octet(kind: int, number: int) -> bytes:
    return attribute(kind, bytes([number]))


def bridge_add(name: str, mac: bytes, *, snooping: bool = False) -> Request:
    """Make a bridge and set it up.

    Args: mac: its own link address: what is sent there is flooded to nobody; snooping: it listens
        who is in which group, and once there is a querier, sends data of a group to those only.
    """
    hundredths = struct.pack("=Q", round(RESPONSE_S * 100))
    options = [word(_BR_FORWARD_DELAY, 0), word(_BR_STP, 0), _octet(_BR_SNOOPING, snooping)]
    body = LINK.pack(socket.AF_UNSPEC, 0, 0, IFF_UP, IFF_UP)
    body += text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, mac)
    options.append(attribute(_BR_RESPONSE, hundredths))
    if snooping:  # a querier of an older version would make all hosts speak that
        options += [_octet(_BR_IGMP_VERSION, 3), _octet(_BR_MLD_VERSION, 2)]
    body += _bridge_options(*options)
    return Request(f"bridge {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def querier_begin(bridge: int) -> Request:
    """Let a bridge ask who is in which group.

    What it waits for is fixed at this moment, so that the time must have been set before.
    """
    body = LINK.pack(socket.AF_UNSPEC, 0, bridge, 0, 0) + _bridge_options(_octet(_BR_QUERIER, 1))
    return Request(f"querier of bridge {bridge}", RTM_NEWLINK, 0, body)


def _bridge_options(*options: bytes) -> bytes:
    data = attribute(IFLA_INFO_DATA | NESTED, *options)
    return attribute(IFLA_LINKINFO | NESTED, text(IFLA_INFO_KIND, "bridge"), data)


def port_requests(port: int, bridge: int, mac: bytes) -> list[Request]:
    """Put an interface on a bridge, behind which one host has that link address."""
    body = LINK.pack(socket.AF_UNSPEC, 0, port, 0, 0) + word(_MASTER, bridge)
    neighbour = struct.pack("=B3xiHBx", _AF_BRIDGE, port, _NUD_NOARP, _NTF_MASTER)
    neighbour += attribute(NDA_LLADDR, mac)
    return [
        Request(f"port {port} of bridge {bridge}", RTM_SETLINK, 0, body),
        _port_set(port, _octet(_PORT_LEARNING, 0), _octet(_PORT_UNICAST_FLOOD, 0)),
        Request(f"address of port {port}", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, neighbour),
    ]


def router_port_set(port: int) -> Request:
    """Say that a router is behind a port, which hears all reports and data of all groups."""
    return _port_set(port, _octet(_PORT_MULTICAST_ROUTER, _ALWAYS))


def port_state_set(port: int, state: int) -> Request:
    """Let a port forward, or not; frames that enter it are seen all the same."""
    return _port_set(port, _octet(_PORT_STATE, state))


def _port_set(port: int, *options: bytes) -> Request:
    body = LINK.pack(_AF_BRIDGE, 0, port, 0, 0) + attribute(_PROTINFO | NESTED, *options)
    return Request(f"state of port {port}", RTM_SETLINK, 0, body)


def port_states() -> dict[int, PortState]:
    """Ask the kernel for the state of every port in the thread's present namespace."""
    asked = LINK.pack(_AF_BRIDGE, 0, 0, 0, 0)
    return dict(_states(dump("states of ports", RTM_GETLINK, asked)))


def _states(bodies: Iterable[bytes]) -> Iterator[tuple[int, PortState]]:
    for body in bodies:
        index = LINK.unpack_from(body)[2]
        outer = attributes(body[LINK.size :])
        state = attributes(outer.get(_PROTINFO, b"")).get(_PORT_STATE)
        if state is not None:
            is_up = outer.get(_OPERSTATE, b"")[:1] == bytes([_OPER_UP])
            yield index, PortState(is_up, state[0])


def waiting(states: dict[int, PortState], ports: Sequence[int]) -> list[int]:
    """List the ports that do not forward yet."""
    return [port for port in ports if states.get(port) != PortState(True, FORWARDING)]
