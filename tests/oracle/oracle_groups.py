"""Stories of groups: multicast data under a root, nonrooted sessions; and what breaks them."""

import struct

import msgspec

from mpwire.wire.messages import Abort, Announce, Data
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_edits import Fault, event, fields, lacking, moved, moves_of, saying
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, SESSION, Join
from tests.oracle.oracle_story import (
    ADDRESSES,
    Frame,
    Line,
    Move,
    Send,
    after,
    find,
    message_of,
    summed,
)
from tests.oracle.oracle_streams import GROUP_TAG, Stream

GROUP = "239.1.2.3"
TO_INCLUDE, TO_EXCLUDE, ALLOW_NEW = 3, 4, 5


def packed(address: str) -> bytes:
    """Return the octets of an IPv4 address."""
    return bytes(int(part) for part in address.split("."))


def igmp(host: str, kind: int, group: str = GROUP, *sources: str) -> bytes:
    """Build an IGMPv3 report with one record (RFC 3376 4.2)."""
    listed = b"".join(packed(source) for source in sources)
    record = struct.pack("!BBH", kind, 0, len(sources)) + packed(group) + listed
    body = struct.pack("!BBHHH", 0x22, 0, 0, 0, 1) + record
    header = struct.pack("!BBHHHBBH", 0x46, 0xC0, 24 + len(body), 0, 0x4000, 1, 2, 0)
    header += packed(ADDRESSES[host]) + packed("224.0.0.22") + bytes.fromhex("94040000")
    checksum = struct.pack("!H", 0xFFFF - summed(header))
    link = bytes.fromhex("01005e000016 0200000000fe 0800")
    return link + header[:10] + checksum + header[12:] + body


class Group(Stream):
    """Steps of sessions with a group."""

    def report(self, label: str, host: str, kind: int = TO_EXCLUDE, *sources: str) -> None:
        """Let a host tell routers about the group."""
        self.moves.append(Frame(label, host, igmp(host, kind, GROUP, *sources)))

    def announce(self, label: str, host: str, kind: int, number: int) -> None:
        """Let a member announce itself to everybody."""
        place = int(host[-1])
        message = Announce(
            kind=kind,
            leaf_dir=3,
            hold_s=20,
            member_tag=0x9000 + place,
            lead_seq=1,
            conflict_id=0,
            flags=0x20,
            session_id=SESSION,
            seq=number,
            sender_id=0x100 + place,
            destination_tag=GROUP_TAG,
        )
        others = [name for name in ("leaf1", "leaf2") if name != host]
        self.send(label, host, others[0], message, target_address=GROUP)

    def gather(self) -> None:
        """Let two members open a nonrooted session."""
        for host in ("leaf1", "leaf2"):
            self.open(host, listening=False)
            self.call(
                f"{host} join", host, "join_leaf", {"socket": 1}, socket=1, address=[GROUP, 61717]
            )
            self.report(f"report {host}", host)
            self.announce(f"{host} ANNOUNCE 1", host, 1, 1)
            self.event(f"{host} FD_CONNECT", host, 1, "FD_CONNECT")
            self.event(f"{host} FD_WRITE", host, 1, "FD_WRITE")
        self.barrier()

    def utter(self, host: str, other: str, text: bytes) -> None:
        """Let a member say something to the session for the first time."""
        self.submit(host, 1, text)
        member = 0x100 + int(host[-1])
        data = Data(
            origin=member,
            dflags=0,
            hop=0,
            payload=text,
            flags=0x20,
            seq=1,
            sender_id=member,
            session_id=SESSION,
            destination_tag=GROUP_TAG,
        )
        self.send(f"DATA {text.decode()}", host, other, data, target_address=GROUP)
        self.take(other, 1, text)


def deaf(tale: Group) -> Join:
    """Let leaf3 join as a member that only sends."""
    tale.leaf_dir = 1
    tale.open("leaf3", listening=False)
    join = tale.join("leaf3", 1)
    tale.leaf_dir = 3
    return join


def cast() -> list[Move]:
    """Tell of messages to a group, one of which a leaf misses and asks for."""
    tale = Group()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=7, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    one, two = tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")
    three = deaf(tale)
    for place, text in enumerate((b"first", b"second")):
        tale.submit("root", 1, text)
        data = tale.data(text, 1, BEFORE_DATA + place, GROUP_TAG)
        data = msgspec.structs.replace(data, flags=0x20)
        more = ("leaf3",) if place else ("leaf2", "leaf3")
        tale.send(f"DATA {text!r}", "root", "leaf1", data, target_address=GROUP, more_targets=more)
        tale.take("leaf1", 1, text)
    tale.take("leaf2", 1, b"first")
    for join in (one, two):
        join.last["root"] = BEFORE_DATA + 1
    tale.sync("SYNC", two, BEFORE_DATA + 2, BEFORE_DATA)
    tale.ack("DATA_ACK", two, BEFORE_DATA + 1)
    tale.nack("NACK", two, BEFORE_DATA + 1)
    tale.carry(two, b"second", BEFORE_DATA + 1, copy=2)
    tale.take("leaf2", 1, b"second")
    tale.barrier()
    tale.dismantle([one, two, three])
    return tale.moves


def departing() -> list[Move]:
    """Tell of a leaf that goes while a message to the group is missing there, and others follow."""
    tale = Group()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=7, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    one, two = tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")

    def tell(text: bytes, place: int, *others: str) -> None:
        tale.submit("root", 1, text)
        data = tale.data(text, 1, BEFORE_DATA + place, GROUP_TAG)
        data = msgspec.structs.replace(data, flags=0x20)
        more = {"target_address": GROUP, "more_targets": others}
        tale.send(f"DATA {text!r}", "root", "leaf1", data, **more)
        tale.take("leaf1", 1, text)

    tell(b"missed", 0)
    tale.call("leaf2 close", "leaf2", "close", {}, socket=1)
    two.last["root"] = BEFORE_DATA
    close, ack = tale.closing(two, CloseReason.LEAVE)
    tale.send("leaf2 CLOSE", "leaf2", "root", close)
    tale.send("leaf2 CLOSE_ACK", "root", "leaf2", ack)
    tale.event("leaf2 FD_CLOSE P", "root", two.handle, "FD_CLOSE")
    tale.barrier()
    tell(b"later", 1, "leaf2")
    tale.sync("SYNC after", two, BEFORE_DATA + 1, BEFORE_DATA)
    tale.sync("SYNC", one, BEFORE_DATA + 2, BEFORE_DATA)
    tale.ack("DATA_ACK", one, BEFORE_DATA + 2)
    one.last["root"] = BEFORE_DATA + 1
    tale.barrier()
    tale.dismantle([one])
    return tale.moves


def belated() -> list[Move]:
    """Tell of a leaf that joins late and is given older messages by the group all the same."""
    tale = Group()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=15, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    (one,) = tale.meet("leaf1")
    tale.report("report leaf1", "leaf1", ALLOW_NEW, ADDRESSES["root"])
    tale.submit("root", 1, b"early")
    data = tale.data(b"early", 1, BEFORE_DATA, GROUP_TAG)
    data = msgspec.structs.replace(data, flags=0x20)
    more = {"target_address": GROUP, "more_targets": ("leaf2",)}
    tale.send("DATA early", "root", "leaf1", data, **more)
    tale.take("leaf1", 1, b"early")
    tale.next_root += 1
    tale.open("leaf2", listening=False)
    two = tale.join("leaf2", 1)
    tale.report("report leaf2", "leaf2", ALLOW_NEW, ADDRESSES["root"])
    tale.submit("root", 1, b"new")
    data = msgspec.structs.replace(data, seq=BEFORE_DATA + 1, payload=b"new")
    tale.send("DATA new", "root", "leaf1", data, **more)
    tale.take("leaf1", 1, b"new")
    tale.take("leaf2", 1, b"new")
    for join in (one, two):
        join.last["root"] = BEFORE_DATA + 1
    tale.pause("long", 2)
    tale.barrier()
    tale.barrier()
    return tale.moves


def opened() -> list[Move]:
    """Tell of two members of a nonrooted session that hear each other and go."""
    tale = Group()
    tale.gather()
    tale.pause("alive", 20)
    tale.announce("leaf1 ALIVE 1", "leaf1", 2, 2)
    tale.pause("alive again", 20)
    tale.announce("leaf1 ALIVE 2", "leaf1", 2, 3)
    tale.utter("leaf1", "leaf2", b"hello")
    tale.take("leaf1", 1, b"hello")
    tale.call("leaf1 close", "leaf1", "close", {}, socket=1)
    tale.announce("leaf1 LEAVE", "leaf1", 3, 4)
    tale.report("leave leaf1", "leaf1", TO_INCLUDE)
    tale.barrier()
    tale.barrier()
    return tale.moves


def echoed() -> list[Move]:
    """Tell of a member that has read another's message, and is told of its own, which it leaves."""
    tale = Group()
    tale.gather()
    tale.utter("leaf2", "leaf1", b"hello")
    tale.utter("leaf1", "leaf2", b"mine")
    tale.event("FD_READ echo", "leaf1", 1, "FD_READ")
    tale.barrier()
    tale.barrier()
    return tale.moves


def silenced(moves: list[Move]) -> list[Move]:
    """Switch off that a member is given its own messages."""
    off = {"socket": 1, "code": "SIO_MULTIPOINT_LOOPBACK", "value": False}
    asked = Line("loopback?", "leaf1", "to", {"id": 700, "call": "ioctl", "args": off})
    answer = Line("loopback!", "leaf1", "from", {"id": 700, "result": {"value": 0}})
    place = find(moves, "send b'mine'?")
    return [*moves[:place], asked, answer, *moves[place:]]


def intruding(moves: list[Move]) -> list[Move]:
    """Let a leaf that may only receive speak to the group of its root."""
    data = message_of(moves, "DATA b'first'")
    copy = msgspec.structs.replace(data, sender_id=9, seq=1)
    return after(moves, "DATA b'first'", Send("x", "leaf1", "leaf2", copy, target_address=GROUP))


def retorting(moves: list[Move]) -> list[Move]:
    """Let a member answer the group's data by ABORT."""
    abort = Abort(
        reason=1, echo_seq=0, session_id=SESSION, flags=0x80, destination_tag=GROUP_TAG, sender_id=0
    )
    return after(moves, "DATA hello", Send("ABORT", "leaf2", "leaf1", abort))


def misdirected(moves: list[Move]) -> list[Move]:
    """Let the group's data go to one host with the tag of the group."""
    data = msgspec.structs.replace(message_of(moves, "DATA hello"), flags=0)
    return after(moves, "DATA hello", Send("stray", "leaf1", "leaf2", data))


def anybody(moves: list[Move]) -> list[Move]:
    """Let a host want the group from everybody although the session is source-specific."""
    late = [*moves, Frame("late", "leaf2", igmp("leaf2", TO_EXCLUDE))]
    return lacking("report leaf2")(late)


def stale(moves: list[Move]) -> list[Move]:
    """Let a late joiner be handed what is older than its membership."""
    return fields("recv b'new' leaf2!", result={"data": b"early".hex()})(moves)


CASTS = (cast, departing, belated, opened, echoed)
UNHEARD = (
    Fault("R75", cast, fields("DATA b'second' leaf2 2", attempt=3)),
    Fault("DR1", cast, moves_of("DATA b'first'", more_targets=())),
    Fault("DR4", cast, lacking("DATA b'second'")),
    Fault("EV26", cast, lacking("FD_READ b'first' leaf2")),
    Fault("EV11", cast, lacking("FD_READ b'second' leaf2")),
    Fault("EV11", echoed, moved("FD_READ echo", ahead_of="send b'mine'?")),
    Fault("EV12", echoed, silenced),
    Fault("R92", departing, fields("SYNC", seq=BEFORE_DATA + 1)),
    Fault("R92", departing, fields("SYNC after", seq=BEFORE_DATA + 2)),
    Fault("R92", departing, fields("SYNC after", seq=BEFORE_DATA, trail_seq=BEFORE_DATA)),
    Fault("R95", cast, moves_of("DATA b'first'", target_address="239.9.9.9")),
    Fault("R95", cast, moves_of("DATA b'first'", target_port=4)),
    Fault("R96", cast, lambda m: after(m, "leaf3 CONFIRM", Frame("r", "leaf3", igmp("leaf3", 4)))),
    Fault("R97", opened, lacking("report leaf2")),
    Fault("R97", belated, anybody),
    Fault("R98", cast, intruding),
    Fault("R98", opened, misdirected),
    Fault("R99", opened, retorting),
    Fault("R100", opened, fields("leaf1 ANNOUNCE 1", kind=2)),
    Fault("R100", opened, fields("leaf1 ALIVE 2", hold_s=9)),
    Fault("R100", opened, lacking("alive again")),
    Fault("EV8", opened, lacking("leaf2 FD_CONNECT")),
    Fault("EV8", opened, lacking("leaf2 ANNOUNCE 1")),
    Fault("EV9", opened, lacking("leaf2 FD_WRITE")),
    Fault("EV24", opened, saying("leaf1 LEAVE", event("leaf2", 1, "FD_CLOSE"))),
    Fault("EV25", belated, stale),
)
