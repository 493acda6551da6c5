"""The sentences a script may contain: one table, from which lines are read and docs are written.

A pattern is a sentence with slots in capitals and optional parts in brackets, at the end and in
any order. `SLOT:field` names the field of the step that the slot fills; plain `SLOT` fills the
field of the same name in lower case. An optional part without a slot fills a flag named after its
words. No two patterns match the same line.
"""

from dataclasses import dataclass, field
from typing import Final

from mpwire.lab import steps


@dataclass(slots=True, frozen=True)
class Slot:
    """One kind of word in a sentence."""

    name: str
    what: str
    """Completes "expected ..."."""
    meaning: str


@dataclass(slots=True, frozen=True)
class Part:
    """One place in a sentence: a fixed word, or a slot that fills a field."""

    word: str = ""
    slot: str = ""
    field: str = ""


@dataclass(slots=True)
class Form:
    """One sentence: its pattern, the step it makes, and what it means."""

    pattern: str
    step: type[steps.Step]
    meaning: str
    example: str
    head: tuple[Part, ...] = field(init=False)
    options: tuple[tuple[tuple[Part, ...], ...], ...] = field(init=False)
    """Optional parts; each is a choice of alternatives."""

    def __post_init__(self) -> None:
        """Take the pattern apart."""
        head, *options = self.pattern.replace("]", "").split("[")
        self.head = _parts(head)
        self.options = tuple(
            tuple(_parts(choice) for choice in option.split("|")) for option in options
        )

    @property
    def sentence(self) -> str:
        """Give the pattern as people read it, without field names."""
        return " ".join(_plain(word) for word in self.pattern.split())


SLOTS: Final = {
    slot.name: slot
    for slot in (
        Slot("HOST", "a host", "a name from `hosts`"),
        Slot("SOCKET", "a socket", "the name of a socket that an earlier step made"),
        Slot("NEW", "a new name", "a name for the socket that the step makes; unique in the file"),
        Slot("PEER", "a host", "another host"),
        Slot("TARGET", "a socket or a host", "a socket of another host, or that host"),
        Slot(
            "ROLES", "roles", "`c_root/d_root`, `c_root/d_leaf`, `c_leaf/d_root`, `c_leaf/d_leaf`"
        ),
        Slot("PROTOCOL", "a protocol", "the name of a protocol entry, such as `MPW_CONFERENCE`"),
        Slot("GROUP", "a group", "an IP multicast address, such as `239.77.0.1`"),
        Slot("FAMILY", "inet or inet6", "`inet` or `inet6`, if the network has it"),
        Slot("PORT", "a port", "a port, 1 to 65535"),
        Slot("NUMBER", "a number", "a whole number"),
        Slot(
            "TEXT",
            "a text in double quotes",
            'octets as text, `"hello"`; `\\"`, `\\\\`, `\\n`, `\\t` and `\\x41` are escapes',
        ),
        Slot("EVENTS", "an event", "events separated by commas, or `all events`"),
        Slot(
            "SIGHTS",
            "an event",
            "events separated by commas, each with code 0 unless an error follows its name",
        ),
        Slot("ERROR", "an error", "the name of a Winsock error, such as `WSAECONNREFUSED`"),
    )
}

RESERVED: Final = frozenset({"everything", "nothing", "nobody", "the", "all", "on", "default"})
"""Words that name no host and no socket."""


def _parts(text: str) -> tuple[Part, ...]:
    words = text.split()
    parts = []
    for word in words:
        slot, _, name = word.partition(":")
        if slot in SLOTS:
            parts.append(Part(slot=slot, field=name or slot.lower()))
        else:
            parts.append(Part(word=word))
    return tuple(parts)


def _plain(word: str) -> str:
    slot, colon, name = word.partition(":")
    return slot + "]" * name.endswith("]") if colon else word


_JOIN: Final = (
    "[for sending only | for receiving only] [at port PORT] [with caller data TEXT:caller_data]"
    " [with room for NUMBER:room octets]"
)

FORMS: Final = (
    Form(
        "HOST opens NEW:socket as ROLES [of protocol PROTOCOL] [on port PORT] [over FAMILY]"
        " [without binding] [without events]",
        steps.Open,
        "Create a multipoint socket, of `MPW_ROOTED` unless told otherwise, select all events with"
        " reports (so it is nonblocking) and bind it to the host's address, port 61717 unless told"
        " otherwise. `without events` leaves it blocking. A socket that was closed keeps its port"
        " until it has answered stragglers (`linger_s`); another socket of that host needs"
        " `on port PORT` until then.",
        "root opens R as c_root/d_root",
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
        " until the join has ended.",
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
        "HOST enumerates SIGHTS on SOCKET",
        steps.Enumerate,
        "Read the record by hand (WSPEnumNetworkEvents) and compare all of it.",
        "root enumerates FD_ACCEPT on R",
    ),
    Form(
        "HOST enumerates nothing on SOCKET",
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
    Form(
        "HOST crashes",
        steps.Crash,
        "Kill the host's agent. Its sockets are gone and nobody is told; the host itself lives on,"
        " and no later step can be about it.",
        "leaf1 crashes",
    ),
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


def reference(forms: tuple[Form, ...]) -> str:
    """Write the sentences as a Markdown table, for the documentation."""
    rows = [f"| `{_escaped(f.sentence)}` | {f.meaning} | `{f.example}` |" for f in forms]
    return "\n".join(["| sentence | meaning | example |", "|---|---|---|", *rows])


def slot_reference() -> str:
    """Write the slots as a Markdown table, for the documentation."""
    rows = [f"| `{slot.name}` | {slot.meaning} |" for slot in SLOTS.values()]
    return "\n".join(["| slot | stands for |", "|---|---|", *rows])


def _escaped(sentence: str) -> str:
    return sentence.replace("|", "\\|")
