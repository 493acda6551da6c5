"""The leaf in JavaScript and our codec agree on what is a datagram: it answers what is valid, only.

An endpoint without a session answers a valid stranger once (docs/protocol.md 13) and is silent
about anything invalid (R103). Every octet of every hand-made vector is changed in turn, each
datagram comes from an address of its own on loopback, and the answers are compared with what our
codec says.
"""

import select
import socket
from collections.abc import Iterator

import pytest

from mpwire.wire.codec import decode_untrusted, unknown_mandatory
from mpwire.wire.errors import DecodeError
from mpwire.wire.numbers import HeaderFlag, MessageType
from tests.io.agent_process import AgentProcess
from tests.wire.test_wire_vectors import VECTORS, Vector

MODULE = "mpwire.testing.peers.javascript"
ANSWERS = {
    MessageType.JOIN_REQ: MessageType.REJECT,
    MessageType.ACCEPT: MessageType.ABORT,
    MessageType.CONFIRM: MessageType.ABORT,
    MessageType.CANCEL: MessageType.CANCEL_ACK,
    MessageType.CLOSE: MessageType.ABORT,
    MessageType.PROBE: MessageType.ABORT,
    MessageType.SIDE: MessageType.ABORT,
    MessageType.MEMBER: MessageType.ABORT,
    MessageType.DATA: MessageType.ABORT,
}
CHANGES = (0x01, 0x80, 0xFF)
"""What each octet is combined with, by exclusive or."""
BURST = 60
"""Datagrams between two barriers: fewer than a socket's buffer holds."""


def expected(datagram: bytes) -> MessageType | None:
    """Say how an endpoint without a session answers; None for silence."""
    try:
        message = decode_untrusted(datagram)
    except DecodeError:
        length = int.from_bytes(datagram[6:8], "big")
        foreign = datagram[:2] == b"mp" and datagram[2] > 1 and datagram[3] == MessageType.JOIN_REQ
        return MessageType.VERSION_NEG if foreign and len(datagram) == length >= 128 else None
    if message.flags & HeaderFlag.M:
        return None
    if unknown_mandatory(message):
        return None
    return ANSWERS.get(MessageType(datagram[3]))


def changed(vector: Vector) -> Iterator[bytes]:
    """Change each octet; leave some out at the end, or put some there."""
    yield vector.data
    for place in range(len(vector.data)):
        for change in CHANGES:
            octets = bytearray(vector.data)
            octets[place] ^= change
            yield bytes(octets)
    for count in (1, 4, 8):
        yield vector.data[:-count]
        yield vector.data + bytes(count)
        longer = bytearray(vector.data + bytes(count))
        longer[6:8] = len(longer).to_bytes(2, "big")
        yield bytes(longer)


class Strangers:
    """Ask from one loopback address after another."""

    def __init__(self, leaf: AgentProcess) -> None:
        self.leaf = leaf
        number = leaf.call("socket", flags=["C_LEAF", "D_LEAF"])["socket"]
        leaf.call("bind", socket=number, address=["127.0.0.1", 0])
        self.address = tuple(leaf.call("getsockname", socket=number)["address"])
        self.asked = 0

    def ask(self, datagrams: list[bytes]) -> list[MessageType | None]:
        """Send each from an address of its own and return what came back there."""
        sockets = []
        for datagram in datagrams:
            self.asked += 1
            high, low = divmod(self.asked, 250)
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((f"127.1.{high}.{low + 1}", 0))
            one.sendto(datagram, self.address)
            sockets.append(one)
        assert self.leaf.call("barrier") == {}
        answers = [self._answer(one) for one in sockets]
        for one in sockets:
            one.close()
        return answers

    def _answer(self, one: socket.socket) -> MessageType | None:
        if not select.select([one], [], [], 0)[0]:
            return None
        octets, source = one.recvfrom(2048)
        assert source == self.address
        decode_untrusted(octets)  # what it says is valid
        return MessageType(octets[3])


@pytest.fixture(scope="module")
def strangers() -> Iterator[Strangers]:
    agent = AgentProcess(MODULE)
    yield Strangers(agent)
    assert agent.end() == 0


@pytest.mark.parametrize("vector", VECTORS, ids=[one.name for one in VECTORS])
def test_valid_strangers_are_answered_and_nobody_else(strangers: Strangers, vector: Vector) -> None:
    datagrams = list(changed(vector))
    for start in range(0, len(datagrams), BURST):
        part = datagrams[start : start + BURST]
        answers = strangers.ask(part)
        wrong = [
            (datagram.hex(), answer, expected(datagram))
            for datagram, answer in zip(part, answers, strict=True)
            if answer != expected(datagram)
        ]
        assert wrong == []


def test_strangers_are_not_answered_without_limit(strangers: Strangers) -> None:
    (vector,) = (one for one in VECTORS if one.name == "close")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.2.0.1", 0))
        for _ in range(20):
            one.sendto(vector.data, strangers.address)
        assert strangers.leaf.call("barrier") == {}
        count = 0
        while select.select([one], [], [], 0)[0]:
            one.recv(2048)
            count += 1
        assert 4 <= count <= 6  # a burst of four, and one a second (R104)
