"""The protocols a provider offers, each an entry like WSAPROTOCOL_INFO (W1, W2).

An entry says for good what its sockets can do: the planes, how data reaches a group, which
capabilities are announced. A protocol with both kinds of data plane is two entries, never one that
chooses later (W2). Sockets and the sessions they make inherit the entry and change nothing of it.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Final

from mpwire.core.profile import Profile
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.errors import SocketError
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS
from mpwire.wire.registries import Capability, Planes


class ServiceFlag(IntFlag):
    """XP1_* bits of dwServiceFlags1 that the entries use; values are those of winsock2.h."""

    CONNECTIONLESS = 0x1
    """Nobody is connected: no FD_CLOSE, no FD_ACCEPT (W99)."""
    GUARANTEED_DELIVERY = 0x2
    """What was sent arrives, or the membership ends with an error."""
    GUARANTEED_ORDER = 0x4
    """What arrives comes in the order it was sent, per sender."""
    MESSAGE_ORIENTED = 0x8
    """Messages keep their borders."""
    GRACEFUL_CLOSE = 0x20
    """Closing lets data that is under way arrive first (W85)."""
    CONNECT_DATA = 0x80
    """User data travels with the join and its answer (W15, W16)."""
    DISCONNECT_DATA = 0x100
    """User data travels with the end of a membership (W85)."""
    SUPPORT_MULTIPOINT = 0x400
    """The next two bits mean something (W1)."""
    MULTIPOINT_CONTROL_PLANE = 0x800
    """The control plane is rooted."""
    MULTIPOINT_DATA_PLANE = 0x1000
    """The data plane is rooted."""


class Protocol(IntEnum):
    """Protocol numbers of the entries: the third parameter of WSPSocket."""

    MPW_ROOTED = 1
    MPW_CONFERENCE = 2
    MPW_ROOTED_ASM = 3
    MPW_ROOTED_SSM = 4
    MPW_CONFERENCE_ASM = 5
    MPW_OPEN = 6
    MPW_COLLECT = 7
    MPW_ATM = 8
    MPW_DIALOGUE = 9


class SocketType(IntEnum):
    """Socket type of an entry; values are those of winsock2.h."""

    DATAGRAM = 2
    """Connectionless messages."""
    SEQUENCED_PACKET = 5
    """Messages of a connection."""


class Multicast(Enum):
    """How data travels to a group."""

    NONE = "unicast"
    """A copy to each receiver."""
    ANY_SOURCE = "ASM"
    """To an IP group that everybody may send to."""
    ONE_SOURCE = "SSM"
    """To an IP group that receivers join for one source."""


S = ServiceFlag
MULTICAST_PLANES: Final = {
    Multicast.NONE: Planes(0),
    Multicast.ANY_SOURCE: Planes.MULTICAST,
    Multicast.ONE_SOURCE: Planes.MULTICAST | Planes.SSM,
}
CONNECTED: Final = (
    S.SUPPORT_MULTIPOINT
    | S.MULTIPOINT_CONTROL_PLANE
    | S.MESSAGE_ORIENTED
    | S.GUARANTEED_ORDER
    | S.GRACEFUL_CLOSE
    | S.CONNECT_DATA
)
ROOTED: Final = CONNECTED | S.MULTIPOINT_DATA_PLANE | S.GUARANTEED_DELIVERY
OPEN: Final = S.SUPPORT_MULTIPOINT | S.MESSAGE_ORIENTED | S.CONNECTIONLESS


@dataclass(slots=True, frozen=True)
class ProtocolEntry:
    """One protocol: what WSAPROTOCOL_INFO would say, and what the provider needs besides."""

    protocol: Protocol
    service_flags: ServiceFlag
    multicast: Multicast = Multicast.NONE
    capabilities: int = 0
    """What its sockets announce in CAPS; what holds is the AND of both sides."""
    one_way: bool = False
    """Whether data goes from the root to the leaves only (W64)."""
    families: tuple[int, ...] = (4, 6)
    max_payload_octets: int = MAX_PAYLOAD_OCTETS
    capacity_octets_per_s: int = 125_000_000
    """What one socket can ask for each way (W17)."""
    first_leaf_settles_qos: bool = False
    """Whether the flow specification of the first leaf holds for all that follow (W17)."""

    @property
    def name(self) -> str:
        """Return the name of the protocol."""
        return self.protocol.name

    @property
    def socket_type(self) -> SocketType:
        """Return SOCK_DGRAM for a connectionless protocol, else SOCK_SEQPACKET."""
        return SocketType.SEQUENCED_PACKET if self.control_rooted else SocketType.DATAGRAM

    @property
    def control_rooted(self) -> bool:
        """Tell whether the control plane is rooted."""
        return S.MULTIPOINT_CONTROL_PLANE in self.service_flags

    @property
    def data_rooted(self) -> bool:
        """Tell whether the data plane is rooted."""
        return S.MULTIPOINT_DATA_PLANE in self.service_flags

    @property
    def planes(self) -> Planes:
        """Return what JOIN_REQ and SESSION_DESC say of a session of this protocol."""
        planes = MULTICAST_PLANES[self.multicast]
        if self.control_rooted:
            planes |= Planes.CONTROL_ROOTED
        if self.data_rooted:
            planes |= Planes.DATA_ROOTED
        return planes

    @property
    def profile(self) -> Profile:
        """Return what the core needs to know of this protocol."""
        return Profile(self.planes, self.capabilities, self.max_payload_octets, self.one_way)

    def check_flags(self, flags: SocketFlag) -> None:
        """Check the multipoint flags of a new socket (W3, W4, D1 to D3).

        Raises:
            SocketError: WSAEINVAL not exactly one flag of each plane, or the root of a plane that
                is not rooted.
        """
        multipoint = flags & (C_FLAGS | D_FLAGS)
        if not multipoint:
            return
        if any((flags & plane).bit_count() != 1 for plane in (C_FLAGS, D_FLAGS)):
            raise SocketError(WsaError.WSAEINVAL, f"{flags!r} is not one C and one D flag")
        if flags & SocketFlag.C_ROOT and not self.control_rooted:
            raise SocketError(WsaError.WSAEINVAL, f"{self.name} has no control root")
        if flags & SocketFlag.D_ROOT and not self.data_rooted:
            raise SocketError(WsaError.WSAEINVAL, f"{self.name} has no data root")

    def direction(self, flag: JoinFlag, flags: SocketFlag) -> JoinFlag:
        """Return how a socket that joins with dwFlags `flag` acts: on a one-way plane, one way.

        Raises:
            SocketError: WSAEINVAL there is no such direction (W64).
        """
        if not self.one_way:
            return flag
        is_root = bool(flags & SocketFlag.D_ROOT)
        there_is = JoinFlag.SENDER_ONLY if is_root else JoinFlag.RECEIVER_ONLY
        if flag not in {there_is, JoinFlag.BOTH}:
            raise SocketError(WsaError.WSAEINVAL, f"{self.name} is one-way, from the root")
        return there_is


C_FLAGS: Final = SocketFlag.C_ROOT | SocketFlag.C_LEAF
D_FLAGS: Final = SocketFlag.D_ROOT | SocketFlag.D_LEAF
_P = Protocol
ENTRIES: Final = {
    entry.protocol: entry
    for entry in (
        ProtocolEntry(_P.MPW_ROOTED, ROOTED | S.DISCONNECT_DATA, capabilities=Capability.REPAIR),
        ProtocolEntry(
            _P.MPW_CONFERENCE, CONNECTED | S.GUARANTEED_DELIVERY, capabilities=Capability.REPAIR
        ),
        ProtocolEntry(
            _P.MPW_ROOTED_ASM,
            ROOTED,
            Multicast.ANY_SOURCE,
            Capability.REPAIR | Capability.MCAST_RX,
        ),
        ProtocolEntry(
            _P.MPW_ROOTED_SSM,
            ROOTED,
            Multicast.ONE_SOURCE,
            Capability.REPAIR | Capability.MCAST_RX | Capability.SSM,
        ),
        ProtocolEntry(
            _P.MPW_CONFERENCE_ASM,
            CONNECTED,
            Multicast.ANY_SOURCE,
            Capability.REPAIR | Capability.MCAST_RX,
        ),
        ProtocolEntry(_P.MPW_OPEN, OPEN, Multicast.ANY_SOURCE),
        ProtocolEntry(_P.MPW_COLLECT, OPEN | S.MULTIPOINT_DATA_PLANE, Multicast.ANY_SOURCE),
        ProtocolEntry(
            _P.MPW_ATM,
            ROOTED,
            capabilities=Capability.REPAIR,
            one_way=True,
            first_leaf_settles_qos=True,
        ),
        ProtocolEntry(
            _P.MPW_DIALOGUE,
            ROOTED | S.DISCONNECT_DATA,
            capabilities=Capability.REPAIR | Capability.SIDECHAT | Capability.HALFCLOSE,
        ),
    )
}
"""Every entry, by protocol number, in the order of WSPEnumProtocols."""


def entry_of(protocol: int, family: int) -> ProtocolEntry:
    """Return the entry of a protocol number for an address family.

    Raises:
        SocketError: WSAEPROTONOSUPPORT; WSAEAFNOSUPPORT.
    """
    entry = ENTRIES.get(Protocol(protocol)) if protocol in list(Protocol) else None
    if entry is None:
        raise SocketError(WsaError.WSAEPROTONOSUPPORT, f"{protocol} is no protocol of ours")
    if family not in entry.families:
        raise SocketError(WsaError.WSAEAFNOSUPPORT, f"{entry.name} has no family {family}")
    return entry
