"""A process that carries out orders in the simulation, one after the other, as a lab does.

A program that wants the simulation out of its own process, and many of them in a row without
paying for imports each time, keeps one of these: see `child`.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mpwire.capture import RunWriter
from mpwire.errors import BrokenRunError, MachineError
from mpwire.lab.completion import complete
from mpwire.lab.dialogue import AnyQuestion, AnyTold
from mpwire.lab.live import LiveRunner
from mpwire.lab.plan import Order
from mpwire.lab.runner import Runner, ended
from mpwire.lab.vantages import vantages
from mpwire.sim.fabric import SimFabric
from mpwire.sim.loop import VirtualLoop


def carry_out(order: Order) -> None:
    """Carry out one order; its progress goes to standard output, the last line ends it.

    Raises:
        BrokenRunError: it could not be recorded.
    """
    plan, folder, loop = order.plan, Path(order.folder), VirtualLoop()
    writer = RunWriter(folder, vantages(plan))
    fabric = SimFabric(loop)
    if order.live:
        runner: Runner = LiveRunner(
            plan, fabric, writer, tell, ask, watched=order.watched, command=order.command
        )
    else:
        runner = Runner(plan, fabric, writer, tell, watched=order.watched, command=order.command)
    try:
        failure = loop.run_until_complete(runner.run())
        complete(writer, folder, runner.said)
    finally:
        loop.close()
        with suppress(OSError):  # what could not be written before cannot be now, either
            writer.close()
    tell(ended(failure))


def tell(line: AnyTold | Mapping[str, object]) -> None:
    """Say one line."""
    unwritten = msgspec.json.encode(line) + b"\n"
    while unwritten:
        unwritten = unwritten[os.write(1, unwritten) :]


async def ask() -> AnyQuestion | None:
    """Wait for a question: virtual time stands still until it comes."""
    line = sys.stdin.buffer.readline()
    return msgspec.json.decode(line, type=AnyQuestion) if line else None


def main() -> int:
    """Carry out orders until nobody gives any more."""
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            carry_out(msgspec.json.decode(line, type=Order))
        except MachineError as error:
            tell({"lacks": str(error), "broke": isinstance(error, BrokenRunError)})
    return 0
