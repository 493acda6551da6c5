"""One asyncio loop in one background thread, which other threads give work and wait for.

The thread runs the loop of all blocking sockets of the process. It is a daemon: it ends with the
interpreter, and closes its UDP sockets then. A fork takes no thread along, so a child starts anew.
"""

import asyncio
import atexit
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, Generic, ParamSpec, TypeVar

from mpwire.io.errors import error_of
from mpwire.vocabulary import WsaError

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class Question(Generic[Result]):
    """A function that the loop wants called by the thread that waits for the loop."""

    def __init__(self, function: Callable[[], Result]) -> None:
        """Ask for a call of `function`."""
        self.function = function
        self.outcome: Future[Result] = Future()

    def answer(self) -> None:
        """Call the function and hand over what comes of it.

        What ends programs (KeyboardInterrupt) ends the caller's wait, not the loop.
        """
        IN_CALLBACK.running = True
        try:
            self.outcome.set_result(self.function())
        except Exception as error:  # noqa: BLE001 - raised again, where it was asked
            self.outcome.set_exception(error)
        except BaseException:
            self.outcome.cancel()
            raise
        finally:
            IN_CALLBACK.running = False


class Callback(Generic[Parameters, Result]):
    """Let the loop call a function on the thread that waits, while that waits."""

    def __init__(self, function: Callable[Parameters, Result]) -> None:
        """Offer `function` to the loop."""
        self.function = function
        self.questions: queue.SimpleQueue[Question[Result] | None] = queue.SimpleQueue()
        self.gone = False
        """Whether nobody waits any more who could answer."""

    def __call__(self, *args: Parameters.args, **options: Parameters.kwargs) -> Result:
        """Ask the waiting thread, and wait for its answer; called by the loop."""
        question = Question(lambda: self.function(*args, **options))
        self.questions.put(question)
        if self.gone:  # set before the last look into the queue: one of both sees the question
            question.outcome.cancel()
        return question.outcome.result()

    def serve(self, future: Future[Any]) -> None:
        """Answer until the work is done; called by the thread that waits."""
        future.add_done_callback(lambda _: self.questions.put(None))
        try:
            while (question := self.questions.get()) is not None:
                question.answer()
        finally:
            self.gone = True
            while not self.questions.empty():
                question = self.questions.get()
                if question is not None:
                    question.outcome.cancel()


class Background:
    """The loop and its thread."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, name="mpwire", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def stop(self) -> None:
        """End the thread and close its UDP sockets; peers are told nothing (D38)."""
        atexit.unregister(self.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def run(
        self,
        work: Coroutine[Any, Any, Result],
        timeout_s: float | None = None,
        callback: Callback[..., Any] | None = None,
    ) -> Result:
        """Run a coroutine on the loop and return its result.

        Args:
            work: what to run; cancelled if the wait for it is interrupted.
            timeout_s: when to cancel it, None never.
            callback: what it may call on this thread.

        Raises:
            TimedOutError: `timeout_s` is over; NotNowError if that is 0.
            NotNowError: WSAEINPROGRESS a condition function is running on this thread.
        """
        if getattr(IN_CALLBACK, "running", False):
            work.close()
            raise error_of(WsaError.WSAEINPROGRESS, "a condition function is running")
        future = asyncio.run_coroutine_threadsafe(_within(work, timeout_s), self.loop)
        try:
            if callback is not None:
                callback.serve(future)
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def _within(work: Coroutine[Any, Any, Result], timeout_s: float | None) -> Result:
    """Give some work only so much time; it is cancelled where it waits, having taken nothing."""
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        code = WsaError.WSAETIMEDOUT if timeout_s else WsaError.WSAEWOULDBLOCK
        raise error_of(code, f"not done within {timeout_s} s") from None


IN_CALLBACK: Final = threading.local()
"""Whether this thread answers a question of the loop, which stands still meanwhile."""
RUNNING: Final[list[Background]] = []
"""The one loop of this process, once it is needed."""
START: Final = threading.Lock()
os.register_at_fork(after_in_child=RUNNING.clear)


def background() -> Background:
    """Return the loop of this process, started when it is first asked for."""
    with START:
        if not RUNNING:
            RUNNING.append(Background())
        return RUNNING[0]
