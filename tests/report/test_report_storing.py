"""A verdict beside its packets, where the disk has room for it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpwire.capture import open_run
from mpwire.capture.records import StoredVerdict
from mpwire.report import assess
from mpwire.report.storing import store
from tests.oracle.oracle_story import record
from tests.oracle.oracle_tales import tour


@contextmanager
def files_of_at_most(octets: int) -> Iterator[None]:
    """Let no file grow beyond this, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_verdict_holds_though_it_cannot_be_stored(tmp_path: Path) -> None:
    path = record(tour(), tmp_path)
    assessment = assess(open_run(path))
    with files_of_at_most(100):
        told = store(assessment)
    assert told == "the verdict is not in the run file: File too large"
    assert open_run(path).of(StoredVerdict) == []
    assert store(assessment) == ""
    (stored,) = open_run(path).of(StoredVerdict)
    assert stored.verdict["verdict"] == "PASS"
    assert len(list(tmp_path.iterdir())) == 1
