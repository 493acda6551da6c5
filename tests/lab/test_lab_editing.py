"""What editors know of sentences."""

import re

import pytest

from mpwire.lab import faults
from mpwire.lab.editing import pattern, sentence_schema
from mpwire.lab.forms import Form
from mpwire.lab.grammar import EXPECTATIONS, FORMS

EVERY = (*FORMS, *EXPECTATIONS, *faults.FORMS)
WRONG = (
    "root opens R c_root/d_root",
    "root open R as c_root/d_root",
    "root opens R as c_root/d_root of protocol",
    'root sends hello" on R',
    "R sees FD_CLOSE FD_READ FD_WRITE",
    "R sees FD_CLOSE,",
    "leaf1 joins R with L1 with room for 3 octet",
    "everything settles down",
    "",
)
RIGHT = (
    "root  opens R as c_root/d_root over inet6 on port 4000",
    'leaf1 joins R with L1 with caller data "a \\" b" for sending only',
    "R sees FD_CLOSE WSAECONNRESET, FD_READ , FD_WRITE",
    "root selects all events on R without reports",
)


@pytest.mark.parametrize("form", EVERY, ids=lambda form: form.sentence)
def test_the_example_of_a_form_fits_its_pattern(form: Form) -> None:
    assert re.fullmatch(pattern(form), form.example)


def test_wrong_words_do_not_fit_and_right_ones_do() -> None:
    schema = sentence_schema(FORMS, "A step.")
    assert [one for one in WRONG if re.search(schema["pattern"], one)] == []
    assert [one for one in RIGHT if not re.search(schema["pattern"], one)] == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("hold every CLOSE for 300 ms from leaf1", True),
        ("hold every CLOSE from leaf1 for 20 to 30 ms with R", True),
        ("hold every CLOSE from leaf1", False),
        ("drop 5 % of messages", True),
        ("drop 5% of messages", True),
        ("drop 5 of messages", False),
        ("send at most 64 kbit/s from root", True),
        ("send at most 64 bit/s from root", False),
    ],
)
def test_parts_that_must_be_there_are_asked_for(text: str, fits: bool) -> None:
    schema = sentence_schema(faults.FORMS, "A fault.")
    assert bool(re.search(schema["pattern"], text)) is fits


def test_editors_are_offered_every_sentence() -> None:
    offered = sentence_schema(FORMS, "A step.")["defaultSnippets"]
    assert [one["label"] for one in offered] == [form.sentence for form in FORMS]
    assert {one["body"] for one in offered} == {form.example for form in FORMS}
