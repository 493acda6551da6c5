"""Stories about calls that have nothing of a session: ordinary sockets, connections, WSPSelect."""

from tests.oracle.oracle_asides import ROOT_ADDRESS
from tests.oracle.oracle_edits import Fault, answering, over
from tests.oracle.oracle_story import ADDRESSES, PORT, Move
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


ORDINARY = (ordinary,)
UNCALLED = (
    Fault("CR22", ordinary, answering("plain join!", result={"socket": 1})),
    Fault("CR22", ordinary, answering("plain join!", error=over(10061))),
    Fault("CR23", ordinary, answering("connect!", result={})),
    Fault("CR23", ordinary, answering("multipoint connect!", error=over(10061))),
)
