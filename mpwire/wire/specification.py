"""Write the tables and diagrams of docs/protocol.md from the layers and the registries.

    python -m mpwire.wire.specification [--check] [FILE]

In the document, whatever stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced
by the fragment of that name; markers of other names are left alone, so that other parts of mpwire
can fill theirs through `replace_fragments`.
"""

import ast
import re
import sys
from collections.abc import Mapping
from enum import IntFlag
from inspect import cleandoc, getsource
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from mpwire.wire import numbers, registries
from mpwire.wire.introspect import body_fields, body_tlvs, record_fields, tlv_kind
from mpwire.wire.layer_base import MPW, Body, CountField, ReservedField, Tlv
from mpwire.wire.layers import MESSAGE_LAYERS, TLV_LAYERS
from mpwire.wire.numbers import MANDATORY_BIT, MessageType

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
FRAGMENT = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
CONSTANTS = (
    "MAGIC",
    "VERSION",
    "DEFAULT_PORT",
    "HEADER_OCTETS",
    "MAX_DATAGRAM_OCTETS",
    "MAX_PAYLOAD_OCTETS",
    "MIN_PAYLOAD_OCTETS",
    "JOIN_REQ_MIN_OCTETS",
    "MAX_TLV_COUNT",
    "HIGHEST_MEMBER_ID",
)


def replace_fragments(document: str, fragments: Mapping[str, str]) -> str:
    """Return the document with the text between the markers of these fragments replaced.

    Raises: KeyError if the document has no markers for one of them.
    """
    found = {match[2] for match in FRAGMENT.finditer(document)}
    missing = sorted(set(fragments) - found)
    if missing:
        raise KeyError(f"no markers for {', '.join(missing)}")

    def replaced(match: re.Match[str]) -> str:
        text = fragments.get(match[2])
        return match[0] if text is None else f"{match[1]}\n{text.strip()}\n\n{match[3]}"

    return FRAGMENT.sub(replaced, document)


def wire_fragments() -> dict[str, str]:
    """Return every fragment that follows from the layers and registries, by name."""
    return {
        "wire constants": _constants(),
        "wire header": _diagram(MPW),
        "wire messages": _message_table(),
        "wire bodies": "\n\n".join(_message_section(layer) for layer in MESSAGE_LAYERS.values()),
        "wire tlvs": _tlv_table(),
        "wire tlv values": "\n\n".join(_tlv_section(layer) for layer in _diagrammed_tlvs()),
        "wire registries": _registries(),
    }


def _member_sentences(module: ModuleType) -> dict[str, dict[str, str]]:
    """Map class and member names to the sentences under the members, from the source."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = _sentences(node.body)
    return found


def _sentences(body: list[ast.stmt]) -> dict[str, str]:
    """Map assigned names to the string that stands under each."""
    found = {}
    for statement, following in pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            text = ast.literal_eval(following.value)
            found[ast.unparse(statement.targets[0])] = " ".join(text.split())
    return found


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _constants() -> str:
    sentences = _sentences(ast.parse(getsource(numbers)).body)
    rows = []
    for name in CONSTANTS:
        value = int(getattr(numbers, name))
        shown = f"0x{value:X}" if name in {"MAGIC", "HIGHEST_MEMBER_ID"} else str(value)
        rows.append([name, shown, sentences[name]])
    return _table(["name", "value", "meaning"], rows)


def _diagram(layer: type[Any]) -> str:
    """Return the octet diagram of a layer's docstring, fenced."""
    lines = cleandoc(str(layer.__doc__)).split("```")
    if len(lines) < 3:
        return ""
    return "```\n" + lines[1].strip("\n") + "\n```"


def _summary(layer: type[Any]) -> str:
    """Return what the docstring says before and after the diagram, without the name."""
    parts = cleandoc(str(layer.__doc__)).split("```")
    first, _, rest = parts[0].partition("\n")
    sentence = first.partition(": ")[2]
    text = " ".join([sentence, *rest.split(), *("".join(parts[2:]).split())])
    return text[0].upper() + text[1:]


def _tlv_names(codes: tuple[Any, ...]) -> str:
    return ", ".join(TLV_LAYERS[code].tlv_type.name for code in sorted(codes))


def _body_octets(layer: type[Body]) -> str:
    octets = sum(int(field.sz) for field in body_fields(layer))
    return f"{octets} + versions" if layer.message_type is MessageType.VERSION_NEG else str(octets)


def _message_table() -> str:
    sentences = _member_sentences(numbers)["MessageType"]
    rows = []
    for code, layer in MESSAGE_LAYERS.items():
        name = layer.message_type.name
        class_name = layer.message_class.name.lower()
        row = [f"0x{code:02X}", name, class_name, layer.direction, _body_octets(layer)]
        rows.append([*row, sentences[name]])
    return _table(["code", "name", "class", "direction", "body octets", "meaning"], rows)


def _message_section(layer: type[Body]) -> str:
    name = layer.message_type.name
    parts = [f"#### 0x{int(layer.message_type):02X} {name}", _summary(layer)]
    parts += [_diagram(layer), _field_rules(body_fields(layer)), _tlv_rules(layer)]
    return "\n\n".join(part for part in parts if part)


def _field_rules(fields: list[Any]) -> str:
    """Return one line for each field whose values are limited."""
    lines = []
    for field in fields:
        domain = getattr(field, "domain", None)
        if isinstance(field, CountField):
            lines.append(f"- `{field.name}`: number of elements of `{field.count_of}` (R11)")
        elif domain is not None and field.name != "flags":
            lines.append(f"- `{field.name}`: {domain.expected} ({domain.rule})")
    return "\n".join(lines)


def _tlv_rules(layer: type[Body]) -> str:
    if layer.message_type is MessageType.VERSION_NEG:
        return ""
    parts = []
    if layer.required:
        parts.append(f"required {_tlv_names(layer.required)}")
    if layer.either:
        parts.append(f"exactly one of {_tlv_names(layer.either)}")
    optional = [tlv.tlv_type for tlv in body_tlvs(layer) if tlv.tlv_type in layer.optional]
    parts.append(f"optional {_tlv_names((*optional, numbers.TlvType.AUTH))}")
    return f"TLVs (R10): {'; '.join(parts)}."


def _lengths(layer: type[Tlv]) -> str:
    if layer.allowed_octets:
        return ", ".join(map(str, layer.allowed_octets))
    low, high = layer.lowest_octets, layer.highest_octets
    if low == high:
        return str(low)
    text = f"{low} to {'what fits' if high == 0xFFFF else high}"
    if tlv_kind(layer) in {"records", "numbers"}:
        item = sum(int(getattr(one, "field", one).sz) for one in record_fields(layer))
        text += f", in steps of {item}" if item > 1 else ""
    return text


def _places(layer: type[Tlv]) -> str:
    """Name the messages a TLV may be in; required ones in bold."""
    if layer.tlv_type is numbers.TlvType.AUTH:
        return "all but VERSION_NEG"
    names = []
    for body in MESSAGE_LAYERS.values():
        if layer.tlv_type in (*body.required, *body.either):
            names.append(f"**{body.message_type.name}**")
        elif layer.tlv_type in body.optional:
            names.append(body.message_type.name)
    return ", ".join(names)


def _tlv_table() -> str:
    rows = []
    for code, layer in TLV_LAYERS.items():
        mandatory = "yes" if code & MANDATORY_BIT else ""
        row = [f"0x{code:04X}", layer.tlv_type.name, mandatory, _lengths(layer)]
        rows.append([*row, _summary(layer), _places(layer)])
    return _table(["type", "name", "mandatory", "Length", "value", "where"], rows)


def _diagrammed_tlvs() -> list[type[Tlv]]:
    return [layer for layer in TLV_LAYERS.values() if _diagram(layer) or _field_rules_of(layer)]


def _field_rules_of(layer: type[Tlv]) -> str:
    fields = record_fields(layer)
    return _field_rules([one for one in fields if not isinstance(one, ReservedField)])


def _tlv_section(layer: type[Tlv]) -> str:
    parts = [f"#### 0x{int(layer.tlv_type):04X} {layer.tlv_type.name}"]
    parts += [_diagram(layer), _field_rules_of(layer)]
    return "\n\n".join(part for part in parts if part)


def _registries() -> str:
    """Return a table for every enumeration of the header's and the fields' values."""
    sections = []
    for module in (numbers, registries):
        for name, members in _member_sentences(module).items():
            if name in {"MessageType", "TlvType", "MessageClass"}:
                continue
            enumeration = getattr(module, name)
            rows = [
                [_code(enumeration[member]), member, sentence]
                for member, sentence in members.items()
            ]
            title = cleandoc(str(enumeration.__doc__)).rstrip(".")
            sections.append(f"**{title}**\n\n" + _table(["value", "name", "meaning"], rows))
    return "\n\n".join(sections)


def _code(member: int) -> str:
    return f"0x{int(member):02X}" if isinstance(member, IntFlag) else str(int(member))


def main(arguments: list[str]) -> int:
    """Write the document's fragments, or compare them.

    Returns: 0 if they are (now) what the code says, else 1.
    """
    files = [Path(one) for one in arguments if not one.startswith("-")]
    path = files[0] if files else DOCUMENT
    text = path.read_text(encoding="utf-8")
    wanted = replace_fragments(text, wire_fragments())
    if wanted == text:
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{path.name} does not follow from the code\n")
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
