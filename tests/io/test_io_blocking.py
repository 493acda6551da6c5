"""The blocking facade over real loopback sockets, with threads where both ends have to wait."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from mpwire.core.address import Address
from mpwire.io.background import RUNNING, background
from mpwire.io.blocking import Leaf, MultipointSocket, Root, join, new_host
from mpwire.io.errors import (
    CancelledCallError,
    DeferredError,
    JoinRefusedError,
    MembershipResetError,
    NotNowError,
    TimedOutError,
)
from mpwire.vocabulary import Condition, NetworkEvent, ShutdownHow, WsaError
from mpwire.winsock import ConditionArguments
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.protocols import Protocol
from mpwire.wire.messages import Qos
from tests.io.loopback import FAMILIES, LOCAL, SOON


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads for the other end."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def meet(root: Root, pool: ThreadPoolExecutor) -> tuple[MultipointSocket, MultipointSocket]:
    """Let a leaf join; return P and L."""
    joining = pool.submit(join, root.getsockname())
    return root.accept(), joining.result()


@pytest.mark.parametrize("address", FAMILIES)
def test_a_session_from_join_to_dismantle(address: Address, pool: ThreadPoolExecutor) -> None:
    with Root(address) as root:
        root.listen()
        joining = pool.submit(join, root.getsockname(), caller_data=b"hi")
        handle = root.accept(callee_data=b"ok")
        with joining.result() as leaf:
            assert (handle.caller_data, leaf.callee_data) == (b"hi", b"ok")
            assert leaf.getpeername() == root.getsockname()
            assert root.send(b"down") == 4
            assert leaf.recv() == b"down"
            assert leaf.send(b"up") == 2
            assert root.recv() == b"up"
            root.send(b"last")
            root.shutdown()
            assert list(leaf) == [b"last"]
        assert leaf.closed
    assert handle.closed


@pytest.mark.parametrize("address", FAMILIES)
def test_an_invitation(address: Address, pool: ThreadPoolExecutor) -> None:
    with Root(address) as root, Leaf(address) as leaf:
        leaf.listen()
        accepting = pool.submit(leaf.accept, callee_data=b"yes")
        handle = root.join_leaf(leaf.getsockname(), caller_data=b"come")
        session_end = accepting.result()
        assert (session_end.caller_data, handle.callee_data) == (b"come", b"yes")
        handle.close()
        assert list(session_end) == []
        session_end.close()
        handle.wait_closed()


@pytest.mark.w(46)
def test_the_condition_function_runs_on_the_thread_that_accepts(pool: ThreadPoolExecutor) -> None:
    threads: list[int] = []

    def ask(arguments: ConditionArguments) -> Condition:
        threads.append(threading.get_ident())
        assert arguments.caller_data == b"x"
        with pytest.raises(NotNowError) as refused:
            root.getsockname()
        assert refused.value.code is WsaError.WSAEINPROGRESS
        return decisions.pop()

    decisions = [Condition.REJECT, Condition.DEFER]
    with Root(LOCAL) as root:
        root.listen()
        joining = pool.submit(join, root.getsockname(), caller_data=b"x")
        with pytest.raises(DeferredError):
            root.accept(ask)
        with pytest.raises(JoinRefusedError):
            root.accept(ask)
        with pytest.raises(ConnectionRefusedError):
            joining.result()
    assert threads == [threading.get_ident()] * 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_condition_function_that_raises_decides_nothing(
    error: type[BaseException], pool: ThreadPoolExecutor
) -> None:
    def fail(_arguments: ConditionArguments) -> Condition:
        raise error

    with Root(LOCAL) as root:
        root.listen()
        joining = pool.submit(join, root.getsockname())
        with pytest.raises(error):
            root.accept(fail)
        root.accept()
        joining.result().close()


def test_calls_that_wait_can_time_out(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL, timeout_s=0.01) as root, Leaf(LOCAL) as silent:
        assert root.gettimeout() == 0.01
        root.listen()
        silent.listen()
        with pytest.raises(TimedOutError):
            root.accept()
        with pytest.raises(TimeoutError):
            root.join_leaf(silent.getsockname())
        root.settimeout(0)
        with pytest.raises(BlockingIOError):
            root.accept()
        root.settimeout(None)
        _, leaf = meet(root, pool)
        leaf.settimeout(0)
        with pytest.raises(BlockingIOError):
            leaf.recv()
        leaf.settimeout(None)
        root.send(b"x")
        assert leaf.recv() == b"x"
        leaf.close()


def test_a_join_that_the_protocol_gives_up_says_so() -> None:
    host = new_host(SOON)
    with Leaf(LOCAL) as silent:
        silent.listen()
        root = Root(LOCAL, host=host)
        with pytest.raises(TimedOutError, match="the join"):
            root.join_leaf(silent.getsockname())
        root.close()
    background().loop.call_soon_threadsafe(host.close)


def test_events_come_in_order_and_end_with_the_socket(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL) as root:
        root.listen()
        joining: Future[MultipointSocket] = pool.submit(join, root.getsockname())
        events = root.events()
        assert next(events) == (NetworkEvent.FD_ACCEPT, WsaError.SUCCESS)
        handle = root.accept()
        leaf = joining.result()
        assert next(events).event is NetworkEvent.FD_WRITE
        happened = leaf.events()
        assert [next(happened).event.name for _ in range(2)] == ["FD_CONNECT", "FD_WRITE"]
        leaf.close()
        assert list(happened) == []
        assert [event.name for event, _ in handle.events()] == ["FD_CLOSE"]


def test_closing_interrupts_another_thread(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL) as root:
        root.listen()
        _, leaf = meet(root, pool)
        receiving = pool.submit(leaf.recv)
        shut = pool.submit(leaf.shutdown, ShutdownHow.RECEIVE)
        assert shut.result() is None
        with pytest.raises(BrokenPipeError):
            receiving.result()
        accepting = pool.submit(root.accept)
        root.close()
        with pytest.raises(CancelledCallError):
            accepting.result()
        leaf.close()


def test_an_abort_is_a_reset(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL) as root:
        root.listen()
        _, leaf = meet(root, pool)
        root.set_linger(0)
        root.close()
        with pytest.raises(MembershipResetError):
            leaf.recv()
        leaf.close()


def test_a_close_that_lingers_waits(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL) as root:
        root.listen()
        handle, leaf = meet(root, pool)
        leaf.set_linger(5)
        leaf.close()
        leaf.wait_closed()  # has nothing left to wait for
        assert leaf.inner.lingers
        handle.close()


PROGRAM = """
from mpwire.io.blocking import Root, join
from mpwire.io.background import background
import os
root = Root(("127.0.0.1", 0))
root.listen()
if os.fork() == 0:
    with Root(("127.0.0.1", 0)) as other:
        print("child", background().thread.is_alive(), flush=True)
    os._exit(0)
os.wait()
print("parent", background().thread.is_alive())
"""


def test_a_child_has_a_loop_of_its_own_and_exit_is_clean() -> None:
    printed = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ,
    )
    assert printed.stdout.split() == ["child", "True", "parent", "True"]
    assert printed.stderr == ""


def test_the_loop_can_be_stopped_and_starts_again() -> None:
    with Leaf(LOCAL):
        first = RUNNING.pop()
    first.stop()
    assert not first.thread.is_alive()
    with Leaf(LOCAL):
        assert RUNNING[0] is not first


def test_options_and_flows() -> None:
    flow = Qos(sending_octets_per_s=10, receiving_octets_per_s=20)
    with Leaf(LOCAL) as leaf:
        leaf.ioctl(Ioctl.SIO_SET_QOS, flow)
        assert leaf.ioctl(Ioctl.SIO_GET_QOS) == flow
        leaf.setsockopt(Option.SO_LINGER, 0)
        assert leaf.getsockopt(Option.SO_LINGER) == 0


def test_threads_share_the_sockets_of_a_process() -> None:
    def visit(address: Address) -> list[bytes]:
        with join(address) as leaf:
            return list(leaf)

    with Root(LOCAL) as root, ThreadPoolExecutor(8) as threads:
        root.listen(10)
        visits = [threads.submit(visit, root.getsockname()) for _ in range(8)]
        assert len({root.accept().handle for _ in visits}) == 8
        root.send(b"x")
        root.shutdown()
        assert [one.result() for one in visits] == [[b"x"]] * 8


def test_a_full_session_would_block(pool: ThreadPoolExecutor) -> None:
    with Root(LOCAL) as root:
        root.listen()
        _, leaf = meet(root, pool)
        root.settimeout(0)
        sent = 0
        with suppress(BlockingIOError):
            while True:
                sent += root.send(b"x")
        assert [leaf.recv() for _ in range(sent)] == [b"x"] * sent
        root.settimeout(None)
        assert root.send(b"y") == 1
        assert leaf.recv() == b"y"
        leaf.close()


@pytest.mark.w(61, 84)
def test_private_messages_and_duplicates(pool: ThreadPoolExecutor) -> None:
    protocol = Protocol.MPW_DIALOGUE
    with Root(LOCAL, protocol=protocol, timeout_s=30) as root:
        root.listen()
        joining = pool.submit(join, root.getsockname(), protocol=protocol)
        handle = root.accept()
        with joining.result() as leaf:
            handle.send(b"only you")
            assert leaf.recv_message().private
            with leaf.duplicate() as twin:
                leaf.close()
                twin.send(b"me too", private=True)
                assert handle.recv() == b"me too"
                twin.send(b"to all")
                assert not root.recv_message().private
