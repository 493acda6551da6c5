"""What the network does to messages, one sentence a fault: the sentences and what they say.

A fault is aimed at messages of the protocol by type, number, sender, receiver and flag, or at a
share of them. Messages are counted, from 1, among those that one host sends to one other and that
the sentence means. `decide` says what becomes of a frame.
"""

from typing import Final

import msgspec

from mpwire.lab.forms import Form
from mpwire.lab.step import Step
from mpwire.wire.numbers import HeaderFlag, MessageType
from mpwire.wire.registries import DataFlag

ANY: Final = "message"
"""Stands for every type."""
TYPES: Final = (ANY, *(kind.name for kind in MessageType))
FLAGS_OF_ALL: Final = (*(str(flag.name) for flag in HeaderFlag),)
FLAGS_OF_DATA: Final = (*(str(flag.name) for flag in DataFlag),)
FLAGS: Final = (*FLAGS_OF_ALL, *FLAGS_OF_DATA)
"""Flags of the header, and of DATA."""


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Choose among the messages of a kind between two hosts: one, or a share."""

    ordinal: int | None = None
    """Only that one, counted from 1."""
    share: float = 1.0
    """So many of them, drawn with the seed."""


class Duration(msgspec.Struct, frozen=True):
    """A time, or a range from which one is drawn."""

    least_s: float
    most_s: float


class Fault(Step, frozen=True, kw_only=True):
    """What all faults have in common: the link."""

    sender: str | None = None
    """Host that sends; None: any."""
    receiver: str | None = None
    """Host that is sent to; None: any."""


class Aimed(Fault, frozen=True, kw_only=True):
    """A fault that some messages meet."""

    message: str
    """Name of a type, or `ANY`."""
    which: Which
    flag: str | None = None


class Drop(Aimed, frozen=True, kw_only=True, tag="drop"):
    """It does not arrive."""


class Duplicate(Aimed, frozen=True, kw_only=True, tag="duplicate"):
    """It arrives twice."""


class Hold(Aimed, frozen=True, kw_only=True, tag="hold"):
    """It arrives later; what is not held passes it."""

    duration: Duration


class Reorder(Aimed, frozen=True, kw_only=True, tag="reorder"):
    """The next frame between the same hosts passes it."""


class Corrupt(Aimed, frozen=True, kw_only=True, tag="corrupt"):
    """An octet of it is changed."""

    octet: int | None = None
    """Counted from 0 in the UDP payload; drawn with the seed if not given."""
    unnoticed: bool = False
    """The UDP checksum is put right, so that the endpoint sees it."""


class Kill(Aimed, frozen=True, kw_only=True, tag="kill"):
    """When it has been delivered, the agent of a host is killed."""

    host: str


class Freeze(Aimed, frozen=True, kw_only=True, tag="freeze"):
    """When it has been delivered, the agent of a host is stopped for a while."""

    host: str
    duration: Duration


class Limit(Fault, frozen=True, kw_only=True, tag="limit"):
    """A slow link: frames queue for it."""

    rate_bit_s: float


AnyFault = Drop | Duplicate | Hold | Reorder | Corrupt | Kill | Freeze | Limit

_AIM: Final = "[from HOST:sender | of HOST:sender] [to HOST:receiver] [with FLAG]"

FORMS: Final = (
    Form(
        f"drop WHICH MESSAGE {_AIM}",
        Drop,
        "It is lost.",
        "drop the 2nd ACCEPT from root to leaf2",
    ),
    Form(
        f"duplicate WHICH MESSAGE {_AIM}",
        Duplicate,
        "It arrives twice.",
        "duplicate 5 % of DATA from root",
    ),
    Form(
        f"hold WHICH MESSAGE {{for DURATION}} {_AIM}",
        Hold,
        "It arrives so much later. What the same sentence holds between two hosts keeps its order;"
        " all else passes it. Held for every message this is delay, and with a range jitter.",
        "hold every CLOSE from leaf1 for 300 ms",
    ),
    Form(
        f"reorder WHICH MESSAGE {_AIM}",
        Reorder,
        "The next frame from the same host to the same host passes it; if none comes within a"
        " quarter of `rto_initial_s`, it arrives then.",
        "reorder the first DATA from root to leaf1",
    ),
    Form(
        f"corrupt WHICH MESSAGE {_AIM} [unnoticed]",
        Corrupt,
        "An octet is changed, which one is drawn. The UDP checksum shows it, so the receiver's"
        " kernel throws it away; `unnoticed` puts the checksum right, and the endpoint sees it.",
        "corrupt 1 % of messages to root",
    ),
    Form(
        f"corrupt octet NUMBER:octet of WHICH MESSAGE {_AIM} [unnoticed]",
        Corrupt,
        "The same, for one octet, counted from 0 in the UDP payload. A shorter message stays"
        " as it is.",
        "corrupt octet 9 of the first CHALLENGE unnoticed",
    ),
    Form(
        "send at most RATE:rate_bit_s [from HOST:sender] [to HOST:receiver]",
        Limit,
        "A slow link: every frame takes its time, one after the other. What would wait longer than"
        " a second is lost.",
        "send at most 64 kbit/s from root to leaf1",
    ),
    Form(
        f"kill HOST after WHICH MESSAGE {_AIM}",
        Kill,
        "When it has been delivered, the host's agent is killed (kill -9). The script goes on with"
        " what does not need it.",
        "kill leaf1 after the first ACCEPT from root to leaf1",
    ),
    Form(
        f"freeze HOST after WHICH MESSAGE {{for DURATION}} {_AIM}",
        Freeze,
        "When it has been delivered, the host's agent is stopped for so long (SIGSTOP, SIGCONT).",
        "freeze root after 10 % of DATA_ACK for 20 to 80 ms",
    ),
)
"""Lines of `faults`."""
