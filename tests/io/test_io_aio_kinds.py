"""The asyncio facade over real loopback sockets: options, other protocols, crowds."""

import asyncio

import pytest

from mpwire.core.address import Address
from mpwire.io.aio import Leaf, Root, join
from mpwire.io.errors import (
    MultipointError,
    NotNowError,
)
from mpwire.vocabulary import Condition, SocketFlag, WsaError
from mpwire.winsock import ConditionArguments
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.messages import Qos
from tests.io.loopback import LOCAL
from tests.io.scenes import meet, run, seen


def test_options_and_flows() -> None:
    async def scene() -> None:
        flow = Qos(sending_octets_per_s=10, receiving_octets_per_s=20)
        asked: list[ConditionArguments] = []

        def look(arguments: ConditionArguments) -> Condition:
            asked.append(arguments)
            return Condition.ACCEPT

        async with Root(LOCAL) as root, Leaf() as leaf:
            root.listen()
            assert root.getsockopt(Option.SO_ACCEPTCONN) is True
            root.setsockopt(Option.SO_LINGER, 0)
            root.set_linger(None)
            assert root.getsockopt(Option.SO_DONTLINGER) is True
            await asyncio.gather(leaf.join_leaf(root.getsockname(), sqos=flow), root.accept(look))
            assert [arguments.sqos for arguments in asked] == [flow]
            assert leaf.ioctl(Ioctl.SIO_GET_QOS) == flow
            with pytest.raises(NotNowError):
                leaf.ioctl(Ioctl.SIO_ADDRESS_LIST_CHANGE)

    run(scene)


@pytest.mark.w(52)
@pytest.mark.w(53)
def test_a_session_without_a_root() -> None:
    async def scene() -> None:
        group = ("239.255.7.9", 47779)
        protocol = Protocol.MPW_OPEN
        async with Leaf(LOCAL, protocol=protocol) as one, Leaf(LOCAL, protocol=protocol) as other:
            for leaf in (one, other):
                leaf.ioctl(MultipointIoctl.SIO_MULTICAST_SCOPE, 0)
                leaf.ioctl(MultipointIoctl.SIO_MULTIPOINT_LOOPBACK, False)
                assert await leaf.join_leaf(group) is leaf
            await one.send(b"to everybody")
            assert await other.recv() == b"to everybody"
            with pytest.raises(MultipointError) as again:
                await one.join_leaf(group)
            assert again.value.code is WsaError.WSAEISCONN

    run(scene)


def test_many_leaves_come_and_go_at_once() -> None:
    async def visit(address: Address, number: int) -> list[object]:
        async with await join(address) as leaf:
            await leaf.send(b"%d" % number)
            heard = [message async for message in leaf]
            return [*heard, [event.name async for event, _ in leaf.events()]]

    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen(100)
            visits = [
                asyncio.create_task(visit(root.getsockname(), number)) for number in range(40)
            ]
            handles = [await root.accept() for _ in visits]
            assert {await root.recv() for _ in visits} == {b"%d" % one for one in range(40)}
            await root.send(b"to all")
            root.shutdown()
            events = ["FD_CONNECT", "FD_WRITE", "FD_READ", "FD_CLOSE"]
            assert await asyncio.gather(*visits) == [[b"to all", events]] * 40
            for handle in handles:
                assert [event.name async for event, _ in handle.events()] == ["FD_CLOSE"]

    run(scene)


@pytest.mark.w(85)
def test_a_last_word_travels_with_the_end() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            handle, leaf = await meet(root)
            leaf.send_disconnect(b"bye")
            await seen(handle, "FD_CLOSE")
            assert handle.recv_disconnect() == b"bye"
            leaf.close()

    run(scene)


@pytest.mark.w(95)
def test_sending_waits_for_a_leaf_that_does_not_read() -> None:
    count = 600  # more than the leaf has room for

    async def scene() -> None:
        async def pour() -> None:
            for number in range(count):
                await root.send(b"%d" % number)
            root.shutdown()

        async with Root(LOCAL) as root:
            root.listen()
            _, leaf = await meet(root)
            await seen(root, "FD_ACCEPT", "FD_WRITE")
            pouring = asyncio.create_task(pour())
            while root.host.provider.sockets[leaf.handle].queue == ():
                await root.host.change()
            assert not pouring.done()
            messages = [message async for message in leaf]
            assert messages == [b"%d" % number for number in range(count)]
            await pouring
            await seen(root, "FD_WRITE")

    run(scene)


@pytest.mark.w(59)
def test_a_conference_hears_everybody() -> None:
    protocol, data_leaf = Protocol.MPW_CONFERENCE, SocketFlag.C_ROOT | SocketFlag.D_LEAF

    async def scene() -> None:
        async with Root(LOCAL, protocol=protocol, flags=data_leaf) as root:
            root.listen()
            leaves = [(await meet(root, protocol=protocol))[1] for _ in range(3)]
            for speaker in leaves:
                await speaker.send(b"%d" % speaker.handle)
            words = {b"%d" % speaker.handle for speaker in leaves}
            assert {await root.recv() for _ in leaves} == words
            for leaf in leaves:
                assert {await leaf.recv() for _ in words} == words  # its own came back (W65)
                leaf.close()

    run(scene)


@pytest.mark.w(64)
def test_one_way_is_from_the_root() -> None:
    async def scene() -> None:
        async with Root(LOCAL, protocol=Protocol.MPW_ATM) as root:
            root.listen()
            _, leaf = await meet(root, protocol=Protocol.MPW_ATM)
            await root.send(b"down")
            assert await leaf.recv() == b"down"
            with pytest.raises(MultipointError) as refused:
                await leaf.send(b"up")
            assert refused.value.code is WsaError.WSAEOPNOTSUPP
            leaf.close()

    run(scene)


@pytest.mark.w(61)
def test_the_root_and_one_leaf_talk_in_private() -> None:
    async def scene() -> None:
        protocol = Protocol.MPW_DIALOGUE
        async with Root(LOCAL, protocol=protocol) as root:
            root.listen()
            accepting = asyncio.create_task(root.accept())
            async with await join(root.getsockname(), protocol=protocol) as leaf:
                handle = await accepting
                await handle.send(b"only you")
                message = await leaf.recv_message()
                assert (message.payload, message.private, message.origin) == (b"only you", True, 1)
                await leaf.send(b"me too", private=True)
                assert await handle.recv() == b"me too"
                await leaf.send(b"to all")
                assert not (await root.recv_message()).private
        async with Root(LOCAL) as root:
            with pytest.raises(MultipointError) as refused:
                await root.send(b"psst", private=True)
            assert refused.value.code is WsaError.WSAEOPNOTSUPP

    run(scene)


@pytest.mark.w(84)
def test_a_socket_ends_with_the_last_of_its_descriptors() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            accepting = asyncio.create_task(root.accept())
            leaf = await join(root.getsockname())
            handle = await accepting
            twin = leaf.duplicate()
            assert twin.getsockname() == leaf.getsockname()
            reading = asyncio.create_task(twin.recv())
            await root.send(b"one")
            assert await reading == b"one"
            reading = asyncio.create_task(twin.recv())
            leaf.close()
            await leaf.wait_closed()
            await root.send(b"two")
            assert await reading == b"two"
            with pytest.raises(MultipointError):
                await leaf.recv()
            async with twin:
                await twin.send(b"three")
                assert await root.recv() == b"three"
            assert [event.name async for event, _ in handle.events()][-1] == "FD_CLOSE"

    run(scene)


@pytest.mark.w(84)
def test_a_session_outlives_the_first_descriptor_of_its_root() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            accepting = asyncio.create_task(root.accept())
            leaf = await join(root.getsockname())
            handle = await accepting
            other = root.duplicate()
        assert not handle.closed
        await other.send(b"still here")
        assert await leaf.recv() == b"still here"
        other.close()
        await other.wait_closed()
        assert [message async for message in leaf] == []
        leaf.close()
        handle.close()

    run(scene)
