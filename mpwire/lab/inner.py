"""The lab process: one thread with the fabric and the runner in one event loop.

Started by the supervisor with an `Order` on standard input; standard output carries progress
lines to the caller. Ctrl-C reaches it as SIGINT, which stops the script; what was recorded until
then is kept, and the run file is finished.
"""

import asyncio
import io
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from mpwire.capture import RunWriter
from mpwire.errors import BrokenRunError, MachineError
from mpwire.lab import smcroute
from mpwire.lab.able import SMCROUTE, emulates, meddles
from mpwire.lab.bridge import BridgeFabric
from mpwire.lab.completion import complete
from mpwire.lab.dialogue import AnyQuestion, AnyTold
from mpwire.lab.emulation import netem_lacks
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.gated_bridge import GatedBridgeFabric
from mpwire.lab.live import Ask, LiveRunner
from mpwire.lab.mroute import MakeForwarding, MulticastRouter
from mpwire.lab.pipes import CHUNK_OCTETS, LINE_OCTETS_MAX, LineWriter
from mpwire.lab.plan import Order
from mpwire.lab.runner import Fabric, Runner, ended
from mpwire.lab.vantages import vantages

STATUS: Final = {"failed": 1, "unsupported": 5, "interrupted": 130}
MACHINE_LACKS: Final = 4


async def carry_out(order: Order, output: LineWriter) -> int:
    """Run what was ordered, write the run file, and return the exit status."""
    encode = msgspec.json.Encoder().encode
    plan, folder = order.plan, Path(order.folder)
    writer = RunWriter(folder, vantages(plan))

    def tell(line: AnyTold) -> None:
        output.write(encode(line))

    runner = await _runner(order, writer, tell)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, runner.interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        failure = await runner.run()
        complete(writer, folder, runner.said)
    except MachineError as error:
        with suppress(OSError):  # what could not be written before cannot be now, either
            writer.close()
        broke = isinstance(error, BrokenRunError)
        output.write(encode({"lacks": str(error), "broke": broke}))
        await output.flush()
        return MACHINE_LACKS
    output.write(encode(ended(failure)))
    await output.flush()
    return STATUS[failure.kind] if failure else 0


async def _runner(order: Order, writer: RunWriter, tell: Callable[[AnyTold], None]) -> Runner:
    fabric = _fabric(order)
    known: dict[str, Any] = {"watched": order.watched, "command": order.command}
    if not order.live:
        return Runner(order.plan, fabric, writer, tell, **known)
    return LiveRunner(order.plan, fabric, writer, tell, await _questions(), **known)


async def _questions() -> Ask:
    """Read questions from standard input as they come."""
    reader = asyncio.StreamReader(LINE_OCTETS_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), io.FileIO(0, "rb", closefd=False)
    )

    async def ask() -> AnyQuestion | None:
        line = await reader.readline()
        return msgspec.json.decode(line, type=AnyQuestion) if line else None

    return ask


def _fabric(order: Order) -> Fabric:
    needs = order.plan.needs
    forwarding: MakeForwarding = MulticastRouter
    if SMCROUTE in needs and not smcroute.lacks():
        forwarding = partial(smcroute.SmcrouteRouter, Path(order.folder))
    if order.fabric == "bridge":
        snooping = "snooping" in needs
        faults = order.plan.faults
        if not order.live and emulates(order.plan) and not netem_lacks():
            return BridgeFabric(snooping=snooping, forwarding=forwarding, emulated=faults)
        make = GatedBridgeFabric if order.live or meddles(order.plan) else BridgeFabric
        return make(snooping=snooping, forwarding=forwarding)
    return SwitchFabric(carrier=order.carrier, forwarding=forwarding)


def main() -> int:
    """Read the order and carry it out."""
    order = msgspec.json.decode(read_line(0), type=Order)
    os.set_blocking(1, False)

    async def carried_out() -> int:
        return await carry_out(order, LineWriter(io.FileIO(1, "wb", closefd=False)))

    return asyncio.run(carried_out())


def read_line(descriptor: int) -> bytes:
    """Read one line and nothing behind it, which nobody says before it was answered."""
    octets = bytearray()
    while not octets.endswith(b"\n") and (chunk := os.read(descriptor, CHUNK_OCTETS)):
        octets += chunk
    return bytes(octets)
