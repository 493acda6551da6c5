"""Stories of hosts that lose their network interface, which only the lab can know."""

import msgspec

from mpwire.wire.messages import Probe
from mpwire.wire.numbers import AbortReason
from tests.oracle.oracle_asides import abort, meeting
from tests.oracle.oracle_edits import Fault, fields, lacking, moved
from tests.oracle.oracle_plots import SESSION
from tests.oracle.oracle_story import Move, Told, Wait, barriers

LOSS = "leaf1 loses its interface"


def unplugged() -> list[Move]:
    """Tell of a leaf that loses its interface: it hears of that at once, its root by asking."""
    tale, (join,) = meeting("leaf1")
    tale.moves.append(Told("loses", LOSS, "started"))
    tale.moves.append(Told("has lost", LOSS, "done"))
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10050)
    tale.moves += barriers("leaf1", 2)
    tale.call("send", "leaf1", "send", 10050, socket=1, data="00")
    tale.moves.append(Wait("silence", 20))
    probe = Probe(
        nonce=99,
        next_data_seq=join.next_root,
        session_id=SESSION,
        seq=30,
        sender_id=1,
        destination_tag=join.leaf_tag,
    )
    for attempt, pause in enumerate((1, 2, 4, 8), 1):
        copy = msgspec.structs.replace(probe, attempt=attempt)
        tale.send(f"PROBE {attempt}", "root", "leaf1", copy, delivered=False)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE", 10053)
    gone = abort(join, AbortReason.PEER_DEAD, by_root=True)
    tale.send("ABORT", "root", "leaf1", gone, delivered=False)
    tale.call("close", "leaf1", "close", {}, socket=1)
    tale.barrier()
    tale.moves.append(Wait("long after", 60))
    tale.barrier()
    return tale.moves


def unexplained() -> list[Move]:
    """Tell of a leaf that says that its interface is lost, which nothing on record confirms."""
    return lacking("loses", "has lost")(unplugged())


def overlooked() -> list[Move]:
    """Tell of a leaf that was frozen while its interface was gone: to its agent it never was."""
    tale, _ = meeting("leaf1")
    for text in (LOSS, "leaf1 regains its interface"):
        tale.moves.append(Told(f"{text} begins", text, "started"))
        tale.moves.append(Told(f"{text} is over", text, "done"))
    tale.moves += barriers("leaf1", 2)
    tale.barrier()
    return tale.moves


LOSSES = (unplugged, overlooked)
CUT_OFF = (
    Fault("EV28", unplugged, lacking("FD_CLOSE L")),
    Fault("EV28", unplugged, fields("FD_CLOSE L", code=10053)),
    Fault("EV28", unplugged, moved("FD_CLOSE L", ahead_of="loses")),
)
