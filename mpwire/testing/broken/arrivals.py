"""EV11-EV28: FD_READ and FD_CLOSE."""

from typing import Any

from mpwire.core import Endpoint, Membership, casting
from mpwire.core.inflow import Inflow
from mpwire.core.participant import Participant
from mpwire.core.serial import after, plus
from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.reports import SUCCESS, coded, doubled, is_a, never, say
from mpwire.testing.broken.seams import act, record, wrap
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.record import FD_CLOSE, FD_READ
from mpwire.winsock.sockets import Received, Role, Socket
from mpwire.wire.messages import Announce, Data
from mpwire.wire.registries import AnnounceKind

# FD_READ --------------------------------------------------------------------------------------


@patch("EV11", "rooted-lan", "leaf3")
def read_never_reported() -> None:
    """Messages arrive, and nobody is told."""
    never(FD_READ)


@patch("EV11", "rooted-lan", "root")
def read_on_the_handle() -> None:
    """FD_READ for group data is recorded on the handle of the leaf that sent it."""

    def misplaced(
        original: Any, self: Provider, endpoint: Endpoint, received: Received, now_s: float
    ) -> None:
        original(self, endpoint, received, now_s)
        handle = self.owners.get(received.membership) if received.membership else None
        if handle is not None:
            say(self, handle, FD_READ)

    wrap(Provider, "_data_received", misplaced)


@patch("EV12", "rooted-lan", "leaf3")
def read_reported_twice() -> None:
    """Every FD_READ is handed out twice."""
    doubled(FD_READ)


@patch("EV13", "rooted-dialogue", "root")
def private_word_in_public() -> None:
    """Side chat is announced on the session's socket instead of the leaf's handle."""

    def misplaced(
        occur: Any, self: Provider, socket: Socket, event: NetworkEvent, code: WsaError
    ) -> None:
        if event is FD_READ and socket.role is Role.ROOT_LEAF and socket.parent is not None:
            say(self, socket.parent, FD_READ)
        else:
            occur(self, socket, event, WsaError(code))

    record(misplaced)


@patch("EV25", "late-comer", "root leaf2")
def history_told() -> None:
    """A late joiner is given what was said before: the root sends it, and the leaf takes it."""
    said: list[bytes] = []

    def note(
        original: Any, self: Provider, handle: int, payload: bytes, *others: Any, **named: Any
    ) -> Any:
        said.append(payload)
        return original(self, handle, payload, *others, **named)

    def replay(original: Any, end: Membership, event: Any, now_s: float) -> None:
        original(end, event, now_s)
        if said:
            old = plus(end.outflow.sent_seq, -1)
            end.send(Data(**end.header(old), origin=1, dflags=0, hop=0, payload=said[-1]))

    def take(original: Any, self: Inflow, seq: int, payload: bytes) -> Any:
        return [payload] if after(seq, self.next_seq) < 0 else original(self, seq, payload)

    wrap(Provider, "send", note)
    act("settle_join", replay)
    wrap(Inflow, "take", take)


@patch("EV26", "conference-asm", "leaf3")
def group_still_heard() -> None:
    """A leaf that was expelled goes on hearing the group, and says so."""
    heard: list[Provider] = []

    def keep(_original: Any, self: Provider, *_: Any) -> None:
        heard.append(self)

    def listen(original: Any, endpoint: Endpoint, *others: Any) -> None:
        original(endpoint, *others)
        for provider in heard:
            say(provider, provider.holders[endpoint.local], FD_READ)

    wrap(Provider, "stop_hearing", keep)
    wrap(casting, "take_untrusted", listen)


@patch("EV26", "conference-asm", "leaf2")
def group_never_reported() -> None:
    """What came by the group is delivered, and nobody is told."""
    never(FD_READ)


# FD_CLOSE -------------------------------------------------------------------------------------


@patch("EV14", "rooted-lan", "leaf2")
def expulsion_never_reported() -> None:
    """A leaf that was expelled is not told."""
    never(FD_CLOSE)


@patch("EV14", "end-in-passing", "leaf1")
def closed_before_it_was_read() -> None:
    """FD_CLOSE(0) is recorded although the last message has not been read."""

    def hasty(original: Any, self: Provider, socket: Socket, code: WsaError, now_s: float) -> None:
        original(self, socket, code, now_s)
        say(self, socket, FD_CLOSE, code)

    wrap(Provider, "_close_seen", hasty)


@patch("EV15", "rooted-lan", "root")
def leave_never_reported() -> None:
    """The handle of a leaf that has left is not told."""
    never(FD_CLOSE, is_a(Role.ROOT_LEAF))


@patch("EV16", "rooted-dismantle", "root")
def dismantling_never_reported() -> None:
    """After a dismantling the handles of the leaves are not told."""
    never(FD_CLOSE, is_a(Role.ROOT_LEAF))


@patch("EV17", "rooted-abort", "root")
def abort_as_graceful() -> None:
    """Whose peer has aborted gets FD_CLOSE(0)."""
    coded(FD_CLOSE, SUCCESS, lambda _socket, code: code is WsaError.WSAECONNRESET)


@patch("EV18", "end-crash", "leaf2")
def death_as_reset() -> None:
    """Whose peer has died gets FD_CLOSE(WSAECONNRESET)."""
    coded(FD_CLOSE, WsaError.WSAECONNRESET, lambda _socket, code: code is not SUCCESS)


@patch("EV19", "rooted-abort", "root")
def own_abort_as_graceful() -> None:
    """The handles of a root that closed with linger 0 get FD_CLOSE(0)."""
    coded(FD_CLOSE, SUCCESS, lambda _socket, code: code is WsaError.WSAECONNABORTED)


@patch("EV20", "rooted-lan", "leaf3")
def close_reported_twice() -> None:
    """Every FD_CLOSE is handed out twice."""
    doubled(FD_CLOSE)


@patch("EV22", "rooted-dismantle", "leaf2")
def dismantled_and_not_told() -> None:
    """A leaf whose session is dismantled closes without telling its application."""
    never(FD_CLOSE)


@patch("EV23", "rooted-lan", "root")
def one_left_all_told() -> None:
    """When one leaf leaves, the handles of all others get FD_CLOSE, too."""

    def gossip(
        occur: Any, self: Provider, socket: Socket, event: NetworkEvent, code: WsaError
    ) -> None:
        occur(self, socket, event, WsaError(code))
        if event is FD_CLOSE and socket.role is Role.ROOT_LEAF:
            for other in self.open_sockets():
                if other.role is Role.ROOT_LEAF and other is not socket:
                    occur(self, other, event, WsaError(code))

    record(gossip)


@patch("EV24", "open-lan", "alice")
def somebody_left() -> None:
    """A participant of a nonrooted session is told by FD_CLOSE that another one has left."""
    left: list[bool] = []

    def notice(original: Any, self: Participant, message: Any, *others: Any) -> Any:
        if isinstance(message, Announce) and message.kind == AnnounceKind.LEAVE:
            left.append(True)
        return original(self, message, *others)

    def tell(original: Any, self: Provider, endpoint: Endpoint, now_s: float) -> None:
        original(self, endpoint, now_s)
        if left:
            left.clear()
            say(self, self.holders[endpoint.local], FD_CLOSE)

    wrap(Participant, "receive", notice)
    wrap(Provider, "collect", tell)


@patch("EV27", "rooted-decisions", "root")
def own_end_never_reported() -> None:
    """A handle that was shut down is not told when its leaf has agreed."""
    never(FD_CLOSE)


@patch("EV27", "end-parting-words", "leaf1")
def own_shutdown_never_reported() -> None:
    """A leaf that shut its socket down is not told when the root has agreed."""
    never(FD_CLOSE)


@patch("EV28", "end-interface", "leaf1")
def lost_interface_never_reported() -> None:
    """A leaf hears from the kernel that its interface is gone, and tells nobody."""

    def ignored(_original: Any, _self: Provider, _host: str, _now_s: float, *, is_up: bool) -> None:
        del is_up

    wrap(Provider, "interface_changed", ignored)
