"""Real group sockets, kept on this host by a scope of 0."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from mpwire.core import Entropy, TimerPlan
from mpwire.core.address import Address
from mpwire.io.driver import Driver
from mpwire.io.network import KernelNetwork
from mpwire.testing.actor import C_LEAF
from mpwire.vocabulary import JoinFlag, NetworkEvent
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl

GROUP = ("239.255.7.7", 47777)
SSM_GROUP = ("232.0.7.7", 47777)
HOST = "127.0.0.1"
WAIT_S = 10.0
NOW_S = 0.0


class Household:
    """Some processes' worth of providers on one loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.drivers: list[Driver] = []
        self.progress = asyncio.Event()

    def provider(self) -> Provider:
        """Add a process."""
        entropy = Entropy(b"%d" % len(self.drivers))
        driver = Driver(
            self.loop, KernelNetwork(self.loop), entropy, TimerPlan(), self.progress.set
        )
        self.drivers.append(driver)
        return driver.provider

    def member(
        self,
        group: Address,
        flag: JoinFlag = JoinFlag.BOTH,
        origins: tuple[str, ...] = (),
    ) -> tuple[Provider, int]:
        """Let a process with one socket join a session on this host only."""
        provider = self.provider()
        handle = provider.socket(C_LEAF, protocol=Protocol.MPW_OPEN)
        provider.bind(handle, (HOST, 0))
        provider.event_select(handle, 1, NetworkEvent.FD_READ, self.loop.time())
        provider.ioctl(handle, MultipointIoctl.SIO_MULTICAST_SCOPE, 0, NOW_S)
        provider.ioctl(handle, MultipointIoctl.SIO_MULTIPOINT_LOOPBACK, False, NOW_S)
        provider.ioctl(handle, MultipointIoctl.SIO_MPW_ORIGINS, origins, NOW_S)
        provider.join_leaf(handle, group, self.loop.time(), flags=flag)
        self.drivers[-1].settle()
        return provider, handle

    def send(self, member: tuple[Provider, int], payload: bytes) -> None:
        """Send one message."""
        provider, handle = member
        provider.send(handle, payload, self.loop.time())
        for driver in self.drivers:
            driver.settle()

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until something is the case."""

        async def wait() -> None:
            while not condition():
                self.progress.clear()
                await self.progress.wait()

        self.loop.run_until_complete(asyncio.wait_for(wait(), WAIT_S))

    def close(self) -> None:
        """End all processes."""
        for driver in self.drivers:
            driver.close()
        self.loop.close()


@pytest.fixture
def household() -> Iterator[Household]:
    """Give an empty household."""
    one = Household()
    yield one
    one.close()


def queue_of(member: tuple[Provider, int]) -> list[bytes]:
    """Return what waits to be read."""
    return [received.payload for received in member[0].sockets[member[1]].queue]


@pytest.mark.w(59, 65)
def test_members_of_one_host_hear_each_other(household: Household) -> None:
    members = [household.member(GROUP) for _ in range(3)]
    household.send(members[0], b"hello")
    household.until(lambda: all(queue_of(one) for one in members[1:]))
    assert [queue_of(one) for one in members] == [[], [b"hello"], [b"hello"]]
    assert [driver.unsent_count for driver in household.drivers] == [0, 0, 0]


@pytest.mark.w(63)
def test_who_only_sends_has_no_group_socket(household: Household) -> None:
    receiver = household.member(GROUP)
    sender = household.member(GROUP, JoinFlag.SENDER_ONLY)
    assert household.drivers[1].group_sockets == {}
    household.send(sender, b"hello")
    household.until(lambda: bool(queue_of(receiver)))


def test_source_specific_groups_hear_their_origins(household: Household) -> None:
    receiver = household.member(SSM_GROUP, origins=(HOST,))
    deaf = household.member(SSM_GROUP, origins=("10.9.9.9",))
    sender = household.member(SSM_GROUP, JoinFlag.SENDER_ONLY)
    household.send(sender, b"hello")
    household.until(lambda: bool(queue_of(receiver)))
    household.drivers[1].drain()
    assert queue_of(deaf) == []


def test_a_socket_may_be_bound_to_the_port_of_its_group(household: Household) -> None:
    one = household.provider()
    handle = one.socket(C_LEAF, protocol=Protocol.MPW_OPEN)
    one.bind(handle, ("0.0.0.0", GROUP[1]))
    one.ioctl(handle, MultipointIoctl.SIO_MULTICAST_SCOPE, 0, NOW_S)
    one.set_blocking(handle, blocking=False)
    one.join_leaf(handle, GROUP, household.loop.time())
    household.drivers[0].settle()
    sender = household.member(GROUP, JoinFlag.SENDER_ONLY)
    household.send(sender, b"hello")
    household.until(lambda: bool(queue_of((one, handle))))
    one.close(handle, household.loop.time())
    assert household.drivers[0].group_sockets == {}


def test_a_group_that_the_kernel_refuses_fails_the_join(household: Household) -> None:
    with pytest.raises(SocketError, match="WSAEADDRNOTAVAIL"):
        household.member(SSM_GROUP, origins=("10.9.9.9", "10.9.9.9"))
    assert household.drivers[0].group_sockets == {}
