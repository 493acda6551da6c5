"""Correct stories: joining both ways, refusing, withdrawing."""

from dataclasses import dataclass, field
from itertools import count

from mpwire.wire.codec import pad_join_request
from mpwire.wire.messages import (
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Confirm,
    JoinReq,
    Pending,
    Reject,
    SessionDesc,
    Timers,
)
from tests.oracle.oracle_story import ADDRESSES, PORT, Story

SESSION = 0x0123456789ABCDEF
EVENTS = ["FD_READ", "FD_WRITE", "FD_ACCEPT", "FD_CONNECT", "FD_CLOSE"]
CAPS = 2
BEFORE_DATA = 1000
"""NextDataSeq of the root; leaves begin at 500."""
LEAF_DATA = 500
TIMERS = Timers(
    rto_initial_ms=1000,
    rto_maximum_ms=16000,
    keepalive_ms=20000,
    dead_ms=45000,
    pend_ms=180000,
    linger_ms=40000,
    drain_ms=6000,
    mrc=5,
    tflags=0,
)
STRAIGHT = {1: 1, 2: 2, 3: 4}
"""JL of a leaf by LeafDir; a root's is the mirror image."""
MIRRORED = {1: 2, 2: 1, 3: 4}
DESCRIPTION = SessionDesc(
    planes=3,
    family=0,
    data_port=0,
    group_tag=0xCAFEBABE00C0FFEE,
    max_rate=0,
    max_payload=1156,
    hop_limit=1,
    repair=1,
    group=b"",
)


@dataclass
class Join:
    """What a join has drawn and become."""

    leaf: str
    by_root: bool
    init_tag: int
    resp_tag: int
    seq: int
    member_id: int
    handle: int
    """Descriptor of P."""
    end: int
    """Descriptor of L or A."""
    next_root: int = BEFORE_DATA
    next_leaf: int = LEAF_DATA
    last: dict[str, int] = field(default_factory=dict)

    @property
    def root_tag(self) -> int:
        """The tag that the root knows itself by."""
        return self.init_tag if self.by_root else self.resp_tag

    @property
    def leaf_tag(self) -> int:
        """The tag that the leaf knows itself by."""
        return self.resp_tag if self.by_root else self.init_tag


class Plot(Story):
    """Steps of sessions, each told completely."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.tags = count(0x1000)
        self.ids = count(2)
        self.next_root = BEFORE_DATA
        self.descriptors: dict[str, int] = {}
        self.writable = False
        self.caps = CAPS
        self.description = DESCRIPTION
        self.leaf_dir = 3

    def fresh(self, host: str) -> int:
        """Hand out a descriptor."""
        self.descriptors[host] = self.descriptors.get(host, 0) + 1
        return self.descriptors[host]

    def open(self, host: str, *, listening: bool, selected: bool = True) -> int:
        """Create a bound socket with all events selected."""
        role = "ROOT" if host == "root" else "LEAF"
        number = self.fresh(host)
        name = f"{host}:{number}"
        flags = [f"C_{role}", f"D_{role}"]
        self.call(f"{name} socket", host, "socket", {"socket": number}, flags=flags)
        address = [ADDRESSES[host], PORT]
        self.call(f"{name} bind", host, "bind", {}, socket=number, address=address)
        if selected:
            self.call(
                f"{name} select",
                host,
                "event_select",
                {},
                socket=number,
                events=EVENTS,
                report=True,
            )
        if listening:
            self.call(f"{name} listen", host, "listen", {}, socket=number, backlog=5)
        return number

    def member(self, leaf: str, end: int, *, by_root: bool) -> Join:
        """Draw the tags of a join."""
        return Join(leaf, by_root, next(self.tags), next(self.tags), 7, 0, 0, end)

    def request(self, join: Join, attempt: int, cookie: bytes | None) -> JoinReq:
        """Build one copy of the request."""
        request = JoinReq(
            init_tag=join.init_tag,
            role=1 if join.by_root else 2,
            jl=(MIRRORED if join.by_root else STRAIGHT)[self.leaf_dir & 3],
            leaf_dir=self.leaf_dir,
            planes=self.description.planes,
            next_data_seq=self.next_root if join.by_root else LEAF_DATA,
            max_payload=1156,
            timers=TIMERS,
            caps=self.caps,
            versions=(1, 0x2A),
            cookie=cookie,
            attempt=attempt,
            seq=join.seq,
            session_id=SESSION if join.by_root else 0,
            sender_id=1 if join.by_root else 0,
        )
        pad_join_request(request)
        return request

    def cookies(self, join: Join) -> None:
        """Tell a request up to its PENDING."""
        leaf = join.leaf
        asks, answers = ("root", leaf) if join.by_root else (leaf, "root")
        cookie = join.init_tag.to_bytes(8, "big") + b"good"
        sender = 0 if join.by_root else 1
        self.send(f"{leaf} JOIN_REQ 1", asks, answers, self.request(join, 1, None))
        self.send(
            f"{leaf} CHALLENGE",
            answers,
            asks,
            Challenge(
                cookie_life_ms=30000,
                cookie=cookie,
                sender_id=0,
                seq=join.seq,
                destination_tag=join.init_tag,
            ),
        )
        self.send(f"{leaf} JOIN_REQ 2", asks, answers, self.request(join, 2, cookie))
        self.send(
            f"{leaf} PENDING",
            answers,
            asks,
            Pending(
                resp_tag=join.resp_tag,
                state=1,
                queue_pos=1,
                poll_ms=5000,
                attempt=2,
                session_id=SESSION,
                sender_id=sender,
                seq=join.seq,
                destination_tag=join.init_tag,
            ),
        )

    def accept_message(self, join: Join, *, callee_data: bytes | None = None) -> Accept:
        """Build ACCEPT."""
        return Accept(
            resp_tag=join.resp_tag,
            assigned_id=0 if join.by_root else join.member_id,
            leaf_dir=self.leaf_dir,
            max_payload=1156,
            next_data_seq=LEAF_DATA if join.by_root else self.next_root,
            timers=TIMERS,
            caps=self.caps,
            versions=(1, 0x4A),
            session_desc=None if join.by_root else self.description,
            callee_data=callee_data,
            session_id=SESSION,
            destination_tag=join.init_tag,
            seq=join.seq,
            sender_id=0 if join.by_root else 1,
        )

    def confirm_message(self, join: Join) -> Confirm:
        """Build CONFIRM."""
        return Confirm(
            assigned_id=join.member_id if join.by_root else 0,
            next_data_seq=self.next_root if join.by_root else LEAF_DATA,
            leaf_dir=self.leaf_dir,
            session_desc=self.description if join.by_root else None,
            session_id=SESSION,
            destination_tag=join.resp_tag,
            seq=join.seq,
            sender_id=1 if join.by_root else join.member_id,
        )

    def join(self, leaf: str, end: int, root: int = 1) -> Join:
        """Let a leaf join and be accepted."""
        join = self.ask_to_join(leaf, end, root)
        self.admit(join, root)
        return join

    def ask_to_join(self, leaf: str, end: int, root: int = 1) -> Join:
        """Let a leaf ask, up to FD_ACCEPT at the root."""
        join = self.member(leaf, end, by_root=False)
        address = [ADDRESSES["root"], PORT]
        self.call(
            f"{leaf} join",
            leaf,
            "join_leaf",
            {"socket": end},
            socket=end,
            address=address,
            caller_data=None,
        )
        self.cookies(join)
        self.event(f"{leaf} FD_ACCEPT", "root", root, "FD_ACCEPT")
        self.barrier("root", leaf)
        return join

    def admit(self, join: Join, root: int = 1) -> None:
        """Let the root accept the head of its queue."""
        leaf = join.leaf
        join.handle = self.fresh("root")
        join.member_id = next(self.ids)
        join.next_root = self.next_root
        asked = self.ask(f"{leaf} accept", "root", "accept", socket=root)
        self.answer(
            f"{leaf} accept",
            "root",
            asked,
            result={"socket": join.handle, "address": [ADDRESSES[leaf], PORT], "caller_data": None},
        )
        self.send(f"{leaf} ACCEPT", "root", leaf, self.accept_message(join))
        self.event(f"{leaf} FD_CONNECT", leaf, join.end, "FD_CONNECT")
        self.event(f"{leaf} FD_WRITE", leaf, join.end, "FD_WRITE")
        self.send(f"{leaf} CONFIRM", leaf, "root", self.confirm_message(join))
        self.first_write(leaf, root)
        self.barrier("root", leaf)

    def first_write(self, leaf: str, root: int) -> None:
        """Report FD_WRITE on R when its first member is there."""
        if not self.writable:
            self.event(f"{leaf} FD_WRITE root", "root", root, "FD_WRITE")
            self.writable = True

    def refuse(self, join: Join, root: int = 1) -> None:
        """Let the root reject the head of its queue."""
        leaf = join.leaf
        self.call(f"{leaf} reject", "root", "accept", 10061, socket=root, condition="reject")
        self.send(
            f"{leaf} REJECT",
            "root",
            leaf,
            Reject(
                reason=1,
                retry_after_s=0,
                detail=0,
                session_id=SESSION,
                attempt=2,
                destination_tag=join.init_tag,
                seq=join.seq,
                sender_id=1,
            ),
        )
        self.event(f"{leaf} FD_CONNECT refused", leaf, join.end, "FD_CONNECT", 10061)
        self.barrier("root", leaf)

    def invite(self, leaf: str, listener: int, root: int = 1) -> Join:
        """Let the root invite a listening leaf that accepts."""
        join = self.ask_to_come(leaf, listener, root)
        join.end = self.fresh(leaf)
        asked = self.ask(f"{leaf} accept", leaf, "accept", socket=listener)
        self.answer(
            f"{leaf} accept",
            leaf,
            asked,
            result={"socket": join.end, "address": [ADDRESSES["root"], PORT], "caller_data": None},
        )
        join.member_id = next(self.ids)
        self.send(f"{leaf} ACCEPT", leaf, "root", self.accept_message(join))
        self.event(f"{leaf} FD_CONNECT", "root", root, "FD_CONNECT")
        self.first_write(leaf, root)
        self.send(f"{leaf} CONFIRM", "root", leaf, self.confirm_message(join))
        self.event(f"{leaf} FD_WRITE", leaf, join.end, "FD_WRITE")
        self.barrier("root", leaf)
        return join

    def ask_to_come(self, leaf: str, listener: int, root: int = 1) -> Join:
        """Let the root invite, up to FD_ACCEPT at the leaf."""
        join = self.member(leaf, 0, by_root=True)
        join.handle = self.fresh("root")
        join.next_root = self.next_root
        self.call(
            f"{leaf} invite",
            "root",
            "join_leaf",
            {"socket": join.handle},
            socket=root,
            address=[ADDRESSES[leaf], PORT],
        )
        self.cookies(join)
        self.event(f"{leaf} FD_ACCEPT", leaf, listener, "FD_ACCEPT")
        self.barrier("root", leaf)
        return join

    def withdraw(self, join: Join) -> None:
        """Let the root close P while its invitation waits."""
        leaf = join.leaf
        handle = join.handle
        self.call(f"{leaf} close P", "root", "close", {}, socket=handle)
        cancel = Cancel(
            init_tag=join.init_tag,
            reason=1,
            seq=8,
            session_id=SESSION,
            sender_id=1,
            destination_tag=join.resp_tag,
        )
        self.send(f"{leaf} CANCEL", "root", leaf, cancel)
        self.send(
            f"{leaf} CANCEL_ACK",
            leaf,
            "root",
            CancelAck(result=0, seq=8, session_id=SESSION, destination_tag=join.init_tag),
        )
        self.barrier("root", leaf)
