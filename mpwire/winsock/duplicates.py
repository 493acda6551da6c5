"""WSPDuplicateSocket: several descriptors of one underlying socket (W84).

They share everything: mode, options, selection and record. The socket ends with the last of them.
"""

from mpwire.vocabulary import WsaError
from mpwire.winsock.base import ProviderBase
from mpwire.winsock.errors import SocketError
from mpwire.winsock.sockets import Socket


class Duplicates(ProviderBase):
    """Give sockets more descriptors, and take them away again."""

    def duplicate(self, handle: int) -> int:
        """Return another descriptor of a socket.

        Raises:
            SocketError: WSAEINVAL on a socket that awaits completion (D8); WSAEMFILE.
        """
        socket = self.find(handle)
        if socket.is_unusable_handle:
            raise SocketError(WsaError.WSAEINVAL, "the socket awaits its own completion")
        self.check_descriptor_free()
        another = self.new_handle()
        self.sockets[another] = socket
        socket.duplicates.append(another)
        return another

    def drop_descriptor(self, socket: Socket, handle: int) -> bool:
        """Take a descriptor away; return whether it was the last one of its socket.

        Calls that wait on the socket, and its events, go on under the oldest that is left.
        """
        del self.sockets[handle]
        if not socket.duplicates:
            return True
        if handle in socket.duplicates:
            socket.duplicates.remove(handle)
        else:
            marked = self.unmark(socket)
            socket.handle = socket.duplicates.pop(0)
            waiting = self.blocked_on.pop(handle, {})
            for one in waiting.values():
                one.handle = socket.handle
            if waiting:
                self.blocked_on[socket.handle] = waiting
            self.signal(socket, marked)
        self.look_again()
        return False
