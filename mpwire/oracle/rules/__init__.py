"""The rules, one module per family; importing this package registers all of them.

In this order:
    framing    R1-R18         what one datagram shows
    identity   R19-R27        tags, sessions, member IDs, addresses
    joining    R28-R34        requests and cookies
    admitting  R35-R41, R49   what the answers say
    answering  R42-R52        who had to answer, and who had to be silent
    closing    R53-R62        the end of a membership
    dismantling R60           the end of a session
    lifetime   R59, R63-R68   what may be said after the end, and giving up
    copies     R69-R79        probes, copies and their number
    timing     R71-R80        announced timers, and the distances that they demand
    draining   R113-R118      closing while data is missing, and half closes
    carrying   R81-R106       group data on the wire, and answers to strangers
    relaying   R83-R119       what a root passes on and tells of others
    repairing  R85-R117       what is asked for again, and sent again
    windowing  R109-R112      how much may be sent, and what is acknowledged
    private    R86-R90        side chat, and the pace of data
    grouping   R95-R100       multicast: groups, reports, announcements
    silence    R61, R64, R73  endings that nobody asked for, or that do not come
    strangers  R103, R104     what is not answered, and how often strangers are
    extending  R105-R108      authentication, GREASE, counts of test builds
    windows    EV1-EV27       which socket events the packets demand, allow and forbid
    losing     EV28           what only the host itself can know
    calls      CR1-CR10, CR19  return values of joins and in general
    accepting  CR11-CR18      accepting, callee data, what closing a socket sends
    configured CR20           announced times against those that were given
    descriptors CR21-CR23     several descriptors, and what ordinary sockets are refused
    changes    CR24, CR25     what the host's network tells sockets
    polling    CR26, CR27     what WSPSelect says of sockets
    asking     CR28-CR32      what applications look up, ask of the network and call back
    data       DR1-DR6        what was received against what was sent
"""

from mpwire.oracle.rules import (
    accepting,
    admitting,
    answering,
    asking,
    calls,
    carrying,
    changes,
    closing,
    configured,
    copies,
    data,
    descriptors,
    dismantling,
    draining,
    extending,
    framing,
    grouping,
    identity,
    joining,
    lifetime,
    losing,
    polling,
    private,
    relaying,
    repairing,
    silence,
    strangers,
    timing,
    windowing,
    windows,
)

__all__ = [
    "accepting",
    "admitting",
    "answering",
    "asking",
    "calls",
    "carrying",
    "changes",
    "closing",
    "configured",
    "copies",
    "data",
    "descriptors",
    "dismantling",
    "draining",
    "extending",
    "framing",
    "grouping",
    "identity",
    "joining",
    "lifetime",
    "losing",
    "polling",
    "private",
    "relaying",
    "repairing",
    "silence",
    "strangers",
    "timing",
    "windowing",
    "windows",
]
