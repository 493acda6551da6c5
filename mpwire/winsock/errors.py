"""The error that every failing provider call raises."""

from mpwire.errors import MpwireError
from mpwire.vocabulary import WsaError


class SocketError(MpwireError):
    """A provider call failed; `code` is what lpErrno would hold."""

    def __init__(self, code: WsaError, reason: str) -> None:
        """Keep the Winsock code and the reason in words."""
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason
