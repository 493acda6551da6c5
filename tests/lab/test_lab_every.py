"""Which messages a session has, and one fault for each."""

import pytest

from mpwire.capture import open_run
from mpwire.capture.runfile import RunFile
from mpwire.lab.every import Sent, cases, messages, met, sampled
from mpwire.lab.testbed import read_fault
from tests.oracle.oracle_story import record
from tests.oracle.oracle_tales import tour

FIRST = Sent("root", "leaf1", "ACCEPT", 1)
SECOND = Sent("leaf1", "root", "DATA", 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFile:
    return open_run(record(tour(), tmp_path_factory.mktemp("story")))


@pytest.mark.parametrize(
    ("ordinal", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")],
)
def test_a_message_is_named_as_faults_name_it(ordinal: int, said: str) -> None:
    sent = Sent("root", "leaf1", "DATA_ACK", ordinal)
    assert str(sent) == f"the {said} DATA_ACK from root to leaf1"
    assert read_fault(f"drop {sent}", ["root", "leaf1"]).text == f"drop {sent}"


def test_messages_are_listed_once_per_receiver_in_order(run: RunFile) -> None:
    found = messages(run)
    assert str(found[0]).startswith("the 1st JOIN_REQ from ")
    assert len(set(found)) == len(found) > 20
    for one in found:
        same = [o.ordinal for o in found if o.message == one.message]
        assert min(same) == 1
    links = {(one.sender, one.receiver, one.message) for one in found}
    for link in links:
        numbers = [o.ordinal for o in found if (o.sender, o.receiver, o.message) == link]
        assert numbers == list(range(1, len(numbers) + 1))


def test_every_kind_has_its_cases() -> None:
    sent = [FIRST, SECOND]
    assert cases("drop", sent) == [(f"drop {FIRST}",), (f"drop {SECOND}",)]
    assert cases("drop-pair", sent) == [(f"drop {FIRST}", f"drop {SECOND}")]
    assert cases("dup", sent)[0] == (f"duplicate {FIRST}",)
    assert cases("reorder", sent)[1] == (f"reorder {SECOND}",)
    assert cases("kill-after", [FIRST]) == [
        (f"kill leaf1 after {FIRST}",),
        (f"kill root after {FIRST}",),
    ]
    for kind in ("drop", "drop-pair", "dup", "reorder", "kill-after"):
        for faults in cases(kind, sent):
            assert [read_fault(one, ["root", "leaf1"]).text for one in faults] == list(faults)


def test_a_sample_is_drawn_with_the_seed_and_keeps_the_order() -> None:
    everything = [(str(number),) for number in range(100)]
    some = sampled(everything, 10, 1)
    assert len(some) == 10
    assert some == sorted(some, key=lambda one: int(one[0]))
    assert some == sampled(everything, 10, 1)
    assert some != sampled(everything, 10, 2)
    assert sampled(everything, None, 1) == sampled(everything, 100, 1) == everything
    assert sampled(everything, 10, None) == sampled(everything, 10, 0)


def test_a_fault_that_found_nothing_has_met_nothing(run: RunFile) -> None:
    assert met(run, [])
    assert not met(run, ["drop the 9th ACCEPT from root to leaf1"])
