"""What a membership that lasts sends again and again, and what of it must be kept.

In a capture without directions no rule compares what a member repeats (data, acknowledgements,
signs of life) with more than the handshake, but for few: the pairs of PROBEs that follow each
other, and a PROBE with padding, which allows larger datagrams from its answer on.
"""

from collections.abc import Iterable

from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.runfile import Frame
from mpwire.wire.codec import is_mpw
from mpwire.wire.numbers import MessageType

PROBING = frozenset({int(MessageType.PROBE), int(MessageType.PROBE_ACK)})
PASSING = frozenset(
    {
        int(MessageType.DATA),
        int(MessageType.DATA_ACK),
        int(MessageType.SYNC),
        int(MessageType.NACK),
        int(MessageType.SIDE),
        int(MessageType.ACK),
        int(MessageType.MEMBER),
    }
)
REPEATED = PASSING | PROBING
"""Types of which a membership may send any number."""
PROBES_KEPT = 8
BARE_PROBE_OCTETS = 48
"""A PROBE without padding."""


def digested(frames: Iterable[Frame]) -> list[Frame]:
    """Leave out of a membership's frames what is of no more use once it was judged."""
    kept: list[Frame] = []
    probes: list[Frame] = []
    padded: list[Frame] = []
    nonces: set[bytes] = set()
    for frame in frames:
        payload = _payload(frame)
        kind = payload[3] if len(payload) > 3 else -1
        if kind in PROBING:
            nonce = payload[32:40]
            large = kind == MessageType.PROBE and len(payload) > BARE_PROBE_OCTETS
            if large or nonce in nonces:
                nonces.add(nonce)
                padded.append(frame)
            else:
                probes.append(frame)
        elif kind not in PASSING:
            kept.append(frame)
    return sorted(
        [*kept, *probes[-PROBES_KEPT:], *padded[-PROBES_KEPT:]], key=lambda frame: frame.number
    )


def _payload(frame: Frame) -> bytes:
    decoded = decode_frame(frame.linktype, frame.data)
    found = decoded.payload if isinstance(decoded, Datagram) else b""
    return found if is_mpw(found) else b""
