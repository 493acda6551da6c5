"""The published JSON Schema of the contract, and what of a line does not fit it.

Only the words that the schema uses are understood; a test holds the answers against those of a
full validator, so that `mpwire agent-check` needs none.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

SCHEMA: Final[Mapping[str, Any]] = json.loads(
    files(__package__).joinpath("agent-schema.json").read_text("utf-8")
)
CALLS: Final[Mapping[str, Any]] = SCHEMA["calls"]
"""Schema of the arguments, by call."""
RESULTS: Final[Mapping[str, Any]] = SCHEMA["results"]
"""Schema of the result, by call."""
KINDS: Final = ("hello", "result", "error", "unsupported", "invalid", "event", "ask")
"""The member that tells which line from the agent it is."""
UNDERSTOOD: Final = frozenset(
    {
        *("$ref", "title", "description", "default", "anyOf", "oneOf", "type", "enum"),
        *("properties", "required", "additionalProperties"),
        *("items", "prefixItems", "minItems", "maxItems"),
    }
)
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def line_problem(line: object) -> str | None:
    """Say what is wrong with a line from the agent; None if nothing is."""
    if not isinstance(line, dict):
        return f"expected an object, found {shown(line)}"
    kinds = [kind for kind in KINDS if kind in line]
    if len(kinds) != 1:
        told = " and ".join(kinds) or "none"
        return f"expected one of {', '.join(KINDS)}, found {told}"
    return problem(line, {"$ref": f"#/$defs/{kinds[0].capitalize()}Line"})


def result_problem(call: str, result: object) -> str | None:
    """Say what is wrong with the result of a call; None if nothing is, or nobody knows it."""
    return problem(result, RESULTS[call], "result") if call in RESULTS else None


def problem(value: object, schema: object, where: str = "") -> str | None:
    """Say what of a value does not fit a schema, and where in it; None if it fits."""
    if isinstance(schema, bool):
        return None if schema else f"{where or 'line'}: expected nothing, found {shown(value)}"
    assert isinstance(schema, dict)
    assert schema.keys() <= UNDERSTOOD, f"nobody reads {schema.keys() - UNDERSTOOD}"
    if "$ref" in schema:
        return problem(value, _definition(schema["$ref"]), where)
    either = schema.get("anyOf") or schema.get("oneOf")
    if either is not None:
        found = [problem(value, one, where) for one in either]
        return None if None in found else f"{where or 'line'}: found {shown(value)}"
    expected = schema.get("type")
    if expected is not None and not _is(value, expected):
        return f"{where or 'line'}: expected {expected}, found {shown(value)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where or 'line'}: expected one of {schema['enum']}, found {shown(value)}"
    if isinstance(value, dict):
        return _object_problem(value, schema, where)
    return _array_problem(value, schema, where) if isinstance(value, list) else None


def _definition(reference: str) -> object:
    found: Any = SCHEMA
    for word in reference.removeprefix("#/").split("/"):
        found = found[word]
    return found


def _is(value: object, expected: str) -> bool:
    if isinstance(value, bool):
        return expected == "boolean"
    if expected == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[expected])


def _object_problem(
    value: Mapping[str, object], schema: Mapping[str, Any], where: str
) -> str | None:
    known = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{where or 'line'}: found no {', '.join(missing)}"
    for name, member in value.items():
        inner = known.get(name, schema.get("additionalProperties", True))
        found = problem(member, inner, f"{where}.{name}" if where else name)
        if found is not None:
            return found
    return None


def _array_problem(value: Sequence[object], schema: Mapping[str, Any], where: str) -> str | None:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        return f"{where or 'line'}: expected {least} to {most} elements, found {len(value)}"
    first = schema.get("prefixItems", [])
    for index, member in enumerate(value):
        inner = first[index] if index < len(first) else schema.get("items", True)
        found = problem(member, inner, f"{where}[{index}]")
        if found is not None:
            return found
    return None


def shown(value: object) -> str:
    """Write a value short enough for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def least(call: str) -> dict[str, object]:
    """Make the fewest arguments that a call takes, about a socket that nobody has."""
    schema = resolved(CALLS[call])
    return {name: _least(name, schema["properties"][name]) for name in required(call)}


def required(call: str) -> Sequence[str]:
    """List the arguments that a call has to be given; none of a call that nobody knows."""
    found: Sequence[str] = resolved(CALLS[call]).get("required", []) if call in CALLS else []
    return found


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to what it stands for."""
    while "$ref" in schema:
        schema = _definition(schema["$ref"])  # type: ignore[assignment] # definitions are objects
    return schema


def _least(name: str, schema: Mapping[str, Any]) -> object:
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "prefixItems" in schema:
        return ["127.0.0.1", 9]
    if name == "socket":
        return NOBODYS_SOCKET
    return {"string": "", "array": [], "integer": 1, "number": 0, "boolean": False}[schema["type"]]


NOBODYS_SOCKET: Final = 999_999_999
"""A descriptor that no agent has handed out."""
