"""The `bridge` fabric with faults: hosts and bridges of the kernel, and gates of ours between them.

Everything is as on the fabric `switch`, from the cables of the hosts to the decisions on record;
only who gets a frame is what a bridge of the kernel says, and so is what it does with groups.
"""

import os
import time
from collections.abc import Mapping

from mpwire.capture.records import Counters
from mpwire.errors import LocalProtocolError
from mpwire.lab.fabric import DEADLINE_S, SwitchFabric
from mpwire.lab.gates import GatedSwitch, Gates
from mpwire.lab.mroute import MakeForwarding, MulticastRouter
from mpwire.lab.switch import Decide, Recorder, Source, Switch, Ways, deliver_all
from mpwire.lab.topology import Topology


class GatedBridgeFabric(SwitchFabric):
    """Run hosts on bridges, and stand at every port."""

    name = "bridge"
    decided_by = "gates"

    def __init__(
        self,
        *,
        snooping: bool = False,
        decide: Decide = deliver_all,
        forwarding: MakeForwarding = MulticastRouter,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Prepare.

        Args: snooping: the bridges learn who is in which group, and ask for it; for the others
            see `SwitchFabric`.
        """
        super().__init__(
            carrier="veth", decide=decide, forwarding=forwarding, deadline_s=deadline_s
        )
        self._snooping = snooping
        self._gates: Gates | None = None

    @property
    def gates(self) -> Gates:
        """Give the gates of a fabric that was started."""
        if self._gates is None:
            raise LocalProtocolError("the fabric has not been started")
        return self._gates

    async def start(self, topology: Topology, recorder: Recorder) -> None:
        """Make hosts, routers and bridges and connect them; see `SwitchFabric`."""
        await super().start(topology, recorder)
        try:
            heard_s = time.monotonic() + self.gates.ask_for_members()
            while time.monotonic() < heard_s:
                self.drain()  # questions and answers pass us
                os.sched_yield()
        except BaseException:
            await self.stop()
            raise

    def _make(self, topology: Topology) -> None:
        self._gates = Gates(topology, snooping=self._snooping, deadline_s=self._deadline_s)
        super()._make(topology)

    def _hears_groups(self, topology: Topology) -> bool:
        return self._snooping or super()._hears_groups(topology)

    def _new_switch(
        self, recorder: Recorder, neighbours: Mapping[bytes, bytes] | None, ways: Ways
    ) -> Switch:
        return GatedSwitch(
            recorder,
            self._cable_ports(),
            self._macs(),
            self._decide,
            neighbours,
            ways=ways,
            gates=self.gates,
        )

    def _listening(self) -> list[Source]:
        return [*super()._listening(), self.gates]

    def _lost_count(self) -> int:
        return super()._lost_count() + self.gates.ring.lost_count()

    def counters(self, host: str) -> Counters:
        """Tell what the kernel has counted for a host since its start, and for it at its bridge."""
        counters = super().counters(host)
        counters.interface["port_tx_dropped"] = self.gates.dropped_count(host)
        return counters

    async def settle(self) -> None:
        """Wait until nothing is on the way any more; see `SwitchFabric`."""
        self.drain()
        assert isinstance(self.switch, GatedSwitch)
        newest = self.switch.newest
        await super().settle()
        self.switch.conclude(newest)

    async def stop(self) -> None:
        """End the programs, remove hosts and bridges. Harmless twice."""
        await super().stop()
        if self._gates is not None:
            self._gates.close()
