"""From what the core reports to what sockets record: the FD_* events of every path."""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import (
    DataReceived,
    Ended,
    Forgotten,
    Joined,
    JoinFailed,
    Report,
    RequestGone,
)
from mpwire.core.session import SessionState
from mpwire.vocabulary import WsaError
from mpwire.winsock.base import ProviderBase
from mpwire.winsock.errors import SocketError
from mpwire.winsock.record import FD_ACCEPT, FD_CLOSE, FD_CONNECT, FD_READ, FD_WRITE
from mpwire.winsock.sockets import Socket


class Reactions(ProviderBase):
    """Turn the reports of endpoints into network events, completions and queued data."""

    def collect(self, endpoint: Endpoint, now_s: float) -> None:
        """Take everything an endpoint has to say, and let go of it when nothing is left."""
        while endpoint.reports:
            reports, endpoint.reports = endpoint.reports, []
            for membership, report in reports:
                self._react(endpoint, membership, report, now_s)
        self.indicate_request(endpoint, now_s)
        self.datagrams += endpoint.datagrams
        endpoint.datagrams = []
        self.dropped += endpoint.dropped
        endpoint.dropped = []
        if not endpoint.by_tag and endpoint.local not in self.holders:
            del self.endpoints[endpoint.local]
            self.transport.release(endpoint.local)

    def _react(
        self, endpoint: Endpoint, membership: Membership, report: Report, now_s: float
    ) -> None:
        match report:
            case Joined(callee_data):
                self._joined(endpoint, membership, callee_data or b"")
            case JoinFailed(code):
                self._join_failed(endpoint, membership, code)
            case RequestGone(code):
                self._request_gone(endpoint, membership, code)
            case DataReceived(_, payload):
                self._data_received(endpoint, membership, payload, now_s)
            case Ended(code):
                self._ended(endpoint, membership, code, now_s)
            case Forgotten():
                pass

    # Joins ------------------------------------------------------------------------------------

    def _joined(self, endpoint: Endpoint, membership: Membership, callee_data: bytes) -> None:
        """Complete a join at either end: FD_CONNECT on the original, FD_WRITE where data goes."""
        session = endpoint.session
        if session is not None:
            session.note_joined(membership)
        socket = self.owners.get(membership)
        if socket is None:
            return
        socket.usable = True
        original = socket.parent or socket
        if membership.initiator:
            self._release_join(endpoint, original)
            original.callee_data = callee_data[: original.callee_capacity]
            original.join_flag = original.asked_flag
            self.occur(original, FD_CONNECT)
            self.finish_all(original, "join_leaf", socket.handle)
        carrier = original if session is not None else socket
        if membership.may_send:
            self.occur(carrier, FD_WRITE)

    def _join_failed(self, endpoint: Endpoint, membership: Membership, code: WsaError) -> None:
        """Fail a join: FD_CONNECT(code) on the original; a P stays dead until closed (D27)."""
        socket = self.owners.pop(membership)
        original = socket.parent or socket
        socket.membership = None
        self._release_join(endpoint, original)
        original.error = code
        self.occur(original, FD_CONNECT, code)
        self.finish_all(original, "join_leaf", SocketError(code, "the join failed"))

    def _release_join(self, endpoint: Endpoint, original: Socket) -> None:
        """Free the slot of the one outstanding join (W32)."""
        original.pending = None
        if endpoint.session is not None:
            endpoint.session.invitation = None

    # Requests ---------------------------------------------------------------------------------

    def _request_gone(self, endpoint: Endpoint, membership: Membership, code: WsaError) -> None:
        """Keep the dead entry for the WSPAccept that meets it (D17).

        A deferred head had muted FD_ACCEPT; once it is dead, the requests behind it speak (T23).
        """
        listener = endpoint.listener
        owner = self.holders.get(endpoint.local)
        if listener is None or owner is None:
            return
        muted = not listener.indicates
        listener.mark_gone(membership, code)
        if muted and listener.indicates and any(entry.gone is None for entry in listener.entries):
            owner.record.reenable(FD_ACCEPT)

    def indicate_request(self, endpoint: Endpoint, now_s: float) -> None:
        """Record FD_ACCEPT when requests have come in since the last look (W34, W39, W44)."""
        listener = endpoint.listener
        if listener is None or not listener.indicates:
            return
        owner = self.holders.get(endpoint.local)
        if owner is None:
            return
        if listener.arrived:
            self.occur(owner, FD_ACCEPT)
        else:
            self.signal(owner, owner.record.still_holds(FD_ACCEPT))
        listener.arrived = False
        self.wake("accept", owner, now_s)

    # Data and endings -------------------------------------------------------------------------

    def _data_received(
        self, endpoint: Endpoint, membership: Membership, payload: bytes, now_s: float
    ) -> None:
        """Queue group data on R or on the leaf end, never on P (W57, W60)."""
        if endpoint.session is not None:
            target = self.holders.get(endpoint.local)
        else:
            target = self.owners.get(membership)
        if target is None or target.receive_shut:
            return
        target.queue.append(payload)
        self.occur(target, FD_READ)
        self.wake("recv", target, now_s)

    def _ended(
        self, endpoint: Endpoint, membership: Membership, code: WsaError, now_s: float
    ) -> None:
        """Tell the one socket that stands for this membership, and R when all are gone (D5)."""
        session = endpoint.session
        if session is not None:
            session.note_ended(membership)
        socket = self.owners.pop(membership, None)
        if socket is not None:
            self._close_seen(socket, code, now_s)
        if session is not None and session.state is SessionState.DEAD:
            root = self.holders.get(endpoint.local)
            if root is not None and root.ended is None:
                self._close_seen(root, WsaError.SUCCESS, now_s)

    def _close_seen(self, socket: Socket, code: WsaError, now_s: float) -> None:
        """End a socket; a graceful FD_CLOSE waits until received data is read (W73)."""
        socket.ended = code
        if code is not WsaError.SUCCESS or not socket.queue:
            self.occur(socket, FD_CLOSE, code)
        self.wake("recv", socket, now_s)
