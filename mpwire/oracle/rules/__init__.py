"""The rules, one module per family; importing this package registers all of them.

In this order:
    framing    R1-R18         what one datagram shows
    identity   R19-R27        tags, sessions, member IDs, addresses
    joining    R28-R34        requests and cookies
    admitting  R35-R41, R49   what the answers say
    answering  R42-R52        who had to answer, and who had to be silent
    closing    R53-R62        the end of a membership and of a session
    windows    EV1-EV27       which socket events the packets demand, allow and forbid
    calls      CR1-CR10, CR19  return values of joins and in general
    accepting  CR11-CR18      accepting, callee data, what closing a socket sends
    data       DR1-DR6        what was received against what was sent
"""

from mpwire.oracle.rules import (
    accepting,
    admitting,
    answering,
    calls,
    closing,
    data,
    framing,
    identity,
    joining,
    windows,
)

__all__ = [
    "accepting",
    "admitting",
    "answering",
    "calls",
    "closing",
    "data",
    "framing",
    "identity",
    "joining",
    "windows",
]
