"""Carry messages across between the codec's Structs and Scapy's packets.

The fuzzer edits packets and people look at packets; endpoints and the judge use Structs. Both
directions go through the names that the layers declare, field by field.
"""

from typing import Any, cast

from mpwire.wire.introspect import body_fields, body_tlvs, record_fields, tlv_kind, tlv_value_fields
from mpwire.wire.layer_base import MPW, CountField, ReservedField, Tlv
from mpwire.wire.layers import MESSAGE_LAYERS, TLV_LAYERS
from mpwire.wire.layers_tlv import MPWUnknownTlv
from mpwire.wire.messages import Message
from mpwire.wire.numbers import MessageType, TlvType
from mpwire.wire.tables import MESSAGE_FORMATS, TLV_FORMATS

HEADER_NAMES = ("flags", "attempt", "session_id", "destination_tag", "seq", "sender_id")


def packet_from_message(message: Message) -> MPW:
    """Build the Scapy packet of a message; computed fields stay None until it is built."""
    layer = MESSAGE_LAYERS[message.TYPE]
    plain = [f for f in body_fields(layer) if not isinstance(f, ReservedField | CountField)]
    body: dict[str, Any] = {field.name: getattr(message, field.name) for field in plain}
    if message.TYPE == MessageType.VERSION_NEG:
        body["versions"] = list(getattr(message, "versions"))  # noqa: B009 - a union attribute
    else:
        body["tlvs"] = _tlv_packets(message)
    header = {name: getattr(message, name) for name in HEADER_NAMES}
    return cast("MPW", MPW(**header) / layer(**body))


def message_from_packet(packet: MPW) -> Message:
    """Build the message of a dissected packet that passed the strict gate."""
    body = packet.payload
    layer = MESSAGE_LAYERS[packet.type]
    fields = {name: int(packet.getfieldval(name)) for name in HEADER_NAMES}
    for field in body_fields(layer):
        if not isinstance(field, ReservedField | CountField):
            fields[field.name] = int(body.getfieldval(field.name))
    values: dict[str, Any] = {}
    if packet.type == MessageType.VERSION_NEG:
        values["versions"] = tuple(body.versions)
    else:
        known = [tlv for tlv in body.tlvs if not isinstance(tlv, MPWUnknownTlv)]
        values = {TLV_LAYERS[tlv.type].attribute: _value(tlv) for tlv in known}
        values["extra"] = tuple((t.type, t.value) for t in body.tlvs if t not in known)
    return cast("Message", MESSAGE_FORMATS[packet.type].make(**fields, **values))


def _tlv_packets(message: Message) -> list[Any]:
    layers = [*body_tlvs(MESSAGE_LAYERS[message.TYPE]), TLV_LAYERS[TlvType.AUTH]]
    packets: list[Any] = [MPWUnknownTlv(type=code, value=value) for code, value in message.extra]
    for layer in layers:
        value = getattr(message, layer.attribute)
        if value is not None:
            packets.append(_tlv_packet(layer, value))
    last = {TlvType.PAD: 1, TlvType.AUTH: 2}
    return sorted(packets, key=lambda packet: (last.get(packet.type, 0), packet.type))


def _tlv_packet(layer: type[Tlv], value: Any) -> Tlv:  # noqa: ANN401 - depends on the TLV
    kind = tlv_kind(layer)
    field = tlv_value_fields(layer)[-1]
    if kind in {"record", "address"}:
        names = [f.name for f in record_fields(layer) if not isinstance(f, ReservedField)]
        return layer(**{name: getattr(value, name) for name in names})
    if kind == "records":
        names = [f.name for f in record_fields(layer)]
        as_pairs = TLV_FORMATS[layer.tlv_type].make is None
        rows = value if as_pairs else [[getattr(row, name) for name in names] for row in value]
        return layer(**{field.name: [field.cls(**dict(zip(names, r, strict=True))) for r in rows]})
    if kind == "pad":
        value = bytes(value)
    elif kind == "text":
        value = value.encode()
    elif kind == "numbers":
        value = list(value)
    return layer(**{field.name: value})


def _value(tlv: Any) -> Any:  # noqa: ANN401 - depends on the TLV
    """Return what the attribute of a Struct holds for this TLV."""
    layer = TLV_LAYERS[tlv.type]
    kind = tlv_kind(layer)
    field = tlv_value_fields(layer)[-1]
    raw = tlv.getfieldval(field.name)
    if kind in {"record", "address"}:
        return _struct(layer, tlv)
    if kind == "records":
        return tuple(_struct(layer, record) for record in raw)
    if kind == "numbers":
        return tuple(raw)
    if kind == "pad":
        return len(raw)
    return raw.decode() if kind == "text" else raw


def _struct(layer: type[Tlv], packet: Any) -> Any:  # noqa: ANN401 - depends on the TLV
    values = {}
    for field in record_fields(layer):
        if not isinstance(field, ReservedField):
            value = packet.getfieldval(field.name)
            values[field.name] = value if isinstance(value, bytes) else int(value)
    make = TLV_FORMATS[layer.tlv_type].make
    return tuple(values.values()) if make is None else make(**values)
