"""Make Scapy as strict as the codec: a gate that tells what Scapy lets pass.

Scapy's dissection is lenient on purpose: what does not fit becomes Raw or Padding, short and long
Lengths are taken, reserved bits and numbers out of range are values like any other. The gate
accepts a datagram only if nothing of that happened and if rebuilding it from its fields alone
gives the same octets. It reads what is admitted from the layers themselves, not from the codec's
tables, so that the two are independent readers of one declaration; a property test holds them
together on every valid message and on mutations.
"""

from collections.abc import Iterator
from typing import Any

from scapy.packet import NoPayload

from mpwire.errors import RemoteProtocolError
from mpwire.wire.layer_base import MPW, Body, Layer, OpaqueField, ReservedField, Tlv
from mpwire.wire.layers import TLV_LAYERS
from mpwire.wire.layers_tlv import MPWUnknownTlv
from mpwire.wire.numbers import (
    HEADER_OCTETS,
    HIGHEST_MEMBER_ID,
    JOIN_REQ_MIN_OCTETS,
    MAGIC,
    MAX_TLV_COUNT,
    VERSION,
    VERSION_NEG_VERSION,
    AddressFamily,
    HeaderFlag,
    MessageType,
    TlvType,
)


class StrictError(RemoteProtocolError):
    """Scapy dissected the datagram, but it is no valid message."""


def dissect_strict(data: bytes) -> MPW:
    """Dissect one datagram with Scapy and refuse whatever the specification refuses.

    Raises: StrictError with the reason.
    """
    _require(len(data) >= HEADER_OCTETS, "too short for the common header")
    packet = MPW(data)
    _check_shape(packet)
    _check_header(packet, len(data))
    for layer in _all_layers(packet):
        _check_domains(layer)
    _check_tlvs(packet)
    _require(canonical_octets(data) == data, "rebuilding from the fields gives other octets")
    return packet


def canonical_octets(data: bytes) -> bytes:
    """Rebuild a datagram with every computed field computed anew."""
    packet = MPW(data)
    packet.clear_cache()
    for layer in _all_layers(packet):
        for name in layer.computed:
            layer.setfieldval(name, None)
    return bytes(packet)


def _require(condition: object, reason: str) -> None:
    if not condition:
        raise StrictError(reason)


def _tlvs(packet: MPW) -> list[Any]:
    body = packet.payload
    return [] if body.message_type is MessageType.VERSION_NEG else body.tlvs


def _records(layer: Any) -> Iterator[Any]:  # noqa: ANN401 - Scapy's fields are untyped
    """Yield the records inside a TLV."""
    for field in layer.fields_desc:
        if field.islist and field.holds_packets:
            yield from layer.getfieldval(field.name)


def _all_layers(packet: MPW) -> Iterator[Any]:
    yield packet
    yield packet.payload
    for tlv in _tlvs(packet):
        yield tlv
        yield from _records(tlv)


def _check_shape(packet: MPW) -> None:
    """Refuse Raw and Padding anywhere."""
    body = packet.payload
    _require(isinstance(body, Body), "the type is not assigned, or its body did not fit")
    _require(isinstance(body.payload, NoPayload), f"{body.payload.name} after the TLVs")
    for tlv in _tlvs(packet):
        _require(isinstance(tlv, Layer), f"{tlv.name} among the TLVs")
        for record in _records(tlv):
            _require(isinstance(record, Layer), f"{record.name} among records")


def _check_header(packet: MPW, octets: int) -> None:
    negotiation = packet.type == MessageType.VERSION_NEG
    _require(packet.magic == MAGIC, "magic")
    _require(packet.version == (VERSION_NEG_VERSION if negotiation else VERSION), "version")
    has_auth = any(tlv.type == TlvType.AUTH for tlv in _tlvs(packet))
    _require(bool(int(packet.flags) & HeaderFlag.A) == has_auth, "flag A")
    _require(packet.sender_id <= HIGHEST_MEMBER_ID, "sender")
    if packet.type == MessageType.JOIN_REQ:
        _require(packet.destination_tag == 0, "a join request has no destination tag")
        _require(octets >= JOIN_REQ_MIN_OCTETS, "a join request is at least 128 octets")
    elif packet.type != MessageType.CANCEL:
        _require(packet.destination_tag, "destination tag is 0")
    if negotiation:
        _require(1 <= packet.payload.count <= 16, "count of versions")


def _check_domains(layer: Any) -> None:  # noqa: ANN401 - Scapy's fields are untyped
    for field in layer.fields_desc:
        value = layer.getfieldval(field.name)
        domain = getattr(field, "domain", None)
        if domain is not None:
            _require(domain.admits(int(value)), f"{field.name} is not {domain.expected}")
        if isinstance(field, ReservedField):
            _require(value == 0, f"{field.name} is not zero")


def _rank(tlv: Any) -> int:  # noqa: ANN401 - Scapy's fields are untyped
    """Order PAD and AUTH behind every other type."""
    return {TlvType.PAD: 0x10000, TlvType.AUTH: 0x10001}.get(tlv.type, int(tlv.type))


def _check_tlvs(packet: MPW) -> None:
    body, tlvs = packet.payload, _tlvs(packet)
    ranks = [_rank(tlv) for tlv in tlvs]
    _require(len(tlvs) <= MAX_TLV_COUNT, "too many TLVs")
    _require(ranks == sorted(set(ranks)), "TLVs do not ascend, or one is there twice")
    present = {int(tlv.type) for tlv in tlvs if not isinstance(tlv, MPWUnknownTlv)}
    allowed = {*body.required, *body.either, *body.optional, TlvType.AUTH}
    _require(present <= allowed, "a TLV that may not be here")
    _require(present >= set(body.required), "a required TLV is missing")
    if body.either:
        _require(len(present & set(body.either)) == 1, "exactly one of several TLVs is needed")
    for tlv in tlvs:
        _check_tlv(tlv)


def _check_tlv(tlv: Any) -> None:  # noqa: ANN401 - Scapy's fields are untyped
    layer = TLV_LAYERS.get(tlv.type)
    if layer is None:
        return
    _require(layer.lowest_octets <= tlv.length <= layer.highest_octets, f"{layer.name}: length")
    last = layer.fields_desc[-2]
    if isinstance(last, OpaqueField) and last.before_octets:
        expected = {AddressFamily.NONE: 0, AddressFamily.IPV4: 4, AddressFamily.IPV6: 16}
        octets = len(tlv.getfieldval(last.name))
        _require(octets == expected[tlv.family], f"{layer.name}: address and family")
    if tlv.type == TlvType.PAD:
        _require(not any(tlv.zeros), "PAD is not zero")
    if tlv.type == TlvType.REASON_TEXT:
        _require(_is_utf8(tlv.text), "text is not UTF-8")
    if tlv.type == TlvType.NACK_RANGES:
        _check_ranges(tlv)


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_ranges(tlv: Tlv) -> None:
    """Walk the sequence space once around from the first range."""
    edges = [edge for one in tlv.ranges for edge in (one.first, one.last)]
    steps = [(edge - edges[0]) % 2**32 for edge in edges]
    ascending = steps == sorted(steps)
    disjoint = all(low < high for low, high in zip(steps[1::2], steps[2::2], strict=False))
    _require(ascending and disjoint and steps[-1] < 2**31, "ranges overlap or descend")
