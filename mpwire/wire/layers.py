"""The whole wire format as Scapy layers, bound once: importing this module is enough.

`MPW` is the header, `MESSAGE_LAYERS` the bodies, `TLV_LAYERS` the TLVs. The layers are the source
from which the codec's tables and the specification's tables are generated.
"""

from scapy.layers.inet import UDP
from scapy.packet import bind_bottom_up, bind_layers, bind_top_down, split_layers

from mpwire.wire.layer_base import MPW, Body, Tlv
from mpwire.wire.layers_data import (
    MPWAnnounce,
    MPWData,
    MPWDataAck,
    MPWMember,
    MPWNack,
    MPWRekey,
    MPWSide,
    MPWSync,
)
from mpwire.wire.layers_join import (
    MPWAccept,
    MPWCancel,
    MPWCancelAck,
    MPWChallenge,
    MPWConfirm,
    MPWJoinReq,
    MPWPending,
    MPWReject,
    MPWVersionNeg,
)
from mpwire.wire.layers_member import (
    MPWAbort,
    MPWAck,
    MPWClose,
    MPWCloseAck,
    MPWProbe,
    MPWProbeAck,
)
from mpwire.wire.layers_tlv import TLV_LAYERS, MPWUnknownTlv
from mpwire.wire.numbers import DEFAULT_PORT, VERSION_NEG_VERSION, MessageType

MESSAGE_LAYERS: dict[int, type[Body]] = {
    int(layer.message_type): layer
    for layer in (
        MPWVersionNeg,
        MPWJoinReq,
        MPWChallenge,
        MPWPending,
        MPWAccept,
        MPWConfirm,
        MPWReject,
        MPWCancel,
        MPWCancelAck,
        MPWClose,
        MPWCloseAck,
        MPWAbort,
        MPWProbe,
        MPWProbeAck,
        MPWAck,
        MPWData,
        MPWSide,
        MPWSync,
        MPWNack,
        MPWMember,
        MPWAnnounce,
        MPWDataAck,
        MPWRekey,
    )
}
"""Layer of every assigned message type."""


def bind(port: int = DEFAULT_PORT) -> None:
    """Bind header and bodies, and the header to a UDP port in both directions.

    Scapy's bindings are global, the first match wins and binding twice makes two entries, so
    older bindings of ours are taken out first: calling this again changes nothing but the port
    added. A packet built as UDP()/MPW() gets the last bound port on both sides.
    """
    for fields in ({"dport": port}, {"sport": port}):
        split_layers(UDP, MPW, **fields)
        bind_bottom_up(UDP, MPW, **fields)
    bind_top_down(UDP, MPW, sport=port, dport=port)
    for code, layer in MESSAGE_LAYERS.items():
        split_layers(MPW, layer)
        if code == MessageType.VERSION_NEG:
            bind_layers(MPW, layer, type=code, version=VERSION_NEG_VERSION)
        else:
            bind_layers(MPW, layer, type=code)


bind()

__all__ = ["MESSAGE_LAYERS", "MPW", "TLV_LAYERS", "Body", "MPWUnknownTlv", "Tlv", "bind"]
