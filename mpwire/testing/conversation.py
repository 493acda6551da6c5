"""One endpoint in conversation with anybody: messages in as octets, decoded answers out.

root = root_conversation()
(challenge,) = root.say(root.request())
(pending,) = root.say(root.prove(root.request()))
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from mpwire.core import Endpoint, Entropy, Membership, Session, SessionFacts, TimerPlan
from mpwire.core.address import Address
from mpwire.core.events import Admitted, Refused, Report
from mpwire.core.listener import Listener
from mpwire.testing.ends import DESCRIPTION, LEAF, ROOT, SESSION_ID, Counterpart, join_request
from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.messages import Challenge, JoinReq, Message
from mpwire.wire.registries import Role


@dataclass(slots=True)
class Conversation:
    """Talk to one endpoint from any address."""

    endpoint: Endpoint
    here: Address
    there: Address
    now_s: float = 0.0
    heard: list[tuple[Message, Address]] = field(default_factory=list)
    """Everything the endpoint has sent, with its destination."""

    def answers(self) -> list[Message]:
        """Return what the endpoint has sent since this was last asked."""
        datagrams, self.endpoint.datagrams = self.endpoint.datagrams, []
        messages = [decode_untrusted(datagram.data) for datagram in datagrams]
        self.heard += [(m, d.destination) for m, d in zip(messages, datagrams, strict=True)]
        return messages

    def say(self, message: Message, source: Address | None = None) -> list[Message]:
        """Send the endpoint a message as octets; return its answers."""
        return self.say_octets(encode(message), source)

    def say_octets(self, data: bytes, source: Address | None = None) -> list[Message]:
        """Send the endpoint octets; return its answers."""
        self.endpoint.receive_untrusted(data, source or self.there, self.here, self.now_s)
        return self.answers()

    def reports(self) -> list[Report]:
        """Return what the endpoint has reported since this was last asked."""
        reports, self.endpoint.reports = self.endpoint.reports, []
        return [report for _, report in reports]

    def rules(self) -> list[str]:
        """Return the rules of what was dropped since this was last asked."""
        dropped, self.endpoint.dropped = self.endpoint.dropped, []
        return [one.rule for one in dropped]

    def request(self, init_tag: int = 0x11, **changes: object) -> JoinReq:
        """Build a JOIN_REQ that fits the endpoint."""
        role = Role.C_LEAF_TO_ROOT if self.endpoint.session else Role.C_ROOT
        return join_request(role, init_tag, **changes)

    def prove(self, request: JoinReq, source: Address | None = None) -> JoinReq:
        """Return the copy of a request that carries the cookie it was given."""
        (challenge,) = self.say(request, source)
        assert isinstance(challenge, Challenge)
        return replace(request, attempt=request.attempt + 1, cookie=challenge.cookie)

    def queue(self, init_tag: int = 0x11, source: Address | None = None) -> Membership:
        """Bring a request into the queue; return its membership."""
        self.say(self.prove(self.request(init_tag), source), source)
        assert self.endpoint.listener is not None
        return self.endpoint.listener.entries[-1].membership

    def decide(self, membership: Membership, decision: Admitted | Refused) -> list[Message]:
        """Take a request out of the queue with a decision; return what is sent."""
        assert self.endpoint.listener is not None
        for entry in [*self.endpoint.listener.entries]:
            if entry.membership is membership:
                self.endpoint.listener.take(entry)
        self.endpoint.call(membership, decision, self.now_s)
        return self.answers()

    def join(self, init_tag: int = 0x11, source: Address | None = None) -> Membership:
        """Bring a request all the way to a membership; return it."""
        membership = self.queue(init_tag, source)
        self.decide(membership, Admitted(None))
        peer = Counterpart(membership, tag=init_tag)
        self.say(peer.confirm(), source)
        return membership


def root_conversation() -> Conversation:
    """Open the endpoint of a root that listens."""
    return _conversation(ROOT, LEAF, Session(SessionFacts(SESSION_ID, DESCRIPTION, 100)))


def leaf_conversation() -> Conversation:
    """Open the endpoint of a leaf that listens for invitations."""
    return _conversation(LEAF, ROOT, None)


def _conversation(local: Address, remote: Address, session: Session | None) -> Conversation:
    endpoint = Endpoint(local, TimerPlan(), Entropy(b"endpoint"), session)
    endpoint.listener = Listener(Role.C_LEAF_TO_ROOT if session else Role.C_ROOT, backlog=2)
    return Conversation(endpoint, local, remote)
