"""One packet socket over all ports of a bridge: every frame, in one order, each way.

TPACKET_V3: the kernel fills blocks of shared memory with frames of any length, one after the
other, and hands a block over when the next frame does not fit, or a timer runs out. The timer is
for whoever sleeps. Whoever wants to know what has happened up to now calls `flush`: a frame as
long as a block, sent to nobody through the loopback interface, closes the block before it,
however little is in it. The kernel takes a slot in this ring for every frame at the moment it
enters or leaves a port, under one lock, before whoever receives it can see it: so the order of
the slots is causal, on any number of CPUs. Stamps are not quite in that order.
"""

import ctypes
import mmap
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from mpwire.capture.blocks import At, Seen
from mpwire.errors import MachineError
from mpwire.lab.netlink import interface_index
from mpwire.lab.ring import bind_to_all, make_ring

BLOCK_OCTETS = 1 << 15
BLOCK_COUNT = 3 << 10
"""Together 96 MiB, which the kernel gives to anybody. Count on three quarters: beyond those it
looks whether there is room without its lock, and may lose a frame while a block changes hands."""
COLLECTED_COUNT = 1 << 14
"""Blocks that may wait for us outside the ring in a flood of frames: half a gigabyte."""
RETIRE_MS = 20
"""How long a frame may wait for somebody who sleeps."""

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V3 = 2
_STATUS_KERNEL, _STATUS_USER = 0x0, 0x1
_STATUS_VLAN_VALID = 0x10
_OUTGOING = 4
_LOOPBACK_INDEX = 1
_SO_ATTACH_FILTER = 26

_BLOCK = struct.Struct("=8xIIIIQ")
"""Layout: tpacket_block_desc: version 32, private 32, status 32, frames 32, first frame 32,
length 32, sequence 64, stamps."""
_STATUS_AT = 8
_FRAME = struct.Struct("=IIII4xIH26xi2xB")
"""Layout: tpacket3_hdr (next 32, seconds 32, nanoseconds 32, captured 32, length 32, status 32,
start 16, network 16, hash 32, VLAN tag 32, VLAN type 16, padding 80), then sockaddr_ll (family 16,
protocol 16, interface 32, hardware 16, packet type 8)."""
_TAG = struct.Struct("=32xIH")
"""Of the same: VLAN tag and type."""
_MAC_PADDING = bytes(12)
_NOBODYS = _MAC_PADDING + b"\x88\xb5"
"""Ethernet header of a frame to nobody, with the type for experiments (Source: IEEE 802)."""

_FILTER = (
    (0x20, 0, 0, 0xFFFF_F008),  # load the interface
    (0x15, 0, 2, _LOOPBACK_INDEX),
    (0x20, 0, 0, 0xFFFF_F004),  # load the packet type
    (0x15, 0, 1, _OUTGOING),
    (0x06, 0, 0, 0xFFFF_FFFF),  # take all of it
    (0x06, 0, 0, 0),  # take nothing
)
"""Instructions (code 16, if true 8, if false 8, operand 32): what loops back is not heard twice."""


class Block(NamedTuple):
    """What the kernel has handed over at once."""

    octets: bytes
    """The frames, with what the kernel has written between them."""
    frames: list[Seen]
    """Those of the hosts, in the order in which they passed the ports."""


class BridgeRing:
    """Read the frames that enter and leave ports in the namespace where it was made."""

    def __init__(self, *, block_octets: int = BLOCK_OCTETS, block_count: int = BLOCK_COUNT) -> None:
        """Make the ring and listen.

        Args: block_octets: a power of two from a page up to 32 KiB, longer than any frame.
        Raises: MachineError where the kernel refuses a packet socket or the ring.
        """
        self._hosts: dict[tuple[int, bool], At] = {}
        self._block_octets, self._block_count = block_octets, block_count
        self._next = 0
        self._collected: deque[bytes] = deque()
        self._heard_count = 0
        self._lost_count = 0
        self._seen_count = 0
        self._filler = _NOBODYS + bytes(block_octets)
        try:
            self.socket = _packet_socket()
            try:
                self._voice = _packet_socket()
            except OSError:
                self.socket.close()
                raise
        except OSError as error:
            raise MachineError(f"the kernel refused a packet socket: {error.strerror}") from error
        try:
            self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
            asked = (block_octets, block_count, block_octets, block_count, RETIRE_MS, 0, 0)
            make_ring(self.socket, struct.pack("=7I", *asked))
            _attach(self.socket)
            self._memory = mmap.mmap(self.socket.fileno(), block_octets * block_count)
            bind_to_all(self.socket)
        except OSError as error:
            self.close()
            raise MachineError(f"the kernel refused a packet ring: {error.strerror}") from error

    def hear(self, interface: str, host: str) -> None:
        """Attribute a port's frames to a host; frames of other interfaces are passed over."""
        index = interface_index(self.fileno(), interface)
        self._hosts[index, False] = host, "out"
        self._hosts[index, True] = host, "in"

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        return self.socket.fileno()

    def flush(self) -> None:
        """See to it that `read` finds every frame that passed a port before this call."""
        self._voice.sendto(self._filler, ("lo", 0))

    def read(self) -> Block | None:
        """Return the frames of the next block, None when there is no more."""
        self._collect()
        if not self._collected:
            return None
        octets = self._collected.popleft()
        _, count, at, _, _ = _BLOCK.unpack_from(octets)
        self._heard_count += count
        frames: list[Seen] = []
        hosts, unpack = self._hosts, _FRAME.unpack_from
        for _ in range(count):
            after, sec, nsec, captured, status, start, interface, kind = unpack(octets, at)
            port = hosts.get((interface, kind == _OUTGOING))
            if port is not None:
                begin = at + start
                data = octets[begin : begin + captured]
                if status & _STATUS_VLAN_VALID:  # the kernel keeps a tag apart from the frame
                    data = data[:12] + _tag(octets, at) + data[12:]
                frames.append((port, data, sec * 1_000_000_000 + nsec))
            at += after
        return Block(octets, frames)

    def _collect(self) -> None:
        """Take all blocks that are ready, so that the kernel has room while we are at work."""
        memory = self._memory
        while len(self._collected) < COLLECTED_COUNT:
            base = self._next * self._block_octets
            status, _, _, length, _ = _BLOCK.unpack_from(memory, base)
            if not status & _STATUS_USER:
                return
            self._collected.append(memory[base : base + length])
            struct.pack_into("=I", memory, base + _STATUS_AT, _STATUS_KERNEL)
            self._next = (self._next + 1) % self._block_count

    def lost_count(self) -> int:
        """Count the frames that found the ring full."""
        counters = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        # The kernel starts again from 0 at every look, and counts what it lost among the seen.
        seen, lost, _ = struct.unpack("=III", counters)
        self._seen_count += seen
        self._lost_count += lost
        return self._lost_count

    def unread_count(self) -> int:
        """Count the frames that the kernel has put into the ring and nobody has read."""
        lost_count = self.lost_count()
        return self._seen_count - lost_count - self._heard_count

    def writer(self, interface: str) -> Callable[[bytes], object]:
        """Return a function that sends a frame into a port; the ring hears it leave."""
        address = (interface, 0)
        send = self._voice.sendto
        return lambda frame: send(frame, address)

    def close(self) -> None:
        """Close the sockets and unmap the ring; harmless when done already."""
        memory = getattr(self, "_memory", None)
        if memory is not None:
            memory.close()
        self.socket.close()
        self._voice.close()


def _tag(octets: bytes, at: int) -> bytes:
    """Give the VLAN tag of the frame whose header begins there, as it was on the wire."""
    tag, kind = _TAG.unpack_from(octets, at)
    return struct.pack("!HH", kind, tag & 0xFFFF)


def _packet_socket() -> socket.socket:
    """Open a packet socket that hears nothing until it is bound."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_PACKET, kind, 0)


def _attach(packet_socket: socket.socket) -> None:
    """Attach the filter; the kernel copies it while we still hold it."""
    instructions = b"".join(struct.pack("=HBBI", *one) for one in _FILTER)
    program = ctypes.create_string_buffer(instructions)
    packed = struct.pack("@HP", len(_FILTER), ctypes.addressof(program))
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, packed)
