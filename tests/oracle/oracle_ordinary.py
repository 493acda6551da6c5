"""Stories about calls that have nothing of a session: ordinary sockets, connections, WSPSelect."""

from tests.oracle.oracle_asides import ROOT_ADDRESS, meeting
from tests.oracle.oracle_edits import Fault, answering, over
from tests.oracle.oracle_story import ADDRESSES, PORT, Line, Move, Told, find
from tests.oracle.oracle_tales import Tale


def ordinary() -> list[Move]:
    """Tell of a socket without multipoint flags, and of one that has some and connects."""
    tale = Tale()
    tale.open("root", listening=True)
    waiting = [ADDRESSES["leaf2"], PORT]
    tale.open("leaf2", listening=True)
    tale.call("plain socket", "leaf1", "socket", {"socket": 1}, flags=[])
    tale.call("plain join", "leaf1", "join_leaf", 10022, socket=1, address=ROOT_ADDRESS)
    tale.call("connect", "leaf1", "connect", 10061, socket=1, address=waiting)
    tale.call("connect to nobody", "leaf1", "connect", 10060, socket=1, address=["10.9.9.9", 9])
    tale.call("multipoint connect", "root", "connect", 10045, socket=1, address=waiting)
    tale.call("close", "leaf1", "close", {}, socket=1)
    tale.call("closed connect", "leaf1", "connect", 10038, socket=1, address=waiting)
    tale.barrier()
    return tale.moves


def found(*, read: tuple[int, ...] = (), write: tuple[int, ...] = ()) -> dict[str, object]:
    """Return the result of a select."""
    return {"read": [*read], "write": [*write], "exceptional": []}


def looked() -> list[Move]:
    """Tell of applications that look at their sockets before, during and after a membership."""
    tale = Tale()

    def look(label: str, host: str, socket: int, **sets: tuple[int, ...]) -> None:
        three = dict.fromkeys(("read", "write", "exceptional"), (socket,))
        arguments = {name: [*one] for name, one in three.items()}
        tale.call(label, host, "select", found(**sets), timeout_s=0, **arguments)

    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    look("nobody asks", "root", 1)
    join = tale.ask_to_join("leaf1", 1)
    look("request", "root", 1, read=(1,))
    look("joining", "leaf1", 1)
    tale.admit(join)
    look("admitted", "root", 1, write=(1,))
    look("handle", "root", 2)
    look("joined", "leaf1", 1, write=(1,))
    tale.tell_root(b"word", join)
    tale.barrier()
    look("read again", "root", 1, write=(1,))
    tale.expel(join)
    look("expelled", "leaf1", 1, read=(1,))
    return tale.moves


def late() -> list[Move]:
    """Tell of a message that waits while its socket is looked at."""
    moves = looked()
    place = find(moves, "recv b'word' root?")
    asked = Line("waiting?", "root", "to", {"id": 900, "call": "select", "args": {"read": [1]}})
    answer = Line("waiting!", "root", "from", {"id": 900, "result": found(read=(1,))})
    return [*moves[:place], asked, answer, *moves[place:]]


def parted() -> list[Move]:
    """Tell of a root that looks at one handle when another one's member has ended."""
    tale, (one, two) = meeting("leaf1", "leaf2")
    tale.expel(one)
    asked = {"read": [two.handle]}
    tale.call("still there", "root", "select", found(), timeout_s=0, **asked)
    return tale.moves


def elsewhere() -> list[Move]:
    """Tell of a look at a socket after another host has lost its interface."""
    tale, _ = meeting("leaf2")
    tale.moves.append(Told("lost", "leaf1 loses its interface", "started"))
    tale.call("nothing", "leaf2", "select", found(), timeout_s=0, read=[1])
    return tale.moves


ORDINARY = (ordinary, looked, late, parted, elsewhere)
UNCALLED = (
    Fault("CR26", looked, answering("joining!", result=found(write=(1,)))),
    Fault("CR26", looked, answering("joined!", result={**found(), "exceptional": [1]})),
    Fault("CR27", looked, answering("request!", result=found())),
    Fault("CR27", looked, answering("nobody asks!", result=found(read=(1,)))),
    Fault("CR27", looked, answering("nobody asks!", result=found(write=(1,)))),
    Fault("CR27", looked, answering("handle!", result=found(write=(2,)))),
    Fault("CR27", looked, answering("joined!", result=found())),
    Fault("CR27", looked, answering("expelled!", result=found())),
    Fault("CR27", late, answering("waiting!", result=found())),
    Fault("CR27", parted, answering("still there!", result=found(read=(3,)))),
    Fault("CR27", elsewhere, answering("nothing!", result=found(read=(1,)))),
    Fault("CR22", ordinary, answering("plain join!", result={"socket": 1})),
    Fault("CR22", ordinary, answering("plain join!", error=over(10061))),
    Fault("CR23", ordinary, answering("connect!", result={})),
    Fault("CR23", ordinary, answering("multipoint connect!", error=over(10061))),
)
