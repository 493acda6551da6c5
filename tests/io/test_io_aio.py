"""The asyncio facade over real loopback sockets."""

import asyncio

import pytest

from mpwire.core.address import Address
from mpwire.io.aio import Leaf, Root, join
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
from mpwire.io.host import Host
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock import ConditionArguments
from tests.io.loopback import FAMILIES, LOCAL, SOON
from tests.io.scenes import meet, run, seen


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


def test_a_close_that_lingers_ends_gracefully_or_in_time() -> None:
    async def scene() -> None:
        host = Host()
        root = Root(LOCAL, host=host)
        root.listen()
        handle, leaf = await meet(root)
        leaf.set_linger(5)
        leaf.close()
        await leaf.wait_closed()
        await seen(handle, "FD_CLOSE")
        _, deserted = await meet(root)
        host.driver.close()
        deserted.set_linger(0.05)
        deserted.close()
        await asyncio.wait_for(deserted.wait_closed(), 0.9)
        assert deserted.host.provider.completions == []

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
