"""A root that says anything at all neither kills the leaf in JavaScript nor keeps it busy.

The root is played by hand: it challenges, accepts, and then sends what it likes, with the right tag
and from the right address. After that the leaf has to answer a barrier.
"""

import socket
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import pytest

from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.messages import (
    Abort,
    Accept,
    Challenge,
    Close,
    Confirm,
    Data,
    DataAck,
    JoinReq,
    Message,
    MessageBase,
    Nack,
    Pending,
    SessionDesc,
    Sync,
)
from mpwire.wire.registries import AbortReason
from tests.io.agent_process import ALL_EVENTS, AgentProcess
from tests.testing.peers.test_peers_agreement import changed
from tests.wire.test_wire_vectors import VECTORS, Vector

Heard = TypeVar("Heard", bound=MessageBase)
MODULE = "mpwire.testing.peers.javascript"
SESSION, TAG = 0x5E5510, 0x7A6
FIRST = 1000
"""Where the root's data starts."""
FAR = 0x7FFFFFF0
"""As far ahead as serial numbers reach."""
SAID_TO_A_MEMBER = ("data", "sync", "nack", "data-ack", "close", "close-ack", "probe", "abort")


class Root:
    """A root made by hand, on loopback."""

    def __init__(self, leaf: AgentProcess) -> None:
        self.leaf = leaf
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.settimeout(20)
        self.number = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
        leaf.call("event_select", socket=self.number, events=ALL_EVENTS)
        address = list(self.udp.getsockname())
        leaf.call("join_leaf", socket=self.number, address=address)
        self.request = self.hear(JoinReq)

    def hear(self, *kinds: type[Heard]) -> Heard:
        while True:
            octets, self.peer = self.udp.recvfrom(2048)
            message = decode_untrusted(octets)
            if isinstance(message, kinds):
                return message

    def say(self, message: Message) -> None:
        self.udp.sendto(encode(message), self.peer)

    def admit(self) -> None:
        """Carry the join through."""
        self.say(
            Challenge(
                session_id=0,
                destination_tag=self.request.init_tag,
                seq=self.request.seq,
                cookie_life_ms=30_000,
                cookie=bytes(16),
            )
        )
        self.request = self.hear(JoinReq)
        description = SessionDesc(
            planes=3,
            family=0,
            data_port=1,
            group_tag=5,
            max_rate=500,
            max_payload=1156,
            hop_limit=1,
            repair=1,
            group=b"",
        )
        self.say(
            Accept(
                session_id=SESSION,
                destination_tag=self.request.init_tag,
                seq=self.request.seq,
                sender_id=1,
                resp_tag=TAG,
                assigned_id=2,
                leaf_dir=3,
                max_payload=1156,
                next_data_seq=FIRST,
                timers=self.request.timers,
                caps=2,
                versions=(1, 0x4A),
                session_desc=description,
            )
        )
        self.hear(Confirm)
        assert self.leaf.wait_for("FD_CONNECT", self.number)["code"] == 0

    def header(self) -> dict[str, Any]:
        return {
            "session_id": SESSION,
            "destination_tag": self.request.init_tag,
            "sender_id": 1,
            "attempt": 1,
        }

    def close(self) -> None:
        self.udp.close()


@pytest.fixture(scope="module")
def leaf() -> Iterator[AgentProcess]:
    agent = AgentProcess(MODULE)
    yield agent
    assert agent.end() == 0


@pytest.fixture
def root(leaf: AgentProcess) -> Iterator[Root]:
    made = Root(leaf)
    yield made
    made.close()


@pytest.mark.parametrize(
    "vector",
    [one for one in VECTORS if one.name in SAID_TO_A_MEMBER],
    ids=lambda one: one.name,
)
def test_nothing_that_a_root_says_ends_the_process(root: Root, vector: Vector) -> None:
    root.admit()
    tag = root.request.init_tag.to_bytes(8, "big")
    for datagram in changed(vector):
        octets = bytearray(datagram)
        octets[8:24] = SESSION.to_bytes(8, "big") + tag
        octets[28:32] = (1).to_bytes(4, "big")
        root.udp.sendto(octets, root.peer)
    assert root.leaf.call("barrier") == {}
    assert root.leaf.call("barrier") == {}


def test_numbers_that_are_far_away_cost_no_time(root: Root) -> None:
    root.admit()
    header = root.header()
    far = (FIRST + FAR) % 2**32
    root.leaf.call("send", socket=root.number, data="2a")
    mine = root.hear(Data)
    root.say(Sync(**header, seq=far, origin=1, trail_seq=FIRST, sflags=0))
    asked = root.hear(Nack)
    assert asked.ranges == ((FIRST, far - 1),)
    everything = ((mine.seq - 5) % 2**32, (mine.seq + FAR) % 2**32)
    root.say(Nack(**header, seq=1, origin=2, ranges=(everything,)))
    repair = root.hear(Data)
    assert (repair.seq, repair.attempt, repair.dflags) == (mine.seq, 2, 1)
    room = (1 << 32) - 1
    root.say(DataAck(**header, seq=2, origin=2, rcv_next=(mine.seq + 1) % 2**32, window=room))
    root.say(Close(**header, seq=9, reason=2, cflags=0, final_seq=far - 1, side_final_seq=0))
    assert root.leaf.call("barrier") == {}


def test_a_poll_that_is_due_in_weeks_is_not_made_at_once(root: Root) -> None:
    root.say(
        Challenge(
            session_id=0,
            destination_tag=root.request.init_tag,
            seq=root.request.seq,
            cookie_life_ms=30_000,
            cookie=bytes(16),
        )
    )
    request = root.hear(JoinReq)
    root.say(
        Pending(
            session_id=0,
            destination_tag=request.init_tag,
            seq=request.seq,
            attempt=request.attempt,
            sender_id=1,
            resp_tag=TAG,
            state=1,
            queue_pos=0,
            poll_ms=2**32 - 1,
        )
    )
    assert root.leaf.call("barrier") == {}
    root.udp.settimeout(0.3)
    with pytest.raises(TimeoutError):
        root.hear(JoinReq)


def test_data_beyond_what_was_granted_is_dropped(root: Root) -> None:
    root.admit()
    header = root.header()
    data = Data(**header, seq=FIRST + 32, origin=1, dflags=0, hop=0, payload=b"too far")
    root.say(data)
    for number in range(40):
        root.say(msgspec.structs.replace(data, seq=FIRST + number, payload=bytes([number])))
    assert root.leaf.call("barrier") == {}
    received = []
    while "data" in (answer := root.leaf.call("recv", socket=root.number)):
        received.append(answer["data"])
    assert received == [bytes([number]).hex() for number in range(40)]


def test_a_root_that_promises_what_it_never_sends_is_given_up() -> None:
    leaf = AgentProcess(MODULE)
    leaf.call("configure", timers={"rto_initial_s": 0.05, "dead_s": 1.1})
    root = Root(leaf)
    root.admit()
    promise = Sync(**root.header(), seq=FIRST + 1, origin=1, trail_seq=FIRST, sflags=0)
    root.say(promise)
    asked = 0
    while isinstance(said := root.hear(Nack, Abort), Nack):
        asked += 1
        assert said.ranges == ((FIRST, FIRST),)
        root.say(promise)
    assert isinstance(said, Abort)
    assert said.reason == AbortReason.DATA_LOST
    assert 57 <= asked < 100
    assert leaf.wait_for("FD_CLOSE", root.number)["code"] == 10053
    root.close()
    assert leaf.end() == 0


def test_what_never_came_is_not_asked_for_after_the_end() -> None:
    leaf = AgentProcess(MODULE)
    leaf.call("configure", timers={"rto_initial_s": 0.05, "drain_s": 0.1})
    root = Root(leaf)
    root.admit()
    header = root.header()
    root.say(Close(**header, seq=9, reason=2, cflags=0, final_seq=FIRST, side_final_seq=0))
    root.hear(Nack)
    assert leaf.wait_for("FD_CLOSE", root.number)["code"] == 10053
    root.udp.setblocking(False)
    with pytest.raises(BlockingIOError):
        root.hear(Sync)  # which a leaf that only listens never sends: all that is there is read
    root.udp.settimeout(0.2)
    root.say(Sync(**header, seq=FIRST + 1, origin=1, trail_seq=FIRST, sflags=0))
    assert root.hear(DataAck).rcv_next == FIRST
    with pytest.raises(TimeoutError):
        root.hear(Nack)
    root.close()
    assert leaf.end() == 0
