"""What a fabric recorded, as a lab of the tests tells it: a tape of frames and records."""

from collections.abc import Sequence
from typing import Any


def frames(tape: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in tape if "direction" in entry]


def records(tape: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in tape if entry.get("kind") == kind]


def assert_sentinels(tape: list[dict[str, Any]], hosts: Sequence[str]) -> None:
    """See that an echo went into each host's stack and came out again, at both ends of a run."""
    sentinels = records(tape, "sentinel")
    assert [(one["host"], one["stage"]) for one in sentinels] == [
        (host, stage) for stage in ("start", "end") for host in hosts
    ]
    by_number = {frame["number"]: frame for frame in frames(tape)}
    for one in sentinels:
        request, reply = by_number[one["request"]], by_number[one["reply"]]
        assert (request["host"], request["direction"]) == (one["host"], "in")
        assert (reply["host"], reply["direction"]) == (one["host"], "out")
        assert request["data"][-16:] == reply["data"][-16:]
