"""UDP sockets as the provider's transport (protocol.md 3).

Every socket is nonblocking, never fragments (DF), checks and computes checksums, knows the local
address of each datagram it receives, and hears ICMP errors that quote its datagrams.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError
from mpwire.winsock.transport import WILDCARDS

MAXIMUM_DATAGRAM: Final = 65_535
ANCILLARY_OCTETS: Final = 512
SEND_TRIES: Final = 8
"""More sends than there are likely to be pending errors of earlier ones."""
RECEIVE_BUFFER_OCTETS: Final = 4 * 1024 * 1024

# Linux constants that the socket module of Python 3.11 does not name.
IP_PKTINFO: Final = 8
IP_MTU_DISCOVER: Final = 10
IP_RECVERR: Final = 11
IP_PMTUDISC_DO: Final = 2
IP_MULTICAST_ALL: Final = 49
"""0: not what other sockets of the host have joined."""
IPV6_MULTICAST_ALL: Final = 29
IPV6_MTU_DISCOVER: Final = 23
IPV6_RECVERR: Final = 25
MSG_ERRQUEUE: Final = 0x2000
SO_EE_ORIGIN_ICMP: Final = 2
SO_EE_ORIGIN_ICMP6: Final = 3
EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")
"""struct sock_extended_err: errno, origin, type, code, pad, info, data."""
UNREACHABLE: Final = {errno.ENETUNREACH, errno.EHOSTUNREACH}

CODE_OF_ERRNO: Final = {
    errno.EADDRINUSE: WsaError.WSAEADDRINUSE,
    errno.EADDRNOTAVAIL: WsaError.WSAEADDRNOTAVAIL,
    errno.EACCES: WsaError.WSAEACCES,
    errno.EMFILE: WsaError.WSAEMFILE,
    errno.ENETUNREACH: WsaError.WSAENETUNREACH,
    errno.EHOSTUNREACH: WsaError.WSAEHOSTUNREACH,
    errno.EAFNOSUPPORT: WsaError.WSAEAFNOSUPPORT,
    errno.EINVAL: WsaError.WSAEADDRNOTAVAIL,
    errno.ENOBUFS: WsaError.WSAENOBUFS,
}


def socket_error(error: OSError) -> SocketError:
    """Translate what the kernel says into what a provider call raises."""
    code = CODE_OF_ERRNO.get(error.errno or 0, WsaError.WSAENETDOWN)
    return SocketError(code, error.strerror or str(error))


@dataclass(slots=True)
class Arrival:
    """One datagram from the network."""

    data: bytes
    source: Address
    destination: Address


@dataclass(slots=True)
class Unreachable:
    """An ICMP unreachable with the datagram of ours that it quotes."""

    quote: bytes
    peer: Address
    port: bool
    """Whether the port was unreachable; else the host or its network."""


class UdpSocket:
    """One bound UDP socket."""

    def __init__(self, address: Address | None, family: int) -> None:
        """Bind a socket; a free port of the wildcard address when `address` is None.

        Raises:
            SocketError: what the kernel says.
        """
        self.family = family
        host, port = address or (WILDCARDS[family], 0)
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        self.socket = socket.socket(kind, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._set_options()
            self._bind(host, port)
        except OSError as error:
            self.socket.close()
            raise socket_error(error) from None
        name = self.socket.getsockname()
        self.local: Address = (name[0], name[1])
        self.opened = self.local
        """The address that the provider knows this socket by."""

    def _bind(self, host: str, port: int) -> None:
        self.socket.bind((host, port))

    def _set_options(self) -> None:
        set_option = self.socket.setsockopt
        set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
        if self.family == 4:
            set_option(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            set_option(socket.IPPROTO_IP, IP_PKTINFO, 1)
            set_option(socket.IPPROTO_IP, IP_RECVERR, 1)
            set_option(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        else:
            set_option(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            set_option(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO)
            set_option(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            set_option(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            set_option(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)

    def receive_all(self) -> Iterator[Arrival | Unreachable]:
        """Yield everything that is queued at the socket, errors included, until it is empty.

        What a datagram causes may close the socket; then there is nothing more.
        """
        while self.socket.fileno() >= 0:
            try:
                data, ancillary, _, source = self.socket.recvmsg(MAXIMUM_DATAGRAM, ANCILLARY_OCTETS)
            except BlockingIOError:
                # A send may have taken the error that would have announced the queue.
                yield from self._errors()
                return
            except OSError:
                continue
            destination = self._destination(ancillary)
            if destination is not None:
                yield Arrival(data, (source[0], source[1]), destination)

    def _destination(self, ancillary: list[tuple[int, int, bytes]]) -> Address | None:
        """Return the local address a datagram was sent to; None for a broadcast (R103)."""
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                if data[4:8] != data[8:12]:  # the address that answers is not the one addressed
                    return None
                return socket.inet_ntop(socket.AF_INET, data[8:12]), self.local[1]
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                return socket.inet_ntop(socket.AF_INET6, data[:16]), self.local[1]
        return self.local

    def _errors(self) -> Iterator[Unreachable]:
        """Empty the error queue; only ICMP unreachables mean something here."""
        while True:
            try:
                quote, ancillary, _, peer = self.socket.recvmsg(
                    MAXIMUM_DATAGRAM, ANCILLARY_OCTETS, MSG_ERRQUEUE
                )
            except OSError:
                return
            for _, kind, data in ancillary:
                if kind not in {IP_RECVERR, IPV6_RECVERR} or len(data) < EXTENDED_ERROR.size:
                    continue
                number, origin, *_ = EXTENDED_ERROR.unpack_from(data)
                if origin not in {SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6}:
                    continue
                if number == errno.ECONNREFUSED or number in UNREACHABLE:
                    port = number == errno.ECONNREFUSED
                    yield Unreachable(quote, (peer[0], peer[1]), port)

    def send(self, datagram: SendDatagram) -> OSError | None:
        """Send a datagram from the address it names; return why the kernel did not take it.

        The kernel reports a pending ICMP error at the next send, whoever that is addressed to, and
        drops what was to be sent. Such an error is another datagram's: so try again.
        """
        refusal = None
        for _ in range(SEND_TRIES):
            try:
                self.socket.sendmsg(
                    [datagram.data], self._source(datagram), 0, datagram.destination
                )
            except OSError as error:
                refusal = error
            else:
                return None
        return refusal

    def _source(self, datagram: SendDatagram) -> list[tuple[int, int, bytes]]:
        """Return the ancillary data that fixes the source of a wildcard socket's datagram."""
        if self.local[0] not in WILDCARDS.values():
            return []
        if self.family == 4:
            octets = socket.inet_pton(socket.AF_INET, datagram.source[0])
            return [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4x", 0, octets))]
        octets = socket.inet_pton(socket.AF_INET6, datagram.source[0])
        pktinfo = struct.pack("=16si", octets, 0)
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, pktinfo)]

    def source_for(self, peer: Address) -> Address:
        """Return the concrete local address from which a peer is reached.

        Raises:
            SocketError: WSAENETUNREACH and the like.
        """
        is_bound = self.local[0] not in WILDCARDS.values()
        kind = socket.AF_INET if self.family == 4 else socket.AF_INET6
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            try:
                if is_bound:
                    probe.bind((self.local[0], 0))
                probe.connect(peer)
            except OSError as error:
                raise socket_error(error) from None
            return self.local if is_bound else (probe.getsockname()[0], self.local[1])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
