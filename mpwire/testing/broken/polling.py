"""CR26, CR27: WSPSelect tells too much, too little, or takes what it should only look at."""

from typing import Any

from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import wrap
from mpwire.winsock import Provider
from mpwire.winsock.base import Ready
from mpwire.winsock.sockets import Socket


@patch("CR26", "socket-select", "leaf1")
def select_tells_of_the_join() -> None:
    """A socket is writable as soon as its join has succeeded, before FD_CONNECT told of it."""

    def hasty(original: Any, self: Provider, socket: Socket) -> bool:
        socket.untold = False
        ready: bool = original(self, socket)
        return ready

    wrap(Provider, "is_writable", hasty)


@patch("CR26", "socket-select", "leaf2")
def failed_join_is_an_exception() -> None:
    """A socket whose join has failed is in the third set."""

    def alarmed(original: Any, self: Provider, *sets: tuple[int, ...]) -> Ready:
        ready: Ready = original(self, *sets)
        failed = tuple(handle for handle in sets[2] if self.find(handle).error)
        return Ready(ready.read, ready.write, failed)

    wrap(Provider, "_look", alarmed)


@patch("CR27", "socket-select", "root")
def request_is_not_readable() -> None:
    """A listener is not readable although a request waits."""
    wrap(Provider, "is_readable", lambda _original, _self, socket: bool(socket.queue))


@patch("CR27", "socket-select", "leaf1")
def everything_is_readable() -> None:
    """Every socket is readable, whether there is something or not."""
    wrap(Provider, "is_readable", lambda *_: True)


@patch("CR27", "socket-select", "leaf1")
def nobody_has_room() -> None:
    """No socket is writable, whether its receivers have room or not."""
    wrap(Provider, "is_writable", lambda *_: False)


@patch("EV3", "socket-select", "leaf1")
def select_takes_the_events() -> None:
    """WSPSelect takes the events of the sockets that it looks at."""

    def thief(original: Any, self: Provider, *sets: tuple[int, ...]) -> Ready:
        for handle in {handle for one in sets for handle in one}:
            self.find(handle).record.enumerate()
        ready: Ready = original(self, *sets)
        return ready

    wrap(Provider, "_look", thief)
