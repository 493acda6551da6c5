"""Two ways to hold the other end of a host's cable.

`TapPort`: a TAP device in the host's namespace; we hold its descriptor. The kernel handles a
written frame before `write` returns, and a frame the host sent waits in the device's queue.
`VethPort`: a veth pair, our end in the switch's namespace with a packet socket on it, for users
who may not open /dev/net/tun.
"""

import array
import errno
import fcntl
import os
import socket
import struct

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket, link_set, veth_add

INTERFACE = "eth0"
"""Name of the interface in every host."""
TAP_QUEUE_COUNT = 30_000
"""Frames that a TAP device holds for us: room for any burst of a testbed."""
RECEIVE_OCTETS = 8 << 20
"""Asked of the kernel for a packet socket; it grants up to net.core.rmem_max."""
FRAME_MAX_OCTETS = 65_600

_TUNSETIFF, _TUNSETPERSIST = 0x4004_54CA, 0x4004_54CB
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_SIOCETHTOOL = 0x8946
_OFFLOADS = {"transmit checksum": 0x17, "scatter-gather": 0x19, "TSO": 0x1F, "GSO": 0x24}
_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_PACKET_OUTGOING = 4
_NOTHING = {errno.EAGAIN, errno.EIO, errno.EBADFD, errno.ENETDOWN}
"""No frame now; or none any more, because the link is down or the interface gone."""


class TapPort:
    """Hold a host's TAP device."""

    error_is_final = True
    """Polling tells of an error only when the device is gone."""

    def __init__(self, namespace: NetworkNamespace) -> None:
        """Make the device in the host's namespace.

        Raises: OSError where this user may not.
        """
        with namespace.entered():
            self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                request = struct.pack("16sH22x", INTERFACE.encode(), _IFF_TAP | _IFF_NO_PI)
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

    def read(self) -> bytes | None:
        """Return the next frame that the host sent, None when there is none."""
        try:
            return os.read(self._tap, FRAME_MAX_OCTETS)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
            return None

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        os.write(self._tap, frame)

    def lost_count(self) -> int:
        """Count frames that reached our end and were lost there: a TAP device loses none."""
        return 0

    def close(self) -> None:
        """Close the descriptor."""
        if self._tap >= 0:
            os.close(self._tap)
            self._tap = -1


class VethPort:
    """Hold a packet socket on our end of a host's veth pair."""

    error_is_final = False
    """Polling tells of a link that went down, which may come back."""

    def __init__(self, namespace: NetworkNamespace, name: str, mtu: int) -> None:
        """Make the pair, its other end in the host's namespace; open the socket here.

        Args: name: of our end; mtu: of our end.
        Raises: OSError, MachineError where this user may not.
        """
        with RouteSocket() as route:
            route.apply([veth_add(name, INTERFACE, namespace.descriptor)])
            with namespace.entered():
                _transmit_offloads_off(INTERFACE)
            route.apply([link_set(socket.if_nametoindex(name), mtu=mtu)])
        self._lost_count = 0
        # Protocol 0 hears nothing until bind: no frame of another interface, and no wait for
        # every CPU to notice the socket.
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)
            self._ignores_outgoing = _ignore_outgoing(self._socket)
            self._socket.bind((name, _ETH_P_ALL))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Return the next frame that the host sent, None when there is none."""
        try:
            if self._ignores_outgoing:
                return self._socket.recv(FRAME_MAX_OCTETS)
            while True:
                frame, address = self._socket.recvfrom(FRAME_MAX_OCTETS)
                if address[2] != _PACKET_OUTGOING:
                    return frame
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
            return None

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        self._socket.send(frame)

    def lost_count(self) -> int:
        """Count frames that reached our end and found the socket's buffer full."""
        counters = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        # The kernel starts again from 0 at every look.
        self._lost_count += struct.unpack("=II", counters)[1]
        return self._lost_count

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _ignore_outgoing(packet_socket: socket.socket) -> bool:
    """Ask not to hear what we send ourselves; kernels before 4.20 cannot."""
    try:
        packet_socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    except OSError:
        return False
    return True


def _transmit_offloads_off(interface: str) -> None:
    """Have the host's kernel finish every frame, checksum included, before it crosses the pair."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS.values():
            value = array.array("I", [command, 0])
            address, _ = value.buffer_info()
            request = struct.pack("16sP16x", interface.encode(), address)
            fcntl.ioctl(control, _SIOCETHTOOL, request)
