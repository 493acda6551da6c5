"""The record that a run file begins with, of which most tests care for a field or two."""

from collections.abc import Sequence

from mpwire.capture.records import Host, Router, Run


def run_record(
    hosts: Sequence[Host] = (),
    *,
    fabric: str = "switch",
    carrier: str = "tap",
    decided_by: str = "",
    started_ns: int = 0,
    routers: Sequence[Router] = (),
) -> Run:
    """Begin a run of some program, called without a word, that drew no seed."""
    return Run(
        version="0",
        command=[],
        started_ns=started_ns,
        seed=None,
        fabric=fabric,
        carrier=carrier,
        decided_by=decided_by,
        contract=1,
        hosts=[*hosts],
        routers=[*routers],
    )
