"""Every TLV layer by its type, the layer of unknown ones, and the list that ends a body."""

from typing import Any

from scapy.fields import PacketListField, ShortEnumField, ShortField

from mpwire.wire.layer_base import Layer, OpaqueField, PaddingField, Tlv, fields, names_of
from mpwire.wire.layers_tlv_mandatory import (
    MPWAddr,
    MPWAuth,
    MPWCalleeData,
    MPWCallerData,
    MPWCookie,
    MPWNackRanges,
    MPWPayload,
    MPWSealed,
    MPWSessionDesc,
)
from mpwire.wire.layers_tlv_optional import (
    MPWCalleeRoom,
    MPWCaps,
    MPWDiscData,
    MPWEventEcho,
    MPWPad,
    MPWQos,
    MPWReasonText,
    MPWReport,
    MPWTimers,
    MPWUnknownTlvs,
    MPWVersions,
)
from mpwire.wire.numbers import TlvType


class MPWUnknownTlv(Layer):
    """Any TLV whose type is not assigned, GREASE included."""

    name = "MPW unknown TLV"
    computed = ("length", "padding")
    fields_desc = fields(
        ShortEnumField("type", 0x0A0A, names_of(TlvType)),
        ShortField("length", None),
        OpaqueField("value"),
        PaddingField(),
    )
    padded_octets = Tlv.padded_octets
    post_build = Tlv.post_build
    extract_padding = Tlv.extract_padding


TLV_LAYERS: dict[int, type[Tlv]] = {
    int(layer.tlv_type): layer
    for layer in (
        MPWPad,
        MPWTimers,
        MPWCaps,
        MPWDiscData,
        MPWReport,
        MPWVersions,
        MPWQos,
        MPWReasonText,
        MPWEventEcho,
        MPWUnknownTlvs,
        MPWCalleeRoom,
        MPWCookie,
        MPWSessionDesc,
        MPWCallerData,
        MPWCalleeData,
        MPWPayload,
        MPWAuth,
        MPWSealed,
        MPWAddr,
        MPWNackRanges,
    )
}
"""Layer of every assigned TLV type."""


def next_tlv(_packet: Any, _before: Any, _last: Any, rest: bytes) -> type[Layer] | None:  # noqa: ANN401
    """Choose the layer of the TLV that starts here; None leaves the rest as Raw."""
    if len(rest) < 4:
        return None
    return TLV_LAYERS.get(int.from_bytes(rest[:2], "big"), MPWUnknownTlv)


def tlv_list() -> PacketListField:
    """Return the list field that ends every message body."""
    return PacketListField("tlvs", [], next_cls_cb=next_tlv)
