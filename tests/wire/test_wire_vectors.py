"""Hold codec, Scapy layers and an independent decoder to datagrams assembled by hand."""

import ast
import json
import runpy
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from mpwire.wire.bridge import message_from_packet, packet_from_message
from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.messages import Message, Nack, VersionNeg
from mpwire.wire.numbers import MessageType, TlvType
from mpwire.wire.strict import dissect_strict
from mpwire.wire.tables import MESSAGE_FORMATS, TLV_FORMATS

HERE = Path(__file__).parent
INDEPENDENT = HERE / "independent_decoder.py"
TAGS = {"session_id", "destination_tag", "init_tag", "resp_tag", "member_tag", "group_tag", "nonce"}


class Vector(NamedTuple):
    """One datagram and what it means."""

    name: str
    data: bytes
    meaning: dict[str, Any]


def read_vectors() -> list[Vector]:
    """Read the data file."""
    vectors, name, octets = [], "", ""
    for line in (HERE / "vectors.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name, octets = line[1 : line.index("]")], ""
        elif line.startswith("=>"):
            vectors.append(Vector(name, bytes.fromhex(octets), json.loads(line[2:])))
        elif line and not line.startswith("#"):
            octets += line.partition("|")[0]
    return vectors


VECTORS = read_vectors()
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[one.name for one in VECTORS])


def plain(value: object, name: str = "") -> object:
    """Reduce an attribute to what the independent decoder returns."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, msgspec.Struct):
        return [plain(getattr(value, one), one) for one in value.__struct_fields__]
    return f"{value:x}" if name in TAGS else value


def flatten(message: Message) -> dict[str, object]:
    """Return a message as the independent decoder would, TLVs by name."""
    fmt = MESSAGE_FORMATS[message.TYPE]
    flat: dict[str, object] = {"version": int(message.TYPE != 0), "type": message.TYPE}
    names = ["flags", "attempt", "session_id", "destination_tag", "seq", "sender_id"]
    names += [name for name in fmt.body.names if name != "count"]
    flat |= {name: plain(getattr(message, name), name) for name in names}
    if isinstance(message, VersionNeg):
        return {**flat, "versions": list(message.versions)}
    if isinstance(message, Nack):
        flat["count"] = len(message.ranges)
    tlvs = {code: value.hex() for code, value in message.extra}
    known = [TLV_FORMATS[code].attribute for code in sorted(fmt.allowed)]
    present = [name for name in known if getattr(message, name) is not None]
    return {**flat, "tlvs": tlvs | {name: plain(getattr(message, name)) for name in present}}


def by_name(meaning: dict[str, Any]) -> dict[str, Any]:
    """Forget the order of TLVs: a message does not keep it, the encoding fixes it."""
    return {**meaning, "tlvs": dict(meaning["tlvs"])} if "tlvs" in meaning else meaning


def test_independent_decoder_shares_nothing_with_the_package() -> None:
    text = INDEPENDENT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
    assert [alias.name for node in imports for alias in node.names] == ["struct"]
    assert "ImportFrom" not in ast.dump(ast.parse(text))


@each_vector
def test_independent_decoder_reads_the_vector(vector: Vector) -> None:
    decode = runpy.run_path(str(INDEPENDENT))["decode"]
    assert decode(vector.data) == vector.meaning


@each_vector
def test_codec_reads_and_writes_the_vector(vector: Vector) -> None:
    message = decode_untrusted(vector.data)
    assert flatten(message) == by_name(vector.meaning)
    assert encode(message) == vector.data


@each_vector
def test_scapy_reads_and_writes_the_vector(vector: Vector) -> None:
    message = message_from_packet(dissect_strict(vector.data))
    assert flatten(message) == by_name(vector.meaning)
    assert bytes(packet_from_message(message)) == vector.data


def test_every_type_and_every_tlv_has_a_vector() -> None:
    assert {vector.meaning["type"] for vector in VECTORS} == set(MessageType)
    seen = {name for vector in VECTORS for name, _ in vector.meaning.get("tlvs", [])}
    assert {TLV_FORMATS[code].attribute for code in TlvType} <= seen
    assert any(isinstance(name, int) for name in seen), "an unknown TLV"
