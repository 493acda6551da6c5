"""The asyncio facade over real loopback sockets."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mpwire.core.address import Address
from mpwire.io.aio import Leaf, MultipointSocket, Root, join
from mpwire.io.errors import (
    CancelledCallError,
    DeferredError,
    DisconnectedError,
    JoinRefusedError,
    MembershipResetError,
    MultipointError,
    NotNowError,
    SendShutError,
    TimedOutError,
)
from mpwire.io.host import HOSTS, Host
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock import ConditionArguments
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.messages import Qos
from tests.io.loopback import FAMILIES, LOCAL, SOON


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene on a loop of its own; it leaves no task and no host behind."""

    async def watched() -> None:
        await scene()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())
    assert HOSTS == {}


async def meet(root: Root, **options: Any) -> tuple[MultipointSocket, Leaf]:  # noqa: ANN401
    """Let a leaf join; return P and L."""
    return tuple(await asyncio.gather(root.accept(), join(root.getsockname(), **options)))  # type: ignore[return-value]


async def seen(socket: MultipointSocket, *names: str) -> None:
    """Wait for these events, in this order; an error follows its event's name."""
    events = socket.events()
    for name in names:
        event, code = await anext(events)
        assert name == (f"{event.name} {code.name}" if code else event.name)


@pytest.mark.parametrize("address", FAMILIES)
def test_a_session_from_join_to_dismantle(address: Address) -> None:
    async def scene() -> None:
        async with Root(address) as root:
            root.listen()
            accepted, leaf = await asyncio.gather(
                root.accept(callee_data=b"ok"), join(root.getsockname(), caller_data=b"hi")
            )
            async with leaf:
                assert (accepted.caller_data, leaf.callee_data) == (b"hi", b"ok")
                assert leaf.getpeername() == root.getsockname()
                assert accepted.getpeername()[1] == leaf.getsockname()[1]
                assert await root.send(b"down") == 4
                assert await leaf.recv() == b"down"
                await leaf.send(b"up")
                assert await root.recv() == b"up"
                await root.send(b"last")
                root.shutdown()
                assert [message async for message in leaf] == [b"last"]
                with pytest.raises(DisconnectedError):
                    await leaf.recv()

    run(scene)


@pytest.mark.parametrize("address", FAMILIES)
def test_an_invitation(address: Address) -> None:
    async def scene() -> None:
        async with Root(address) as root, Leaf(address) as leaf:
            leaf.listen()
            handle, session_end = await asyncio.gather(
                root.join_leaf(leaf.getsockname(), caller_data=b"come"),
                leaf.accept(callee_data=b"yes"),
            )
            assert (session_end.caller_data, handle.callee_data) == (b"come", b"yes")
            await root.send(b"1")
            assert await session_end.recv() == b"1"
            handle.close()
            assert [message async for message in session_end] == []
            session_end.close()
            await handle.wait_closed()

    run(scene)


def test_the_condition_function_is_a_plain_callable() -> None:
    asked: list[ConditionArguments] = []

    def refuse(arguments: ConditionArguments) -> Condition:
        asked.append(arguments)
        return Condition.REJECT

    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            joining = asyncio.create_task(join(root.getsockname(), caller_data=b"x"))
            with pytest.raises(DeferredError):
                await root.accept(lambda _: Condition.DEFER)
            with pytest.raises(JoinRefusedError):
                await root.accept(refuse)
            with pytest.raises(ConnectionRefusedError):
                await joining
            assert [arguments.caller_data for arguments in asked] == [b"x"]
            again = asyncio.create_task(join(root.getsockname()))
            handle = await root.accept(lambda _: (Condition.ACCEPT, b"in"))
            async with await again as leaf:
                assert leaf.callee_data == b"in"
            handle.close()

    run(scene)


def test_a_condition_function_that_raises_decides_nothing() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            joining = asyncio.create_task(join(root.getsockname()))
            with pytest.raises(ZeroDivisionError):
                await root.accept(lambda _: Condition(1 // 0))
            with pytest.raises(NotNowError) as inside:
                await root.accept(lambda _: Condition(root.getsockname() is None))
            assert inside.value.code is WsaError.WSAEINPROGRESS
            await root.accept()
            (await joining).close()

    run(scene)


def test_events_come_once_each_and_end_with_the_socket() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            leaf = Leaf()
            joining = asyncio.create_task(leaf.join_leaf(root.getsockname()))
            await seen(root, "FD_ACCEPT")
            handle = await root.accept()
            await joining
            await seen(leaf, "FD_CONNECT", "FD_WRITE")
            await seen(root, "FD_WRITE")
            await root.send(b"x")
            await seen(leaf, "FD_READ")
            leaf.close()
            assert [one async for one in leaf.events()] == []
            codes = [one async for one in handle.events()]
            assert codes == [(NetworkEvent.FD_CLOSE, WsaError.SUCCESS)]
            assert root.unread == {}

    run(scene)


def test_nobody_there_is_a_refusal_or_a_time_out() -> None:
    async def scene() -> None:
        host = Host(SOON)
        silent = Leaf(LOCAL)
        silent.listen()
        root = Root(LOCAL, host=host)
        with pytest.raises(TimedOutError):
            await root.join_leaf(silent.getsockname())
        await seen(root, "FD_CONNECT WSAETIMEDOUT")
        address = silent.getsockname()
        silent.close()
        with pytest.raises(JoinRefusedError):
            await join(address, host=host)
        root.close()
        host.close()

    run(scene)


@pytest.mark.w(25)
def test_cancelling_an_invitation_withdraws_it() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root, Leaf(LOCAL) as leaf:
            leaf.listen()
            inviting = asyncio.create_task(root.join_leaf(leaf.getsockname()))
            await seen(leaf, "FD_ACCEPT")
            with pytest.raises(NotNowError) as refused:
                await root.join_leaf(leaf.getsockname())
            assert refused.value.code is WsaError.WSAEALREADY
            inviting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await inviting
            assert root.leaves == {}
            while True:  # the CANCEL is on its way; the request at the head dies of it
                try:
                    await leaf.accept(lambda _: Condition.DEFER)
                except MembershipResetError:
                    break
                except DeferredError:
                    await leaf.host.change()
            await asyncio.gather(root.join_leaf(leaf.getsockname()), leaf.accept())
            assert root.unread[NetworkEvent.FD_CONNECT] is WsaError.SUCCESS

    run(scene)


@pytest.mark.w(28)
def test_cancelling_a_join_closes_the_leaf() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            leaf = Leaf()
            joining = asyncio.create_task(leaf.join_leaf(root.getsockname()))
            await seen(root, "FD_ACCEPT")
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
            assert leaf.closed
            through_join = asyncio.create_task(join(root.getsockname()))
            await asyncio.wait({through_join}, timeout=0)
            through_join.cancel()
            with pytest.raises(asyncio.CancelledError):
                await through_join
            assert len(root.host.provider.sockets) == 1

    run(scene)


def test_cancelling_a_receive_loses_no_message() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            _, leaf = await meet(root)
            for number in range(50):
                receiving = asyncio.create_task(leaf.recv())
                await root.send(bytes([number]))
                if number % 2:
                    await leaf.change()  # the message is there, the task has not run yet
                receiving.cancel()
                try:
                    received = await receiving
                except asyncio.CancelledError:
                    received = await leaf.recv()
                assert received == bytes([number])

    run(scene)


def test_cancelling_an_accept_loses_no_request() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            accepting = asyncio.create_task(root.accept())
            joining = asyncio.create_task(join(root.getsockname()))
            while NetworkEvent.FD_ACCEPT not in root.unread:
                await root.host.change()
            accepting.cancel()
            await asyncio.wait({accepting})
            if accepting.cancelled():
                await root.accept()
            (await joining).close()

    run(scene)


def test_closing_interrupts_who_waits() -> None:
    async def scene() -> None:
        root = Root(LOCAL)
        root.listen()
        accepting = asyncio.create_task(root.accept())
        events = asyncio.create_task(anext(root.events(), None))
        leaf = Leaf(LOCAL)
        joining = asyncio.create_task(root.join_leaf(leaf.getsockname()))
        done, _ = await asyncio.wait({accepting, joining, events}, timeout=0)
        assert done == set()
        root.close()
        root.close()
        for task in (accepting, joining):
            with pytest.raises(CancelledCallError) as interrupted:
                await task
            assert interrupted.value.code is WsaError.WSA_OPERATION_ABORTED
        assert await events is None
        with pytest.raises(CancelledCallError):
            await root.recv()
        with pytest.raises(MultipointError) as gone:
            root.getsockname()
        assert gone.value.code is WsaError.WSAENOTSOCK
        leaf.close()

    run(scene)


def test_dismantling_interrupts_an_invitation() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root, Leaf(LOCAL) as silent:
            root.listen()
            await meet(root)
            silent.listen()
            inviting = asyncio.create_task(root.join_leaf(silent.getsockname()))
            await seen(silent, "FD_ACCEPT")
            root.shutdown()
            with pytest.raises(CancelledCallError) as interrupted:
                await inviting
            assert interrupted.value.code is WsaError.WSAEINTR

    run(scene)


def test_an_abort_is_an_error_to_whoever_iterates() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            _, leaf = await meet(root)
            root.set_linger(0)
            root.close()
            with pytest.raises(MembershipResetError):
                assert [message async for message in leaf] == []
            leaf.close()

    run(scene)


def test_shutting_down_wakes_a_receiver() -> None:
    async def scene() -> None:
        async with Root(LOCAL) as root:
            root.listen()
            _, leaf = await meet(root)
            receiving = asyncio.create_task(leaf.recv())
            await asyncio.wait({receiving}, timeout=0)
            leaf.shutdown(ShutdownHow.RECEIVE)
            with pytest.raises(SendShutError):
                await receiving

    run(scene)


def test_a_peer_that_vanishes_is_given_up_by_wait_closed() -> None:
    async def scene() -> None:
        here, there = Host(SOON), Host(SOON)
        root = Root(LOCAL, host=here)
        root.listen()
        await meet(root, host=there)
        there.close()
        async with root:
            pass
        assert root.closed
        here.close()

    run(scene)


def test_a_failure_inside_does_not_wait_for_the_peer() -> None:
    async def scene() -> None:
        here, there = Host(), Host()
        root = Root(LOCAL, host=here)
        root.listen()
        handle, _ = await meet(root, host=there)
        there.close()
        with pytest.raises(ZeroDivisionError):
            async with root:
                _ = 1 // 0
        assert root.closed
        assert handle.closed
        here.close()

    run(scene)


def test_directions_and_wrong_arguments_are_refused() -> None:
    async def scene() -> None:
        with pytest.raises(MultipointError) as unbound:
            Root(("192.0.2.1", 0))
        assert unbound.value.code is WsaError.WSAEADDRNOTAVAIL
        with pytest.raises(MultipointError) as illegal:
            Leaf(flags=SocketFlag.C_LEAF)
        assert illegal.value.code is WsaError.WSAEINVAL
        async with Root(LOCAL) as root:
            root.listen()
            _, leaf = await meet(root, flags=JoinFlag.RECEIVER_ONLY)
            with pytest.raises(MultipointError) as receiver:
                await leaf.send(b"x")
            assert receiver.value.code is WsaError.WSAEOPNOTSUPP

    run(scene)


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
            while root.host.provider.sockets[leaf.handle].queue == deque():
                await root.host.change()
            assert not pouring.done()
            messages = [message async for message in leaf]
            assert messages == [b"%d" % number for number in range(count)]
            await pouring
            await seen(root, "FD_WRITE")

    run(scene)
