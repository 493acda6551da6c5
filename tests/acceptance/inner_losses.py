"""Run a testbed on a switch that loses exactly one datagram, the n-th of the session.

The order's command line is [n]. Counted are datagrams of the protocol, not the lab's own echoes.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from mpwire.capture import RunWriter
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.names import LinkType
from mpwire.lab.decide import UNHARMED, Fate, Strike
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.plan import Order
from mpwire.lab.runner import Runner, recorded
from mpwire.lab.switch import Decide
from mpwire.wire import is_mpw


def main() -> int:
    """Obey the order on standard input; print how many datagrams there were."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    lost = int(order.command[0])
    count = 0

    def decide(frame: bytes, _sender: str, _receiver: str) -> Fate:
        nonlocal count
        datagram = decode_frame(LinkType.ETHERNET, frame)
        if not isinstance(datagram, Datagram) or not is_mpw(datagram.payload):
            return UNHARMED
        count += 1
        return Fate((), "aimed") if count == lost else UNHARMED

    class Losing(SwitchFabric):
        """Decide here."""

        def impair(self, _decide: Decide, strike: Callable[[Strike], None]) -> None:
            super().impair(decide, strike)

    async def carried_out() -> None:
        writer = RunWriter(Path(order.folder), [recorded(host) for host in order.plan.hosts])
        fabric = Losing(carrier=order.carrier)
        runner = Runner(order.plan, fabric, writer, lambda _line: None, watched=False)
        failure = await runner.run()
        writer.finish()
        line = {"count": count, "failure": None if failure is None else failure.reason}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")

    asyncio.run(carried_out())
    return 0
