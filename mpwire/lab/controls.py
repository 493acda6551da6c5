"""What is said to sockets beside the calls of a session: sentences, and the steps they make.

Flow specifications, and the call that is to end before its time.
"""

from typing import Final

from mpwire.lab.forms import Form
from mpwire.lab.step import Flow, SocketStep, flow

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


AnyControl = SetFlow | ReadFlow | CancelJoin

FORMS: Final = (
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
)
"""Lines of `script`."""
