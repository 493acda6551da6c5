"""What is asked of an agent's events: a session over loopback, with the reference agent opposite.

The agent under test is the leaf if it supports one, else the root. Whatever can be seen of the
protocol here is left to the judge of a lab; these checks are about what is printed, and when.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mpwire.lab.contract.checks import ROLES, Bench, Check, role
from mpwire.lab.contract.talk import Broken, Lacking, Line, Talk

LEAF, ROOT = ROLES
HERE: Final = ["127.0.0.1", 0]
EVENTS: Final = ("FD_CONNECT", "FD_ACCEPT", "FD_READ", "FD_WRITE", "FD_CLOSE")
Start = Callable[[], Talk]


class Session:
    """Two agents on one host, one of them the root."""

    def __init__(self, tested: Talk, reference: Talk) -> None:
        """Make both sockets, and let the root listen.

        Raises: Lacking: the agent under test supports neither role.
        """
        self.tested = tested
        self.leads = role(tested) == ROOT
        """The agent under test is the root."""
        self.root, self.leaf = (tested, reference) if self.leads else (reference, tested)
        self.listener = opened(self.root, ROOT)
        self.root.result("listen", socket=self.listener)
        self.address = self.root.result("getsockname", socket=self.listener)["address"]
        self.joiner = opened(self.leaf, LEAF)
        self.handle = 0
        """The root's socket that stands for the leaf."""

    def ask(self) -> None:
        """Let the leaf ask, and the root hear of it."""
        self.leaf.result("join_leaf", socket=self.joiner, address=self.address)
        self.root.wait_for("FD_ACCEPT", self.listener, "after join_leaf")

    def meet(self) -> None:
        """Let the leaf become a member."""
        self.ask()
        self.handle = self.root.result("accept", socket=self.listener)["socket"]
        self.leaf.wait_for("FD_CONNECT", self.joiner, "after accept")

    @property
    def mine(self) -> int:
        """The socket on which the agent under test is told of data."""
        return self.listener if self.leads else self.joiner

    def tell(self) -> None:
        """Let the other side send: on loopback that is in the receiver's queue then."""
        if self.leads:
            other, sender = self.leaf, self.joiner
        else:
            other, sender = self.root, self.listener
            other.result("barrier")  # with which it has taken the CONFIRM, and may send
        other.result("send", socket=sender, data="2a")
        other.result("barrier")


def opened(talk: Talk, flags: list[str]) -> int:
    """Make a socket on loopback whose events are reported."""
    number: int = talk.result("socket", flags=flags)["socket"]
    talk.result("event_select", socket=number, events=list(EVENTS))
    talk.result("bind", socket=number, address=HERE)
    return number


@contextmanager
def session(bench: Bench, reference: Start) -> Iterator[Session]:
    """Start both agents."""
    with bench.agent() as tested, reference() as other:
        other.greet()
        yield Session(tested, other)


def before_the_answer(bench: Bench, reference: Start) -> None:
    """Let a datagram wait at the agent when it reads the barrier: its event comes first."""
    with session(bench, reference) as meeting:
        meeting.meet()
        meeting.tell()
        talk = meeting.tested
        answer = talk.answer(talk.begin("barrier"))
        _precedes(talk, "FD_READ", meeting.mine, answer)


def _precedes(talk: Talk, event: str, socket: int, answer: Line) -> None:
    line = talk.seen(event, socket)
    if line is None or talk.heard.order.index(line) > talk.heard.order.index(answer):
        found = f"found it after {json.dumps(answer)}" if line else "found none"
        raise Broken(f"expected {event} before the answer to barrier, {found}", json.dumps(answer))


def in_order(bench: Bench, reference: Start) -> None:
    """Meet, talk and part: each event is reported once, in the order of the bits."""
    with session(bench, reference) as meeting:
        meeting.meet()
        meeting.root.result("send", socket=meeting.listener, data="2a")
        meeting.leaf.wait_for("FD_READ", meeting.joiner)
        received = meeting.leaf.result("recv", socket=meeting.joiner)
        if received["data"] != "2a":
            raise Broken("expected the data 2a", json.dumps(received))
        meeting.root.result("close", socket=meeting.listener)
        meeting.leaf.wait_for("FD_CLOSE", meeting.joiner)
        meeting.tested.result("barrier")
        talk, mine = meeting.tested, meeting.mine
        expected = (
            ["FD_ACCEPT", "FD_WRITE"]
            if meeting.leads
            else ["FD_CONNECT", "FD_WRITE", "FD_READ", "FD_CLOSE"]
        )
        found = [line for line in talk.heard.events if line["socket"] == mine]
        if [line["event"] for line in found] != expected or any(line["code"] for line in found):
            told = ", ".join(f"{line['event']} {line['code']}" for line in found)
            raise Broken(f"expected {', '.join(expected)}, each with code 0, found {told}")


def not_reported(bench: Bench, reference: Start) -> None:
    """Select events without reports: nothing is printed, and the record says what happened."""
    with session(bench, reference) as meeting:
        talk, socket = meeting.tested, meeting.mine
        _needs(talk, "enum_network_events")
        talk.result("event_select", socket=socket, events=list(EVENTS), report=False)
        meeting.leaf.result("join_leaf", socket=meeting.joiner, address=meeting.address)
        if meeting.leads:
            expected = "FD_ACCEPT"
        else:
            expected = "FD_CONNECT"
            meeting.root.wait_for("FD_ACCEPT", meeting.listener)
            meeting.root.result("accept", socket=meeting.listener)
        found = _enumerated(meeting, socket, expected)
        if talk.heard.events:
            raise Broken("found an event that was not to be reported", json.dumps(found))
        again = talk.result("enum_network_events", socket=socket)["events"]
        if expected in [entry["event"] for entry in again]:
            raise Broken(f"{expected} is in the record a second time", json.dumps(again))


def _enumerated(meeting: Session, socket: int, expected: str) -> object:
    found: list[Line] = []

    def holds() -> bool:
        meeting.leaf.result("barrier")
        meeting.root.result("barrier")
        events = meeting.tested.result("enum_network_events", socket=socket)["events"]
        found.extend(events)
        return expected in [entry["event"] for entry in found] or bool(meeting.tested.heard.events)

    meeting.tested.until(holds, f"no {expected} in the record")
    return found


def duplicated(bench: Bench, reference: Start) -> None:
    """Close the older of two descriptors: the socket goes on, and events have the other one."""
    with session(bench, reference) as meeting:
        talk, mine = meeting.tested, meeting.mine
        _needs(talk, "duplicate_socket")
        meeting.meet()
        other = talk.result("duplicate_socket", socket=mine)["socket"]
        if other == mine:
            raise Broken(f"expected another descriptor than {mine}")
        talk.result("close", socket=mine)
        meeting.tell()
        talk.wait_for("FD_READ", other, "with the descriptor that is left")
        talk.result("recv", socket=other)
        peer, end = (meeting.root, meeting.handle)
        if meeting.leads:
            peer, end = meeting.leaf, meeting.joiner
        peer.result("barrier")
        if (line := peer.seen("FD_CLOSE", end)) is not None:
            raise Broken("closing one of two descriptors ended the membership", json.dumps(line))
        talk.result("close", socket=other)
        peer.wait_for("FD_CLOSE", end, "when the last descriptor was closed")


def looked(bench: Bench, reference: Start) -> None:
    """Look for data before, while and after it comes: what is looked at stays."""
    with session(bench, reference) as meeting:
        talk, mine = meeting.tested, meeting.mine
        _needs(talk, "select")
        meeting.meet()
        _compare_look(mine, [], talk.call("select", read=[mine], timeout_s=0))
        waiting = talk.begin("select", {"read": [mine]})
        talk.result("barrier")
        if waiting in talk.heard.answers:
            line = talk.heard.answers[waiting]
            raise Broken("expected select to wait until there is something", json.dumps(line))
        meeting.tell()
        _compare_look(mine, [mine], talk.answer(waiting))
        _compare_look(mine, [mine], talk.call("select", read=[mine], timeout_s=0))
        talk.wait_for("FD_READ", mine, "of data that select has told of")
        talk.result("recv", socket=mine)


def _compare_look(socket: int, expected: list[int], line: Line) -> None:
    if line.get("result", {}).get("read") != expected:
        told = "readable" if expected else "not readable"
        raise Broken(f"expected socket {socket} to be {told}", json.dumps(line))


def _needs(talk: Talk, *calls: str) -> None:
    if not {*calls} <= {*(talk.hello or {}).get("calls", [])}:
        raise Lacking(", ".join(calls))


def asks(bench: Bench, reference: Start) -> None:
    """Let the caller be the condition function, and refuse."""
    with bench.agent() as talk:
        _needs(talk, "listen", "accept")
    with bench.agent() as talk, reference() as leaf:
        leaf.greet()
        listener = opened(talk, ROOT)
        talk.result("listen", socket=listener)
        address = talk.result("getsockname", socket=listener)["address"]
        joiner = opened(leaf, LEAF)
        leaf.result("join_leaf", socket=joiner, address=address, caller_data="6869")
        talk.wait_for("FD_ACCEPT", listener)
        number = talk.begin("accept", {"socket": listener, "condition": "ask"})
        answers = talk.heard.answers
        talk.until(lambda: bool(talk.heard.asks) or number in answers, "no ask")
        if number in answers and "unsupported" in answers[number]:
            raise Lacking(str(answers[number]["unsupported"]))
        if not talk.heard.asks:
            raise Broken("expected to be asked", json.dumps(answers[number]))
        line = talk.heard.asks[0]
        if line["call"] != number or line["condition"]["caller_data"] != "6869":
            raise Broken(
                f"expected an ask of call {number}, with its caller data", json.dumps(line)
            )
        talk.write(json.dumps({"answer": line["ask"], "decision": "reject"}).encode() + b"\n")
        answer = talk.answer(number)
        if answer.get("error", {}).get("name") != "WSAECONNREFUSED":
            raise Broken("expected accept to fail with WSAECONNREFUSED", json.dumps(answer))
        if leaf.wait_for("FD_CONNECT", joiner)["code"] == 0:
            raise Broken("it let in whom it was told to refuse", json.dumps(answer))


def checks(reference: Start) -> tuple[Check, ...]:
    """List the checks that need a reference agent."""

    def check(name: str, about: str, run: Callable[[Bench, Start], None]) -> Check:
        return Check(name, about, lambda bench: run(bench, reference))

    return (
        check("events", "what happens to a member is reported once, in order", in_order),
        check("barrier", "barrier is answered after what was queued before it", before_the_answer),
        check("no-report", "events that are not to be reported stay in the record", not_reported),
        check("duplicates", "a socket lives, and is told of, until its last close", duplicated),
        check("select", "select waits for what it is asked about, and takes nothing", looked),
        check("ask", "accept asks its caller, and does what it is told", asks),
    )
