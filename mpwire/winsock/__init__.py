"""Winsock-shaped sockets over the core, still without I/O.

- `provider`: the calls (start here); `joining`, `transfer`, `ending`: the calls in full
- `condition`, `quality`, `parameters`: condition functions, flow specifications, what is checked
- `selecting`, `polling`: WSPEventSelect and WSPAsyncSelect; WSPSelect
- `control`, `network`: ioctls and options; the host's interfaces, addresses and routes
- `duplicates`, `farewell`: WSPDuplicateSocket; disconnect data, WSPConnect
- `contract`, `record`: the FD_* contract as a table; the network-event record of a socket
- `chatting`: private data between P and its leaf
- `reactions`: from reports of the core to network events
- `sockets`, `base`, `errors`, `transport`: what the calls are written with
"""

from mpwire.winsock.base import Accepted, Blocked, Completion, Message, Ready, WindowMessage
from mpwire.winsock.condition import ConditionArguments, ConditionFunction
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.errors import SocketError
from mpwire.winsock.provider import Provider
from mpwire.winsock.transport import Transport

__all__ = [
    "Accepted",
    "Blocked",
    "Completion",
    "ConditionArguments",
    "ConditionFunction",
    "Ioctl",
    "Message",
    "Option",
    "Provider",
    "Ready",
    "SocketError",
    "Transport",
    "WindowMessage",
]
