"""The reference endpoint: the agent contract of docs/agents.md over a real provider.

    python -m mpwire.io.agent        (or: mpwire agent)

One process, one thread. It behaves like a Winsock application that waits on one event object: when
it is set, the agent enumerates its sockets and prints what it learned before it answers the next.
"""

import asyncio
import os
import selectors
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mpwire import __version__
from mpwire.io import calls
from mpwire.io.driver import Driver, Loop
from mpwire.io.handlers import REPORTED, Handlers
from mpwire.io.lines import LineReader
from mpwire.io.network import KernelNetwork, Network
from mpwire.io.values import InvalidCallError, UnsupportedCallError
from mpwire.winsock import Provider, SocketError

CONTRACT: Final = 1


class Agent(Handlers):
    """Answer calls, report events."""

    def __init__(
        self,
        loop: Loop,
        network: Network,
        reader: LineReader,
        write: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """Serve lines.

        Args:
            loop: gives the time.
            network: gives the sockets.
            reader: gives the lines.
            write: takes each line that is said, its end included.
            on_end: called when there is nothing more to serve.
        """
        super().__init__(reader)
        self.loop = loop
        self.network = network
        self._write = write
        self._on_end = on_end
        self.failure: BaseException | None = None
        """What went wrong inside; the process then ends, so that no caller waits for nothing."""
        self._event_count = 0
        self._handlers: dict[str, Callable[[int, Any], dict[str, Any] | None]] = {
            name: getattr(self, f"call_{name}") for name in calls.CALLS
        }

    @property
    def provider(self) -> Provider:
        """Return the provider, made when it is first needed."""
        if self.driver is None:
            self.driver = Driver(self.loop, self.network, self.entropy, self.plan, self.report)
        return self.driver.provider

    @property
    def now_s(self) -> float:
        """Return the time of the loop."""
        return self.loop.time()

    # Lines ------------------------------------------------------------------------------------

    def say(self, line: object) -> None:
        """Write one line."""
        self._write(msgspec.json.encode(line) + b"\n")

    def on_failure(self, _loop: object, context: dict[str, Any]) -> None:
        """End when a handler raised."""
        self.failure = context.get("exception") or RuntimeError(context["message"])
        self._on_end()

    def hello(self) -> None:
        """Say who this is."""
        body = calls.HelloBody(CONTRACT, "mpwire", __version__, list(calls.CALLS))
        self.say(calls.HelloLine(body))

    def on_input(self) -> None:
        """Serve what has been written to us; end with the input."""
        self.reader.fill()
        while self.reader.lines and not self.ended:
            self.serve(self.reader.lines.pop(0))
        if self.reader.ended:
            self.ended = True
        if self.ended:
            self._on_end()

    def serve(self, line: bytes) -> None:
        """Serve one line."""
        try:
            call = msgspec.json.decode(line, type=calls.CallLine)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.say(calls.InvalidLine(None, str(error)))
            return
        try:
            result = self._dispatch(call)
        except SocketError as error:
            body = calls.ErrorBody(error.code, error.code.name, error.reason)
            self.say(calls.ErrorLine(call.id, body))
        except UnsupportedCallError as error:
            self.say(calls.UnsupportedLine(call.id, str(error)))
        except InvalidCallError as error:
            self.say(calls.InvalidLine(call.id, str(error)))
        else:
            if result is not None:
                self.say(calls.ResultLine(call.id, result))
        if self.driver is not None:
            self.driver.settle()
        self.report()

    def _dispatch(self, call: calls.CallLine) -> dict[str, Any] | None:
        arguments_type = calls.CALLS.get(call.call)
        if arguments_type is None:
            raise UnsupportedCallError(call.call)
        unknown = call.args.keys() - set(arguments_type.__struct_fields__)
        if unknown:
            raise UnsupportedCallError(f"{call.call}: {', '.join(sorted(unknown))}")
        try:
            arguments = msgspec.convert(call.args, arguments_type)
        except msgspec.ValidationError as error:
            raise InvalidCallError(f"{call.call}: {error}") from None
        return self._handlers[call.call](call.id, arguments)

    def report(self) -> None:
        """Complete blocking calls, then enumerate what the event object announces."""
        if self.driver is None:
            return
        provider = self.driver.provider
        completions, provider.completions = provider.completions, []
        for completion in completions:
            self.settle(completion)
        for handle in provider.take_signal(REPORTED):
            for event, code in provider.enum_network_events(handle):
                self._event_count += 1
                name: Any = event.name
                self.say(calls.EventLine(name, handle, code, self._event_count))


def _print(octets: bytes) -> None:
    """Write to standard output, however little it takes at a time."""
    data = memoryview(octets)
    while data:
        data = data[os.write(1, data) :]


def main() -> None:
    """Serve standard input until it ends or `exit` is called."""
    # Input may be a file, which epoll refuses to watch and poll does not.
    loop = asyncio.SelectorEventLoop(selectors.PollSelector())
    agent = Agent(loop, KernelNetwork(loop), LineReader(0), _print, loop.stop)
    agent.hello()
    loop.set_exception_handler(agent.on_failure)
    loop.add_reader(0, agent.on_input)
    try:
        loop.run_forever()
    finally:
        if agent.driver is not None:
            agent.driver.close()
        loop.close()
    if agent.failure is not None:
        raise agent.failure


if __name__ == "__main__":
    main()
