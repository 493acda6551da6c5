"""The errors of the wire format: what a datagram, or a caller, did wrong.

Every decoding error names the rule of docs/protocol.md that was broken, the octet at which the
datagram broke it, counted from the first octet of the UDP payload, and the reason in words.
"""

from dataclasses import dataclass

from mpwire.errors import LocalProtocolError, RemoteProtocolError


class DecodeError(RemoteProtocolError):
    """A datagram breaks a rule that can be judged from the datagram alone."""

    def __init__(self, rule: str, offset_octets: int, reason: str) -> None:
        """Keep the rule id, the offset of the offending octet and the reason."""
        super().__init__(rule, offset_octets, reason)
        self.rule = rule
        self.offset_octets = offset_octets
        self.reason = reason

    def __str__(self) -> str:
        """Say rule, offset and reason in one line."""
        return f"{self.rule} at octet {self.offset_octets}: {self.reason}"


@dataclass(slots=True)
class Invariant:
    """Hold what every version of the protocol has at the same place.

    Layout: Magic(16) Version(8) 8 bits Length at octet 6 (16) Session ID at 8 (64)
    Destination Tag at 16 (64); Initiator Tag of a join request at 32 (64).
    """

    version: int
    """The version nobody here speaks."""
    length: int
    """Length of the whole message."""
    session_id: int
    """The session, or 0."""
    destination_tag: int
    """The tag the message was sent to; 0 in a join request."""
    init_tag: int
    """Octets 32..39 if they are there, else 0: the Initiator Tag if it is a join request."""


class UnsupportedVersion(DecodeError):  # noqa: N818 - a circumstance, not a mistake
    """A datagram of a version that is not spoken here; a join request may earn a VERSION_NEG."""

    def __init__(self, invariant: Invariant) -> None:
        """Keep the part that all versions share."""
        super().__init__("R1", 2, f"version {invariant.version:#04x} is not supported")
        self.invariant = invariant


class GreaseMessage(DecodeError):  # noqa: N818 - a circumstance, not a mistake
    """A datagram of a GREASE type: nothing is wrong with it, and everybody drops it (R107)."""

    def __init__(self, message_type: int) -> None:
        """Keep the type, for reports."""
        super().__init__("R107", 3, f"type {message_type:#04x} is GREASE and is dropped")
        self.message_type = message_type


class EncodeError(LocalProtocolError):
    """Our caller built a message that a receiver would refuse."""

    def __init__(self, rule: str, reason: str) -> None:
        """Keep the rule id and the reason."""
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason

    def __str__(self) -> str:
        """Say rule and reason in one line."""
        return f"{self.rule}: {self.reason}"
