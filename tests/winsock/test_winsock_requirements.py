"""Every requirement of the paths that are built is shown by a test that names it."""

import re
from pathlib import Path

SHOWN = re.compile(r"pytest\.mark\.w\(([\d, ]+)\)")
REQUIRED = {*range(20, 52), *range(66, 70), *range(86, 99)}
NOT_BUILT = {
    96: "FD_QOS, FD_ROUTING_INTERFACE_CHANGE and FD_ADDRESS_LIST_CHANGE",
}
"""Requirements that no test can show, because the call or the event does not exist here."""


def test_every_requirement_is_shown() -> None:
    shown = {
        int(number)
        for file in Path(__file__).parent.glob("test_*.py")
        for numbers in SHOWN.findall(file.read_text(encoding="utf-8"))
        for number in numbers.split(",")
    }
    assert REQUIRED - shown == set(NOT_BUILT)
