"""Winsock-shaped sockets over the core, still without I/O.

- `provider`: the calls (start here); `joining`, `transfer`, `ending`: the calls in full
- `record`: the FD_* contract as a table, and the network-event record of a socket
- `chatting`: private data between P and its leaf
- `reactions`: from reports of the core to network events
- `sockets`, `base`, `errors`, `transport`: what the calls are written with
"""

from mpwire.winsock.base import Accepted, Blocked, Completion, Message
from mpwire.winsock.condition import ConditionArguments, ConditionFunction
from mpwire.winsock.errors import SocketError
from mpwire.winsock.provider import Provider
from mpwire.winsock.transport import Transport

__all__ = [
    "Accepted",
    "Blocked",
    "Completion",
    "ConditionArguments",
    "ConditionFunction",
    "Message",
    "Provider",
    "SocketError",
    "Transport",
]
