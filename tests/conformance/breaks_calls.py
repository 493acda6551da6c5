"""Break W101 to W104: listening, select and errors."""

from collections.abc import Iterable

from mpwire.core.listener import MAXIMUM_BACKLOG
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider, SocketError
from tests.conformance.registry import MonkeyPatch, Original, breaks, mistake, wrap

# L. Listening, select, errors -----------------------------------------------------------------


@breaks(101)
def listening_binds(patch: MonkeyPatch) -> None:
    """WSPListen binds a socket that has no name instead of failing with EINVAL."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        self.bind_implicitly(self.find(handle))
        original(self, handle, *others)

    wrap(patch, Provider, "listen", wrong)


@breaks(101)
def member_may_listen(patch: MonkeyPatch) -> None:
    """WSPListen on a c_leaf that is a member fails with EINVAL."""
    mistake(patch, Provider, "listen", WsaError.WSAEISCONN, becomes=WsaError.WSAEINVAL)


@breaks(101)
def backlog_is_taken_as_it_is(patch: MonkeyPatch) -> None:
    """A backlog out of range is refused with EINVAL."""

    def wrong(original: Original, self: Provider, handle: int, backlog: int, now_s: float) -> None:
        if not 1 <= backlog <= MAXIMUM_BACKLOG:
            raise SocketError(WsaError.WSAEINVAL, f"{backlog} is no backlog")
        original(self, handle, backlog, now_s)

    wrap(patch, Provider, "listen", wrong)


@breaks(102)
def select_reads_the_record(patch: MonkeyPatch) -> None:
    """WSPSelect takes the events of the sockets that it is asked about."""

    def wrong(
        original: Original, self: Provider, read: Iterable[int], *others: object, **named: object
    ) -> object:
        found = original(self, read, *others, **named)
        for handle in read:
            self.enum_network_events(handle)
        return found

    wrap(patch, Provider, "select", wrong)


@breaks(103)
def caller_data_that_is_too_long_is_a_message(patch: MonkeyPatch) -> None:
    """WSPJoinLeaf fails with EMSGSIZE, which table 1M does not know, and not with EFAULT."""

    def wrong(original: Original, *others: object, **named: object) -> object:
        try:
            return original(*others, **named)
        except SocketError as error:
            if error.code is WsaError.WSAEFAULT:
                raise SocketError(WsaError.WSAEMSGSIZE, error.reason) from None
            raise

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(104)
def errors_are_not_kept(patch: MonkeyPatch) -> None:
    """SO_ERROR is 0 also after a join that failed."""

    def wrong(original: Original, self: Provider, handle: int) -> WsaError:
        original(self, handle)
        return WsaError.SUCCESS

    wrap(patch, Provider, "socket_error", wrong)
