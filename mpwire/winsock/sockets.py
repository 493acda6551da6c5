"""Sockets as the provider keeps them, and what their role allows."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from mpwire.core.address import Address
from mpwire.core.endpoint import Endpoint
from mpwire.core.membership import Membership
from mpwire.core.participant import Participant
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.contract import Role
from mpwire.winsock.protocols import ENTRIES, Protocol, ProtocolEntry
from mpwire.winsock.record import EventRecord
from mpwire.wire.messages import Qos

__all__ = ["GroupOptions", "Received", "Role", "Socket"]


@dataclass(slots=True)
class GroupOptions:
    """What the ioctls of multipoint sockets have chosen (W65)."""

    loopback: bool = True
    """Whether a d_leaf of a nonrooted data plane gets its own messages (D31)."""
    scope: int = 1
    """Hop limit of what is sent to groups; 0 stays on this host."""
    origins: tuple[str, ...] = ()
    """Hosts that a source-specific group is joined for."""
    session_name: str = ""
    group: Address | None = None
    """Where the data of a root's multicast session goes; None: as its Session ID says."""


class Received(NamedTuple):
    """One message that waits for WSPRecv, and where it came from."""

    payload: bytes
    membership: Membership | None
    """Whose window it takes room of; None in a session without a root."""
    origin: int
    """Member ID of who sent it, also when the root has passed it on."""
    private: bool = False
    """Whether it is side chat, for this socket alone (W61)."""


@dataclass(slots=True, eq=False)
class Socket:
    """One descriptor: its role, its membership, its queue and its record of events."""

    handle: int
    role: Role
    flags: SocketFlag
    family: int
    """4 for IPv4, 6 for IPv6."""
    protocol: ProtocolEntry = ENTRIES[Protocol.MPW_ROOTED]
    """Its protocol for life; P and A have that of R and L."""
    record: EventRecord = field(default_factory=EventRecord)
    endpoint: Endpoint | None = None
    """The UDP address; P and A share that of R and L."""
    membership: Membership | None = None
    """The membership of P, A, or of an L that joins."""
    parent: "Socket | None" = None
    """The R of a P, the L of an A."""
    blocking: bool = True
    linger_s: float | None = None
    """None: close gracefully in the background; 0: abort; else wait that long, then abort."""
    asked_flag: JoinFlag | None = None
    """Direction of the join that was started last."""
    join_flag: JoinFlag | None = None
    """Direction fixed by the first successful join (D14)."""
    callee_capacity: int = 0
    """Octets of callee data the last join has room for."""
    sqos: Qos | None = None
    """Flow specification of its joins; once joined, the one agreed (W17)."""
    carried: Qos | None = None
    """What the network carries of it."""
    pending: "Socket | None" = None
    """The socket an outstanding join of this one returned: a P, or L itself."""
    usable: bool = True
    """False while a join is outstanding that returned this socket (W24), and if it failed (D27)."""
    untold: bool = False
    """Whether a join has made it sendable and FD_CONNECT has not said so yet (W26)."""
    callee_data: bytes = b""
    farewell: bytes | None = None
    """Disconnect data that goes with the end of its memberships (W85)."""
    duplicates: list[int] = field(default_factory=list)
    """Its other descriptors, the oldest first (W84)."""
    watched: tuple[Address, Address | None] | None = None
    """The destination SIO_ROUTING_INTERFACE_CHANGE watches, and which of ours reaches it now."""
    queue: deque[Received] | tuple[()] = ()
    """Messages that wait for WSPRecv; an empty deque would be 760 octets of most sockets."""
    ended: WsaError | None = None
    """FD_CLOSE code once the membership, or a dismantled session, is over."""
    wants_room: bool = False
    """Whether a send failed with WSAEWOULDBLOCK, so that FD_WRITE is owed (W95)."""
    wants_chat_room: bool = False
    """The same of a private message."""
    receive_shut: bool = False
    send_shut: bool = False
    error: WsaError = WsaError.SUCCESS
    """SO_ERROR (W104)."""

    options: GroupOptions = field(default_factory=GroupOptions)
    """What ioctls have chosen; A has those of its L."""
    participant: Participant | None = None
    """What an L is of a nonrooted session."""

    def put(self, received: Received) -> None:
        """Let a message wait for WSPRecv."""
        if not isinstance(self.queue, deque):
            self.queue = deque()
        self.queue.append(received)

    def take(self) -> Received:
        """Take the message that has waited longest; there has to be one."""
        assert isinstance(self.queue, deque)
        received = self.queue.popleft()
        if not self.queue:
            self.queue = ()
        return received

    @property
    def is_member(self) -> bool:
        """Tell whether a leaf's socket is in a session, or was."""
        return bool(self.membership or self.participant or self.ended is not None)

    @property
    def may_ever_send(self) -> bool:
        """Tell whether neither its join nor its application keeps this socket from sending."""
        return not self.send_shut and self.join_flag is not JoinFlag.RECEIVER_ONLY

    @property
    def may_ever_receive(self) -> bool:
        """Tell whether neither its join nor its application keeps this socket from receiving."""
        return not self.receive_shut and self.join_flag is not JoinFlag.SENDER_ONLY

    @property
    def is_joined(self) -> bool:
        """Tell whether data may still arrive on this socket."""
        if self.role is Role.ROOT:
            session = self.endpoint.session if self.endpoint else None
            return session is not None and bool(session.members)
        if self.participant is not None:
            return True
        return self.usable and self.membership is not None and self.ended is None

    @property
    def is_unusable_handle(self) -> bool:
        """Tell whether this is a P whose join is outstanding or has failed: to be closed only."""
        return self.role is Role.ROOT_LEAF and not self.usable

    @property
    def peer(self) -> Address | None:
        """Return the address of the other end, or of the session without a root (W55)."""
        if self.participant is not None:
            return self.participant.group
        return self.membership.peer if self.membership else None
