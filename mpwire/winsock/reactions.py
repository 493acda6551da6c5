"""From what the core reports to what sockets record: the FD_* events of every path."""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import (
    AbortRequested,
    DataReceived,
    Joined,
    JoinFailed,
    PeerFinished,
    Report,
    RequestFolded,
    RequestGone,
    RoomMade,
    SideReceived,
    SideRoomMade,
    Superseded,
)
from mpwire.core.listener import ListenerState
from mpwire.core.participant import ReceiverAppeared
from mpwire.core.session import SessionState
from mpwire.vocabulary import WsaError
from mpwire.winsock.chatting import Chatting
from mpwire.winsock.directions import flag_of
from mpwire.winsock.errors import SocketError
from mpwire.winsock.record import FD_ACCEPT, FD_CLOSE, FD_CONNECT, FD_READ, FD_WRITE
from mpwire.winsock.sockets import Received, Role, Socket


class Reactions(Chatting):
    """Turn the reports of endpoints into network events, completions and queued data."""

    def collect(self, endpoint: Endpoint, now_s: float) -> None:
        """Take everything an endpoint has to say, and let go of it when nothing is left."""
        while endpoint.reports:
            reports, endpoint.reports = endpoint.reports, []
            for membership, report in reports:
                self._react(endpoint, membership, report, now_s)
        if endpoint.session_reports:
            self._take_from_session(endpoint, now_s)
        self.indicate_request(endpoint, now_s)
        self.datagrams += endpoint.datagrams
        endpoint.datagrams = []
        self.dropped += endpoint.dropped
        endpoint.dropped = []
        self.agenda.note(endpoint.local, endpoint.next_timer_s())
        idle = endpoint.is_idle and endpoint.local not in self.holders
        if idle and self.endpoints.get(endpoint.local) is endpoint:
            del self.endpoints[endpoint.local]
            self.agenda.note(endpoint.local, None)
            self.transport.release(endpoint.local)
        self.look_again()

    def _react(
        self, endpoint: Endpoint, membership: Membership, report: Report, now_s: float
    ) -> None:
        match report:
            case Joined(callee_data):
                self._joined(endpoint, membership, callee_data or b"", now_s)
            case JoinFailed(code):
                self._join_failed(endpoint, membership, code)
            case RequestFolded(request):
                self._request_folded(membership, request)
            case RequestGone(code):
                self._request_gone(endpoint, membership, code)
            case DataReceived(origin, payload):
                received = Received(payload, membership, origin)
                self._data_received(endpoint, received, now_s)
            case RoomMade():
                self._room_made(endpoint, membership, now_s)
            case PeerFinished():
                self._peer_finished(membership, now_s)
            case SideReceived(payload):
                origin = membership.identity.peer_id
                private = Received(payload, membership, origin, private=True)
                self.chat_received(endpoint, private, now_s)
            case SideRoomMade():
                self.chat_room_made(membership, now_s)
            case ended:
                self._ended(endpoint, membership, ended.code, now_s)

    # Joins ------------------------------------------------------------------------------------

    def _joined(
        self, endpoint: Endpoint, membership: Membership, callee_data: bytes, now_s: float
    ) -> None:
        """Complete a join at either end: FD_CONNECT on the original, FD_WRITE where data goes."""
        session = endpoint.session
        is_first = session is not None and not session.members
        if session is not None:
            session.note_joined(membership)
        socket = self.owners.get(membership)
        if socket is None:
            return
        code = self.hear_group(endpoint, membership) if session is None else WsaError.SUCCESS
        original = socket.parent or socket
        if code is not WsaError.SUCCESS:
            if original.pending is socket:
                self._join_failed(endpoint, membership, code)
            endpoint.call(membership, AbortRequested(), now_s)
            return
        if original.pending is socket:
            socket.usable = True
            self._drop_parked(endpoint, now_s)
            self._release_join(endpoint, original)
            original.callee_data = callee_data[: original.callee_capacity]
            original.join_flag = original.asked_flag
            if not membership.initiator:
                original.join_flag = flag_of(membership.leaf_dir)
            original.untold |= original.role is Role.LEAF or is_first
            self.occur(original, FD_CONNECT)
            if self.finish_all(original, "join_leaf", socket.handle):
                original.untold = False
        carrier = original if session is not None else socket
        sendable = membership.may_send and (session is None or session.is_first(membership))
        if sendable and carrier.may_ever_send:
            self.occur(carrier, FD_WRITE)
        self.chat_opened(membership)

    def _request_folded(self, invitation: Membership, request: Membership) -> None:
        """Let the invitation that crossed a leaf's request stand for its join (LF10)."""
        socket = self.owners.pop(request)
        socket.membership = invitation
        self.owners[invitation] = socket

    def _drop_parked(self, endpoint: Endpoint, now_s: float) -> None:
        """Let go of the requests of a leaf that has come by our invitation (RM7)."""
        if endpoint.listener is not None:
            for entry in endpoint.listener.entries:
                if entry.parked and entry.gone is None:
                    endpoint.call(entry.membership, Superseded(), now_s)

    def _join_failed(self, endpoint: Endpoint, membership: Membership, code: WsaError) -> None:
        """Fail a join: FD_CONNECT(code) on the original; a P stays dead until closed (D27)."""
        socket = self.owners[membership]
        original = socket.parent or socket
        self.occur(original, FD_CONNECT, code)
        self.give_up_join(endpoint, original, SocketError(code, "the join failed"))

    def give_up_join(self, endpoint: Endpoint, original: Socket, error: SocketError) -> None:
        """Let go of an outstanding join that leads to nothing.

        A blocking call never gave its P to anybody, so that P goes with it.
        """
        joined = original.pending
        assert joined is not None
        assert joined.membership is not None
        del self.owners[joined.membership]
        joined.membership = None
        self._release_join(endpoint, original)
        if self.finish_all(original, "join_leaf", error) and joined is not original:
            del self.sockets[joined.handle]

    def _release_join(self, endpoint: Endpoint, original: Socket) -> None:
        """Free the slot of the one outstanding join (W32); what it had parked shows (RM8)."""
        original.pending = None
        if endpoint.session is not None:
            endpoint.session.invitation = None
        if endpoint.listener is not None:
            endpoint.listener.park(None)

    # Requests ---------------------------------------------------------------------------------

    def _request_gone(self, endpoint: Endpoint, membership: Membership, code: WsaError) -> None:
        """Keep the dead entry for the WSPAccept that meets it (D17).

        A deferred head had muted FD_ACCEPT; once it is dead, the requests behind it speak (T23).
        """
        listener = endpoint.listener
        assert listener is not None
        muted = listener.state is ListenerState.DEFERRED
        listener.mark_gone(membership, code)
        if muted and listener.state is not ListenerState.DEFERRED:
            self.holders[endpoint.local].record.reenable(FD_ACCEPT)

    def indicate_request(self, endpoint: Endpoint, now_s: float) -> None:
        """Record FD_ACCEPT when requests have come in since the last look (W34, W39, W44)."""
        listener = endpoint.listener
        if listener is None or not listener.indicates:
            return
        owner = self.holders[endpoint.local]
        if listener.arrived:
            self.occur(owner, FD_ACCEPT)
        else:
            self.signal(owner, owner.record.still_holds(FD_ACCEPT))
        listener.arrived = False
        self.wake("accept", owner, now_s)

    # Data and endings -------------------------------------------------------------------------

    def _data_received(self, endpoint: Endpoint, received: Received, now_s: float) -> None:
        """Queue group data on R or on the leaf end, never on P (W57, W60)."""
        assert received.membership is not None
        session, source = endpoint.session, received.membership
        assert source is not None
        if session is None:
            target = self.owners.get(source)
        else:
            target = self.holders.get(endpoint.local) if session.hears(source) else None
        self.deliver(endpoint, target, received, now_s)

    def _take_from_session(self, endpoint: Endpoint, now_s: float) -> None:
        """Turn what a participant has heard into data and events of its socket."""
        reports, endpoint.session_reports = endpoint.session_reports, []
        socket = self.holders[endpoint.local]
        for report in reports:
            match report:
                case DataReceived(origin, payload) if socket.may_ever_receive:
                    socket.put(Received(payload, None, origin))
                    self.occur(socket, FD_READ)
                    self.wake("recv", socket, now_s)
                case ReceiverAppeared() if socket.may_ever_send:
                    self.occur(socket, FD_WRITE)

    def _room_made(self, endpoint: Endpoint, membership: Membership, now_s: float) -> None:
        """Let sending go on when every receiver has room again: FD_WRITE (D35, W95)."""
        session = endpoint.session
        if session is None:
            carrier = self.owners.get(membership)
        else:
            session.full.discard(membership)
            carrier = None if session.full else self.holders.get(endpoint.local)
        if carrier is None:
            return
        if carrier.wants_room and carrier.may_ever_send:
            carrier.wants_room = False
            self.occur(carrier, FD_WRITE)
        self.wake("send", carrier, now_s)

    def _ended(
        self, endpoint: Endpoint, membership: Membership, code: WsaError, now_s: float
    ) -> None:
        """Tell the one socket that stands for this membership, and R when all are gone (D5)."""
        session = endpoint.session
        self.stop_hearing(endpoint, membership)
        if session is not None:
            session.note_ended(membership)
            self._room_made(endpoint, membership, now_s)
        self._close_finished(membership)
        socket = self.owners.pop(membership, None)
        if socket is not None:
            self._close_seen(socket, code, now_s)
        if session is not None and session.state is SessionState.DEAD:
            root = self.holders.get(endpoint.local)
            if root is not None and root.ended is None:
                self._close_seen(root, WsaError.SUCCESS, now_s)

    def _peer_finished(self, membership: Membership, now_s: float) -> None:
        """Record the one FD_CLOSE of a circuit whose peer sends nothing more (W77, W80)."""
        socket = self.owners.get(membership)
        if socket is not None:
            self._close_seen(socket, WsaError.SUCCESS, now_s)

    def _close_finished(self, membership: Membership) -> None:
        """Complete the close that waits for this membership, if it was the last one (W81)."""
        closing = self.closing.pop(membership, None)
        if closing is None:
            return
        closing.remaining.discard(membership)
        if not closing.remaining and closing.waiting.token in self.blocked:
            self.finish(closing.waiting, 0)

    def _close_seen(self, socket: Socket, code: WsaError, now_s: float) -> None:
        """End a socket; a graceful FD_CLOSE waits until received data is read (W73)."""
        socket.ended = code
        if code is not WsaError.SUCCESS or not socket.queue:
            self.occur(socket, FD_CLOSE, code)
        self.wake("recv", socket, now_s)
        self.wake("send", socket, now_s)
        self.wake("send in private", socket, now_s)
