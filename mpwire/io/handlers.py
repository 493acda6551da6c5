"""What the agent does for each call of the contract: one method per call, named after it.

A method returns the result object, or None when the call stays open: then `settle` answers it when
its completion comes.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from mpwire.core import Entropy, TimerPlan
from mpwire.io import calls, values
from mpwire.io.driver import Driver
from mpwire.io.lines import LineReader
from mpwire.io.values import FAMILIES, InvalidCallError, Result
from mpwire.vocabulary import Condition, JoinFlag, ShutdownHow, SocketFlag
from mpwire.winsock import (
    Blocked,
    Completion,
    ConditionArguments,
    ConditionFunction,
    Provider,
)
from mpwire.winsock.protocols import Protocol

REPORTED = 1
"""The event object of selections whose events the agent enumerates and reports by itself."""
UNREPORTED = 2
"""The event object of selections that the caller enumerates."""


class Handlers(ABC):
    """Carry out calls on one provider."""

    def __init__(self, reader: LineReader) -> None:
        """Start without a provider; `reader` gives the answers to questions."""
        self.reader = reader
        self.driver: Driver | None = None
        self.entropy = Entropy(os.urandom(32))
        self.plan = TimerPlan()
        self.usual = Protocol.MPW_ROOTED
        """The protocol of sockets that name none."""
        self.waiting: dict[int, tuple[int, Callable[[Any], Result]]] = {}
        """Call id and the shape of its result, by token of a blocking call."""
        self.ended = False
        self._ask_count = 0

    @property
    @abstractmethod
    def provider(self) -> Provider:
        """Return the provider, made when it is first needed."""

    @property
    @abstractmethod
    def now_s(self) -> float:
        """Return the time."""

    @abstractmethod
    def say(self, line: object) -> None:
        """Write one line."""

    @abstractmethod
    def report(self) -> None:
        """Print what has happened."""

    # Calls that may stay open -----------------------------------------------------------------

    def _or_wait(
        self, call_id: int, value: object, shape: Callable[[Any], Result]
    ) -> Result | None:
        """Return the result of a call, or remember that it waits."""
        if isinstance(value, Blocked):
            self.waiting[value.token] = (call_id, shape)
            return None
        return shape(value)

    def settle(self, completion: Completion) -> None:
        """Answer a call that has waited."""
        call_id, shape = self.waiting.pop(completion.token)
        if completion.error is not None:
            code = completion.error.code
            body = calls.ErrorBody(code, code.name, completion.error.reason)
            self.say(calls.ErrorLine(call_id, body))
        else:
            self.say(calls.ResultLine(call_id, shape(completion.value)))

    def call_cancel_blocking_call(self, _call_id: int, arguments: calls.Cancel) -> Result:
        """WSPCancelBlockingCall; a call that has ended by now has its answer."""
        for token, (call_id, _) in self.waiting.items():
            if call_id == arguments.call:
                self.provider.cancel_blocking_call(token, self.now_s)
                break
        return {}

    def call_capacity_changed(self, _call_id: int, arguments: calls.CapacityChanged) -> Result:
        """Learn what a network carries, which no system tells."""
        if arguments.octets_per_s is not None and arguments.octets_per_s < 0:
            raise InvalidCallError("a network carries no less than nothing")
        self.provider.capacity_changed(arguments.address, arguments.octets_per_s)
        return {}

    # Sockets ----------------------------------------------------------------------------------

    def call_configure(self, _call_id: int, arguments: calls.Configure) -> Result:
        """Take entropy, timers, and whether sockets have side chat unless they say otherwise."""
        if self.driver is not None:
            raise InvalidCallError("configure comes before the first socket")
        unknown = arguments.timers.keys() - calls.TIMER_NAMES
        if unknown:
            raise InvalidCallError(f"no timer is named {', '.join(sorted(unknown))}")
        if arguments.seed is not None:
            self.entropy = Entropy(str(arguments.seed).encode())
        timers: Result = dict(arguments.timers)
        if "retransmissions" in timers:
            timers["retransmissions"] = int(timers["retransmissions"])
        self.plan = TimerPlan(**timers)
        self.usual = Protocol.MPW_DIALOGUE if arguments.side_chat else Protocol.MPW_ROOTED
        return {}

    def call_socket(self, _call_id: int, arguments: calls.CreateSocket) -> Result:
        """WSPSocket."""
        flags = SocketFlag(0)
        for name in arguments.flags:
            flags |= SocketFlag[name]
        named = arguments.protocol
        protocol = self.usual if named is msgspec.UNSET else Protocol[named]
        return {"socket": self.provider.socket(flags, FAMILIES[arguments.family], protocol)}

    def call_enum_protocols(self, _call_id: int, _arguments: calls.NoArguments) -> Result:
        """WSPEnumProtocols."""
        return {"protocols": [values.described(entry) for entry in self.provider.enum_protocols()]}

    def call_duplicate_socket(self, _call_id: int, arguments: calls.OnSocket) -> Result:
        """WSPDuplicateSocket, within this process."""
        return {"socket": self.provider.duplicate(arguments.socket)}

    def call_connect(self, _call_id: int, arguments: calls.OnAddress) -> Result:
        """WSPConnect, which no multipoint socket has."""
        self.provider.connect(arguments.socket, arguments.address, self.now_s)
        return {}

    def call_bind(self, _call_id: int, arguments: calls.OnAddress) -> Result:
        """WSPBind."""
        self.provider.bind(arguments.socket, arguments.address)
        return {}

    def call_listen(self, _call_id: int, arguments: calls.Listen) -> Result:
        """WSPListen."""
        self.provider.listen(arguments.socket, arguments.backlog, self.now_s)
        return {}

    def call_event_select(self, _call_id: int, arguments: calls.EventSelect) -> Result:
        """WSPEventSelect."""
        events = values.mask(arguments.events)
        event_object = REPORTED if arguments.report else UNREPORTED
        self.provider.event_select(arguments.socket, event_object, events, self.now_s)
        return {}

    def call_enum_network_events(self, _call_id: int, arguments: calls.EnumNetworkEvents) -> Result:
        """WSPEnumNetworkEvents."""
        found = self.provider.enum_network_events(arguments.socket, arguments.event_object)
        return values.network_events(found, arguments.fill)

    def call_event_object(self, _call_id: int, arguments: calls.OnEventObject) -> Result:
        """Look whether an event object is set, as a wait without patience would."""
        return {"signalled": self.provider.is_signalled(arguments.event_object)}

    def call_async_select(self, _call_id: int, arguments: calls.AsyncSelect) -> Result:
        """WSPAsyncSelect."""
        self.provider.async_select(
            arguments.socket,
            arguments.window,
            arguments.message,
            values.mask(arguments.events),
            self.now_s,
        )
        return {}

    def call_get_message(self, _call_id: int, arguments: calls.GetMessage) -> Result:
        """Take the oldest message of a window."""
        found = self.provider.get_message(arguments.window)
        if found is None:
            return {"message": None}
        event = {"event": found.event.name, "code": found.error}
        return {"message": {"message": found.message, "socket": found.socket, **event}}

    def call_select(self, call_id: int, arguments: calls.Select) -> Result | None:
        """WSPSelect."""
        value = self.provider.select(
            arguments.read,
            arguments.write,
            arguments.exceptional,
            self.now_s,
            arguments.timeout_s,
        )
        return self._or_wait(call_id, value, values.ready)

    def call_join_leaf(self, call_id: int, arguments: calls.JoinLeaf) -> Result | None:
        """WSPJoinLeaf; a nonblocking join answers with the descriptor alone."""
        value = self.provider.join_leaf(
            arguments.socket,
            arguments.address,
            self.now_s,
            flags=JoinFlag[arguments.flags],
            caller_data=values.octets(arguments.caller_data),
            callee_capacity=arguments.callee_capacity,
            sqos=values.flow(arguments.sqos),
        )
        if isinstance(value, Blocked):
            return self._or_wait(call_id, value, partial(self._joined, arguments.socket))
        return {"socket": value}

    def _joined(self, handle: int, socket: int) -> Result:
        callee_data = self.provider.callee_data(handle)
        return {"socket": socket, "callee_data": callee_data.hex()}

    def call_callee_data(self, _call_id: int, arguments: calls.OnSocket) -> Result:
        """Read what the acceptor handed back."""
        return {"callee_data": self.provider.callee_data(arguments.socket).hex()}

    def call_accept(self, call_id: int, arguments: calls.Accept) -> Result | None:
        """WSPAccept, with a policy or with questions."""
        condition = self._policy(call_id, arguments)
        value = self.provider.accept(arguments.socket, condition, self.now_s)
        return self._or_wait(call_id, value, values.accepted)

    def _policy(self, call_id: int, arguments: calls.Accept) -> ConditionFunction:
        """Return the condition function that the call names."""
        if arguments.condition == "ask":
            return partial(self._ask, call_id)
        decision = Condition[arguments.condition.upper()], values.octets(arguments.callee_data)
        return lambda _arguments: decision

    def _ask(self, call_id: int, arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        """Ask the caller to be the condition function; calls that come first wait."""
        self._ask_count += 1
        ask = self._ask_count
        sqos = arguments.sqos
        body = calls.ConditionBody(
            address=arguments.address,
            local=arguments.local,
            caller_data=None if arguments.caller_data is None else arguments.caller_data.hex(),
            callee_capacity=arguments.callee_capacity,
            sqos=None if sqos is None else values.flow_body(sqos),
        )
        self.say(calls.AskLine(ask, call_id, body))
        while True:
            for line in self.reader.lines:
                answer = _answer_to(ask, line)
                if answer is not None:
                    self.reader.lines.remove(line)
                    return Condition[answer.decision.upper()], values.octets(answer.callee_data)
            if self.reader.ended:
                return Condition.DEFER, None
            self.reader.wait()

    def call_send(self, call_id: int, arguments: calls.Send) -> Result | None:
        """WSPSend."""
        data = values.octets(arguments.data) or b""
        private = arguments.private
        value = self.provider.send(arguments.socket, data, self.now_s, private=private)
        return self._or_wait(call_id, value, lambda count: {"octets": count})

    def call_recv(self, call_id: int, arguments: calls.OnSocket) -> Result | None:
        """WSPRecv."""
        value = self.provider.recv_message(arguments.socket, self.now_s)
        return self._or_wait(call_id, value, values.received)

    def call_shutdown(self, _call_id: int, arguments: calls.Shutdown) -> Result:
        """WSPShutdown."""
        self.provider.shutdown(arguments.socket, ShutdownHow[arguments.how], self.now_s)
        return {}

    def call_send_disconnect(self, _call_id: int, arguments: calls.SendDisconnect) -> Result:
        """WSPSendDisconnect."""
        data = values.octets(arguments.data)
        self.provider.send_disconnect(arguments.socket, data, self.now_s)
        return {}

    def call_recv_disconnect(self, _call_id: int, arguments: calls.OnSocket) -> Result:
        """WSPRecvDisconnect."""
        return {"data": self.provider.recv_disconnect(arguments.socket, self.now_s).hex()}

    def call_close(self, call_id: int, arguments: calls.OnSocket) -> Result | None:
        """WSPCloseSocket."""
        value = self.provider.close(arguments.socket, self.now_s)
        return self._or_wait(call_id, value, lambda _: {})

    def call_ioctl(self, call_id: int, arguments: calls.Control) -> Result | None:
        """WSPIoctl."""
        code, setting = values.ioctl_code(arguments.code), values.setting(arguments.value)
        value = self.provider.ioctl(arguments.socket, code, setting, self.now_s)
        return self._or_wait(call_id, value, values.settled)

    def call_getsockopt(self, _call_id: int, arguments: calls.GetOption) -> Result:
        """WSPGetSockOpt."""
        option = values.option_number(arguments.option)
        return values.settled(self.provider.getsockopt(arguments.socket, option))

    def call_setsockopt(self, _call_id: int, arguments: calls.SetOption) -> Result:
        """WSPSetSockOpt."""
        option = values.option_number(arguments.option)
        self.provider.setsockopt(arguments.socket, option, arguments.value)
        return {}

    def call_set_linger(self, _call_id: int, arguments: calls.SetLinger) -> Result:
        """SO_LINGER."""
        self.provider.set_linger(arguments.socket, arguments.seconds)
        return {}

    def call_getsockname(self, _call_id: int, arguments: calls.OnSocket) -> Result:
        """WSPGetSockName."""
        return {"address": self.provider.getsockname(arguments.socket)}

    def call_getpeername(self, _call_id: int, arguments: calls.OnSocket) -> Result:
        """WSPGetPeerName."""
        return {"address": self.provider.getpeername(arguments.socket)}

    def call_barrier(self, _call_id: int, _arguments: calls.NoArguments) -> Result:
        """Process and report everything that is queued at the sockets."""
        if self.driver is not None:
            self.driver.drain()
            self.report()
        return {}

    def call_exit(self, _call_id: int, _arguments: calls.NoArguments) -> Result:
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
