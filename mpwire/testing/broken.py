"""Deliberately broken endpoints: each wrong in one way, to prove that the judge notices.

    python -m mpwire.testing.broken close-reported-twice

is `mpwire agent` with one patch applied, so that a testbed can give it to any host. A patch changes
one thing in core, winsock or io from the outside; the product itself knows nothing of them.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership, member
from mpwire.core.address import Address
from mpwire.core.events import Input, Joined, Report
from mpwire.core.membership import ACTIONS
from mpwire.io import agent
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.record import FD_ACCEPT, FD_CLOSE, FD_CONNECT, EventRecord
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import JoinReq, Reject
from mpwire.wire.registries import RejectReason


@dataclass(slots=True)
class Patch:
    """One way to be wrong."""

    name: str
    about: str
    """What the endpoint does wrong, in one sentence."""
    rule: str
    """The rule that must catch it."""
    apply: Callable[[], None]
    """Changes the reference endpoint of this process, for good."""


PATCHES: Final[dict[str, Patch]] = {}


def patch(rule: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a patch under the name of its function; its docstring says what it breaks."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        name = apply.__name__.replace("_", "-")
        PATCHES[name] = Patch(name, apply.__doc__ or "", rule, apply)
        return apply

    return register


def _put(owner: object, name: str, value: object) -> None:
    """Replace a function of the product."""
    setattr(owner, name, value)


@patch(rule="EV3")
def connect_never_reported() -> None:
    """An ACCEPT arrives and is confirmed, but FD_CONNECT(0) is never recorded."""
    occur = Reactions.occur

    def deaf(
        self: Reactions, socket: Socket, event: NetworkEvent, code: WsaError = WsaError.SUCCESS
    ) -> None:
        if event is not FD_CONNECT or code is not WsaError.SUCCESS:
            occur(self, socket, event, code)

    _put(Reactions, "occur", deaf)


@patch(rule="EV20")
def close_reported_twice() -> None:
    """Every FD_CLOSE is handed out twice."""
    enumerate_once = EventRecord.enumerate

    def stuttering(self: EventRecord) -> list[tuple[NetworkEvent, WsaError]]:
        found = enumerate_once(self)
        return found + [item for item in found if item[0] is FD_CLOSE]

    _put(EventRecord, "enumerate", stuttering)


@patch(rule="R29")
def second_request_outstanding() -> None:
    """A second JOIN_REQ, of another attempt, goes out while the first is unresolved."""
    join = Endpoint.join

    def impatient(
        self: Endpoint, local: Address, peer: Address, request: JoinReq, now_s: float
    ) -> Membership:
        membership = join(self, local, peer, request, now_s)
        tag, seq = self.entropy.tag(), self.entropy.sequence()
        self.send(replace(request, attempt=1, init_tag=tag, seq=seq), local, peer)
        return membership

    _put(Endpoint, "join", impatient)


@patch(rule="R56")
def close_not_acknowledged() -> None:
    """A CLOSE that arrives is believed but never answered with CLOSE_ACK."""
    _put(member, "_acknowledge", lambda _end, _close: None)


@patch(rule="EV1")
def accept_without_cookie() -> None:
    """FD_ACCEPT is recorded for a JOIN_REQ that has proven nothing, instead of a CHALLENGE."""
    receive_untrusted = Provider.receive_untrusted

    def gullible(self: Provider, opened: Address, data: bytes, *others: Any) -> None:  # noqa: ANN401
        listens = self.endpoints[opened].listener is not None
        if listens and _is_unproven_request(data):
            self.occur(self.holders[opened], FD_ACCEPT)
        else:
            receive_untrusted(self, opened, data, *others)

    _put(Provider, "receive_untrusted", gullible)


def _is_unproven_request(data: bytes) -> bool:
    try:
        message = decode_untrusted(data)
    except DecodeError:
        return False
    return isinstance(message, JoinReq) and message.cookie is None


@patch(rule="EV22")
def member_forgotten_in_dismantle() -> None:
    """The root dismantles its session but leaves the newest of several members out."""
    dismantle = Provider._dismantle

    def forgetful(
        self: Provider, root: Socket, endpoint: Endpoint, now_s: float, *, half: bool = False
    ) -> None:
        assert endpoint.session is not None
        if len(endpoint.session.members) > 1:
            endpoint.session.members.popitem()
        dismantle(self, root, endpoint, now_s, half=half)

    _put(Provider, "_dismantle", forgetful)


@patch(rule="EV3")
def connect_on_new_socket() -> None:
    """FD_CONNECT is recorded on the socket that WSPJoinLeaf returned instead of the original."""
    react = Reactions._react

    def confused(
        self: Reactions, endpoint: Endpoint, membership: Membership, report: Report, now_s: float
    ) -> None:
        socket = self.owners.get(membership)
        react(self, endpoint, membership, report, now_s)
        if isinstance(report, Joined) and socket is not None and socket.role is Role.ROOT_LEAF:
            root = socket.parent
            assert root is not None
            if membership.initiator:
                root.record.called("join_leaf")
                self.signal(socket, socket.record.occur(FD_CONNECT))

    _put(Reactions, "_react", confused)


@patch(rule="R38")
def accept_and_reject() -> None:
    """An attempt that is accepted is rejected in the same breath."""
    accept_request = ACTIONS["accept_request"]

    def two_faced(end: Membership, event: Input, now_s: float) -> None:
        accept_request(end, event, now_s)
        header = end.header(end.request.seq, end.request.attempt)
        end.send(Reject(**header, reason=RejectReason.APP_REFUSED, retry_after_s=0, detail=0))

    ACTIONS["accept_request"] = two_faced


def main() -> None:
    """Break this process in the way that the argument names and serve as an agent."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in PATCHES]
    if not names or unknown:
        listing = "\n".join(
            f"  {item.name:32}{item.rule:6}{item.about}" for item in PATCHES.values()
        )
        sys.exit(f"usage: python -m mpwire.testing.broken NAME...\n{listing}")
    for name in names:
        PATCHES[name].apply()
    agent.main()


if __name__ == "__main__":
    main()
