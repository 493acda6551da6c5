"""Names that every part of mpwire shares: network events, error codes, roles, verdicts.

No behaviour lives here, so that the oracle can use the same words as the endpoints it judges
without sharing a line of code with them. Values are those of the public winsock2.h.
"""

from enum import IntEnum, IntFlag, StrEnum


class NetworkEvent(IntFlag):
    """FD_* bits of a network-event record (Source: WSPEventSelect)."""

    FD_READ = 0x01
    """Data can be received; level-triggered, re-enabled by a receive."""
    FD_WRITE = 0x02
    """Data can be sent: once after joining, then after a send that would have blocked."""
    FD_OOB = 0x04
    """Out-of-band data can be received; never recorded by this provider."""
    FD_ACCEPT = 0x08
    """A join request or an invitation waits; level-triggered, re-enabled by WSPAccept."""
    FD_CONNECT = 0x10
    """The outstanding join has completed, well or badly; one per WSPJoinLeaf."""
    FD_CLOSE = 0x20
    """The peer, or the session, has ended; at most one per socket."""
    FD_QOS = 0x40
    """What the network carries of the flow specification agreed has changed; edge-triggered."""
    FD_GROUP_QOS = 0x80
    """Reserved; never recorded by this provider."""
    FD_ROUTING_INTERFACE_CHANGE = 0x100
    """Another local address reaches the destination asked about; edge-triggered."""
    FD_ADDRESS_LIST_CHANGE = 0x200
    """A local address came or went; edge-triggered."""


class WsaError(IntEnum):
    """Winsock error codes that mpwire reports (Source: windows-sockets-error-codes-2)."""

    SUCCESS = 0
    WSA_OPERATION_ABORTED = 995
    WSAEINTR = 10004
    WSAEACCES = 10013
    WSAEFAULT = 10014
    WSAEINVAL = 10022
    WSAEMFILE = 10024
    WSAEWOULDBLOCK = 10035
    WSAEINPROGRESS = 10036
    WSAEALREADY = 10037
    WSAENOTSOCK = 10038
    WSAEMSGSIZE = 10040
    WSAENOPROTOOPT = 10042
    WSAEPROTONOSUPPORT = 10043
    WSAEOPNOTSUPP = 10045
    WSAEAFNOSUPPORT = 10047
    WSAEADDRINUSE = 10048
    WSAEADDRNOTAVAIL = 10049
    WSAENETDOWN = 10050
    WSAENETUNREACH = 10051
    WSAECONNABORTED = 10053
    WSAECONNRESET = 10054
    WSAENOBUFS = 10055
    WSAEISCONN = 10056
    WSAENOTCONN = 10057
    WSAESHUTDOWN = 10058
    WSAETIMEDOUT = 10060
    WSAECONNREFUSED = 10061
    WSAEHOSTUNREACH = 10065
    WSAEDISCON = 10101
    WSASYSCALLFAILURE = 10107
    WSATRY_AGAIN = 11002


class SocketFlag(IntFlag):
    """Multipoint flags of WSPSocket: exactly one C and one D flag (W3)."""

    OVERLAPPED = 0x01
    C_ROOT = 0x02
    C_LEAF = 0x04
    D_ROOT = 0x08
    D_LEAF = 0x10


class JoinFlag(IntEnum):
    """Direction in which the joining socket will act, dwFlags of WSPJoinLeaf (W14)."""

    SENDER_ONLY = 1
    RECEIVER_ONLY = 2
    BOTH = 4


class Condition(IntEnum):
    """What a condition function answers (W42, W43)."""

    ACCEPT = 0
    REJECT = 1
    DEFER = 2


class ShutdownHow(IntEnum):
    """Second parameter of WSPShutdown."""

    RECEIVE = 0
    SEND = 1
    BOTH = 2


class Verdict(StrEnum):
    """What the oracle says of a rule or of a run."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNSUPPORTED = "UNSUPPORTED"
