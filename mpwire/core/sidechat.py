"""Side chat of one end of a membership: what waits to leave, what has come, how much has room.

One message is out at a time, each way. The receiver acknowledges what it hands up, so that an
application that does not read stops the sender: one message more than there is room for is kept
without an answer, and acknowledged as soon as something has been read.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mpwire.wire.messages import Side

QUEUE: Final = 16
"""Messages submitted and not acknowledged before there is no room for another (11.9)."""
UNREAD: Final = 16
"""Messages that wait for the application before the next one is not acknowledged (11.9)."""


@dataclass(slots=True)
class SideChat:
    """Both directions of the private data of one membership."""

    waiting: deque[bytes] = field(default_factory=deque)
    """Messages not acknowledged yet, the oldest first."""
    outstanding: Side | None = None
    """Last copy of the oldest, once it has left."""
    sent_seq: int = 0
    """Sequence number of the last message that has left."""
    copies: int = 0
    """Copies of it since it first left, or since the close was asked for that waits for it."""
    taken_seq: int = 0
    """Sequence number of the last message handed up."""
    unread: int = 0
    """Messages handed up that the application has not taken yet."""
    held: Side | None = None
    """Last copy of the next message, for which there was no room."""
    final_seq: int = 0
    """Last sequence number the peer's CLOSE speaks of."""

    @property
    def has_room(self) -> bool:
        """Tell whether one more message may be submitted."""
        return len(self.waiting) < QUEUE

    @property
    def takes_more(self) -> bool:
        """Tell whether one more message may be handed up."""
        return self.unread < UNREAD
