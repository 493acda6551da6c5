"""The reader of the published schema agrees with a full validator, and says where."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.io.schema import schema as made
from mpwire.lab.contract import schema

HOME = Path(__file__).parents[3]
FULL = jsonschema.Draft202012Validator(dict(schema.SCHEMA))
FROM_AGENT = jsonschema.Draft202012Validator(
    {**schema.SCHEMA["oneOf"][1], "$defs": schema.SCHEMA["$defs"]}
)
WORDS = ("hello", "id", "result", "error", "unsupported", "invalid", "event", "socket", "code",
         "seq", "ask", "call", "condition", "name", "contract", "calls", "version")  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(2.0) | st.just(1.5)
    | st.sampled_from(["FD_READ", "x", "barrier"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def test_the_shipped_schema_is_the_published_one_and_that_of_the_calls() -> None:
    published = (HOME / "docs" / "agent-schema.json").read_text("utf-8")
    shipped = (HOME / "mpwire" / "lab" / "contract" / "agent-schema.json").read_text("utf-8")
    assert shipped == published
    assert json.loads(shipped) == made()


RIGHT: list[dict[str, Any]] = [
    {"hello": {"contract": 1, "name": "x", "version": "1", "calls": ["exit"], "more": 1}},
    {"id": 7, "result": {}},
    {"id": 7, "error": {"code": 10061, "name": "WSAECONNREFUSED"}},
    {"id": 7, "unsupported": "x"},
    {"id": None, "invalid": "why"},
    {"event": "FD_CONNECT", "socket": 1, "code": 0, "seq": 12},
    {
        "ask": 3,
        "call": 7,
        "condition": {
            "address": ["10.0.0.1", 1],
            "local": ["10.0.0.2", 2],
            "caller_data": None,
            "callee_capacity": 0,
        },
    },
]


@pytest.mark.parametrize("line", RIGHT, ids=lambda line: next(iter(line)))
def test_right_lines_fit_and_lines_without_a_member_do_not(line: dict[str, Any]) -> None:
    assert schema.line_problem(line) is None
    FROM_AGENT.validate(line)
    for name in line:
        rest = {key: value for key, value in line.items() if key != name}
        assert schema.line_problem(rest) is not None, name


@given(values, st.sampled_from(["hello", "error", "event", "ask", "invalid", "result"]))
def test_lines_are_judged_as_a_full_validator_does(value: Any, kind: str) -> None:  # noqa: ANN401
    definition = {"$ref": f"#/$defs/{kind.capitalize()}Line"}
    full = jsonschema.Draft202012Validator({**definition, "$defs": schema.SCHEMA["$defs"]})
    assert (schema.problem(value, definition) is None) == full.is_valid(value)
    nested = {**RIGHT[0], "id": 1, "socket": 1, "code": 0, "seq": 1, kind: value}
    assert (schema.problem(nested, definition) is None) == full.is_valid(nested)


@given(values, st.sampled_from(sorted(schema.RESULTS)))
def test_results_are_judged_as_a_full_validator_does(value: Any, call: str) -> None:  # noqa: ANN401
    full = jsonschema.Draft202012Validator(
        {**schema.RESULTS[call], "$defs": schema.SCHEMA["$defs"]}
    )
    assert (schema.result_problem(call, value) is None) == full.is_valid(value)


@pytest.mark.parametrize("call", schema.CALLS)
def test_the_fewest_arguments_of_a_call_fit(call: str) -> None:
    full = jsonschema.Draft202012Validator({**schema.CALLS[call], "$defs": schema.SCHEMA["$defs"]})
    full.validate(schema.least(call))


def test_a_problem_says_where_and_what() -> None:
    line = {"id": 1, "error": {"code": "x", "name": "y"}}
    assert schema.line_problem(line) == 'error.code: expected integer, found "x"'
    assert schema.line_problem([1]) == "expected an object, found [1]"
    assert "found event and ask" in str(schema.line_problem({"event": 1, "ask": 2}))
    assert schema.result_problem("getsockname", {"address": ["x"]}) == (
        "result.address: expected 2 to 2 elements, found 1"
    )
    assert schema.result_problem("nobody", 7) is None
    with pytest.raises(AssertionError, match="nobody reads"):
        schema.problem(1, {"minimum": 2})


def test_the_schema_uses_no_more_words_than_are_read() -> None:
    FULL.check_schema(dict(schema.SCHEMA))

    def words(part: object, *, names: bool = False) -> set[str]:
        if isinstance(part, list):
            return set().union(*(words(one) for one in part)) if part else set()
        if not isinstance(part, dict):
            return set()
        inner = [words(value, names=key in ("properties", "$defs") and not names)
                 for key, value in part.items()]  # fmt: skip
        own = set() if names else set(part)
        return own.union(*inner)

    for part in (schema.SCHEMA["$defs"], schema.CALLS, schema.RESULTS):
        assert words(part, names=True) - {"enum"} <= schema.UNDERSTOOD
