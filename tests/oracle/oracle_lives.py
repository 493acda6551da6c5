"""Stories of agents that are killed and started anew: new processes, numbers from 1 again."""

import msgspec

from mpwire.wire.messages import Abort, Challenge, Data, Pending, Probe
from mpwire.wire.numbers import HeaderFlag
from tests.oracle.oracle_asides import ROOT_ADDRESS
from tests.oracle.oracle_edits import Fault, answering, event, fields, lacking, moved, saying
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import (
    Exit,
    Line,
    Move,
    Send,
    Wait,
    after,
    find,
    message_of,
    without,
)
from tests.oracle.oracle_streams import Stream

LATER = 0x0FED
"""Session of a root that has begun anew."""


class Reborn(Stream):
    """Steps of hosts whose agent is killed and started again."""

    def restart(self, host: str) -> None:
        """Kill an agent and start another one."""
        self.moves.append(Exit(f"kill {host}", host, status=-9))
        self.moves.append(Wait(f"{host} begins", 1))
        hello = {"hello": {"contract": 1, "name": "x", "version": "", "calls": []}}
        self.moves.append(Line(f"hello {host}", host, "from", hello))
        self.calls[host] = 0
        self.descriptors[host] = 0

    def named(self, word: str, begin: int) -> None:
        """Give everything that was told since a place another label."""
        for move in self.moves[begin:]:
            move.label = f"{word} {move.label}"

    def unknown(self, label: str, old: Join, seq: int, *, by_root: bool) -> None:
        """Let a new process answer what was meant for the old one."""
        source, target, tag, _ = self.ends(old, by_root=not by_root)
        reflected = Abort(
            reason=1,
            echo_seq=seq,
            session_id=SESSION,
            flags=int(HeaderFlag.R),
            destination_tag=tag,
        )
        self.send(label, target, source, reflected)


def again() -> list[Move]:
    """Tell of a leaf that is killed and begins anew, which the root believes when it has asked."""
    tale = Reborn()
    (old,) = tale.meet("leaf1")
    tale.submit("root", 1, b"unread")
    tale.carry(old, b"unread", tale.next_root)
    tale.restart("leaf1")
    begin = len(tale.moves)
    tale.open("leaf1", listening=False)
    join = tale.member("leaf1", 1, by_root=False)
    tale.call("join", "leaf1", "join_leaf", {"socket": 1}, socket=1, address=ROOT_ADDRESS)
    tale.cookies(join)
    tale.named("again", begin)
    held = tale.moves[-1]
    assert isinstance(held, Send)
    assert isinstance(held.message, Pending)
    queued = msgspec.structs.replace(held.message, attempt=3)
    held.message = msgspec.structs.replace(held.message, state=3)
    probe = Probe(
        nonce=77,
        next_data_seq=old.next_root + 1,
        session_id=SESSION,
        seq=30,
        sender_id=1,
        destination_tag=old.leaf_tag,
    )
    tale.send("PROBE", "root", "leaf1", probe)
    tale.unknown("ABORT R", old, 30, by_root=False)
    tale.event("FD_CLOSE P", "root", old.handle, "FD_CLOSE", 10054)
    tale.event("FD_ACCEPT again", "root", 1, "FD_ACCEPT")
    tale.barrier()
    tale.moves.append(Wait("poll", 5))
    cookie = join.init_tag.to_bytes(8, "big") + b"good"
    tale.send("JOIN_REQ 3", "leaf1", "root", tale.request(join, 3, cookie))
    tale.send("PENDING 3", "root", "leaf1", queued)
    begin = len(tale.moves)
    tale.admit(join)
    tale.named("again", begin)
    tale.tell_all(b"welcome back", [join])
    tale.leave(join)
    return tale.moves


def new_root() -> list[Move]:
    """Tell of a root that is killed while one leaf is a member and another one waits."""
    tale = Reborn()
    (old,) = tale.meet("leaf1")
    tale.open("leaf2", listening=False)
    waiting = tale.ask_to_join("leaf2", 1)
    tale.restart("root")
    tale.open("root", listening=True)
    tale.submit("leaf1", 1, b"hello?")
    data = tale.data(b"hello?", old.member_id, old.next_leaf, old.root_tag)
    tale.send("DATA hello?", "leaf1", "root", data)
    tale.unknown("ABORT R", old, old.next_leaf, by_root=True)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10054)
    tale.moves.append(Wait("poll", 4))
    stale = waiting.init_tag.to_bytes(8, "big") + b"good"
    tale.send("JOIN_REQ 3", "leaf2", "root", tale.request(waiting, 3, stale))
    fresh = b"another cookie"
    challenge = message_of(tale.moves, "leaf2 CHALLENGE")
    assert isinstance(challenge, Challenge)
    anew = msgspec.structs.replace(challenge, cookie=fresh, attempt=3)
    tale.send("CHALLENGE 3", "root", "leaf2", anew)
    tale.send("JOIN_REQ 4", "leaf2", "root", tale.request(waiting, 4, fresh))
    waiting.resp_tag = next(tale.tags)
    pending = message_of(tale.moves, "leaf2 PENDING")
    assert isinstance(pending, Pending)
    queued = msgspec.structs.replace(pending, attempt=4, resp_tag=waiting.resp_tag)
    tale.send("PENDING 4", "root", "leaf2", queued)
    tale.event("FD_ACCEPT again", "root", 1, "FD_ACCEPT")
    tale.barrier()
    tale.writable = False
    tale.admit(waiting)
    for move in tale.moves[find(tale.moves, "leaf2 ACCEPT") :]:
        if isinstance(move, Send) and move.message is not None:
            move.message = msgspec.structs.replace(move.message, session_id=LATER)
    return tale.moves


def impostor(moves: list[Move]) -> list[Move]:
    """Let the new process report the end of its predecessor's socket, which it cannot know."""
    return after(moves, "ABORT R", event("leaf1", 1, "FD_CLOSE", 10054))


def heir(moves: list[Move]) -> list[Move]:
    """Let the new process be given what was sent to its predecessor."""
    lines = [
        Line("heir?", "leaf1", "to", {"id": 900, "call": "recv", "args": {"socket": 1}}),
        Line("heir!", "leaf1", "from", {"id": 900, "result": {"data": b"unread".hex()}}),
    ]
    return after(moves, "again leaf1 FD_CONNECT", *lines)


def memory(moves: list[Move]) -> list[Move]:
    """Let the new root take data for a membership that it cannot know."""
    data = message_of(moves, "DATA hello?")
    assert isinstance(data, Data)
    rest = without(moves, "ABORT R", "FD_CLOSE L")
    return after(rest, "DATA hello?", event("root", 1, "FD_READ"))


def trusting(moves: list[Move]) -> list[Move]:
    """Let the new root queue a request for the cookie of its predecessor."""
    pending = message_of(moves, "PENDING 4")
    early = msgspec.structs.replace(pending, attempt=3)
    return after(moves, "JOIN_REQ 3", Send("PENDING 3", "root", "leaf2", early))


LIVES = (again, new_root)
REBORN = (
    Fault("CR1", again, fields("again leaf1 FD_CONNECT", seq=7)),
    Fault("CR4", again, answering("again join!", result={"socket": 2})),
    Fault("EV1", again, lacking("FD_ACCEPT again")),
    Fault("EV1", again, moved("FD_ACCEPT again", ahead_of="ABORT R")),
    Fault("EV3", again, lacking("again leaf1 FD_CONNECT")),
    Fault("EV9", again, lacking("again leaf1 FD_WRITE")),
    Fault("EV17", again, lacking("FD_CLOSE P")),
    Fault("EV17", again, impostor),
    Fault("EV17", new_root, lacking("FD_CLOSE L")),
    Fault("EV11", new_root, memory),
    Fault("EV11", again, lacking("FD_READ b'welcome back' leaf1")),
    Fault("DR1", again, heir),
    Fault("R35", new_root, trusting),
    Fault("R36", new_root, fields("leaf2 ACCEPT", resp_tag=0x4242)),
    Fault("CR10", again, lacking("again join?", "again join!")),
    Fault("EV2", new_root, saying("FD_ACCEPT again", event("root", 1, "FD_ACCEPT"))),
)
