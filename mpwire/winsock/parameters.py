"""What a provider checks of the parameters of WSPJoinLeaf and WSPAccept by itself (W104).

Nobody below or above does it: a bad pointer is here a value of the wrong shape, a buffer that is
too small a capacity that is.
"""

from typing import Final

from mpwire.core.address import Address
from mpwire.vocabulary import WsaError
from mpwire.winsock.errors import SocketError
from mpwire.winsock.protocols import ProtocolEntry, ServiceFlag
from mpwire.wire.messages import Qos
from mpwire.wire.numbers import TlvType
from mpwire.wire.tables import TLV_FORMATS

MAXIMUM_JOIN_DATA_OCTETS: Final = TLV_FORMATS[TlvType.CALLEE_DATA].highest_octets
"""Caller or callee data one request or acceptance carries."""
MAXIMUM_DISCONNECT_DATA_OCTETS: Final = TLV_FORMATS[TlvType.DISC_DATA].highest_octets
"""Disconnect data one CLOSE carries."""
SOCKADDR_OCTETS: Final = {4: 16, 6: 28}
"""Size of sockaddr_in and sockaddr_in6."""
HIGHEST_RATE: Final = 0xFFFFFFFF
"""Octets per second that QOS can ask for."""


def check_name(address: object) -> Address:
    """Return what may be an address: a host in words and a port number.

    Raises:
        SocketError: WSAEFAULT it is not even that.
    """
    match address:
        case (str(host), int(port)) if not isinstance(port, bool):
            return host, port
    raise SocketError(WsaError.WSAEFAULT, f"{address!r} is no name")


def check_address_room(octets: int | None, family: int) -> None:
    """Check that the address of whoever is accepted fits the caller's buffer (W48).

    Raises:
        SocketError: WSAEFAULT addrlen is too small.
    """
    if octets is not None and octets < SOCKADDR_OCTETS[family]:
        raise SocketError(WsaError.WSAEFAULT, f"{octets} octets hold no address")


def check_caller_data(data: object, entry: ProtocolEntry) -> bytes | None:
    """Return the caller data to send, None when there is none (W15).

    Raises:
        SocketError: WSAEPROTONOSUPPORT the protocol has no connect data; WSAEFAULT too long.
    """
    if data is None:
        return None
    if ServiceFlag.CONNECT_DATA not in entry.service_flags:
        raise SocketError(WsaError.WSAEPROTONOSUPPORT, f"{entry.name} has no connect data")
    if not isinstance(data, bytes) or len(data) > MAXIMUM_JOIN_DATA_OCTETS:
        raise SocketError(
            WsaError.WSAEFAULT, f"caller data is at most {MAXIMUM_JOIN_DATA_OCTETS} octets"
        )
    return data or None


def check_disconnect_data(data: object) -> bytes | None:
    """Return the disconnect data to send, None when there is none.

    Raises:
        SocketError: WSAEFAULT no octets, or too many.
    """
    if data is None:
        return None
    if not isinstance(data, bytes) or len(data) > MAXIMUM_DISCONNECT_DATA_OCTETS:
        raise SocketError(
            WsaError.WSAEFAULT,
            f"disconnect data is at most {MAXIMUM_DISCONNECT_DATA_OCTETS} octets",
        )
    return data or None


def check_callee_capacity(octets: int) -> int:
    """Return how much callee data there is room for.

    Raises:
        SocketError: WSAEFAULT a negative length.
    """
    if octets < 0:
        raise SocketError(WsaError.WSAEFAULT, f"{octets} octets are no buffer")
    return min(octets, MAXIMUM_JOIN_DATA_OCTETS)


def check_qos(qos: object) -> Qos | None:
    """Return a flow specification, None when there is none.

    Raises:
        SocketError: WSAEFAULT it is not even that; WSAEINVAL a rate that QOS cannot say.
    """
    if qos is None:
        return None
    if not isinstance(qos, Qos):
        raise SocketError(WsaError.WSAEFAULT, f"{qos!r} is no flow specification")
    for rate in (qos.sending_octets_per_s, qos.receiving_octets_per_s):
        if not 0 <= rate <= HIGHEST_RATE:
            raise SocketError(WsaError.WSAEINVAL, f"{rate} is no rate")
    return qos
