"""R90, R91, R109-R119: acknowledgements, repair, relays, side chat."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership, origins
from mpwire.core.inflow import Inflow
from mpwire.core.outflow import Outflow
from mpwire.core.serial import plus
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import act, alter, append, withhold
from mpwire.wire.messages import Ack, Data, DataAck, Nack, Side, Sync


@patch("R90", "rooted-dialogue", "leaf1")
def private_words_from_seven() -> None:
    """The first private message has the number 7."""
    alter(Side, seq=lambda message: message.seq + 6)


@patch("R90", "rooted-dialogue", "root")
def private_word_unacknowledged() -> None:
    """A private message that arrives is delivered, and never acknowledged."""
    withhold(Ack)


@patch("R91", "rooted-lan", "leaf3")
def asks_for_what_it_has() -> None:
    """NACK names a message that has arrived."""

    def greedy(_endpoint: Endpoint, ack: DataAck) -> list[Any]:
        seq = plus(ack.rcv_next, -1)
        return [
            Nack(
                session_id=ack.session_id,
                destination_tag=ack.destination_tag,
                seq=ack.seq + 100,
                sender_id=ack.sender_id,
                origin=ack.origin,
                ranges=((seq, seq),),
            )
        ]

    append(DataAck, greedy)


@patch("R109", "full-window", "root")
def window_ignored() -> None:
    """DATA leaves whether its receiver has room or not."""
    put(Outflow, "has_window", property(lambda _self: True))
    put(
        Outflow,
        "is_held_back",
        property(lambda self: self.sent_seq != self.next_seq),
    )


@patch("R110", "rooted-lan", "leaf3")
def acknowledges_too_much() -> None:
    """DATA_ACK acknowledges a message that does not exist."""
    alter(DataAck, rcv_next=lambda message: plus(message.rcv_next, 1))


@patch("R110", "full-window", "leaf1")
def room_that_is_not_there() -> None:
    """DATA_ACK always offers room for a whole buffer, however full it is."""
    alter(DataAck, window=256)


@patch("R111", "full-window", "leaf1")
def acknowledgements_uncounted() -> None:
    """Every DATA_ACK has the same number."""
    alter(DataAck, seq=1)


@patch("R112", "full-window", "leaf1")
def data_unacknowledged() -> None:
    """Messages are taken, and never acknowledged."""
    withhold(DataAck)


@patch("R114", "conference-lan", "root")
def origin_not_introduced() -> None:
    """What is passed on of a leaf begins without the SYNC that says where."""
    withhold(Sync)


@patch("R119", "conference-lan", "root")
def relay_with_holes() -> None:
    """What is passed on of a leaf is numbered anew, with holes."""
    counts: dict[int, int] = {}

    def seq(message: Data) -> int:
        counts[message.destination_tag] = counts.get(message.destination_tag, 0) + 1
        return plus(message.seq, counts[message.destination_tag])

    alter(Data, lambda message: message.origin != 1, seq=seq)


@patch("R115", "lost-one", "root")
def deaf_to_complaints() -> None:
    """A NACK for what is still kept is not answered by a repair."""
    act("repair_data", lambda *_: None)


@patch("R85", "lost-one", "root")
def repair_unmarked() -> None:
    """What is sent again is not marked as a repair."""
    alter(Data, lambda message: message.attempt > 1, dflags=0)


@patch("R85", "lost-one", "root")
def repair_with_other_words() -> None:
    """What is sent again is not what was sent first."""
    alter(Data, lambda message: message.attempt > 1, payload=b"something like it")


@patch("R91", "lost-one", "leaf1")
def complains_without_end() -> None:
    """One missing message is asked for ten times in a row."""

    def storm(_endpoint: Endpoint, message: Nack) -> list[Nack]:
        return [replace(message, seq=plus(message.seq, 100 + one)) for one in range(10)]

    append(Nack, storm)


@patch("R92", "late-thanks", "root")
def one_message_too_many() -> None:
    """SYNC promises a message that was never sent, whenever it is asked for."""
    alter(Sync, seq=lambda message: plus(message.seq, 1))


def _promise_instead(often: int) -> None:
    """Answer so many NACKs by SYNC, and not by a repair."""
    count = 0

    def promise(original: Any, end: Membership, event: Any, now_s: float) -> None:
        nonlocal count
        count += 1
        if count > often:
            original(end, event, now_s)
        else:
            origins.send_sync(end, event.origin, end.outflow)

    act("repair_data", promise)


@patch("R91", "lost-by-promise", "root leaf1")
def every_promise_believed_at_once() -> None:
    """Each SYNC begins a series of NACKs, while each NACK is answered by SYNC."""

    def believe(self: Inflow, now_s: float) -> bool:
        self.in_vain += bool(self.asked)
        self.begun_s = now_s
        return True

    _promise_instead(100)
    put(Inflow, "begins_anew", believe)


@patch("R91", "lost-by-promise", "root leaf1")
def promises_believed_for_ever() -> None:
    """What is promised instead of repaired is asked for again and again, though it never comes."""
    _promise_instead(1000)
    put(Inflow, "is_forlorn", lambda *_: False)


@patch("DR2", "lost-between", "leaf1")
def as_it_comes() -> None:
    """Messages are received as they come, although one before them is missing."""

    put(Inflow, "repairs", property(lambda _self: False, lambda _self, _value: None))
