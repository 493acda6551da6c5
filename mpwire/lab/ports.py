"""Two ways to hold the other end of a host's cable.

`TapPort`: a TAP device in the host's namespace; we hold its descriptor. The kernel handles a
written frame before `write` returns, and a frame the host sent waits in the device's queue.
`VethPort`: a veth pair, our end in the switch's namespace, where one packet socket hears them
all: for users who may not open /dev/net/tun.
"""

import array
import errno
import fcntl
import itertools
import os
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket, veth_add

TAP_QUEUE_COUNT = 4096
"""Frames that a TAP device holds for us: room for any burst of a testbed."""
FRAME_MAX_OCTETS = 65_600

_TUNSETIFF, _TUNSETPERSIST = 0x4004_54CA, 0x4004_54CB
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_SIOCETHTOOL, _GET_LINK = 0x8946, 0x0A
_OFFLOADS = {"transmit checksum": 0x17, "scatter-gather": 0x19, "TSO": 0x1F, "GSO": 0x24}
_NOTHING = {errno.EAGAIN, errno.EIO, errno.EBADFD}
"""No frame now; or none any more, because the link is down or the interface gone."""


class Ears(Protocol):
    """Hear what comes out of veth pairs, and send into them."""

    def hear(self, interface: str, host: str) -> None:
        """Attribute the frames of an interface to a host."""

    def writer(self, interface: str) -> Callable[[bytes], object]:
        """Return a function that sends a frame into an interface."""


class TapPort:
    """Hold a host's TAP device."""

    def __init__(self, namespace: NetworkNamespace, host: str, interface: str = "eth0") -> None:
        """Make the device in the host's namespace.

        Raises: OSError where this user may not.
        """
        self._host = host
        with namespace.entered():
            self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                request = struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI)
                fcntl.ioctl(self._tap, _TUNSETIFF, request)
                # Left to its namespace, the device goes with all the others in one sweep; closed
                # one by one, each costs some 35 ms.
                fcntl.ioctl(self._tap, _TUNSETPERSIST, 1)
            except OSError:
                os.close(self._tap)
                raise

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        return self._tap

    def read(self) -> tuple[str, bytes] | None:
        """Return the next frame and the host that sent it, None when there is none."""
        try:
            return self._host, os.read(self._tap, FRAME_MAX_OCTETS)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
            return None

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        os.write(self._tap, frame)

    def close(self) -> None:
        """Close the descriptor."""
        if self._tap >= 0:
            os.close(self._tap)
            self._tap = -1


class VethPort:
    """Hold our end of a host's veth pair; what the host sends is read from the common ring."""

    _numbers = itertools.count()
    # Never the same name twice: the kernel takes its time to remove the pairs of a past fabric.

    def __init__(
        self, namespace: NetworkNamespace, mtu: int, ring: Ears, interface: str = "eth0"
    ) -> None:
        """Make the pair, its other end in the host's namespace.

        Args: mtu: of our end.
        Raises: OSError, MachineError where this user may not.
        """
        self.name = name = f"p{next(self._numbers)}"
        with RouteSocket() as route:
            route.apply([veth_add(name, mtu, interface, namespace.descriptor)])
        with namespace.entered():
            _transmit_offloads_off(interface)
        self._send = ring.writer(name)

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        try:
            self._send(frame)
        except OSError as error:
            # A host whose end is down looks like a full queue to the sender.
            if error.errno == errno.ENOBUFS and not _ethtool(self.name, _GET_LINK):
                raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN)) from error
            raise

    def close(self) -> None:
        """Leave the pair to its namespaces."""


def _ethtool(interface: str, command: int, value: int = 0) -> int:
    """Ask or set one number of an interface of the present namespace."""
    numbers = array.array("I", [command, value])
    request = struct.pack("16sP16x", interface.encode(), numbers.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
    return numbers[1]


def _transmit_offloads_off(interface: str) -> None:
    """Have the host's kernel finish every frame, checksum included, before it crosses the pair."""
    for command in _OFFLOADS.values():
        _ethtool(interface, command, 0)
