"""Patches of data: delivery, repair, relay, groups, half close and side chat."""

from collections.abc import Sequence
from dataclasses import replace as replaced

from msgspec.structs import replace

from mpwire.core import (
    Endpoint,
    Membership,
    answering,
    casting,
    member,
    membership,
    origins,
    receiving,
)
from mpwire.core.events import DataSubmitted, Input, OriginEnded
from mpwire.core.inflow import Inflow
from mpwire.core.outflow import Outflow
from mpwire.core.sending import release_data
from mpwire.core.serial import after, plus
from mpwire.core.timers import TimerName
from mpwire.testing.exploration.invariants import Invariant
from mpwire.testing.exploration.patching import Swap, patch
from mpwire.wire.messages import Close, CloseAck, Data, Side


@patch("data-up", Invariant.ONCE)
def deliver_duplicates(swap: Swap) -> None:
    """Hand up a message as often as it arrives."""
    take = Inflow.take

    def careless(self: Inflow, seq: int, payload: bytes) -> list[bytes]:
        return take(self, seq, payload) or [payload]

    swap.attribute(Inflow, "take", careless)


@patch("data-down", Invariant.NOTHING_LOST)
def never_repair(swap: Swap) -> None:
    """Leave every NACK unanswered (rule R85)."""

    def deaf(_end: Membership, _event: Input, _now_s: float) -> None:
        return

    swap.entry(membership.ACTIONS, "repair_data", deaf)


@patch("data-leave", Invariant.NOTHING_LOST)
def close_before_repair(swap: Swap) -> None:
    """Let go of everything at the first CLOSE_ACK, though it says DATA_MISSING (correction K1)."""
    finish = membership.ACTIONS["finish_closing"]

    def hasty(end: Membership, event: Input, now_s: float) -> None:
        assert isinstance(event, CloseAck)
        finish(end, replace(event, ack_flags=0), now_s)

    swap.entry(membership.ACTIONS, "finish_closing", hasty)


@patch("data-up", Invariant.NO_FAILURE)
def count_wrongly(swap: Swap) -> None:
    """Say a FinalSeq that no sequence number can be."""

    def beyond(end: Membership) -> int:
        return plus(end.outflow.next_seq, -1) - (1 << 40)

    swap.attribute(member, "_final_seq", beyond)


# Relay and groups ---------------------------------------------------------------------------------


@patch("relay-one", Invariant.ONCE)
def pass_on_twice(swap: Swap) -> None:
    """Give every message that is passed on two numbers, as if there were two of them."""
    distribute = casting.distribute

    def generous(
        endpoint: Endpoint, receivers: Sequence[Membership], message: DataSubmitted, now_s: float
    ) -> None:
        distribute(endpoint, receivers, message, now_s)
        if message.origin is not None:
            distribute(endpoint, receivers, replaced(message, seq=plus(message.seq, 1)), now_s)

    swap.attribute(casting, "distribute", generous)


@patch("relay-one", Invariant.NOTHING_LOST)
def repair_only_own(swap: Swap) -> None:
    """Keep nothing of what is passed on: whoever lost it asks in vain."""
    send = membership.ACTIONS["send_data"]

    def forgetful(end: Membership, event: Input, now_s: float) -> None:
        send(end, event, now_s)
        for flow in end.relayed_out.values():
            flow.kept.clear()

    swap.entry(membership.ACTIONS, "send_data", forgetful)


@patch("relay-two", Invariant.RELAY)
def begin_anywhere(swap: Swap) -> None:
    """Let an origin begin with whatever of it arrives first, instead of with its SYNC (R114)."""
    inflow_of = origins.inflow_of

    def hasty(end: Membership, data: Data, now_s: float) -> Inflow | None:
        if end.takes_relayed and data.origin not in {end.identity.peer_id, end.identity.own_id}:
            end.relayed_in.setdefault(data.origin, Inflow(data.seq, repairs=end.repairs))
        return inflow_of(end, data, now_s)

    swap.attribute(receiving, "inflow_of", hasty)


@patch("relay-leave", Invariant.NOTHING_LOST)
def forget_who_leaves(swap: Swap) -> None:
    """Relay nothing of an origin that has left, though not all of it has arrived (11.5)."""
    end_origin = membership.ACTIONS["end_origin"]

    def hasty(end: Membership, event: Input, now_s: float) -> None:
        assert isinstance(event, OriginEnded)
        if event.origin in end.relayed_out:
            end.relayed_out[event.origin].kept.clear()
        end_origin(end, event, now_s)

    swap.entry(membership.ACTIONS, "end_origin", hasty)


@patch("relay-receiver-expelled", Invariant.NOTHING_LOST)
def close_before_relayed(swap: Swap) -> None:
    """Close a membership though what is being passed on to it is not acknowledged yet (11.5)."""
    close = membership.ACTIONS["close_membership"]

    def hasty(end: Membership, event: Input, now_s: float) -> None:
        for flow in end.relayed_out.values():
            flow.kept.clear()
        close(end, event, now_s)

    swap.entry(membership.ACTIONS, "close_membership", hasty)


@patch("relay-late", Invariant.RELAY)
def pass_on_the_past(swap: Swap) -> None:
    """Keep what is passed on for a leaf that is not joined yet (11.5)."""
    hold = membership.ACTIONS["hold_data"]

    def generous(end: Membership, event: Input, now_s: float) -> None:
        assert isinstance(event, DataSubmitted)
        if event.origin is None:
            hold(end, event, now_s)
        else:
            flow = Outflow(event.seq, repairs=True)
            flow.submit(event.seq, event.payload)
            end.relayed_out[event.origin] = flow

    def late(end: Membership, now_s: float) -> None:
        release_data(end, now_s)
        end.set_timer(TimerName.SYNC, now_s)

    swap.entry(membership.ACTIONS, "hold_data", generous)
    swap.attribute(answering, "release_data", late)


@patch("group-one", Invariant.NOTHING_LOST)
def repair_no_group(swap: Swap) -> None:
    """Keep nothing of what went to the group."""
    note = membership.ACTIONS["note_cast"]

    def forgetful(end: Membership, event: Input, now_s: float) -> None:
        note(end, event, now_s)
        end.outflow.kept.clear()

    swap.entry(membership.ACTIONS, "note_cast", forgetful)


@patch("group-late", Invariant.MEANT)
def hear_the_past(swap: Swap) -> None:
    """Hand up what is older than all that was promised to a leaf (R84)."""
    take = Inflow.take

    def curious(self: Inflow, seq: int, payload: bytes) -> list[bytes] | None:
        return [payload] if after(self.next_seq, seq) > 0 else take(self, seq, payload)

    swap.attribute(Inflow, "take", curious)


# Half close and side chat -------------------------------------------------------------------------


@patch("dialogue-half-leaf", Invariant.GRACEFUL)
def half_ends_both(swap: Swap) -> None:
    """Take a CLOSE with HALF for one without (12.5)."""

    def blind(_end: Membership, _close: Close) -> bool:
        return False

    swap.attribute(Membership, "is_half", blind)


@patch("dialogue-half-both", Invariant.GRACEFUL)
def crossing_half_acknowledges(swap: Swap) -> None:
    """Let a CLOSE with HALF that crosses stand for a CLOSE_ACK (12.5)."""
    swap.entry(membership.ACTIONS, "cross_half_close", member.end_closed)


@patch("dialogue-side-up", Invariant.NOTHING_LOST)
def close_before_side(swap: Swap) -> None:
    """Send CLOSE though private messages are not acknowledged (R118)."""

    def never(_end: Membership) -> bool:
        return False

    swap.attribute(member, "postpone_close", never)


@patch("dialogue-side-up", Invariant.ONCE)
def take_every_side(swap: Swap) -> None:
    """Hand up a private message as often as it arrives (R90)."""
    deliver = membership.ACTIONS["deliver_side"]

    def careless(end: Membership, event: Input, now_s: float) -> None:
        assert isinstance(event, Side)
        assert end.side is not None
        end.side.taken_seq = plus(event.seq, -1)
        deliver(end, event, now_s)

    swap.entry(membership.ACTIONS, "deliver_side", careless)


@patch("dialogue-half-root", Invariant.LATE)
def close_before_data(swap: Swap) -> None:
    """Report the end of the peer's direction at its CLOSE, though data is missing (W73)."""

    def hasty(_end: Membership) -> bool:
        return True

    swap.attribute(receiving, "is_complete", hasty)
