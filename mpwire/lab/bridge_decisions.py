"""Put on record what became of each frame on a bridge, where its ports hold messages back.

Nobody stands between the hosts there, but what is done to a message is on record all the same, and
why. `UnderWay` tells which frame it is that arrives.
"""

from mpwire.capture.deliveries import FOR_NOBODY
from mpwire.capture.records import Decision
from mpwire.lab.emulation import Delays
from mpwire.lab.switch import FOR_THE_SWITCH, NOBODY, Recorder
from mpwire.lab.topology import Topology
from mpwire.lab.underway import NONE, Sent, UnderWay


class BridgeDecisions:
    """Record decisions as frames are heard."""

    def __init__(self, topology: Topology, delays: Delays, recorder: Recorder) -> None:
        """Begin."""
        self._delays = delays
        self._recorder = recorder
        self._under_way = UnderWay({name: one.network for name, one in topology.ports.items()})

    def sent(self, number: int, host: str, frame: bytes) -> None:
        """Take note of a frame that has left a host."""
        self.conclude(NONE)
        self._under_way.add(Sent(number, host), frame)

    def for_us(self, number: int) -> None:
        """Say of a frame that it was meant for no host."""
        self._undelivered(number, FOR_THE_SWITCH)

    def arrived(self, number: int, host: str, frame: bytes) -> None:
        """Say which frame it is that is on its way to a host, and what has held it back."""
        sent = self._under_way.out(frame, host)
        if sent is None:  # the bridge's own word
            return
        cause = self._delays.cause(frame, host)
        reason = None if cause is None else f"impaired: {cause}"
        self._recorder.record(
            Decision(frame=sent.number, receiver=host, delivered=number, reason=reason)
        )

    @property
    def newest(self) -> int:
        """Give the number of the newest frame that a host has sent."""
        return self._under_way.newest

    def conclude(self, until: int) -> None:
        """Say of frames that came out of the bridge for nobody that they never will.

        Args: until: number of the newest that cannot be on the way any more.
        """
        for sent in self._under_way.forget(until):
            self._undelivered(sent.number, FOR_NOBODY)

    def _undelivered(self, number: int, reason: str) -> None:
        self._recorder.record(
            Decision(frame=number, receiver=NOBODY, delivered=None, reason=reason)
        )
