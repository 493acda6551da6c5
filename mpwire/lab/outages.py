"""Set interfaces down and up, and tell what they drop for that reason from what is lost by mistake.

A kernel counts what it throws away because an interface is down in the same counters as what it
loses because a queue is full. The judge may excuse the one and never the other, so it is told
apart here. What others send to the host is refused frame by frame ("port down", a decision each).
What the host itself sends meanwhile, or was sending as the interface went, is counted from before
the call that sets it down until after the call that sets it up. While it is down nothing reaches
the queue; and as nobody reads the queue during those calls, it was not full if there is room left
in it afterwards. Then nothing can have been dropped but for the interface.
"""

import socket
from collections.abc import Callable, Mapping

from mpwire.capture.records import Outage
from mpwire.lab.hosts import Cable
from mpwire.lab.ports import TAP_QUEUE_COUNT, TapPort
from mpwire.lab.switch import Recorder


class Outages:
    """Keep which interfaces are down, and record what each of them drops because of that."""

    def __init__(
        self, drain: Callable[[], int], read_count: Mapping[str, int], recorder: Recorder
    ) -> None:
        """Begin with all interfaces up.

        Args: drain: reads what hosts have sent by now; read_count: frames read so far, by port.
        """
        self._drain = drain
        self._read_count = read_count
        self._recorder = recorder
        self._dropped: dict[str, int] = {}
        """Frames that an interface had dropped when it had been set down."""

    def __contains__(self, port: str) -> bool:
        """Tell whether an interface is down."""
        return port in self._dropped

    def set_interface(self, cable: Cable, deadline_s: float, *, is_up: bool) -> None:
        """Set an interface down, or up with all it had; raise MachineError as the cable does."""
        name = cable.spec.name
        self._drain()
        read_before = self._read_count[name]
        dropped_before = self._dropped.pop(name, None)
        if dropped_before is None:
            dropped_before = cable.dropped_count()
        cable.set_interface(deadline_s, is_up=is_up)
        _let_senders_finish()
        dropped = cable.dropped_count()
        if not is_up:
            self._dropped[name] = dropped
        self._drain()
        waited = self._read_count[name] - read_before
        # A veth pair has no such queue: what the common ring loses, the ring itself counts.
        overflowed = isinstance(cable.port, TapPort) and waited >= TAP_QUEUE_COUNT
        if dropped > dropped_before and not overflowed:
            self._recorder.record(Outage(host=name, tx_dropped=dropped - dropped_before))

    def remove_addresses(self, cable: Cable) -> None:
        """Take the addresses of an interface, which counts as down until it is set up again."""
        self._drain()
        cable.remove_addresses()
        self._dropped[cable.spec.name] = cable.dropped_count()


def _let_senders_finish() -> None:
    """Wait until whoever was in the middle of sending has sent, or has been counted as dropped.

    A sender that found the interface down may count that after it is up again, when its CPU was
    taken away in between. The kernel waits for all of them as it closes a packet socket.
    """
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
