"""Set an interface down, and tell what it drops for that reason from what is lost by mistake.

A kernel counts what it throws away because an interface is down in the same counters as what it
loses because a queue is full. The judge may excuse the one and never the other, so it is told
apart here. What others send to the host is refused frame by frame ("port down", a decision each).
What the host itself was sending at that moment is counted across the one call that sets the
interface down: nobody reads the queue meanwhile, so if there is room left in it afterwards, it was
not full before, and nothing can have been dropped but for the interface.
"""

from collections.abc import Callable, Mapping

from mpwire.capture.records import Outage
from mpwire.lab.hosts import Cable
from mpwire.lab.ports import TAP_QUEUE_COUNT, TapPort
from mpwire.lab.switch import Recorder


def take_down(
    cable: Cable, drain: Callable[[], int], read_count: Mapping[str, int], recorder: Recorder
) -> None:
    """Set a host's interface down, and record what it dropped because of that, if anything.

    Args: drain: reads what hosts have sent by now; read_count: frames read so far, by host.
    """
    name = cable.spec.name
    drain()
    read_before, dropped_before = read_count[name], cable.dropped_count()
    cable.set_interface(0.0, is_up=False)
    dropped = cable.dropped_count() - dropped_before
    drain()
    waited = read_count[name] - read_before
    # A veth pair has no such queue: what the common ring loses, the ring itself counts.
    overflowed = isinstance(cable.port, TapPort) and waited >= TAP_QUEUE_COUNT
    if dropped and not overflowed:
        recorder.record(Outage(host=name, tx_dropped=dropped))
