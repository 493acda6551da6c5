"""Break W52 to W55 and what nonrooted data planes require (W59, W63, W65, W99)."""

from mpwire.core.address import Address
from mpwire.core.participant import Participant
from mpwire.testing.bus import BusTransport
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.contract import FD_ACCEPT, FD_CLOSE, FD_CONNECT
from mpwire.winsock.scope import MultipointIoctl
from mpwire.winsock.sockets import Socket
from mpwire.wire.messages import Data
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

# H. Nonrooted control plane -------------------------------------------------------------------


@breaks(52)
def participants_listen(patch: MonkeyPatch) -> None:
    """WSPListen is accepted on a c_leaf without a control root."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        if self.find(handle).protocol.control_rooted:
            original(self, handle, *others)

    wrap(patch, Provider, "listen", wrong)


@breaks(52)
def participants_are_admitted(patch: MonkeyPatch) -> None:
    """A join of a nonrooted session records FD_ACCEPT, as if somebody had to admit it."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        handle = original(self, socket, *others)
        socket.record.enter(FD_ACCEPT, socket.record.phases[FD_CONNECT])
        socket.record.codes[FD_ACCEPT] = WsaError.SUCCESS
        return handle

    wrap(patch, Provider, "join_session", wrong)


@breaks(53)
def participants_wait_for_a_peer(patch: MonkeyPatch) -> None:
    """Joining a nonrooted session is not complete while nobody else is in it."""

    def wrong(
        original: Original, self: Provider, socket: Socket, event: NetworkEvent, *code: object
    ) -> None:
        if event is not FD_CONNECT or socket.participant is None:
            original(self, socket, event, *code)

    wrap(patch, Provider, "occur", wrong)


@breaks(54)
def closing_is_not_leaving(patch: MonkeyPatch) -> None:
    """Closing the socket of a nonrooted session leaves no group and says nothing."""
    wrap(patch, Participant, "leave", lambda *_: [])
    wrap(patch, BusTransport, "leave_group", lambda *_: None)


@breaks(54)
@breaks(99)
def leaving_closes_the_others(patch: MonkeyPatch) -> None:
    """Participants of a nonrooted session get FD_CLOSE when another one leaves."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> None:
        original(self, socket, *others)
        neighbours = [one for one in _everybody(self) if one[1].participant is not None]
        for provider, other in neighbours:
            if socket.participant is not None and other is not socket:
                provider.occur(other, FD_CLOSE)

    wrap(patch, Provider, "leave_session", wrong)


def _everybody(provider: Provider) -> list[tuple[Provider, Socket]]:
    """Return every socket on the bus that a provider is on."""
    transport = provider.transport
    assert isinstance(transport, BusTransport)
    return [
        (one, socket) for one in transport.bus.providers.values() for socket in one.sockets.values()
    ]


@breaks(55)
def participants_join_twice(patch: MonkeyPatch) -> None:
    """A c_leaf in a nonrooted session may join another one."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        socket.participant = None
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)


@breaks(55)
def group_is_no_default_destination(patch: MonkeyPatch) -> None:
    """WSPSend in a nonrooted session fails with ENOTCONN: it names nobody."""

    def wrong(_original: Original, *_: object) -> object:
        raise SocketError(WsaError.WSAENOTCONN, "nobody is named")

    wrap(patch, Provider, "send_to_session", wrong)


# Data -----------------------------------------------------------------------------------------


@breaks(59)
def participants_hear_one_only(patch: MonkeyPatch) -> None:
    """On a nonrooted data plane a participant hears whom it heard first, and nobody else."""
    first: dict[Participant, Address] = {}

    def wrong(
        original: Original, self: Participant, message: Data, source: Address, now_s: float
    ) -> None:
        if first.setdefault(self, source) == source:
            original(self, message, source, now_s)

    wrap(patch, Participant, "_deliver", wrong)


@breaks(63)
def sender_joins_the_group(patch: MonkeyPatch) -> None:
    """A sender-only join of an IP group joins the group all the same."""

    def wrong(original: Original, *others: object, **_listens: object) -> object:
        return original(*others, listens=True)

    wrap(patch, Provider, "_reach", wrong)


@breaks(65)
def nobody_hears_itself(patch: MonkeyPatch) -> None:
    """What a d_leaf of a nonrooted data plane sends does not come back by default."""
    wrap(patch, Provider, "loop_back", lambda *_: None)


@breaks(65)
def everybody_hears_itself(patch: MonkeyPatch) -> None:
    """SIO_MULTIPOINT_LOOPBACK is accepted and ignored."""

    def wrong(original: Original, self: Provider, socket: Socket, code: int, value: object) -> None:
        value = True if code == MultipointIoctl.SIO_MULTIPOINT_LOOPBACK else value
        original(self, socket, code, value)

    wrap(patch, Provider, "multipoint_ioctl", wrong)


@breaks(65)
def scope_has_no_effect(patch: MonkeyPatch) -> None:
    """SIO_MULTICAST_SCOPE is accepted, and data goes across the segment whatever it says."""

    def wrong(original: Original, self: BusTransport, *others: object) -> None:
        *addresses, _scope = others
        original(self, *addresses, 1)

    wrap(patch, BusTransport, "set_reach", wrong)


@breaks(65)
def ioctls_fit_every_socket(patch: MonkeyPatch) -> None:
    """An ioctl that does not fit the socket is accepted."""

    def wrong(original: Original, *others: object) -> None:
        try:
            original(*others)
        except SocketError as error:
            if error.code is not WsaError.WSAEINVAL:
                raise

    wrap(patch, Provider, "multipoint_ioctl", wrong)
