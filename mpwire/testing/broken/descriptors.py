"""CR21: what becomes of a socket with several descriptors."""

from typing import Any

from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import wrap
from mpwire.winsock import Provider
from mpwire.winsock.sockets import Socket


@patch("CR21", "socket-duplicates", "leaf1")
def twins_die_together() -> None:
    """Closing one descriptor of a socket makes the others unusable, and the socket lives on."""

    def together(original: Any, self: Provider, socket: Socket, handle: int) -> bool:
        last: bool = original(self, socket, handle)
        for other in (socket.handle, *socket.duplicates):
            self.sockets.pop(other, None)
        return last

    wrap(Provider, "drop_descriptor", together)


@patch("CR17", "socket-duplicates", "leaf1")
def ends_with_the_first_descriptor() -> None:
    """Closing one descriptor of a socket ends its membership, though another one is open."""

    def first(original: Any, self: Provider, socket: Socket, handle: int) -> bool:
        original(self, socket, handle)
        return True

    wrap(Provider, "drop_descriptor", first)
