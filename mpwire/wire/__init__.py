"""The message format: octets to messages and back, strictly, one encoding per message.

Read in this order:

- `numbers`, `registries` and `bits`: every code and flag with its meaning
- `layer_base`, `layers_*`, `layers`: the format as Scapy layers, the source of all that follows
- `generate`: layers to `messages` (typed values) and `tables` (what the codec obeys)
- `formats`, `tlv_values`, `codec`: encode and decode without Scapy
- `errors`: what a datagram, or a caller, did wrong
- `bridge`: messages to Scapy packets and back
- `strict`: the gate that makes Scapy as strict as the codec
- `specification`: the tables of docs/protocol.md, generated from the layers

Importing this package, or `codec`, does not import Scapy.
"""

from mpwire.wire.codec import (
    decode_untrusted,
    encode,
    is_mpw,
    pad_join_request,
    unknown_mandatory,
)
from mpwire.wire.errors import (
    DecodeError,
    EncodeError,
    GreaseMessage,
    Invariant,
    UnsupportedVersion,
)
from mpwire.wire.messages import Message

__all__ = [
    "DecodeError",
    "EncodeError",
    "GreaseMessage",
    "Invariant",
    "Message",
    "UnsupportedVersion",
    "decode_untrusted",
    "encode",
    "is_mpw",
    "pad_join_request",
    "unknown_mandatory",
]
