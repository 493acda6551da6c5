"""Delay by the kernel's own emulator of networks, netem, where a kernel has it.

What netem loses, copies or changes it draws by itself, so that is left to gates: decisions of a
testbed follow from its seed, and every one is on record with its cause. But a delay that is the
same for every message decides nothing. Where a testbed has no other faults, the ports of the bridge
hold the messages back, nobody stands between the hosts, and a bridge is as fast as bridges are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from mpwire.errors import MachineError
from mpwire.lab.faults import ANY, AnyFault, Hold
from mpwire.lab.hosts import LOOPBACK_INDEX
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import Request, RouteSocket
from mpwire.lab.topology import Port, Topology
from mpwire.lab.traffic_control import (
    BAND_COUNT_MAX,
    FRAGMENT,
    NETEM,
    UDP,
    Key,
    Queue,
    bands_add,
    blocks,
    datagram_keys,
    delay_add,
    filter_add,
    queues,
)
from mpwire.wire.numbers import MAGIC, MessageType

_NS: Final = 1_000_000_000
ANYTHING: Final = Key(0, 0, 0)
_TYPES: Final = tuple(blocks([kind.value for kind in MessageType]))
_KINDS: Final = {bytes([kind.value]) for kind in MessageType}
_MAGIC: Final = MAGIC.to_bytes(2, "big")
_UDP: Final = bytes([UDP])


class Delays:
    """Know how long what each host sends to each other takes by the faults of a testbed."""

    def __init__(self, topology: Topology, faults: Sequence[AnyFault]) -> None:
        """Take faults that are steady, see `steady`."""
        self._hosts = {host.port.name: host.port for host in topology.hosts}
        self._faults = [fault for fault in faults if isinstance(fault, Hold)]
        self._owners = {
            address.ip.packed: port.name
            for port in self._hosts.values()
            for address in port.interfaces()
        }

    def _meant(self, sender: str, receiver: str) -> list[Hold]:
        return [
            fault
            for fault in self._faults
            if fault.sender in (None, sender) and fault.receiver in (None, receiver)
        ]

    def _ns(self, sender: str, receiver: str) -> int:
        """Give the delay between two, in nanoseconds."""
        return round(sum(one.duration.least_s for one in self._meant(sender, receiver)) * _NS)

    def cause(self, frame: bytes, receiver: str) -> str | None:
        """Say why a frame was held back at a port, None if it was not, as its filters see it."""
        sender = self._owners.get(message_source(frame))
        if sender in (None, receiver) or receiver not in self._hosts:
            return None
        return "; ".join(one.text for one in self._meant(sender, receiver)) or None

    def to(self, receiver: str) -> dict[int, list[Port]]:
        """Give the hosts whose messages to a host are held, by how long that is."""
        found: dict[int, list[Port]] = defaultdict(list)
        for port in self._hosts.values():
            delay_ns = self._ns(port.name, receiver)
            if port.name != receiver and delay_ns:
                found[delay_ns].append(port)
        return dict(found)

    @property
    def most_s(self) -> float:
        """Give the longest of all delays."""
        return max(self._ns(one, other) for one in self._hosts for other in self._hosts) / _NS

    def requests(self, interface: int, receiver: str) -> list[Request]:
        """Ask for a port of a bridge to hold back what is sent to the host behind it."""
        delays = self.to(receiver)
        if not delays:
            return []
        made = [bands_add(interface, 1 + len(delays))]
        for band, (delay_ns, senders) in enumerate(delays.items(), 2):
            made.append(delay_add(interface, band, delay_ns))
            for sender in senders:
                made += [
                    filter_add(interface, band, version, keys)
                    for version, keys in message_keys(sender)
                ]
        return made

    @property
    def possible(self) -> bool:
        """Tell whether a port has bands enough."""
        return all(len(self.to(name)) < BAND_COUNT_MAX for name in self._hosts)


def message_keys(sender: Port) -> Iterator[tuple[int, list[Key]]]:
    """Choose the messages of a host: by IP version what must hold, each for some of them."""
    for address in sender.interfaces():
        keys, payload_at = datagram_keys(address.ip)
        for value, mask in _TYPES:  # Layout: Magic 16, Version 8, Type 8
            message = Key(payload_at, MAGIC << 16 | value, 0xFFFF_0000 | mask)
            yield address.version, [*keys, message]


def message_source(frame: bytes) -> bytes:
    """Give the address that a message comes from by these keys; nothing for any other frame.

    Keys know less than `sighting`: no IPv4 options, and not how long a datagram is.
    """
    kind, packet = frame[12:14], frame[14:]
    if kind == b"\x08\0" and packet[:1] == b"\x45" and packet[9:10] == _UDP:
        is_whole = not int.from_bytes(packet[6:8]) & FRAGMENT
        source, payload = packet[12:16] if is_whole else b"", packet[28:32]
    elif kind == b"\x86\xdd" and packet[6:7] == _UDP:
        source, payload = packet[8:24], packet[48:52]
    else:
        return b""
    is_message = payload[:2] == _MAGIC and payload[3:4] in _KINDS
    return source if is_message else b""


def steady(faults: Sequence[AnyFault]) -> bool:
    """Tell whether faults are delays, and the same for every message from one host to another."""
    return bool(faults) and all(
        isinstance(fault, Hold)
        and fault.message == ANY
        and fault.flag is None
        and fault.which.ordinal is None
        and fault.which.share >= 1
        and fault.duration.least_s == fault.duration.most_s
        for fault in faults
    )


def netem_lacks() -> str:
    """Try all of it in a namespace that is thrown away; say what the kernel refused."""
    with NetworkNamespace.created() as namespace, RouteSocket() as route:
        namespace.close()
        lo = LOOPBACK_INDEX
        try:
            route.apply([bands_add(lo, 2), delay_add(lo, 2, 1), filter_add(lo, 2, 4, [ANYTHING])])
        except MachineError as error:
            return str(error)
    return ""


def held_back() -> list[Queue]:
    """List the queues in which messages are held back, in the thread's present namespace."""
    return [one for one in queues() if one.kind == NETEM]
