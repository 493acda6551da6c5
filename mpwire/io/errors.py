"""The errors of the facades: each is a `SocketError` and an OSError of the standard library.

`except ConnectionRefusedError` works as with any socket, `error.errno` is the number of this
system, and `error.code` the Winsock code that a provider call would have put in lpErrno. The end of
a membership reads as the end of a file: `recv` raises `DisconnectedError`, an EOFError, because a
message of no octets is a message.
"""

import errno
from typing import Final

from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError


class MultipointError(SocketError, OSError):
    """A call on a multipoint socket failed."""

    def __init__(self, code: WsaError, reason: str) -> None:
        """Say it as SocketError does and as OSError does."""
        OSError.__init__(self, ERRNO_OF_CODE.get(code, errno.EIO), f"{code.name}: {reason}")
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Copy by what `__init__` takes, which is not what OSError was given."""
        return type(self), (self.code, self.reason)


class JoinRefusedError(MultipointError, ConnectionRefusedError):
    """WSAECONNREFUSED: the other side said no, or nobody listens there."""


class MembershipResetError(MultipointError, ConnectionResetError):
    """WSAECONNRESET: the other end aborted, or a request was withdrawn."""


class MembershipAbortedError(MultipointError, ConnectionAbortedError):
    """WSAECONNABORTED: the membership failed at this end."""


class DisconnectedError(MultipointError, EOFError):
    """WSAEDISCON: the membership ended gracefully, and everything has been read."""


class SendShutError(MultipointError, BrokenPipeError):
    """WSAESHUTDOWN: this direction was shut down."""


class TimedOutError(MultipointError, TimeoutError):
    """WSAETIMEDOUT: no answer in time."""


class NotNowError(MultipointError, BlockingIOError):
    """WSAEWOULDBLOCK, WSAEALREADY, WSAEINPROGRESS: not now."""


class DeferredError(NotNowError):
    """WSATRY_AGAIN: the condition function deferred; the request stays at the head."""


class CancelledCallError(MultipointError, InterruptedError):
    """WSAEINTR, WSA_OPERATION_ABORTED: the call was cancelled, or its socket closed."""


class ExpiredRequestError(MultipointError, PermissionError):
    """WSAEACCES: the request expired before it was accepted, or an address needs privileges."""


_E = WsaError
ERRNO_OF_CODE: Final = {
    _E.WSA_OPERATION_ABORTED: errno.ECANCELED,
    _E.WSATRY_AGAIN: errno.EAGAIN,
    _E.WSAEDISCON: errno.ESHUTDOWN,
    _E.WSASYSCALLFAILURE: errno.ENOSYS,
} | {
    code: getattr(errno, code.name.removeprefix("WSA"))
    for code in WsaError
    if hasattr(errno, code.name.removeprefix("WSA"))
}
"""The number of this system for a Winsock code."""

CLASS_OF_CODE: Final[dict[WsaError, type[MultipointError]]] = {
    _E.WSAECONNREFUSED: JoinRefusedError,
    _E.WSAECONNRESET: MembershipResetError,
    _E.WSAECONNABORTED: MembershipAbortedError,
    _E.WSAEDISCON: DisconnectedError,
    _E.WSAESHUTDOWN: SendShutError,
    _E.WSAETIMEDOUT: TimedOutError,
    _E.WSAEWOULDBLOCK: NotNowError,
    _E.WSAEALREADY: NotNowError,
    _E.WSAEINPROGRESS: NotNowError,
    _E.WSATRY_AGAIN: DeferredError,
    _E.WSAEINTR: CancelledCallError,
    _E.WSA_OPERATION_ABORTED: CancelledCallError,
    _E.WSAEACCES: ExpiredRequestError,
}
"""Every other code is a plain MultipointError, which is an OSError."""


def error_of(code: WsaError, reason: str) -> MultipointError:
    """Return the error that stands for a Winsock code."""
    return CLASS_OF_CODE.get(code, MultipointError)(code, reason)
