"""Errors as people catch them."""

import copy
import errno

import pytest

from mpwire.io.errors import CLASS_OF_CODE, MultipointError, error_of
from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError

CODES = [code for code in WsaError if code is not WsaError.SUCCESS]


@pytest.mark.parametrize(
    ("code", "builtin", "number"),
    [
        (WsaError.WSAECONNREFUSED, ConnectionRefusedError, errno.ECONNREFUSED),
        (WsaError.WSAECONNRESET, ConnectionResetError, errno.ECONNRESET),
        (WsaError.WSAECONNABORTED, ConnectionAbortedError, errno.ECONNABORTED),
        (WsaError.WSAETIMEDOUT, TimeoutError, errno.ETIMEDOUT),
        (WsaError.WSAEWOULDBLOCK, BlockingIOError, errno.EWOULDBLOCK),
        (WsaError.WSAEALREADY, BlockingIOError, errno.EALREADY),
        (WsaError.WSATRY_AGAIN, BlockingIOError, errno.EAGAIN),
        (WsaError.WSAEINTR, InterruptedError, errno.EINTR),
        (WsaError.WSAESHUTDOWN, BrokenPipeError, errno.ESHUTDOWN),
        (WsaError.WSAEACCES, PermissionError, errno.EACCES),
        (WsaError.WSAEDISCON, EOFError, errno.ESHUTDOWN),
        (WsaError.WSAENOTCONN, OSError, errno.ENOTCONN),
        (WsaError.WSAENETUNREACH, OSError, errno.ENETUNREACH),
    ],
)
def test_is_what_the_standard_library_would_raise(
    code: WsaError, builtin: type[Exception], number: int
) -> None:
    error = error_of(code, "why")
    assert isinstance(error, builtin)
    assert error.errno == number


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_is_an_os_error_and_carries_the_winsock_code(code: WsaError) -> None:
    error = error_of(code, "why")
    assert isinstance(error, OSError)
    assert isinstance(error, SocketError)
    assert (error.code, error.reason) == (code, "why")
    assert f"{code.name}: why" in str(error)
    twin = copy.copy(error)
    assert (type(twin), twin.code, str(twin)) == (type(error), code, str(error))


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_builtin_that_fits_is_never_missed(code: WsaError) -> None:
    """OSError itself chooses a subclass by the number; ours must be one of that subclass."""
    error = error_of(code, "why")
    if CLASS_OF_CODE.get(code, MultipointError) is MultipointError:
        assert type(OSError(error.errno, "")) is OSError
    elif code is not WsaError.WSAEDISCON and code is not WsaError.WSA_OPERATION_ABORTED:
        assert isinstance(error, type(OSError(error.errno, "")))
