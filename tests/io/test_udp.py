"""Real sockets on loopback: what comes in, what goes out, and errors of others."""

import select
from collections.abc import Iterator

import pytest

from mpwire.core.events import SendDatagram
from mpwire.io.udp import Arrival, UdpSocket, Unreachable
from mpwire.winsock import SocketError


@pytest.fixture
def udp() -> Iterator[list[UdpSocket]]:
    """Give three sockets on loopback; the last one is closed already."""
    sockets = [UdpSocket(("127.0.0.1", 0), 4) for _ in range(3)]
    sockets[2].close()
    yield sockets
    for one in sockets:
        one.close()


def wait_readable(one: UdpSocket) -> None:
    """Wait for a datagram or an error."""
    poll = select.poll()
    poll.register(one.socket, select.POLLIN)
    assert poll.poll(5000)


def test_an_error_of_one_peer_costs_another_nothing(udp: list[UdpSocket]) -> None:
    here, good, dead = udp
    assert here.send(SendDatagram(b"to nobody", here.local, dead.local)) is None
    wait_readable(here)
    assert here.send(SendDatagram(b"to somebody", here.local, good.local)) is None
    wait_readable(good)
    assert [*good.receive_all()] == [Arrival(b"to somebody", here.local, good.local)]
    assert [*here.receive_all()] == [Unreachable(b"to nobody", dead.local, port=True)]


def test_many_errors_are_all_told(udp: list[UdpSocket]) -> None:
    here, good, dead = udp
    for number in range(5):
        assert here.send(SendDatagram(bytes([number]), here.local, dead.local)) is None
    assert here.send(SendDatagram(b"x", here.local, good.local)) is None
    wait_readable(good)
    wait_readable(here)
    quotes = [one.quote for one in here.receive_all() if isinstance(one, Unreachable)]
    assert quotes == [bytes([number]) for number in range(5)]
    assert [*here.receive_all()] == []


def test_what_the_kernel_refuses_is_said(udp: list[UdpSocket]) -> None:
    here, good, _ = udp
    refusal = here.send(SendDatagram(bytes(70_000), here.local, good.local))
    assert refusal is not None


def test_a_taken_address_is_refused(udp: list[UdpSocket]) -> None:
    with pytest.raises(SocketError, match="WSAEADDRINUSE"):
        UdpSocket(udp[0].local, 4)
