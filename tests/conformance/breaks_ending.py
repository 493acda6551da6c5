"""Break W72 to W85: codes, order and ways of ending."""

from dataclasses import replace

from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.protocols import ENTRIES, ServiceFlag
from mpwire.winsock.record import FD_CLOSE, FD_READ, EventRecord, Phase
from mpwire.winsock.sockets import Socket
from tests.conformance.mistakes import mistake_close, on_close_seen
from tests.conformance.registry import MonkeyPatch, Original, breaks, mistake, wrap

GRACEFUL = WsaError.SUCCESS


@breaks(72)
def every_end_is_graceful(patch: MonkeyPatch) -> None:
    """FD_CLOSE carries 0 also after a reset or a time-out."""

    def wrong(
        original: Original, self: Provider, socket: Socket, _code: WsaError, now_s: float
    ) -> None:
        original(self, socket, GRACEFUL, now_s)

    on_close_seen(patch, wrong)


@breaks(72)
def reset_looks_like_failure(patch: MonkeyPatch) -> None:
    """FD_CLOSE carries ECONNABORTED also when the peer has reset the membership."""
    mistake_close(patch, WsaError.WSAECONNRESET, WsaError.WSAECONNABORTED)


@breaks(72)
def failure_looks_like_reset(patch: MonkeyPatch) -> None:
    """FD_CLOSE carries ECONNRESET also when nobody answered any more."""
    mistake_close(patch, WsaError.WSAECONNABORTED, WsaError.WSAECONNRESET)


@breaks(73)
def close_does_not_wait_for_the_reader(patch: MonkeyPatch) -> None:
    """FD_CLOSE(0) is recorded while received data is unread."""

    def wrong(
        original: Original, self: Provider, socket: Socket, code: WsaError, now_s: float
    ) -> None:
        original(self, socket, code, now_s)
        self.occur(socket, FD_CLOSE, code)

    on_close_seen(patch, wrong)


@breaks(73)
def close_never_follows_the_data(patch: MonkeyPatch) -> None:
    """FD_CLOSE that waited for the reader does not come after the last message."""

    def wrong(original: Original, self: Provider, socket: Socket, now_s: float) -> object:
        ended = socket.ended
        socket.ended = None if socket.queue else ended
        try:
            return original(self, socket, now_s)
        finally:
            socket.ended = ended

    wrap(patch, Provider, "_take", wrong)


@breaks(74)
def end_looks_like_data(patch: MonkeyPatch) -> None:
    """Reading the last message before the end records FD_READ once more."""

    def wrong(original: Original, self: Provider, socket: Socket, now_s: float) -> object:
        message = original(self, socket, now_s)
        if socket.ended is not None and not socket.queue:
            self.occur(socket, FD_READ)
        return message

    wrap(patch, Provider, "_take", wrong)


@breaks(75)
def receive_would_block_for_ever(patch: MonkeyPatch) -> None:
    """A receive after the end finds nothing yet, as if something could still come."""

    def wrong(original: Original, self: Provider, socket: Socket, now_s: float) -> object:
        over = socket.ended is not None and not socket.queue
        return None if over else original(self, socket, now_s)

    wrap(patch, Provider, "_take", wrong)


@breaks(75)
def end_looks_like_a_stream(patch: MonkeyPatch) -> None:
    """A receive after a graceful end returns 0 octets instead of failing with EDISCON."""

    def wrong(original: Original, self: Provider, *others: object) -> object:
        try:
            return original(self, *others)
        except SocketError as error:
            if error.code is WsaError.WSAEDISCON:
                return b""
            raise

    wrap(patch, Provider, "_take_payload", wrong)


@breaks(75)
@breaks(82)
def reset_reads_as_graceful(patch: MonkeyPatch) -> None:
    """A receive after an abort fails with EDISCON."""
    mistake(patch, Provider, "recv", WsaError.WSAECONNRESET, becomes=WsaError.WSAEDISCON)


@breaks(76)
def closed_socket_signals(patch: MonkeyPatch) -> None:
    """The event object of a socket that was closed is set when its membership ends."""

    def close(original: Original, self: Provider, handle: int, now_s: float) -> None:
        socket = self.find(handle)
        original(self, handle, now_s)
        if socket.membership is not None:
            self.owners[socket.membership] = socket

    def occur(original: Original, self: Provider, socket: Socket, *others: object) -> None:
        original(self, socket, *others)
        self.signal(socket, socket.handle not in self.sockets)

    wrap(patch, Provider, "close", close)
    wrap(patch, Provider, "occur", occur)


@breaks(77)
def close_is_told_again_and_again(patch: MonkeyPatch) -> None:
    """FD_CLOSE stays in the record when it is enumerated."""

    def wrong(original: Original, self: EventRecord) -> object:
        closed = self.phases[FD_CLOSE]
        found = original(self)
        if closed is Phase.RECORDED:
            self.enter(FD_CLOSE, closed)
        return found

    wrap(patch, EventRecord, "enumerate", wrong)


@breaks(78)
def peer_is_told_of_sd_receive(patch: MonkeyPatch) -> None:
    """Shutting down the receiving side ends the membership."""

    def wrong(
        original: Original, self: Provider, handle: int, how: ShutdownHow, now_s: float
    ) -> None:
        original(self, handle, how, now_s)
        if how is ShutdownHow.RECEIVE:
            original(self, handle, ShutdownHow.SEND, now_s)

    wrap(patch, Provider, "shutdown", wrong)


@breaks(78)
def own_shutdown_is_the_end(patch: MonkeyPatch) -> None:
    """Shutting down gives the socket its own FD_CLOSE before the peer has ended."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        original(self, handle, *others)
        self.occur(self.find(handle), FD_CLOSE)

    wrap(patch, Provider, "shutdown", wrong)


@breaks(79)
def shut_side_looks_unconnected(patch: MonkeyPatch) -> None:
    """Sending after SD_SEND fails with ENOTCONN."""
    mistake(patch, Provider, "send", WsaError.WSAESHUTDOWN, becomes=WsaError.WSAENOTCONN)


@breaks(79)
def shut_side_waits_for_data(patch: MonkeyPatch) -> None:
    """Receiving after SD_RECEIVE fails with EWOULDBLOCK."""
    mistake(patch, Provider, "recv", WsaError.WSAESHUTDOWN, becomes=WsaError.WSAEWOULDBLOCK)


@breaks(79)
def any_direction_will_do(patch: MonkeyPatch) -> None:
    """WSPShutdown takes what is no direction for both."""

    def wrong(original: Original, self: Provider, handle: int, how: int, *others: object) -> None:
        how = how if how in {*ShutdownHow} else ShutdownHow.BOTH
        original(self, handle, how, *others)

    wrap(patch, Provider, "shutdown", wrong)


@breaks(79)
def unconnected_socket_shuts_down(patch: MonkeyPatch) -> None:
    """WSPShutdown on a socket that has not joined fails with EINVAL."""
    mistake(patch, Provider, "shutdown", WsaError.WSAENOTCONN, becomes=WsaError.WSAEINVAL)


@breaks(80)
def shutdown_ends_both_directions(patch: MonkeyPatch) -> None:
    """SD_SEND ends the membership where half close was agreed, too."""

    def wrong(original: Original, self: Provider, *others: object, half: bool) -> None:
        del half
        original(self, *others, half=False)

    wrap(patch, Provider, "_end", wrong)


@breaks(80)
def nobody_replies_after_the_end(patch: MonkeyPatch) -> None:
    """A send on a socket that has seen FD_CLOSE(0) fails."""

    def wrong(original: Original, self: Provider, socket: Socket) -> object:
        if socket.ended is not None:
            raise SocketError(WsaError.WSAENOTCONN, "the peer has shut down")
        return original(self, socket)

    wrap(patch, Provider, "_receivers", wrong)


@breaks(81)
def lingering_never_waits(patch: MonkeyPatch) -> None:
    """Closing returns at once on a blocking socket that is to linger."""
    wrap(patch, Provider, "await_end", lambda *_: None)


@breaks(81)
def lingering_never_aborts(patch: MonkeyPatch) -> None:
    """When the time to linger is over the close returns and leaves the CLOSE to its copies."""
    wrap(patch, Provider, "_give_up", lambda *_: 0)


@breaks(81)
def close_begins_although_it_would_block(patch: MonkeyPatch) -> None:
    """A nonblocking socket that is to linger closes in the background."""
    wrap(patch, Provider, "check_close_finishes", lambda *_: None)


@breaks(81)
def closing_aborts_by_default(patch: MonkeyPatch) -> None:
    """A socket of which nobody has set SO_LINGER closes abortively."""

    def wrong(original: Original, self: Provider, handle: int, now_s: float) -> object:
        socket = self.find(handle)
        if socket.linger_s is None:
            socket.linger_s = 0
        return original(self, handle, now_s)

    wrap(patch, Provider, "close", wrong)


@breaks(82)
def linger_0_is_graceful(patch: MonkeyPatch) -> None:
    """SO_LINGER with 0 s is accepted and ignored."""
    wrap(patch, Provider, "set_linger", lambda *_: None)


@breaks(83)
def pending_calls_outlive_the_socket(patch: MonkeyPatch) -> None:
    """Closing a socket leaves the calls that wait on it waiting."""

    def wrong(
        original: Original, self: Provider, socket: Socket, call: str | None, outcome: object
    ) -> object:
        code = outcome.code if isinstance(outcome, SocketError) else None
        aborted = code is WsaError.WSA_OPERATION_ABORTED
        return 0 if aborted else original(self, socket, call, outcome)

    wrap(patch, Provider, "finish_all", wrong)


@breaks(83)
def closed_call_was_interrupted(patch: MonkeyPatch) -> None:
    """Calls that wait on a socket end with EINTR when it is closed."""

    def wrong(original: Original, self: Provider, *others: object) -> object:
        *fixed, outcome = others
        if isinstance(outcome, SocketError) and outcome.code is WsaError.WSA_OPERATION_ABORTED:
            outcome = SocketError(WsaError.WSAEINTR, outcome.reason)
        return original(self, *fixed, outcome)

    wrap(patch, Provider, "finish_all", wrong)


@breaks(84)
def first_close_ends_the_socket(patch: MonkeyPatch) -> None:
    """Closing one of two descriptors of a socket ends the socket."""

    def wrong(original: Original, self: Provider, socket: Socket, handle: int) -> bool:
        original(self, socket, handle)
        return True

    wrap(patch, Provider, "drop_descriptor", wrong)


@breaks(84)
def duplicate_is_a_socket_of_its_own(patch: MonkeyPatch) -> None:
    """WSPDuplicateSocket returns a new socket that shares nothing but its kind."""

    def wrong(original: Original, self: Provider, handle: int) -> int:
        original_socket = self.find(handle)
        twin = original(self, handle)
        original_socket.duplicates.remove(twin)
        self.sockets[twin] = Socket(
            twin, original_socket.role, original_socket.flags, original_socket.family
        )
        return int(twin)

    wrap(patch, Provider, "duplicate", wrong)


@breaks(85)
def every_protocol_claims_to_close_gracefully(patch: MonkeyPatch) -> None:
    """XP1_GRACEFUL_CLOSE is set for connectionless protocols too."""
    claimed = {
        number: replace(entry, service_flags=entry.service_flags | ServiceFlag.GRACEFUL_CLOSE)
        for number, entry in ENTRIES.items()
    }
    for number, entry in claimed.items():
        patch.setitem(ENTRIES, number, entry)


@breaks(85)
def disconnect_data_without_support(patch: MonkeyPatch) -> None:
    """Disconnect data is taken where the protocol has none."""
    wrap(patch, Provider, "_check_offered", lambda *_: None)


@breaks(85)
def disconnect_data_is_lost(patch: MonkeyPatch) -> None:
    """What WSPSendDisconnect hands over does not reach the other end."""

    def wrong(
        original: Original, self: Provider, handle: int, data: bytes | None, now_s: float
    ) -> None:
        del data
        original(self, handle, None, now_s)

    wrap(patch, Provider, "send_disconnect", wrong)
