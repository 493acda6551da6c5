"""What is said to sockets beside the calls of a session: sentences, and the steps they make.

Protocol entries, flow specifications, changes of the host's network, event objects, and the call
that is to end before its time.
"""

from typing import Final

from mpwire.lab.forms import Form
from mpwire.lab.step import Flow, SocketStep, Step, flow

FLOW: Final = " [sending NUMBER:sending octets/s] [receiving NUMBER:receiving octets/s]"
"""How sentences give a flow specification."""


class FlowStep(SocketStep, frozen=True, kw_only=True):
    """A step about the flow specification of a socket."""

    sending: int | None = None
    receiving: int | None = None
    error: str | None = None

    @property
    def flow(self) -> Flow:
        """Give the flow specification; what is not said is no demand."""
        return flow(self.sending or 0, self.receiving) or {}


class SetFlow(FlowStep, frozen=True, kw_only=True, tag="set flow"):
    """State the flow specification of later joins."""


class ReadFlow(FlowStep, frozen=True, kw_only=True, tag="read flow"):
    """Compare what the network carries of a flow specification."""


class CancelJoin(SocketStep, frozen=True, kw_only=True, tag="cancel join"):
    """End a blocking join before its time."""


class Capacity(Step, frozen=True, kw_only=True, tag="capacity"):
    """The network of a host carries so much from now on, each way."""

    host: str
    capacity: int | None = None
    """Octets per second; None where it carries all that it ever did."""


class AwaitAddresses(SocketStep, frozen=True, kw_only=True, tag="await addresses"):
    """Ask to be told once when an address of the host comes or goes."""

    error: str = "WSAEWOULDBLOCK"
    """What a call says that does not wait: the event will tell."""


class AwaitRoute(AwaitAddresses, frozen=True, kw_only=True, tag="await route"):
    """Ask to be told once when another address of the host reaches a peer."""

    peer: str


class EnumerateWrongly(SocketStep, frozen=True, kw_only=True, tag="enumerate wrongly"):
    """Read a record and name an event object that is none."""

    error: str


class EventObject(Step, frozen=True, kw_only=True, tag="event object"):
    """Compare whether the event object of a host's selections without reports is set."""

    host: str
    signalled: bool = False
    reset: bool = False


class FindProtocol(Step, frozen=True, kw_only=True, tag="find protocol"):
    """Look a protocol entry up and compare what it says of its planes."""

    host: str
    protocol: str
    with_rooted_control: bool = False
    with_nonrooted_control: bool = False
    and_rooted_data: bool = False
    and_nonrooted_data: bool = False


class OpenInVain(Step, frozen=True, kw_only=True, tag="open in vain"):
    """Try to create a socket of a kind that its protocol does not have."""

    host: str
    lacking: str
    """The roles that there are none of."""
    protocol: str
    error: str


AnyControl = (
    SetFlow
    | ReadFlow
    | CancelJoin
    | Capacity
    | AwaitAddresses
    | AwaitRoute
    | EnumerateWrongly
    | EventObject
    | FindProtocol
    | OpenInVain
)

FORMS: Final = (
    Form(
        "HOST finds protocol PROTOCOL {with rooted control | with nonrooted control}"
        " {and rooted data | and nonrooted data}",
        FindProtocol,
        "List the protocol entries (WSPEnumProtocols): exactly one has this name, it supports"
        " multipoint, and its planes are so.",
        "leaf1 finds protocol MPW_CONFERENCE with rooted control and nonrooted data",
    ),
    Form(
        "HOST tries ROLES:lacking of protocol PROTOCOL and gets ERROR",
        OpenInVain,
        "Try to create a socket that its protocol does not have (WSPSocket).",
        "leaf1 tries c_root/d_root of protocol MPW_OPEN and gets WSAEINVAL",
    ),
    Form(
        "HOST enumerates on SOCKET without an event object and gets ERROR",
        EnumerateWrongly,
        "Read the record by hand, and name an event object that is none: nothing is read.",
        "root enumerates on R without an event object and gets WSAEINVAL",
    ),
    Form(
        "HOST finds its event object {signalled | reset}",
        EventObject,
        "Compare whether the event object is set that all selections `without reports` of the host"
        " share. That does not change it.",
        "root finds its event object signalled",
    ),
    Form(
        f"HOST sets flow of SOCKET{FLOW} [and gets ERROR]",
        SetFlow,
        "State what later joins of the socket ask of the network, each way (SIO_SET_QOS); what a"
        " join says itself replaces it. More than the network carries fails with WSAEOPNOTSUPP.",
        "leaf1 sets flow of L1 receiving 64000 octets/s",
    ),
    Form(
        f"HOST reads flow of SOCKET{FLOW} [and gets ERROR]",
        ReadFlow,
        "Compare what the network carries of what the socket asked for, each way (SIO_GET_QOS);"
        " what is not said is 0.",
        "leaf1 reads flow of L1 receiving 64000 octets/s",
    ),
    Form(
        "HOST cancels the join on SOCKET",
        CancelJoin,
        "End a blocking join before its time (WSPCancelBlockingCall): it fails with WSAEINTR,"
        " unless it has just ended by itself.",
        "leaf1 cancels the join on L1",
    ),
    Form(
        "the network of HOST carries NUMBER:capacity octets/s",
        Capacity,
        "Tell the host's agent what its network carries from now on, each way, as whoever manages"
        " the network would. Joins that ask for more fail, and FD_QOS tells those who were promised"
        " more.",
        "the network of leaf1 carries 64000 octets/s",
    ),
    Form(
        "the network of HOST carries everything",
        Capacity,
        "It carries all that it ever did.",
        "the network of leaf1 carries everything",
    ),
    Form(
        "HOST awaits a change of its addresses on SOCKET [and gets ERROR]",
        AwaitAddresses,
        "Ask to be told once, by FD_ADDRESS_LIST_CHANGE, when an address of the host comes or goes"
        " (SIO_ADDRESS_LIST_CHANGE). The socket has to be nonblocking: the call does not wait, and"
        " unless told otherwise it gets WSAEWOULDBLOCK.",
        "leaf1 awaits a change of its addresses on L1",
    ),
    Form(
        "HOST awaits a change of its way to PEER on SOCKET [and gets ERROR]",
        AwaitRoute,
        "Ask to be told once, by FD_ROUTING_INTERFACE_CHANGE, when no address of the host, or"
        " another one, reaches the peer (SIO_ROUTING_INTERFACE_CHANGE). It does not wait, either.",
        "leaf1 awaits a change of its way to root on L1",
    ),
)
"""Lines of `script`."""
