"""Lose one datagram of a testbed's session and judge what is left of it."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from mpwire.capture import open_run
from mpwire.lab import testbed
from mpwire.lab.launch import launch
from mpwire.lab.plan import Order
from mpwire.oracle import Judgement, judge

HERE = Path(__file__).parent


@dataclass(slots=True)
class Lossy:
    """What came of a session that lost one datagram."""

    judgement: Judgement
    datagram_count: int
    failure: str | None
    """Why the script stopped, if it did."""


def lose(path: Path, number: int, folder: Path) -> Lossy:
    """Run the testbed without its `number`-th datagram and judge the record."""
    folder.mkdir(parents=True, exist_ok=True)
    order = Order(
        plan=testbed.load(path),
        folder=str(folder.absolute()),
        command=(str(number),),
        carrier=None,
        watched=False,
    )
    with launch(msgspec.to_builtins(order), "inner_losses", [str(HERE)]) as lab:
        (line,) = lab.lines()
        lab.wait()
    failure = line["failure"]
    said = None if failure is None else str(failure)
    return Lossy(judge(open_run(folder)), int(str(line["count"])), said)
