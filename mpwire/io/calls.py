"""The calls of the agent contract (docs/agents.md) as typed values, and their JSON Schema."""

from typing import Any, Final, Literal

import msgspec

from mpwire.core.address import Address
from mpwire.core.timers import TimerPlan

FlagName = Literal["C_ROOT", "C_LEAF", "D_ROOT", "D_LEAF"]
EventName = Literal[
    "FD_CONNECT",
    "FD_ACCEPT",
    "FD_READ",
    "FD_OOB",
    "FD_WRITE",
    "FD_QOS",
    "FD_GROUP_QOS",
    "FD_ROUTING_INTERFACE_CHANGE",
    "FD_ADDRESS_LIST_CHANGE",
    "FD_CLOSE",
]
FamilyName = Literal["inet", "inet6"]
ProtocolName = Literal[
    "MPW_ROOTED",
    "MPW_CONFERENCE",
    "MPW_ROOTED_ASM",
    "MPW_ROOTED_SSM",
    "MPW_CONFERENCE_ASM",
    "MPW_OPEN",
    "MPW_COLLECT",
    "MPW_ATM",
    "MPW_DIALOGUE",
]
Decision = Literal["accept", "reject", "defer"]


class Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Arguments of one call; an unknown name is an unsupported argument."""


class Configure(Arguments):
    """Choose entropy, timers and the usual protocol, before the first socket."""

    seed: int | None = None
    timers: dict[str, float] = {}
    side_chat: bool = False


class CreateSocket(Arguments):
    """WSPSocket."""

    flags: list[FlagName]
    family: FamilyName = "inet"
    protocol: ProtocolName | msgspec.UnsetType = msgspec.UNSET
    """Unless said, the usual one: MPW_DIALOGUE with side chat, else MPW_ROOTED."""


class OnSocket(Arguments):
    """Any call that takes nothing but a socket."""

    socket: int


class OnAddress(Arguments):
    """WSPBind, WSPConnect."""

    socket: int
    address: Address


class Listen(Arguments):
    """WSPListen."""

    socket: int
    backlog: int = 5


class EventSelect(Arguments):
    """WSPEventSelect."""

    socket: int
    events: list[EventName]
    report: bool = True


class EnumNetworkEvents(OnSocket):
    """WSPEnumNetworkEvents; `fill` is what the array of error codes holds before."""

    event_object: int | None = None
    fill: int | None = None


class OnEventObject(Arguments):
    """Look at an event object."""

    event_object: int


class AsyncSelect(Arguments):
    """WSPAsyncSelect: a message to a window for every event."""

    socket: int
    window: int
    message: int
    events: list[EventName]


class GetMessage(Arguments):
    """Take the oldest message of a window."""

    window: int


class Select(Arguments):
    """WSPSelect: wait until a socket of a set is ready, null without end."""

    read: list[int] = []
    write: list[int] = []
    exceptional: list[int] = []
    timeout_s: float | None = None


class FlowBody(msgspec.Struct, forbid_unknown_fields=True):
    """A flow specification: octets per second each way, 0 for no demand."""

    sending: int
    receiving: int


class JoinLeaf(Arguments):
    """WSPJoinLeaf."""

    socket: int
    address: Address
    flags: Literal["BOTH", "SENDER_ONLY", "RECEIVER_ONLY"] = "BOTH"
    caller_data: str | None = None
    callee_capacity: int = 512
    sqos: FlowBody | None = None


class Accept(Arguments):
    """WSPAccept."""

    socket: int
    condition: Literal["accept", "reject", "defer", "ask"] = "accept"
    callee_data: str | None = None


class Send(Arguments):
    """WSPSend; a leaf says whether it is for its P alone (W61)."""

    socket: int
    data: str
    private: bool = False


class Shutdown(Arguments):
    """WSPShutdown."""

    socket: int
    how: Literal["SEND", "RECEIVE", "BOTH"]


class SendDisconnect(Arguments):
    """WSPSendDisconnect."""

    socket: int
    data: str | None = None


class SetLinger(Arguments):
    """SO_LINGER."""

    socket: int
    seconds: float | None = None


class Cancel(Arguments):
    """WSPCancelBlockingCall: the call that is to end, by its id."""

    call: int


class CapacityChanged(Arguments):
    """What the network of a local address carries each way from now on; null: all it ever did."""

    address: str
    octets_per_s: int | None = None


Setting = bool | int | float | str | list[str | int] | FlowBody | None
"""What an ioctl takes: a BOOL, a number, a text, an address or other list, a flow, or nothing."""


class Control(Arguments):
    """WSPIoctl: the name of a control code, or any number; and its input."""

    socket: int
    code: str | int
    value: Setting = None


class GetOption(Arguments):
    """WSPGetSockOpt: the name of an option, or any number."""

    socket: int
    option: str | int


class SetOption(GetOption):
    """WSPSetSockOpt; null where an option can be off."""

    value: bool | int | float | None


class NoArguments(Arguments):
    """A call without arguments."""


CALLS: Final[dict[str, type[Arguments]]] = {
    "configure": Configure,
    "enum_protocols": NoArguments,
    "socket": CreateSocket,
    "duplicate_socket": OnSocket,
    "bind": OnAddress,
    "connect": OnAddress,
    "listen": Listen,
    "event_select": EventSelect,
    "enum_network_events": EnumNetworkEvents,
    "event_object": OnEventObject,
    "async_select": AsyncSelect,
    "get_message": GetMessage,
    "select": Select,
    "join_leaf": JoinLeaf,
    "callee_data": OnSocket,
    "accept": Accept,
    "send": Send,
    "recv": OnSocket,
    "shutdown": Shutdown,
    "send_disconnect": SendDisconnect,
    "recv_disconnect": OnSocket,
    "close": OnSocket,
    "set_linger": SetLinger,
    "ioctl": Control,
    "getsockopt": GetOption,
    "setsockopt": SetOption,
    "getsockname": OnSocket,
    "getpeername": OnSocket,
    "cancel_blocking_call": Cancel,
    "capacity_changed": CapacityChanged,
    "barrier": NoArguments,
    "exit": NoArguments,
}
"""Every call of contract version 1, with its arguments."""

TIMER_NAMES: Final = frozenset(TimerPlan.__dataclass_fields__)


class CallLine(msgspec.Struct, forbid_unknown_fields=True):
    """One call, to the agent."""

    id: int
    call: str
    args: dict[str, Any] = {}


class AnswerLine(msgspec.Struct, forbid_unknown_fields=True):
    """The decision about one `ask`, to the agent."""

    answer: int
    decision: Decision
    callee_data: str | None = None


class HelloBody(msgspec.Struct, omit_defaults=True):
    """Who the agent is."""

    contract: Literal[1]
    name: str
    version: str
    calls: list[str]
    lacks: list[str] = []
    """What it is never told of, such as "icmp"."""


class HelloLine(msgspec.Struct):
    """The first line from the agent."""

    hello: HelloBody


class ResultLine(msgspec.Struct):
    """A call succeeded."""

    id: int
    result: dict[str, Any]


class ErrorBody(msgspec.Struct):
    """A Winsock error."""

    code: int
    name: str
    reason: str = ""


class ErrorLine(msgspec.Struct):
    """A call failed with a Winsock error."""

    id: int
    error: ErrorBody


class UnsupportedLine(msgspec.Struct):
    """The agent does not implement this call, or an argument of it."""

    id: int
    unsupported: str


class InvalidLine(msgspec.Struct):
    """The line was no call of the contract; id is null when it could not be read."""

    id: int | None
    invalid: str


class EventLine(msgspec.Struct):
    """The application learned of a network event."""

    event: EventName
    socket: int
    code: int
    seq: int


class ConditionBody(msgspec.Struct):
    """What a condition function is told (W46)."""

    address: Address
    local: Address
    caller_data: str | None
    callee_capacity: int
    sqos: FlowBody | None = None


class AskLine(msgspec.Struct):
    """A call of `accept` wants a decision."""

    ask: int
    call: int
    condition: ConditionBody
