"""What an endpoint offers to every peer, whatever the membership (protocol.md 9.1)."""

from dataclasses import dataclass

from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS
from mpwire.wire.registries import Planes


@dataclass(slots=True, frozen=True)
class Profile:
    """The planes that requests must fit, and what JOIN_REQ or ACCEPT announces."""

    planes: Planes = Planes.CONTROL_ROOTED | Planes.DATA_ROOTED
    capabilities: int = 0
    """Announced in CAPS; the AND of both sides is in effect."""
    max_payload_octets: int = MAX_PAYLOAD_OCTETS
    one_way: bool = False
    """Whether no leaf may send (W64)."""
