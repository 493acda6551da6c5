"""Read the layers' declarations: which fields they have, what shape their TLVs are.

The generator, the bridge between packets and messages, and the specification's tables all see
the layers through these functions.
"""

from typing import Any

from scapy.fields import FieldListField, PacketListField

from mpwire.wire.layer_base import Body, OpaqueField, PaddingField, Tlv
from mpwire.wire.layers import TLV_LAYERS
from mpwire.wire.numbers import TlvType

ANNOTATIONS = {
    "pad": "int",
    "octets": "bytes",
    "text": "str",
    "number": "int",
    "numbers": "tuple[int, ...]",
}


def tlv_value_fields(layer: type[Tlv]) -> list[Any]:
    """Return the fields between Length and the padding."""
    return list(layer.fields_desc[2:-1])


def tlv_kind(layer: type[Tlv]) -> str:
    """Name the shape of a TLV's value after its fields."""
    fields = tlv_value_fields(layer)
    last = fields[-1]
    if layer.tlv_type is TlvType.PAD:
        return "pad"
    if isinstance(last, PacketListField):
        return "records"
    if isinstance(last, FieldListField):
        return "numbers"
    if isinstance(last, OpaqueField):
        if last.before_octets:
            return "address"
        return "text" if last.name == "text" else "octets"
    return "number" if len(fields) == 1 else "record"


def tlv_annotation(layer: type[Tlv]) -> str:
    """Return the Python type of the attribute that holds a TLV's value."""
    kind = tlv_kind(layer)
    if kind == "records":
        return f"tuple[{layer.value_name or 'tuple[int, int]'}, ...]"
    return ANNOTATIONS.get(kind) or layer.value_name


def record_fields(layer: type[Tlv]) -> list[Any]:
    """Return the fixed fields of a TLV's value, or of one of its elements."""
    fields = tlv_value_fields(layer)
    if tlv_kind(layer) == "records":
        return list(fields[0].cls.fields_desc)
    return fields


def body_fields(layer: type[Body]) -> list[Any]:
    """Return the fixed fields of a message body."""
    variable = (PacketListField, FieldListField, PaddingField)
    return [field for field in layer.fields_desc if not isinstance(field, variable)]


def body_tlvs(layer: type[Body]) -> list[type[Tlv]]:
    """Return the TLVs a body may carry besides AUTH, ascending by type."""
    codes = sorted({*layer.required, *layer.either, *layer.optional})
    return [TLV_LAYERS[code] for code in codes]
