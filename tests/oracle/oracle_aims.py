"""Stories of data that is not for everybody who is given it, or that no frame shows."""

import msgspec

from mpwire.wire.messages import Announce, Data
from tests.oracle.oracle_edits import Fault, event, fields, lacking, moved, saying
from tests.oracle.oracle_groups import GROUP, Group
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, SESSION, Join
from tests.oracle.oracle_story import Move, Send, after, altered, message_of
from tests.oracle.oracle_streams import GROUP_TAG

SENSORS = ("leaf1", "leaf3")
COLLECTOR = "leaf2"


class Aimed(Group):
    """Steps of sessions with a d_root that is no c_root."""

    def open_as(self, host: str, roles: str, protocol: str = "MPW_ROOTED") -> int:
        """Create a socket in other roles than those of its host's name."""
        number = self.open(host, listening=host == "root")
        args = {"flags": roles.split("/"), "protocol": protocol}
        self.moves = altered(self.moves, f"{host}:{number} socket?", args=args)
        return number

    def say(self, join: Join, text: bytes) -> Data:
        """Let a leaf send one message to the root."""
        self.submit(join.leaf, 1, text)
        data = self.data(text, join.member_id, join.next_leaf, join.root_tag)
        self.send(f"DATA {text!r} root", join.leaf, "root", data)
        join.last["leaf"] = join.next_leaf
        join.next_leaf += 1
        return data

    def pass_on(self, data: Data, join: Join, text: bytes) -> None:
        """Let the root relay a message, the first of its origin, to a leaf that reads it."""
        self.sync(f"SYNC {text!r}", join, data.seq, data.seq, origin=data.origin)
        self.ack(f"DATA_ACK {text!r}", join, data.seq, origin=data.origin)
        passed = msgspec.structs.replace(
            data, sender_id=1, dflags=2, hop=1, destination_tag=join.leaf_tag
        )
        self.send(f"DATA {text!r} {join.leaf}", "root", join.leaf, passed)
        self.take(join.leaf, 1, text)

    def appear(self, host: str, *, leaf_dir: int = 3) -> None:
        """Let a participant join a group and announce itself to the others."""
        address = [GROUP, 61717]
        self.call(f"{host} join", host, "join_leaf", {"socket": 1}, socket=1, address=address)
        self.report(f"report {host}", host)
        self.tell(f"{host} JOIN", host, 1, 1, leaf_dir)
        self.event(f"{host} FD_CONNECT", host, 1, "FD_CONNECT")

    def tell(
        self,
        label: str,
        host: str,
        kind: int,
        number: int,
        leaf_dir: int = 3,
        *,
        place: int | None = None,
    ) -> None:
        """Announce a participant to all others; each `place` is one of its own."""
        place = place or int(host[-1])
        message = Announce(
            kind=kind,
            leaf_dir=leaf_dir,
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
        first, *more = [name for name in (*SENSORS, COLLECTOR) if name != host]
        self.send(label, host, first, message, target_address=GROUP, more_targets=tuple(more))

    def spread(self, host: str, text: bytes) -> None:
        """Let a participant send its first message to the group."""
        self.submit(host, 1, text)
        data = self.data(text, 0x100 + int(host[-1]), 1, GROUP_TAG)
        first, *more = [name for name in (*SENSORS, COLLECTOR) if name != host]
        self.send(
            f"DATA {text!r}",
            host,
            first,
            msgspec.structs.replace(data, flags=0x20),
            target_address=GROUP,
            more_targets=tuple(more),
        )


def led() -> list[Move]:
    """Tell of a root that relays between its leaves and the one of them that is the d_root."""
    tale = Aimed()
    tale.open_as("root", "C_ROOT/D_LEAF")
    tale.open("leaf1", listening=False)
    tale.writable = True
    one = tale.join("leaf1", 1)
    tale.writable = False
    tale.open_as("leaf2", "C_LEAF/D_ROOT")
    tale.leaf_dir = 7
    two = tale.join("leaf2", 1)
    heard = tale.say(two, b"hear me")
    tale.take("root", 1, b"hear me")
    tale.pass_on(heard, one, b"hear me")
    noted = tale.say(one, b"noted")
    tale.pass_on(noted, two, b"noted")
    tale.submit("root", 1, b"by me")
    tale.carry(two, b"by me", BEFORE_DATA)
    tale.take("leaf2", 1, b"by me")
    tale.barrier()
    tale.barrier()
    return tale.moves


def conferred() -> list[Move]:
    """Tell of a leaf whose message the root relays to a group, where the leaf hears it again."""
    tale = Aimed()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=5, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    one, two = tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")
    data = tale.say(one, b"to all")
    tale.take("root", 1, b"to all")
    tale.sync("SYNC", two, data.seq, data.seq, origin=one.member_id)
    tale.ack("DATA_ACK", two, data.seq, origin=one.member_id)
    relayed = msgspec.structs.replace(
        data, sender_id=1, dflags=2, hop=1, flags=0x20, destination_tag=GROUP_TAG
    )
    more = {"target_address": GROUP, "more_targets": ("leaf2",)}
    tale.send("DATA relayed", "root", "leaf1", relayed, **more)
    tale.take("leaf2", 1, b"to all")
    tale.barrier()
    tale.barrier()
    return tale.moves


def dismissed() -> list[Move]:
    """Tell of a leaf that is expelled, and of later messages that the group still brings it."""
    tale = Aimed()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=7, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    one, two = tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")
    for text in (b"to both", b"to leaf1"):
        tale.submit("root", 1, text)
        data = tale.data(text, 1, tale.next_root, GROUP_TAG)
        data = msgspec.structs.replace(data, flags=0x20)
        more = {"target_address": GROUP, "more_targets": ("leaf2",)}
        tale.send(f"DATA {text!r}", "root", "leaf1", data, **more)
        tale.take("leaf1", 1, text)
        if text == b"to both":
            tale.take("leaf2", 1, text)
            one.last["root"] = two.last["root"] = tale.next_root
            tale.expel(two)
        tale.next_root += 1
    tale.barrier()
    tale.barrier()
    return tale.moves


def collected() -> list[Move]:
    """Tell of two sensors that speak to one collector, and hear nothing of each other."""
    tale = Aimed()
    for host in SENSORS:
        tale.open_as(host, "C_LEAF/D_LEAF", "MPW_COLLECT")
        tale.appear(host)
    tale.open_as(COLLECTOR, "C_LEAF/D_ROOT", "MPW_COLLECT")
    tale.appear(COLLECTOR, leaf_dir=7)
    tale.event(f"{COLLECTOR} FD_WRITE", COLLECTOR, 1, "FD_WRITE")
    for host in SENSORS:
        tale.event(f"{host} FD_WRITE", host, 1, "FD_WRITE")
    tale.barrier()
    tale.spread("leaf1", b"21 degrees")
    tale.take(COLLECTOR, 1, b"21 degrees")
    tale.spread(COLLECTOR, b"thanks")
    for host in SENSORS:
        tale.take(host, 1, b"thanks")
    tale.pause("present", 20)
    tale.tell(f"{COLLECTOR} ALIVE 1", COLLECTOR, 2, 2, 7)
    tale.tell("newcomer", "leaf3", 1, 1, place=4)
    tale.pause("RTO", 1)
    tale.tell(f"{COLLECTOR} ALIVE 2", COLLECTOR, 2, 3, 7)
    tale.barrier()
    tale.barrier()
    return tale.moves


def confined() -> list[Move]:
    """Tell of two sockets of one host that hear each other, and of no frame at all."""
    tale = Aimed()
    for number, port in ((1, 61718), (2, 61719)):
        tale.open_as("leaf1", "C_LEAF/D_LEAF", "MPW_OPEN")
        args = {"socket": number, "address": ["10.77.0.2", port]}
        tale.moves = altered(tale.moves, f"leaf1:{number} bind?", args=args)
        scope = {"code": "SIO_MULTICAST_SCOPE", "value": 0}
        tale.call(f"scope {number}", "leaf1", "ioctl", {"value": 0}, socket=number, **scope)
        joined = {"socket": number}
        address = [GROUP, 61717]
        tale.call(f"join {number}", "leaf1", "join_leaf", joined, socket=number, address=address)
        tale.event(f"FD_CONNECT {number}", "leaf1", number, "FD_CONNECT")
        tale.event(f"FD_WRITE {number}", "leaf1", number, "FD_WRITE")
    off = {"code": "SIO_MULTIPOINT_LOOPBACK", "value": False}
    tale.submit("leaf1", 1, b"heard by both")
    for number in (1, 2):
        tale.event(f"FD_READ {number}", "leaf1", number, "FD_READ")
    for number in (1, 2):
        tale.take("leaf1", number, b"heard by both", told=False)
    tale.call("loopback", "leaf1", "ioctl", {"value": 0}, socket=1, **off)
    tale.submit("leaf1", 1, b"between us")
    tale.take("leaf1", 2, b"between us")
    tale.barrier()
    tale.barrier()
    return tale.moves


def broadcast(moves: list[Move]) -> list[Move]:
    """Let a root that is a d_leaf speak to another d_leaf as well."""
    data = message_of(moves, "DATA b'by me' leaf2")
    tag = message_of(moves, "DATA b'hear me' leaf1").destination_tag
    copy = msgspec.structs.replace(data, destination_tag=tag)
    return after(moves, "DATA b'by me' leaf2", Send("stray", "root", "leaf1", copy))


AIMS = (led, conferred, dismissed, collected, confined)
ASTRAY = (
    Fault("R82", led, broadcast),
    Fault("R83", conferred, fields("DATA relayed", payload=b"other")),
    Fault("R114", conferred, lacking("SYNC")),
    Fault("EV26", dismissed, saying("DATA b'to leaf1'", event("leaf2", 1, "FD_READ"))),
    Fault("DR4", led, lacking("DATA b'by me' leaf2")),
    Fault("EV9", led, lacking("leaf2 FD_WRITE root")),
    Fault("EV9", led, moved("leaf2 FD_WRITE root", ahead_of="leaf2 JOIN_REQ 1")),
    Fault("EV12", led, saying("DATA b'noted' root", event("root", 1, "FD_READ"))),
    Fault("EV9", collected, lacking("leaf3 FD_WRITE")),
    Fault("EV9", collected, moved("leaf1 FD_WRITE", ahead_of="leaf2 JOIN")),
    Fault("R100", collected, lacking("newcomer")),
    Fault("EV26", collected, lacking("FD_READ b'thanks' leaf3")),
    Fault("EV11", collected, saying("DATA b'21 degrees'", event("leaf3", 1, "FD_READ"))),
    Fault("EV12", confined, saying("send b'between us'!", event("leaf1", 1, "FD_READ"))),
)
