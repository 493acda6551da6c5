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
from mpwire.lab.netlink import Request, RouteSocket, veth_add

TAP_QUEUE_COUNT = 4096
"""Frames that a TAP device holds for us: room for any burst of a testbed."""
FRAME_MAX_OCTETS = 65_600

_TUNSETIFF, _TUNSETPERSIST = 0x4004_54CA, 0x4004_54CB
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_SIOCETHTOOL, _GET_LINK = 0x8946, 0x0A
_OFFLOADS = {"transmit checksum": 0x17, "scatter-gather": 0x19}
"""With these, the kernel takes TSO and GSO back as well."""
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

    def __init__(self, host: str, interface: str = "eth0") -> None:
        """Make the device in the thread's present namespace.

        Raises: OSError where this user may not.
        """
        self._host = host
        self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            request = struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI)
            fcntl.ioctl(self._tap, _TUNSETIFF, request)
            # Left to its namespace, the device goes with all the others in one sweep; closed one
            # by one, each costs some 35 ms.
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

    def __init__(self) -> None:
        """Find a name; there is no pair yet."""
        self.name = f"p{next(self._numbers)}"

    def pair(
        self, namespace: NetworkNamespace, *, mac: str, mtu: int, interface: str = "eth0"
    ) -> Request:
        """Ask for the pair, our end in the namespace that is asked, the other in the host's."""
        return veth_add(self.name, interface, namespace.descriptor, mac=mac, mtu=mtu)

    def plug(self, host: RouteSocket, ring: Ears, interface: str = "eth0") -> None:
        """Use the pair that has been made, in the namespace of our end.

        Args: host: a socket of the host's.
        """
        # The host's kernel finishes every frame, checksum included, before it crosses the pair.
        for command in _OFFLOADS.values():
            _ethtool(host.fileno(), interface, command, 0)
        self._send = ring.writer(self.name)

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        try:
            self._send(frame)
        except OSError as error:
            # A host whose end is down looks like a full queue to the sender.
            if error.errno == errno.ENOBUFS and not self._has_carrier():
                raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN)) from error
            raise

    def _has_carrier(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            return bool(_ethtool(control.fileno(), self.name, _GET_LINK))

    def close(self) -> None:
        """Leave the pair to its namespaces."""


def _ethtool(descriptor: int, interface: str, command: int, value: int = 0) -> int:
    """Ask or set one number of an interface, in the namespace of a socket's descriptor."""
    numbers = array.array("I", [command, value])
    request = struct.pack("16sP16x", interface.encode(), numbers.buffer_info()[0])
    fcntl.ioctl(descriptor, _SIOCETHTOOL, request)
    return numbers[1]
