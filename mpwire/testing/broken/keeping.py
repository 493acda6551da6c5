"""R69-R79: probes, copies, announced timers."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Membership, member
from mpwire.core.events import Input
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import act, alter, append, ignore, withhold, wrap
from mpwire.wire.messages import Data, Probe, ProbeAck


@patch("R69", "end-crash", "leaf2")
def nonce_not_echoed() -> None:
    """PROBE_ACK carries another nonce than the PROBE."""
    alter(ProbeAck, nonce=lambda message: message.nonce ^ 1)


@patch("R69", "end-crash", "root")
def nonce_used_again() -> None:
    """Every PROBE has the same nonce."""

    def same(original: Any, self: Membership, message: Any, now_s: float) -> None:
        if isinstance(message, Probe):
            message = replace(message, nonce=0x6D70)
        original(self, message, now_s)

    wrap(Membership, "send_request", same)


@patch("R70", "end-crash", "leaf2")
def probe_unanswered() -> None:
    """A PROBE that arrives is heard, and never answered."""
    withhold(ProbeAck)


@patch("R72", "end-crash", "root")
def probes_all_the_time() -> None:
    """A peer that is silent is probed ten times as often as announced."""

    def nervous(_original: Any, end: Membership, from_s: float) -> None:
        end.set_timer(TimerName.KEEPALIVE, from_s + end.plan.keepalive_s / 10)

    wrap(Membership, "watch_peer", nervous)
    act("probe_peer", lambda _original, end, _event, now_s: member.suspect_peer(end, now_s))


@patch("R74", "end-crash", "root")
def given_up_at_once() -> None:
    """A peer is declared dead when it has not answered one PROBE."""
    put(member, "PROBE_SENDS", 1)


@patch("R77", "end-crash", "root")
def probed_for_ever() -> None:
    """A PROBE is repeated more than four times."""
    put(member, "PROBE_SENDS", 6)


@patch("R79", "end-crash", "root")
def two_probes_at_once() -> None:
    """A second PROBE, of another nonce, leaves while the first is out."""
    append(
        Probe,
        lambda endpoint, message: (
            [replace(message, seq=message.seq + 100, nonce=endpoint.entropy.tag())]
            if message.attempt == 1
            else []
        ),
    )


@patch("EV18", "end-crash", "root")
def probes_without_patience() -> None:
    """A peer is declared dead after four PROBEs that left without the announced waits."""

    def at_once(original: Any, self: TimerPlan, *others: Any) -> float:
        return float(original(self, *others)) / 20

    wrap(TimerPlan, "interval_s", at_once)


@patch("R75", "rooted-lan", "root")
def data_sent_twice() -> None:
    """Every DATA leaves twice, under one Attempt."""
    append(Data, lambda _endpoint, message: [message])
    _ = (Input, ignore)
