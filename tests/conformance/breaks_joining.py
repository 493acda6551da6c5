"""Break W8 to W19: what holds for every join."""

from dataclasses import replace

from mpwire.core.admission import Admission
from mpwire.vocabulary import JoinFlag, NetworkEvent, WsaError
from mpwire.winsock import Blocked, Provider, SocketError, provider, quality
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS
from mpwire.winsock.protocols import ProtocolEntry
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import JoinReq
from mpwire.wire.registries import Role as WireRole
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

RETRY_AFTER = {WsaError.WSAECONNREFUSED, WsaError.WSAENETUNREACH, WsaError.WSAETIMEDOUT}


# B. What holds for every join -----------------------------------------------------------------


@breaks(8)
def join_answers_like_connect(patch: MonkeyPatch) -> None:
    """WSPJoinLeaf returns 0 for success, as WSPConnect does, and not a descriptor."""

    def wrong(original: Original, *others: object, **named: object) -> object:
        value = original(*others, **named)
        return value if isinstance(value, Blocked) else 0

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(9)
def unbound_sockets_cannot_join(patch: MonkeyPatch) -> None:
    """A join fails with EINVAL because its socket has no name yet."""

    def wrong(original: Original, self: Provider, socket: Socket) -> object:
        if socket.endpoint is None:
            raise SocketError(WsaError.WSAEINVAL, "the socket is not bound")
        return original(self, socket)

    wrap(patch, Provider, "bind_implicitly", wrong)


@breaks(10)
def root_gets_itself_back(patch: MonkeyPatch) -> None:
    """WSPJoinLeaf on R returns R."""

    def wrong(
        original: Original, self: Provider, handle: int, *others: object, **named: object
    ) -> object:
        value = original(self, handle, *others, **named)
        is_root = self.sockets[handle].role is Role.ROOT
        return handle if is_root and not isinstance(value, Blocked) else value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(11)
def leaf_gets_a_second_descriptor(patch: MonkeyPatch) -> None:
    """WSPJoinLeaf on L returns another descriptor of the same socket."""

    def wrong(
        original: Original, self: Provider, handle: int, *others: object, **named: object
    ) -> object:
        value = original(self, handle, *others, **named)
        if value == handle:
            value = self.new_handle()
            self.sockets[value] = self.sockets[handle]
        return value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(12)
def leaf_admits_to_the_session_of_its_root(patch: MonkeyPatch) -> None:
    """A c_leaf that listens takes the requests of other leaves, as if it were the root."""

    def wrong(original: Original, self: Admission, request: JoinReq, *others: object) -> object:
        asks_a_leaf = self.endpoint.session is None and request.role == WireRole.C_LEAF_TO_ROOT
        return None if asks_a_leaf else original(self, request, *others)

    wrap(patch, Admission, "_objection", wrong)


@breaks(13)
def selection_is_not_inherited_by_joining(patch: MonkeyPatch) -> None:
    """The P that WSPJoinLeaf returns starts without a selection."""

    def wrong(
        original: Original, self: Provider, handle: int, *others: object, **named: object
    ) -> object:
        value = original(self, handle, *others, **named)
        if isinstance(value, int) and value != handle:
            self.sockets[value].record.select(NetworkEvent(0), None)
        return value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(14)
def direction_is_always_both(patch: MonkeyPatch) -> None:
    """JL_SENDER_ONLY and JL_RECEIVER_ONLY are taken for JL_BOTH."""

    def wrong(original: Original, *others: object, flags: int = 4, **named: object) -> object:
        flags = JoinFlag.BOTH if flags in {*JoinFlag} else flags
        return original(*others, flags=flags, **named)

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(15)
def caller_data_stays_at_home(patch: MonkeyPatch) -> None:
    """Caller data is taken and never sent."""

    def wrong(original: Original, *others: object, **named: object) -> object:
        return original(*others, **{**named, "caller_data": None})

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(15)
def long_caller_data_is_cut(patch: MonkeyPatch) -> None:
    """Caller data that is too long is cut, and not refused with EFAULT."""

    def wrong(original: Original, *others: object, **named: object) -> object:
        data = named.get("caller_data")
        if isinstance(data, bytes):
            named["caller_data"] = data[:MAXIMUM_JOIN_DATA_OCTETS]
        return original(*others, **named)

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(16)
def callee_data_is_lost(patch: MonkeyPatch) -> None:
    """What the condition function hands back never reaches the joiner's buffer."""
    wrap(patch, Provider, "callee_data", lambda original, *others: original(*others)[:0])


@breaks(17)
def earlier_flow_specification_prevails(patch: MonkeyPatch) -> None:
    """What SIO_SET_QOS said overrides lpSQOS, and not the other way round."""

    def wrong(
        original: Original, self: Provider, socket: Socket, sqos: object, *others: object
    ) -> object:
        return original(self, socket, socket.sqos or sqos, *others)

    wrap(patch, Provider, "wanted_qos", wrong)


@breaks(17)
def every_flow_specification_can_be_met(patch: MonkeyPatch) -> None:
    """A join that asks for more than the network carries is started all the same."""
    wrap(patch, Provider, "capacity_at", lambda *_: 2**32)


@breaks(17)
def missing_direction_counts(patch: MonkeyPatch) -> None:
    """A flow specification counts also for the direction that the socket lacks."""
    wrap(patch, quality, "in_direction", lambda _, qos, __: qos)


@breaks(17)
def every_leaf_settles_its_flows(patch: MonkeyPatch) -> None:
    """On the ATM-like protocol later leaves may ask for other flow specifications."""

    def wrong(original: Original, *others: object) -> ProtocolEntry:
        entry: ProtocolEntry = original(*others)
        return replace(entry, first_leaf_settles_qos=False)

    wrap(patch, provider, "entry_of", wrong)


@breaks(18)
def failure_spoils_the_socket(patch: MonkeyPatch) -> None:
    """After a join that was refused or timed out the socket counts as connected."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        if socket.error in RETRY_AFTER:
            raise SocketError(WsaError.WSAEISCONN, "the socket has tried once")
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)


@breaks(19)
def broken_socket_joins_again(patch: MonkeyPatch) -> None:
    """A leaf whose session has ended may join another with the same socket."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        if socket.ended is not None:
            socket.ended, socket.membership = None, None
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)
