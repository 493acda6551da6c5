"""The sentences a script may contain: one table, from which lines are read and docs are written.

How a pattern is written is told in `forms`.
"""

from typing import Final

from mpwire.lab import steps
from mpwire.lab.controls import FLOW
from mpwire.lab.controls import FORMS as CONTROLS
from mpwire.lab.forms import Form
from mpwire.lab.mishaps import FORMS as MISHAPS

_JOIN: Final = (
    "[for sending only | for receiving only] [at port PORT] [with caller data TEXT:caller_data]"
    f" [with room for NUMBER:room octets]{FLOW}"
)

FORMS: Final = (
    Form(
        "HOST opens NEW:socket as ROLES [of protocol PROTOCOL] [on port PORT] [over FAMILY]"
        " [at scope NUMBER:scope] [without binding] [without events]",
        steps.Open,
        "Create a multipoint socket, of `MPW_ROOTED` unless told otherwise, select all events with"
        " reports (so it is nonblocking) and bind it to the host's address, port 61717 unless told"
        " otherwise. `at scope` says before that how far multicast data of it goes, as a root has"
        " to. `without events` leaves it blocking. A socket that was closed keeps its port"
        " until it has answered stragglers (`linger_s`); another socket of that host needs"
        " `on port PORT` until then.",
        "root opens R as c_root/d_root",
    ),
    Form(
        "HOST opens NEW:socket as an ordinary socket [of protocol PROTOCOL] [on port PORT]"
        " [over FAMILY] [without binding] [without events]",
        steps.Open,
        "The same without multipoint flags: such a socket can neither join nor be joined, and"
        " nobody lets it connect.",
        "leaf1 opens S1 as an ordinary socket",
    ),
    Form(
        "HOST connects SOCKET to TARGET [at port PORT] [and gets ERROR]",
        steps.Connect,
        "Ask for an ordinary connection (WSPConnect), which multipoint sockets neither ask for nor"
        " admit.",
        "leaf1 connects L1 to R and gets WSAEOPNOTSUPP",
    ),
    Form(
        "HOST duplicates SOCKET as NEW",
        steps.Duplicate,
        "Make another descriptor of the same socket (WSPDuplicateSocket), which ends with the last"
        " one that is closed. Both share everything; events are reported with the older one, as"
        " long as that is open.",
        "leaf1 duplicates L1 as M1",
    ),
    Form(
        "HOST selects EVENTS on SOCKET [without reports]",
        steps.Select,
        "Select events anew (WSPEventSelect). `without reports` leaves reading the record to the"
        " script.",
        "root selects FD_ACCEPT, FD_CLOSE on R",
    ),
    Form(
        "HOST selects nothing on SOCKET",
        steps.Select,
        "Cancel the selection.",
        "root selects nothing on R",
    ),
    Form(
        "HOST listens on SOCKET [with backlog NUMBER:backlog] [and gets ERROR]",
        steps.Listen,
        "Let requests queue, 5 unless told otherwise.",
        "leaf2 listens on L2",
    ),
    Form(
        f"HOST joins TARGET with SOCKET {_JOIN} [and gets ERROR]",
        steps.Join,
        "Ask for membership at the target's address (WSPJoinLeaf). On a nonblocking socket the"
        " call returns at once and FD_CONNECT tells the outcome; on a blocking one it stays open"
        " until the join has ended. Callee data needs `with room`: without it there is room for"
        " none, and who accepts with some gets WSAEINVAL.",
        'leaf1 joins R with L1 with caller data "hi"',
    ),
    Form(
        f"HOST joins group GROUP with SOCKET {_JOIN} [and gets ERROR]",
        steps.Join,
        "Join the session of an IP group, which has no root (WSPJoinLeaf on a socket of `MPW_OPEN`"
        " or `MPW_COLLECT`); port 61717 unless told otherwise.",
        "leaf1 joins group 239.77.0.1 with L1",
    ),
    Form(
        f"HOST invites TARGET with SOCKET as NEW {_JOIN}",
        steps.Invite,
        "Invite a listening leaf (WSPJoinLeaf on a root socket); the new socket stands for it.",
        "root invites L2 with R as P2",
    ),
    Form(
        f"HOST invites TARGET with SOCKET and gets ERROR {_JOIN}",
        steps.Invite,
        "The call itself fails.",
        "root invites L2 with R and gets WSAEALREADY",
    ),
    Form(
        "HOST accepts PEER on SOCKET as NEW [with callee data TEXT:callee_data]",
        steps.Accept,
        "Wait for FD_ACCEPT and accept (WSPAccept). The request must come from that host and"
        " carry the caller data that the script gave it.",
        "root accepts leaf1 on R as P1",
    ),
    Form(
        "HOST accepts PEER on SOCKET and gets ERROR",
        steps.Accept,
        "Wait for FD_ACCEPT; the accept fails, for instance because the request was withdrawn.",
        "root accepts leaf1 on R and gets WSAECONNRESET",
    ),
    Form(
        "HOST accepts nobody on SOCKET and gets ERROR",
        steps.Accept,
        "Accept at once, without waiting for FD_ACCEPT.",
        "root accepts nobody on R and gets WSAEWOULDBLOCK",
    ),
    Form(
        "HOST rejects PEER on SOCKET",
        steps.Reject,
        "Wait for FD_ACCEPT and let the condition function refuse that host; whoever else is at"
        " the head of the queue stays there, and the step fails.",
        "root rejects leaf3 on R",
    ),
    Form(
        "HOST defers PEER on SOCKET",
        steps.Defer,
        "Wait for FD_ACCEPT and let the condition function leave that host undecided.",
        "root defers leaf3 on R",
    ),
    Form(
        "the join on SOCKET succeeds",
        steps.JoinEnds,
        "Wait for FD_CONNECT with code 0, or for the return of a blocking join.",
        "the join on L1 succeeds",
    ),
    Form(
        "the join on SOCKET fails with ERROR",
        steps.JoinEnds,
        "Wait for FD_CONNECT with that code, or for the blocking join to fail so.",
        "the join on L3 fails with WSAECONNREFUSED",
    ),
    Form(
        "HOST reads error ERROR on SOCKET",
        steps.Failure,
        "Compare the error that the socket keeps (SO_ERROR); reading clears it.",
        "leaf3 reads error WSAECONNREFUSED on L3",
    ),
    Form(
        "HOST reads no error on SOCKET",
        steps.Failure,
        "The socket keeps no error.",
        "leaf3 reads no error on L3",
    ),
    Form(
        "HOST turns loopback of SOCKET [on | off] [and gets ERROR]",
        steps.Loopback,
        "Say whether what the socket sends comes back to it (SIO_MULTIPOINT_LOOPBACK), which it"
        " does at first; for d_leaf sockets of a nonrooted data plane.",
        "leaf1 turns loopback of L1 off",
    ),
    Form(
        "HOST sets scope of SOCKET to NUMBER:scope [and gets ERROR]",
        steps.Scope,
        "Say how far multicast data of the socket goes (SIO_MULTICAST_SCOPE): 0 stays in the host,"
        " 1, as at first, on the segment, more crosses routers.",
        "leaf1 sets scope of L1 to 0",
    ),
    Form(
        "HOST reads callee data TEXT:data on SOCKET",
        steps.CalleeData,
        "Compare what came back with a successful join.",
        'leaf1 reads callee data "welcome" on L1',
    ),
    Form(
        "HOST sends TEXT:data on SOCKET [in private] [and gets ERROR]",
        steps.Send,
        "Send one message. What a leaf sends `in private` is for its handle at the root alone, and"
        " what is sent on such a handle is private anyway; both need `MPW_DIALOGUE`.",
        'root sends "hello" on R',
    ),
    Form(
        "HOST receives TEXT:data on SOCKET [in private]",
        steps.Receive,
        "Wait for FD_READ, receive one message and compare it, and whether it is private.",
        'leaf1 receives "hello" on L1',
    ),
    Form(
        "HOST receives something on SOCKET",
        steps.Take,
        "Wait for FD_READ and receive one message, whatever it says.",
        "leaf1 receives something on L1",
    ),
    Form(
        "HOST receives on SOCKET and gets ERROR",
        steps.Receive,
        "Receive at once; the call fails.",
        "leaf1 receives on L1 and gets WSAEDISCON",
    ),
    Form(
        "HOST shuts down SOCKET [for sending | for receiving] [and gets ERROR]",
        steps.Shutdown,
        "End both directions, or one (WSPShutdown). For a root's socket this dismantles the"
        " session.",
        "root shuts down R",
    ),
    Form(
        "HOST parts with TEXT:data on SOCKET [and gets ERROR]",
        steps.Part,
        "End the direction of sending with a last word for the other end (WSPSendDisconnect).",
        'leaf1 parts with "bye" on L1',
    ),
    Form(
        "HOST reads parting words TEXT:data on SOCKET [and gets ERROR]",
        steps.PartingWords,
        "End the direction of receiving and compare the last word that has come"
        " (WSPRecvDisconnect).",
        'root reads parting words "bye" on P1',
    ),
    Form(
        "HOST sets linger of SOCKET to NUMBER:seconds seconds [and gets ERROR]",
        steps.Linger,
        "A close waits so long for unsent data; 0 makes it abortive.",
        "leaf1 sets linger of L1 to 0 seconds",
    ),
    Form(
        "HOST sets linger of SOCKET off [and gets ERROR]",
        steps.Linger,
        "A close is graceful, in the background.",
        "leaf1 sets linger of L1 off",
    ),
    Form(
        "HOST closes SOCKET [and gets ERROR]",
        steps.Close,
        "Close it: a leaf leaves, a root dismantles, a root's per-leaf socket expels that leaf.",
        "leaf1 closes L1",
    ),
    Form(
        "HOST finds SOCKET {readable and writable | readable | writable | not ready}",
        steps.Find,
        "Look what can be done without waiting (WSPSelect, time 0), and compare all three sets. A"
        " listener is readable when somebody waits, any socket when there is data or its end;"
        " writable is who may send and has room. Of a join it says nothing, and of the record it"
        " takes nothing.",
        "leaf1 finds L1 readable and writable",
    ),
    Form(
        "HOST enumerates SIGHTS on SOCKET [resetting its event object] [touching nothing else]",
        steps.Enumerate,
        "Read the record by hand (WSPEnumNetworkEvents) and compare all of it. The event object"
        " stays as it is unless it is reset with that; `touching nothing else` looks at the array"
        " of error codes as well: it is written for these events only.",
        "root enumerates FD_ACCEPT on R",
    ),
    Form(
        "HOST enumerates nothing on SOCKET [resetting its event object] [touching nothing else]",
        steps.Enumerate,
        "The record is empty.",
        "root enumerates nothing on R",
    ),
    Form(
        "SOCKET sees SIGHTS",
        steps.See,
        "Wait until the socket has reported these events, in this order, after those that earlier"
        " `sees` steps took. Another code fails at once.",
        "L3 sees FD_CONNECT WSAECONNREFUSED",
    ),
    Form(
        "SOCKET sees nothing",
        steps.See,
        "Let everything settle; the socket has reported nothing since the last event that a step"
        " waited for.",
        "P1 sees nothing",
    ),
    *CONTROLS,
    *MISHAPS,
    Form(
        "everything settles",
        steps.Settle,
        "Wait until no frame is under way, every agent has processed what reached it and nothing"
        " new came of it.",
        "everything settles",
    ),
)
"""Lines of `script`."""

EXPECTATIONS: Final = (
    Form(
        "SOCKET saw SIGHTS",
        steps.Saw,
        "These are all the events that the socket reported from beginning to end, in this order.",
        "P1 saw FD_CLOSE",
    ),
    Form(
        "SOCKET saw nothing",
        steps.Saw,
        "The socket never reported an event.",
        "P1 saw nothing",
    ),
)
"""Lines of `expect`."""
