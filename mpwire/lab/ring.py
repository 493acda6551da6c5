"""One packet socket for all veth pairs: it hears every frame that comes out of them.

Frames wait in a ring in shared memory, thousands of them, where the buffer of an ordinary socket
holds about a hundred and an unprivileged process may not enlarge it. One socket instead of one
per host, because closing a packet socket makes the kernel wait for all CPUs, 16 ms each.
"""

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Callable

from mpwire.errors import MachineError
from mpwire.lab.netlink import interface_index

SLOT_COUNT = 4096
"""Frames that may wait. The kernel may lose one when more than three quarters do."""
_SLOT_OVERHEAD_OCTETS = 128
"""Header, address and alignment before a frame in its slot, and a VLAN tag."""
_BLOCK_OCTETS = 1 << 16

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _PACKET_QDISC_BYPASS = 5, 6, 10, 20
_TPACKET_V2 = 1
_TP_STATUS_KERNEL, _TP_STATUS_USER, _TP_STATUS_VLAN_VALID = 0x0, 0x1, 0x10
_PACKET_OUTGOING = 4

_SLOT = struct.Struct("=IIIHH8xHH4xHHiHB")
"""Layout: tpacket2_hdr (status 32, length 32, captured 32, start 16, network 16, seconds and
nanoseconds 64, VLAN tag 16, VLAN type 16, padding 32), then sockaddr_ll (family 16, protocol 16,
interface 32, hardware 16, packet type 8)."""


_libc = ctypes.CDLL(None, use_errno=True)


class PacketRing:
    """Read the frames of every interface in the namespace where it was made."""

    def __init__(self, frame_max_octets: int) -> None:
        """Make the ring.

        Args: frame_max_octets: longest frame to expect, link header included.
        Raises: MachineError where the kernel refuses a packet socket or the ring.
        """
        self._names: dict[int, str] = {}
        self._lost_count = 0
        self._next = 0
        self._slot_octets = 1 << (frame_max_octets + _SLOT_OVERHEAD_OCTETS - 1).bit_length()
        ring_octets = self._slot_octets * SLOT_COUNT
        block_octets = max(_BLOCK_OCTETS, self._slot_octets)
        request = (block_octets, ring_octets // block_octets, self._slot_octets, SLOT_COUNT)
        try:
            # Protocol 0 hears nothing until bind: nothing before the ring is ready, and no wait
            # for every CPU to notice the socket.
            self.socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
            )
        except OSError as error:
            raise MachineError(f"the kernel refused a packet socket: {error.strerror}") from error
        try:
            self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            make_ring(self.socket, struct.pack("=4I", *request))
            # Straight into the pair: a queue that the kernel activates some time after the link
            # came up would swallow frames without a word. Nor do we hear what we send.
            self.socket.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
            self._memory = mmap.mmap(self.socket.fileno(), ring_octets)
            bind_to_all(self.socket)
        except OSError as error:
            self.close()
            raise MachineError(f"the kernel refused a packet ring: {error.strerror}") from error

    def hear(self, interface: str, host: str) -> None:
        """Attribute the frames of an interface to a host; frames of others are passed over."""
        self._names[interface_index(self.fileno(), interface)] = host

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        return self.socket.fileno()

    def read(self) -> tuple[str, bytes] | None:
        """Return the next frame and the host that sent it, None when there is none."""
        memory = self._memory
        while True:
            base = self._next * self._slot_octets
            status, _, length, start, _, tag, tag_type, _, _, interface, _, kind = (
                _SLOT.unpack_from(memory, base)
            )
            if not status & _TP_STATUS_USER:
                return None
            frame = memory[base + start : base + start + length]
            struct.pack_into("=I", memory, base, _TP_STATUS_KERNEL)
            self._next = (self._next + 1) % SLOT_COUNT
            host = self._names.get(interface)
            if host is None or kind == _PACKET_OUTGOING:
                continue
            if status & _TP_STATUS_VLAN_VALID:  # the kernel keeps a tag apart from the frame
                frame = frame[:12] + struct.pack("!HH", tag_type, tag) + frame[12:]
            return host, frame

    def lost_count(self) -> int:
        """Count the frames that found the ring full."""
        counters = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        # The kernel starts again from 0 at every look.
        self._lost_count += struct.unpack("=II", counters)[1]
        return self._lost_count

    def writer(self, interface: str) -> Callable[[bytes], object]:
        """Return a function that sends a frame into an interface."""
        address = (interface, 0)
        send = self.socket.sendto
        return lambda frame: send(frame, address)

    def close(self) -> None:
        """Close the socket and unmap the ring; harmless when done already."""
        memory = getattr(self, "_memory", None)  # which holds a descriptor of its own
        if memory is not None:
            memory.close()
        self.socket.close()


def make_ring(packet_socket: socket.socket, request: bytes) -> None:
    """Make a ring, while other threads go on.

    The kernel waits there until all CPUs have noticed, and Python's own setsockopt would let no
    thread run meanwhile.

    Args: request: a tpacket_req of the socket's version.
    """
    number = packet_socket.fileno()
    _check(_libc.setsockopt(number, _SOL_PACKET, _PACKET_RX_RING, request, len(request)))


def bind_to_all(packet_socket: socket.socket) -> None:
    """Bind to every interface, which Python's own bind cannot say."""
    address = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0)
    _check(_libc.bind(packet_socket.fileno(), address, len(address)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
