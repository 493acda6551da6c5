"""The reference endpoint: the agent contract of docs/agents.md over a real provider.

    python -m mpwire.io.agent        (or: mpwire agent)

One process, one thread. It behaves like a Winsock application that waits on one event object: when
it is set, the agent enumerates its sockets and prints what it learned before it answers the next.
"""

import asyncio
import os
import selectors
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from mpwire import __version__
from mpwire.core import Entropy, TimerPlan
from mpwire.io import calls
from mpwire.io.driver import Driver
from mpwire.io.lines import LineReader
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, ShutdownHow, SocketFlag
from mpwire.winsock import (
    Accepted,
    Blocked,
    Completion,
    ConditionArguments,
    ConditionFunction,
    Provider,
    SocketError,
)

CONTRACT: Final = 1
REPORTED: Final = 1
"""The event object of selections whose events the agent enumerates and reports by itself."""
UNREPORTED: Final = 2
"""The event object of selections that the caller enumerates."""
Arguments = TypeVar("Arguments", bound=calls.Arguments)


class UnsupportedCallError(Exception):
    """The call, or an argument of it, is not implemented."""


class InvalidCallError(Exception):
    """The line is no call of the contract."""


class Agent:
    """Answer calls, report events."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: LineReader, output: int) -> None:
        """Serve the lines of `reader` and write to the descriptor `output`."""
        self.loop = loop
        self.reader = reader
        self.output = output
        self.driver: Driver | None = None
        self.entropy = Entropy(os.urandom(32))
        self.plan = TimerPlan()
        self.waiting: dict[int, tuple[int, int]] = {}
        """Call id and socket by token of a blocking call."""
        self.ended = False
        self.failure: BaseException | None = None
        """What went wrong inside; the process then ends, so that no caller waits for nothing."""
        self._event_count = 0
        self._ask_count = 0
        self._handlers: dict[str, Callable[[int, Any], dict[str, Any] | None]] = {
            name: getattr(self, f"call_{name}") for name in calls.CALLS
        }

    @property
    def provider(self) -> Provider:
        """Return the provider, made when it is first needed."""
        if self.driver is None:
            self.driver = Driver(self.loop, self.entropy, self.plan, self.report)
        return self.driver.provider

    @property
    def now_s(self) -> float:
        """Return the time of the loop."""
        return self.loop.time()

    # Lines ------------------------------------------------------------------------------------

    def say(self, line: object) -> None:
        """Write one line."""
        data = memoryview(msgspec.json.encode(line) + b"\n")
        while data:
            data = data[os.write(self.output, data) :]

    def on_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End the loop when a handler raised."""
        self.failure = context.get("exception") or RuntimeError(context["message"])
        self.loop.stop()

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
            self.loop.stop()

    def serve(self, line: bytes) -> None:
        """Serve one line."""
        try:
            call = msgspec.json.decode(line, type=calls.CallLine)
        except (msgspec.DecodeError, RecursionError) as error:
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
            self._complete(completion)
        for handle in provider.take_signal(REPORTED):
            for event, code in provider.enum_network_events(handle):
                self._event_count += 1
                name: Any = event.name
                self.say(calls.EventLine(name, handle, code, self._event_count))

    def _complete(self, completion: Completion) -> None:
        call_id, handle = self.waiting.pop(completion.token)
        if completion.error is not None:
            code = completion.error.code
            body = calls.ErrorBody(code, code.name, completion.error.reason)
            self.say(calls.ErrorLine(call_id, body))
        else:
            self.say(calls.ResultLine(call_id, self._shape(completion.value, handle)))

    def _shape(self, value: object, handle: int) -> dict[str, Any]:
        """Return the result object of a call that may block."""
        match value:
            case bytes():
                return {"data": value.hex()}
            case Accepted(socket, address, caller_data):
                data = None if caller_data is None else caller_data.hex()
                return {"socket": socket, "address": address, "caller_data": data}
            case _:
                callee_data = self.provider.callee_data(handle)
                return {"socket": value, "callee_data": callee_data.hex()}

    def _or_wait(self, call_id: int, handle: int, value: object) -> dict[str, Any] | None:
        """Return the result of a call, or remember that it waits."""
        if isinstance(value, Blocked):
            self.waiting[value.token] = (call_id, handle)
            return None
        return self._shape(value, handle)

    # Calls ------------------------------------------------------------------------------------

    def call_configure(self, _call_id: int, arguments: calls.Configure) -> dict[str, Any]:
        """Take entropy and timers."""
        if self.driver is not None:
            raise InvalidCallError("configure comes before the first socket")
        unknown = arguments.timers.keys() - calls.TIMER_NAMES
        if unknown:
            raise InvalidCallError(f"no timer is named {', '.join(sorted(unknown))}")
        if arguments.side_chat:
            raise UnsupportedCallError("configure: side_chat")
        if arguments.seed is not None:
            self.entropy = Entropy(str(arguments.seed).encode())
        timers: dict[str, Any] = dict(arguments.timers)
        if "retransmissions" in timers:
            timers["retransmissions"] = int(timers["retransmissions"])
        self.plan = TimerPlan(**timers)
        return {}

    def call_socket(self, _call_id: int, arguments: calls.CreateSocket) -> dict[str, Any]:
        """WSPSocket."""
        flags = SocketFlag(0)
        for name in arguments.flags:
            flags |= SocketFlag[name]
        return {"socket": self.provider.socket(flags, 6 if arguments.family == "inet6" else 4)}

    def call_bind(self, _call_id: int, arguments: calls.Bind) -> dict[str, Any]:
        """WSPBind."""
        self.provider.bind(arguments.socket, arguments.address)
        return {}

    def call_listen(self, _call_id: int, arguments: calls.Listen) -> dict[str, Any]:
        """WSPListen."""
        self.provider.listen(arguments.socket, arguments.backlog, self.now_s)
        return {}

    def call_event_select(self, _call_id: int, arguments: calls.EventSelect) -> dict[str, Any]:
        """WSPEventSelect."""
        events = NetworkEvent(0)
        for name in arguments.events:
            events |= NetworkEvent[name]
        event_object = REPORTED if arguments.report else UNREPORTED
        self.provider.event_select(arguments.socket, event_object, events, self.now_s)
        return {}

    def call_enum_network_events(self, _call_id: int, arguments: calls.OnSocket) -> dict[str, Any]:
        """WSPEnumNetworkEvents."""
        found = self.provider.enum_network_events(arguments.socket)
        return {"events": [{"event": event.name, "code": code} for event, code in found]}

    def call_join_leaf(self, call_id: int, arguments: calls.JoinLeaf) -> dict[str, Any] | None:
        """WSPJoinLeaf; a nonblocking join answers with the descriptor alone."""
        value = self.provider.join_leaf(
            arguments.socket,
            arguments.address,
            self.now_s,
            flags=JoinFlag[arguments.flags],
            caller_data=_octets(arguments.caller_data),
            callee_capacity=arguments.callee_capacity,
        )
        if isinstance(value, Blocked):
            return self._or_wait(call_id, arguments.socket, value)
        return {"socket": value}

    def call_callee_data(self, _call_id: int, arguments: calls.OnSocket) -> dict[str, Any]:
        """Read what the acceptor handed back."""
        return {"callee_data": self.provider.callee_data(arguments.socket).hex()}

    def call_accept(self, call_id: int, arguments: calls.Accept) -> dict[str, Any] | None:
        """WSPAccept, with a policy or with questions."""
        condition = self._policy(call_id, arguments)
        value = self.provider.accept(arguments.socket, condition, self.now_s)
        return self._or_wait(call_id, arguments.socket, value)

    def _policy(self, call_id: int, arguments: calls.Accept) -> ConditionFunction:
        """Return the condition function that the call names."""
        if arguments.condition == "ask":
            return partial(self._ask, call_id)
        decision = Condition[arguments.condition.upper()], _octets(arguments.callee_data)
        return lambda _arguments: decision

    def _ask(self, call_id: int, arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        """Ask the caller to be the condition function; calls that come first wait."""
        self._ask_count += 1
        ask = self._ask_count
        caller_data = None if arguments.caller_data is None else arguments.caller_data.hex()
        body = calls.ConditionBody(
            arguments.address, arguments.local, caller_data, arguments.callee_capacity
        )
        self.say(calls.AskLine(ask, call_id, body))
        while True:
            for line in self.reader.lines:
                answer = _answer_to(ask, line)
                if answer is not None:
                    self.reader.lines.remove(line)
                    return Condition[answer.decision.upper()], _octets(answer.callee_data)
            if self.reader.ended:
                return Condition.DEFER, None
            self.reader.wait()

    def call_send(self, _call_id: int, arguments: calls.Send) -> dict[str, Any]:
        """WSPSend."""
        data = _octets(arguments.data) or b""
        return {"octets": self.provider.send(arguments.socket, data, self.now_s)}

    def call_recv(self, call_id: int, arguments: calls.OnSocket) -> dict[str, Any] | None:
        """WSPRecv."""
        value = self.provider.recv(arguments.socket, self.now_s)
        return self._or_wait(call_id, arguments.socket, value)

    def call_shutdown(self, _call_id: int, arguments: calls.Shutdown) -> dict[str, Any]:
        """WSPShutdown."""
        self.provider.shutdown(arguments.socket, ShutdownHow[arguments.how], self.now_s)
        return {}

    def call_close(self, _call_id: int, arguments: calls.OnSocket) -> dict[str, Any]:
        """WSPCloseSocket."""
        self.provider.close(arguments.socket, self.now_s)
        return {}

    def call_set_linger(self, _call_id: int, arguments: calls.SetLinger) -> dict[str, Any]:
        """SO_LINGER."""
        self.provider.set_linger(arguments.socket, arguments.seconds)
        return {}

    def call_getsockname(self, _call_id: int, arguments: calls.OnSocket) -> dict[str, Any]:
        """WSPGetSockName."""
        return {"address": self.provider.getsockname(arguments.socket)}

    def call_getpeername(self, _call_id: int, arguments: calls.OnSocket) -> dict[str, Any]:
        """WSPGetPeerName."""
        return {"address": self.provider.getpeername(arguments.socket)}

    def call_barrier(self, _call_id: int, _arguments: calls.NoArguments) -> dict[str, Any]:
        """Process and report everything that is queued at the sockets."""
        if self.driver is not None:
            self.driver.drain()
            self.report()
        return {}

    def call_exit(self, _call_id: int, _arguments: calls.NoArguments) -> dict[str, Any]:
        """End the process; open sockets just vanish (D38)."""
        self.ended = True
        return {}


def _answer_to(ask: int, line: bytes) -> calls.AnswerLine | None:
    """Return the decision about `ask`, if that is what the line holds."""
    try:
        answer = msgspec.json.decode(line, type=calls.AnswerLine)
    except (msgspec.DecodeError, RecursionError):
        return None
    return answer if answer.answer == ask else None


def _octets(text: str | None) -> bytes | None:
    """Read hexadecimal text."""
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise InvalidCallError(f"{text!r} is not hexadecimal") from None


def main() -> None:
    """Serve standard input until it ends or `exit` is called."""
    # Input may be a file, which epoll refuses to watch and poll does not.
    loop = asyncio.SelectorEventLoop(selectors.PollSelector())
    agent = Agent(loop, LineReader(0), output=1)
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
