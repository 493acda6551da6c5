"""The four ends a membership can have, ready for a playbook, and what their peers would say.

    play, peer = asking_leaf()
    play.feed(JoinRequested()).expect(sent(JoinReq, attempt=1))
    play.feed(peer.challenge()).expect(sent(JoinReq, attempt=2))

A counterpart keeps no state machine: it says whatever it is asked to say, legal or not, with the
tags and numbers that make the end believe that it comes from its peer. Keyword arguments replace
any field.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from msgspec.structs import replace

from mpwire.core import Entropy, Membership, SessionFacts, TimerPlan
from mpwire.core.address import Address
from mpwire.core.events import Joined, JoinRequested, RequestVerified
from mpwire.core.membership import OFFERED_VERSIONS, ROOT_ID, HeaderFields, Identity
from mpwire.core.outflow import Outflow
from mpwire.testing.playbook import Playbook, reported, sent
from mpwire.wire.codec import pad_join_request
from mpwire.wire.messages import (
    Abort,
    Accept,
    Ack,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    CloseAck,
    Confirm,
    Data,
    DataAck,
    JoinReq,
    Nack,
    Pending,
    Probe,
    ProbeAck,
    Reject,
    SessionDesc,
    Side,
    Sync,
    VersionNeg,
)
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS
from mpwire.wire.registries import (
    AckedType,
    AddressFamily,
    Capability,
    CloseFlag,
    CloseReason,
    DataFlag,
    JoinFlags,
    LeafDirection,
    PendingState,
    Planes,
    RepairMode,
    Role,
    SideFlag,
)

ROOT: Final[Address] = ("10.0.0.1", 61717)
LEAF: Final[Address] = ("10.0.0.2", 61000)
SESSION_ID: Final = 0x5E55_1000_0000_0001
LEAF_ID: Final = 2
PEER_TAG: Final = 0xFEED_0000_0000_0001
PEER_SEQ: Final = 500
"""Sequence number of the first message the counterpart originates."""
OTHER_LEAF = 7
"""A member whose messages a root relays."""
CAPABILITIES: Final = Capability.REPAIR | Capability.SIDECHAT | Capability.HALFCLOSE
"""What all ends and their peers can do, unless a test says otherwise."""
BOTH_WAYS: Final = LeafDirection.SEND | LeafDirection.RECEIVE
DESCRIPTION: Final = SessionDesc(
    planes=Planes.CONTROL_ROOTED | Planes.DATA_ROOTED,
    family=AddressFamily.NONE,
    data_port=ROOT[1],
    group_tag=0xFACE,
    max_rate=1000,
    max_payload=MAX_PAYLOAD_OCTETS,
    hop_limit=1,
    repair=RepairMode.ON,
    group=b"",
)


def join_request(role: Role, init_tag: int, **changes: object) -> JoinReq:
    """Build the JOIN_REQ of a root that invites or of a leaf that asks."""
    inviting = role is Role.C_ROOT
    request = JoinReq(
        session_id=SESSION_ID if inviting else 0,
        sender_id=ROOT_ID if inviting else 0,
        seq=7,
        init_tag=init_tag,
        role=role,
        jl=JoinFlags.BOTH,
        leaf_dir=BOTH_WAYS,
        planes=Planes.CONTROL_ROOTED | Planes.DATA_ROOTED,
        next_data_seq=PEER_SEQ,
        max_payload=MAX_PAYLOAD_OCTETS,
        timers=TimerPlan().announced(),
        caps=CAPABILITIES,
        versions=OFFERED_VERSIONS,
    )
    request = replace(request, **changes)
    pad_join_request(request)
    return request


@dataclass(slots=True)
class Counterpart:
    """Speak to one end in the name of its peer."""

    end: Membership
    tag: int = PEER_TAG
    """The peer's own tag: RespTag if it was asked, InitTag if it asks."""
    session_id: int = SESSION_ID
    close_seq: int = field(default=900, kw_only=True)
    """Transaction number of the peer's own requests."""

    @property
    def is_root(self) -> bool:
        """Tell whether the peer is the root."""
        return not self.end.is_root

    @property
    def own_id(self) -> int:
        """Return the Member ID that the peer uses."""
        return ROOT_ID if self.is_root else self.end.identity.peer_id or LEAF_ID

    def _answer(self) -> HeaderFields:
        """Return the header of an answer to the last request of the end, or to the first."""
        request = self.end.outstanding or self.end.request
        return self._header(request.seq, request.attempt)

    def _header(self, seq: int, attempt: int = 1) -> HeaderFields:
        return HeaderFields(
            session_id=self.session_id,
            destination_tag=self.end.identity.own_tag,
            sender_id=self.own_id,
            seq=seq,
            attempt=attempt,
        )

    # To an end that asks ----------------------------------------------------------------------

    def version_neg(self, *versions: int) -> VersionNeg:
        """Name the versions that the peer speaks."""
        return VersionNeg(
            session_id=self.session_id,
            destination_tag=self.end.identity.own_tag,
            versions=versions or (9,),
        )

    def challenge(self, **changes: object) -> Challenge:
        """Ask for proof of address."""
        message = Challenge(**self._answer(), cookie_life_ms=30_000, cookie=b"cookie-1")
        return replace(message, **changes)

    def pending(self, **changes: object) -> Pending:
        """Say that the request is queued."""
        message = Pending(
            **self._answer(),
            resp_tag=self.tag,
            state=PendingState.QUEUED,
            queue_pos=0,
            poll_ms=5000,
        )
        return replace(message, **changes)

    def accept(self, **changes: object) -> Accept:
        """Accept the request, with the root's half if the peer is the root."""
        message = Accept(
            **self._header(self.end.request.seq),
            resp_tag=self.tag,
            assigned_id=LEAF_ID if self.is_root else 0,
            leaf_dir=self.end.request.leaf_dir,
            max_payload=MAX_PAYLOAD_OCTETS,
            next_data_seq=PEER_SEQ,
            session_desc=DESCRIPTION if self.is_root else None,
            timers=TimerPlan().announced(),
            caps=CAPABILITIES,
            versions=OFFERED_VERSIONS,
        )
        return replace(message, **changes)

    def reject(self, reason: int, **changes: object) -> Reject:
        """Refuse the request."""
        message = Reject(**self._answer(), reason=reason, retry_after_s=0, detail=0)
        return replace(message, **changes)

    def cancel_ack(self, result: int = 0, **changes: object) -> CancelAck:
        """Acknowledge the end's CANCEL."""
        return replace(CancelAck(**self._answer(), result=result), **changes)

    # To an end that is asked ------------------------------------------------------------------

    def confirm(self, **changes: object) -> Confirm:
        """Confirm the end's ACCEPT, with the root's half if the peer is the root."""
        message = Confirm(
            **self._answer(),
            assigned_id=LEAF_ID if self.is_root else 0,
            next_data_seq=PEER_SEQ,
            leaf_dir=self.end.request.leaf_dir,
            session_desc=DESCRIPTION if self.is_root else None,
        )
        return replace(message, **changes)

    def cancel(self, reason: int = 1, **changes: object) -> Cancel:
        """Withdraw the request."""
        header = self._header(self.end.request.seq)
        return replace(Cancel(**header, init_tag=self.tag, reason=reason), **changes)

    # To a member ------------------------------------------------------------------------------

    def data(
        self, seq: int = PEER_SEQ, payload: bytes | None = b"hello", **changes: object
    ) -> Data:
        """Send group data."""
        message = Data(**self._header(seq), origin=self.own_id, dflags=0, hop=0, payload=payload)
        return replace(message, **changes)

    def relayed(self, seq: int, payload: bytes = b"theirs", origin: int = OTHER_LEAF) -> Data:
        """Pass on a message of another leaf."""
        return self.data(seq, payload, origin=origin, dflags=DataFlag.RELAYED, hop=1)

    def data_ack(self, rcv_next: int, window: int = 256, **changes: object) -> DataAck:
        """Acknowledge what the end has originated."""
        header = self._header(1)
        origin = self.end.identity.own_id
        message = DataAck(**header, origin=origin, rcv_next=rcv_next, window=window)
        return replace(message, **changes)

    def nack(self, *ranges: tuple[int, int], **changes: object) -> Nack:
        """Ask for messages of the end once more."""
        message = Nack(**self._header(1), origin=self.end.identity.own_id, ranges=ranges)
        return replace(message, **changes)

    def sync(self, lead: int = PEER_SEQ, trail: int = PEER_SEQ, **changes: object) -> Sync:
        """Say how far the peer's own data has come."""
        message = Sync(**self._header(lead), origin=self.own_id, trail_seq=trail, sflags=0)
        return replace(message, **changes)

    def side(self, seq: int = 1, payload: bytes | None = b"psst", **changes: object) -> Side:
        """Send a private message."""
        message = Side(**self._header(seq), sflags=SideFlag.ACK_REQ, payload=payload)
        return replace(message, **changes)

    def side_ack(self, seq: int = 1, attempt: int = 1, **changes: object) -> Ack:
        """Acknowledge a private message of the end."""
        message = Ack(**self._header(seq, attempt), acked_type=AckedType.SIDE)
        return replace(message, **changes)

    def probe(self, nonce: int = 77, **changes: object) -> Probe:
        """Ask whether the end lives."""
        return replace(Probe(**self._header(800), nonce=nonce, next_data_seq=PEER_SEQ), **changes)

    def probe_ack(self, **changes: object) -> ProbeAck:
        """Answer the end's PROBE."""
        probe = self.end.outstanding
        nonce = probe.nonce if isinstance(probe, Probe) else 1
        message = ProbeAck(**self._answer(), nonce=nonce, rcv_next=0, loss_permille=0)
        return replace(message, **changes)

    def close(self, final_seq: int = PEER_SEQ - 1, **changes: object) -> Close:
        """Close the membership."""
        message = Close(
            **self._header(self.close_seq),
            reason=CloseReason.EXPEL if self.is_root else CloseReason.LEAVE,
            cflags=0,
            final_seq=final_seq,
            side_final_seq=0,
        )
        return replace(message, **changes)

    def close_ack(self, final_seq: int = PEER_SEQ - 1, **changes: object) -> CloseAck:
        """Acknowledge the end's CLOSE."""
        close = self.end.outstanding
        rcv_next = close.final_seq + 1 if isinstance(close, Close) else 0
        message = CloseAck(**self._answer(), ack_flags=0, rcv_next=rcv_next, final_seq=final_seq)
        return replace(message, **changes)

    def half_close(self, final_seq: int = PEER_SEQ - 1, **changes: object) -> Close:
        """Close the direction that the peer sends in."""
        return self.close(final_seq, cflags=CloseFlag.HALF, **changes)

    def abort(self, reason: int = 1, **changes: object) -> Abort:
        """End the membership at once."""
        return replace(Abort(**self._header(901), reason=reason, echo_seq=0), **changes)


def _facts() -> SessionFacts:
    return SessionFacts(SESSION_ID, DESCRIPTION, next_data_seq=100)


Ends: TypeAlias = Callable[..., tuple[Playbook, Counterpart]]
"""What makes an end and its counterpart."""


def asking_leaf(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return a leaf's end that is about to ask its root; keywords change the request."""
    request = join_request(Role.C_LEAF_TO_ROOT, 0xA, next_data_seq=100, **changes)
    return _asking(request, LEAF, ROOT, None, plan)


def inviting_root(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return a root's end that is about to invite a leaf; keywords change the request."""
    request = join_request(Role.C_ROOT, 0xB, next_data_seq=100, **changes)
    return _asking(request, ROOT, LEAF, _facts(), plan)


def joined_leaf(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return the end of a leaf that asked and was accepted; keywords change its request."""
    return _join(asking_leaf(plan, **changes))


def joined_root(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return the end of a root that invited and was accepted; keywords change its request."""
    return _join(inviting_root(plan, **changes))


def _join(ends: tuple[Playbook, Counterpart]) -> tuple[Playbook, Counterpart]:
    play, peer = ends
    play.feed(JoinRequested()).expect(sent(JoinReq))
    play.feed(peer.challenge()).expect(sent(JoinReq))
    play.feed(peer.accept()).expect(sent(Confirm), reported(Joined))
    return play, peer


def _asking(
    request: JoinReq,
    local: Address,
    peer: Address,
    session: SessionFacts | None,
    plan: TimerPlan | None,
) -> tuple[Playbook, Counterpart]:
    end = Membership(
        local=local,
        peer=peer,
        plan=plan or TimerPlan(),
        entropy=Entropy(b"end"),
        identity=Identity(
            own_tag=request.init_tag,
            own_id=request.sender_id,
            session_id=request.session_id,
        ),
        request=request,
        txn=request.seq,
        session=session,
        outflow=Outflow(request.next_data_seq),
        capabilities=request.caps,
    )
    return Playbook(end), Counterpart(end)


def asked_root(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return a root's end with a leaf's request in its queue; keywords change the request."""
    request = join_request(Role.C_LEAF_TO_ROOT, init_tag=PEER_TAG, **changes)
    return _asked(request, ROOT, LEAF, _facts(), plan)


def invited_leaf(plan: TimerPlan | None = None, **changes: object) -> tuple[Playbook, Counterpart]:
    """Return a leaf's end with a root's invitation in its queue; keywords change it."""
    request = join_request(Role.C_ROOT, init_tag=PEER_TAG, **changes)
    return _asked(request, LEAF, ROOT, None, plan)


def _asked(
    request: JoinReq,
    local: Address,
    peer: Address,
    session: SessionFacts | None,
    plan: TimerPlan | None,
) -> tuple[Playbook, Counterpart]:
    end = Membership(
        local=local,
        peer=peer,
        plan=plan or TimerPlan(),
        entropy=Entropy(b"end"),
        identity=Identity(
            own_tag=0xC,
            peer_tag=request.init_tag,
            own_id=ROOT_ID if session else 0,
            session_id=request.session_id,
        ),
        request=request,
        txn=request.seq,
        session=session,
        initiator=False,
        outflow=Outflow(100),
        capabilities=CAPABILITIES,
    )
    play = Playbook(end).feed(RequestVerified(request)).expect(sent(Pending))
    return play, Counterpart(end)
