"""The keys of a testbed file, as pydantic models; their descriptions are the documentation."""

import shlex
from typing import Annotated, Final, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from mpwire.lab import timers
from mpwire.lab.wording import shown

Call = Literal[
    "configure", "enum_protocols", "socket", "duplicate_socket", "bind", "connect", "listen",
    "event_select", "enum_network_events", "event_object", "async_select", "get_message", "select",
    "join_leaf", "callee_data", "accept", "send", "recv", "shutdown", "send_disconnect",
    "recv_disconnect", "close", "set_linger", "ioctl", "getsockopt", "setsockopt", "getsockname",
    "getpeername", "cancel_blocking_call", "capacity_changed", "barrier", "exit",
]  # fmt: skip
"""Calls of the agent contract, version 1."""
CALLS: Final[tuple[str, ...]] = get_args(Call)

Required = Literal[Call, "icmp"]
REQUIRED: Final[tuple[str, ...]] = get_args(Required)
"""What a testbed may ask of agents: calls, and to be told of ICMP errors."""

Need = Literal["kernel", "snooping", "smcroute"]
"""What a testbed may need of a fabric."""

MAXIMUM_HOSTS: Final = 250
"""On one network: what is left of its numbers when routers have theirs."""
MAXIMUM_NETWORKS: Final = 64
HOST_PATTERN: Final = "^[a-z][a-z0-9-]{0,14}$"


def _command(value: object) -> object:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            raise PydanticCustomError(
                "command", "{found}", {"found": "a quote without end", "expected": "a command line"}
            ) from None
    if not isinstance(value, list):
        expected = "a command line, as one text or as a list of words"
        raise PydanticCustomError(
            "command", "{found}", {"found": shown(value), "expected": expected}
        )
    return value


HostName = Annotated[str, Field(pattern=HOST_PATTERN)]
HOSTS_TAGS: Final = ("list", "mapping")
"""What pydantic calls the two ways to write hosts, within the place of a mistake."""


def _hosts_tag(value: object) -> str:
    return HOSTS_TAGS[isinstance(value, dict)]


HostList = Annotated[list[HostName], Field(min_length=1, max_length=MAXIMUM_HOSTS)]
HostMapping = Annotated[dict[HostName, HostName], Field(min_length=1)]
Hosts = Annotated[
    Annotated[HostList, Tag("list")] | Annotated[HostMapping, Tag("mapping")],
    Discriminator(_hosts_tag),
]
Command = Annotated[
    list[str],
    Field(min_length=1),
    BeforeValidator(_command),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
ShortSeconds = Annotated[float, Field(gt=0, le=65.535, allow_inf_nan=False)]
"""A time that TIMERS announces in 16 bits of milliseconds."""


class Part(BaseModel):
    """A mapping in a testbed file: only known keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Network(Part):
    """A network that hosts are on."""

    family: Literal["inet", "inet6", "both"] = Field(
        default="inet", description="Addresses hosts get."
    )
    mtu: int = Field(
        default=1500,
        ge=576,
        le=9000,
        description="Largest packet, in octets; 1280 at least where there is IPv6.",
    )

    @property
    def families(self) -> tuple[str, ...]:
        """List the address families, the usual one first."""
        return ("inet", "inet6") if self.family == "both" else (self.family,)


class Timers(Part):
    """Timers of every agent: all scaled by one factor, single ones set."""

    scale: float | None = Field(
        default=None,
        gt=0,
        le=4,
        description="Factor on every time; 0.1: a tenth.",
    )
    rto_initial_s: ShortSeconds | None = Field(default=None, description="First retransmission.")
    rto_maximum_s: ShortSeconds | None = Field(
        default=None, description="Longest retransmission interval."
    )
    keepalive_s: Seconds | None = Field(default=None, description="Silence before a probe.")
    dead_s: Seconds | None = Field(default=None, description="Silence after which a peer is dead.")
    pend_s: Seconds | None = Field(default=None, description="Longest wait for a decision.")
    linger_s: Seconds | None = Field(default=None, description="Time for answering stragglers.")
    drain_s: ShortSeconds | None = Field(default=None, description="Wait for missing data.")
    poll_s: Seconds | None = Field(default=None, description="Interval of asking while undecided.")
    cookie_life_s: Seconds | None = Field(default=None, description="Life of a cookie.")
    retransmissions: int | None = Field(
        default=None, ge=1, le=20, description="Sends of a request."
    )

    def arguments(self) -> dict[str, float]:
        """Give what `configure` is told; nothing if all stays as specified."""
        named = self.model_dump(exclude={"scale"}, exclude_none=True)
        return named if self.scale is None else {**timers.scaled(self.scale), **named}


class Testbed(Part):
    """A testbed file."""

    __test__ = False

    about: str = Field(min_length=1, description="What the testbed shows, for people.")
    networks: dict[HostName, Network] = Field(
        default={"lan": Network()},
        min_length=1,
        max_length=MAXIMUM_NETWORKS,
        description="LANs by name, each with its family and MTU.",
    )
    hosts: Hosts = Field(
        description="Names of the hosts, whose addresses follow from their order; with several"
        " networks a mapping that says on which network each host is.",
    )
    routers: dict[HostName, Annotated[list[HostName], Field(min_length=2)]] = Field(
        default={},
        description="Routers by name, each with the list of networks that it connects.",
    )
    agents: dict[str, Command] = Field(
        default={},
        description="Command line of a host's agent, or of all by `default`. Without one it is"
        " the reference endpoint, `mpwire agent`. Words that begin with `./` are looked for beside"
        " the testbed file.",
    )
    timers: Timers = Field(default=Timers(), description="Timers of every agent.")
    seed: int | None = Field(
        default=1,
        ge=0,
        lt=2**63,
        description="Origin of all that is random; null draws anew every run.",
    )
    requires: list[Required] = Field(
        default=[],
        description="Calls every agent must offer, else the run is UNSUPPORTED; `icmp`: to learn of"
        " ICMP errors about what it has sent.",
    )
    needs: list[Need] = Field(
        default=[],
        description="What the network must have: `kernel`, the network stack of a real one;"
        " `snooping`, bridges that learn who is in which group; `smcroute`, that routing daemon"
        " in every router. Where it is lacking the run is UNSUPPORTED.",
    )
    faults: list[str] = Field(
        default=[], description="What the network does to messages, one sentence a fault."
    )
    script: list[str] = Field(min_length=1, description="What happens, one sentence a line.")
    expect: list[str] = Field(default=[], description="What holds at the end, one sentence a line.")

    @property
    def placed(self) -> dict[str, str]:
        """Give the network of each host."""
        if isinstance(self.hosts, dict):
            return self.hosts
        return dict.fromkeys(self.hosts, next(iter(self.networks)))
