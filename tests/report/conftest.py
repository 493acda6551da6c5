"""Let the tests of the reports import the recorder that stands beside them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.report.report_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Return what begins a recording of some hosts; the files are closed at the end."""
    made: list[Stage] = []

    def begin(*hosts: str) -> Stage:
        made.append(Stage(tmp_path, list(hosts)))
        return made[-1]

    yield begin
    for one in made:
        one.writer.close()
