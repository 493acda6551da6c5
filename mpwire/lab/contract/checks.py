"""What is asked of every agent, line by line: no check here needs another agent or a network."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mpwire.lab.contract import schema
from mpwire.lab.contract.talk import CONTRACT, LINE_OCTETS_MAX, Broken, Lacking, Talk
from mpwire.vocabulary import WsaError

UNHEARD_OF: Final = "frobnicate"
"""A call that no contract has."""
MOST_NESTED: Final = 20_000
ROLES: Final = (["C_LEAF", "D_LEAF"], ["C_ROOT", "D_ROOT"])


class Bench:
    """Start agents for checks, and keep what is wrong with every one of their lines."""

    def __init__(self, start: Callable[[], Talk]) -> None:
        """Start each agent anew by `start`."""
        self._start = start
        self.talks: list[Talk] = []

    @contextmanager
    def agent(self) -> Iterator[Talk]:
        """Start an agent and hear its hello."""
        with self.silent_agent() as talk:
            talk.greet()
            yield talk

    @contextmanager
    def silent_agent(self) -> Iterator[Talk]:
        """Start an agent that is not listened to yet."""
        with self._start() as talk:
            self.talks.append(talk)
            yield talk


@dataclass(slots=True, frozen=True)
class Check:
    """One thing that the contract asks."""

    name: str
    about: str
    run: Callable[[Bench], None]


def hello(bench: Bench) -> None:
    """Hear who the agent is."""
    with bench.agent() as talk:
        talk.quiet()
        said = [json.dumps(line) for line in talk.heard.order[1:]]
        if said := [*said, *(offence.line for offence in talk.offences)]:
            raise Broken("something is said that nobody asked for", said[0])


def version(bench: Bench) -> None:
    """Hear a hello, of which the number of the contract is read before anything else."""
    with bench.agent():
        pass


def listed(bench: Bench) -> None:
    """Make each call that hello lists: it may fail, but it is there."""
    with bench.agent() as talk:
        names = _calls(talk)
        if len(set(names)) != len(names) or not {"barrier", "exit"} <= set(names):
            raise Broken(
                "expected each call once, barrier and exit among them",
                json.dumps({"hello": talk.hello}),
            )
        for name in names:
            if name in schema.CALLS and name not in {"exit", "select"}:
                line = talk.call(name, **schema.least(name))
                if line.get("unsupported") == name:
                    raise Broken(f"hello lists {name}", json.dumps(line))


def unlisted(bench: Bench) -> None:
    """Make each call of the contract that hello does not list."""
    with bench.agent() as talk:
        missing = [name for name in schema.CALLS if name not in _calls(talk)]
        for name in missing:
            line = talk.call(name, **schema.least(name))
            if "unsupported" not in line:
                raise Broken(f"hello does not list {name}: expected unsupported", json.dumps(line))


def unknown_call(bench: Bench) -> None:
    """Make a call that is in no contract."""
    with bench.agent() as talk:
        _unsupported(talk.call(UNHEARD_OF, socket=1))


def unknown_argument(bench: Bench) -> None:
    """Give a call an argument that a later contract might have."""
    with bench.agent() as talk:
        _unsupported(talk.call("barrier", **{UNHEARD_OF: 1}))


def ids(bench: Bench) -> None:
    """Make many calls at once: each is answered once, by its id."""
    with bench.agent() as talk:
        names = ["barrier", UNHEARD_OF] * 10
        numbers = [talk.begin(name) for name in names]
        for name, number in zip(names, numbers, strict=True):
            line = talk.answer(number)
            if (name == "barrier") != ("result" in line):
                raise Broken(f"this is no answer to {name}", json.dumps(line))


def errors(bench: Bench) -> None:
    """Make a call fail, and compare number and name of the error."""
    with bench.agent() as talk:
        name = next((call for call in _calls(talk) if "socket" in schema.required(call)), None)
        if name is None:
            raise Lacking("no call on a socket")
        line = talk.call(name, **schema.least(name))
        error = line.get("error")
        if error is None:
            raise Broken(f"expected an error of {name} on a socket of nobody", json.dumps(line))
        known = WsaError.__members__.get(error["name"])
        if known is None or known != error["code"] or known is not WsaError.WSAENOTSOCK:
            raise Broken("expected 10038, WSAENOTSOCK", json.dumps(line))


def malformed(bench: Bench) -> None:
    """Write lines that are no calls: each is answered `invalid`, and the agent lives on."""
    with bench.agent() as talk:
        for octets in (
            b"this is no JSON",
            b'{"id": 1, "call": "barrier"',
            b'{"id": 2, "call": "barrier"} {}',
            b'["id", 3, "call", "barrier"]',
            b'{"id": 4}',
            b'{"call": "barrier"}',
            b'{"id": "5", "call": "barrier"}',
            b'{"id": 7, "call": ["barrier"]}',
            b'{"id": 8, "call": "barrier", "args": [1]}',
            b'{"id": 10, "call": "barr\xff\xfeier"}',
            b"null",
            b"[" * MOST_NESTED,
        ):
            _invalid(talk, octets)


def arguments(bench: Bench) -> None:
    """Leave out arguments, or give them another type: nothing is done."""
    with bench.agent() as talk:
        calls = _calls(talk)
        for name, given in (
            ("bind", {"socket": schema.NOBODYS_SOCKET}),
            ("bind", {"socket": schema.NOBODYS_SOCKET, "address": "127.0.0.1"}),
            ("close", {}),
            ("close", {"socket": "1"}),
            ("socket", {"flags": "C_LEAF"}),
            ("send", {"socket": schema.NOBODYS_SOCKET, "data": 5}),
        ):
            if name in calls:
                line = talk.call(name, **given)
                if "invalid" not in line:
                    raise Broken(f"expected invalid for {json.dumps(given)}", json.dumps(line))


def descriptors(bench: Bench) -> None:
    """Make sockets and close them: descriptors are positive and never used again."""
    with bench.agent() as talk:
        flags, number = first_socket(talk)
        found: list[int] = []
        for _ in range(5):
            if number < 1 or number in found:
                raise Broken(f"expected a new descriptor, found {number} after {found}")
            found.append(number)
            if len(found) % 2:
                talk.result("close", socket=number)
            number = talk.result("socket", flags=flags)["socket"]


def configure(bench: Bench) -> None:
    """Configure: timers by their names, and not after the first socket."""
    with bench.agent() as talk:
        if "configure" not in _calls(talk):
            raise Lacking("configure")
        timers = {"rto_initial_s": 0.1, "rto_maximum_s": 1.6, "retransmissions": 5}
        talk.result("configure", seed=7, timers=timers)
        talk.result("configure", seed=None)
        if "invalid" not in (line := talk.call("configure", timers={UNHEARD_OF: 1})):
            raise Broken("expected invalid for a timer of no name", json.dumps(line))
        talk.result("socket", flags=role(talk))
        if "result" in (line := talk.call("configure", seed=8)):
            raise Broken("configure after the first socket", json.dumps(line))


def long_lines(bench: Bench) -> None:
    """Write a line that is nearly as long as lines may be."""
    with bench.agent() as talk:
        room = LINE_OCTETS_MAX - 1000
        _unsupported(talk.call(UNHEARD_OF, text="x" * room))
        talk.result("barrier")


def pieces(bench: Bench) -> None:
    """Write a call in two pieces, then two calls in one."""
    with bench.agent() as talk:
        number = talk.begin_raw("barrier", b'{"id": 1, "call": "bar')
        if not talk.quiet():
            raise Broken("half a line was answered", _last(talk))
        talk.write(b'rier"}\n')
        talk.answer(number)
        one, two = talk.begin("barrier"), talk.begin("barrier")
        talk.answer(two)
        talk.answer(one)


def concurrent(bench: Bench) -> None:
    """Leave a call open that blocks, and make others meanwhile."""
    with bench.agent() as talk, _silent_address() as address:
        open_call = _blocking(talk, address)
        for _ in range(3):
            talk.result("barrier")
        if open_call in talk.heard.answers:
            line = talk.heard.answers[open_call]
            if "unsupported" in line:
                raise Lacking(str(line["unsupported"]))
            raise Broken("expected a blocking join to wait for its end", json.dumps(line))


@contextmanager
def _silent_address() -> Iterator[list[object]]:
    """Give an address on loopback where somebody listens and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield list(nobody.getsockname())


def _blocking(talk: Talk, address: list[object]) -> int:
    """Make a call that blocks: nobody will ever answer the request to join."""
    if not {"socket", "join_leaf"} <= set(_calls(talk)):
        raise Lacking("socket, join_leaf")
    number = talk.result("socket", flags=role(talk))["socket"]
    return talk.begin("join_leaf", {"socket": number, "address": address})


def leaving(bench: Bench) -> None:
    """Call exit: it is answered, nothing follows, and the status is 0."""
    with bench.agent() as talk:
        talk.result("exit")
        count = len(talk.heard.order)
        _left(talk)
        if len(talk.heard.order) > count:
            raise Broken("something was said after exit", _last(talk))


def end_of_input(bench: Bench) -> None:
    """End the input, with a socket and a call open: the process ends with status 0."""
    with bench.silent_agent() as talk:
        talk.close_input()
        talk.greet()
        _left(talk)
    with bench.agent() as talk, _silent_address() as address:
        try:
            _blocking(talk, address)
        except Lacking:
            talk.call("socket", flags=ROLES[0])
        talk.call("barrier")
        talk.close_input()
        _left(talk)


def _left(talk: Talk) -> None:
    status = talk.status()
    if status != 0:
        raise Broken(f"expected status 0, found {status}")


def first_socket(talk: Talk) -> tuple[list[str], int]:
    """Make a socket of a role that the agent supports; return its flags and descriptor."""
    reason = ""
    for flags in ROLES:
        try:
            return flags, talk.result("socket", flags=flags)["socket"]
        except Lacking as lacking:
            reason = str(lacking)
    raise Lacking(reason)


def role(talk: Talk) -> list[str]:
    """Say which flags make a socket that the agent supports."""
    return first_socket(talk)[0]


def _calls(talk: Talk) -> list[str]:
    assert talk.hello is not None
    calls: list[str] = talk.hello["calls"]
    return calls


def _unsupported(line: dict[str, object]) -> None:
    if "unsupported" not in line:
        raise Broken("expected unsupported", json.dumps(line))


def _invalid(talk: Talk, octets: bytes) -> None:
    """Write a line; the next thing that is said is `invalid`."""
    before = len(talk.heard.order)
    talk.write(octets + b"\n")
    written = octets[:40].decode("utf-8", "replace")
    talk.until(lambda: len(talk.heard.order) > before, f"no answer to {written}")
    line = talk.heard.order[before]
    if "invalid" not in line:
        raise Broken(f"expected invalid for {written}", json.dumps(line))
    talk.result("barrier")


def _last(talk: Talk) -> str:
    return json.dumps(talk.heard.order[-1])


ALWAYS: Final = {
    "lines": "every line is one of the contract's, and nothing else is on standard output",
    "results": "results have the members that the schema names",
    "sequence": "event lines are numbered 1, 2, 3, ... without gaps",
}
"""What is watched in every conversation."""

CHECKS: Final = (
    Check("hello", "the first line says who the agent is, once, and then it waits", hello),
    Check("version", f"it speaks contract {CONTRACT}", version),
    Check("listed", "each call that hello lists is there", listed),
    Check("unlisted", "each call that hello does not list is answered unsupported", unlisted),
    Check("unknown-call", "a call of no contract is answered unsupported", unknown_call),
    Check(
        "unknown-argument", "an argument of no contract is answered unsupported", unknown_argument
    ),
    Check("ids", "each call is answered once, by its id, and nothing else is", ids),
    Check("errors", "a failing call has a Winsock error, by number and name", errors),
    Check("malformed", "what is no call is answered invalid, and survived", malformed),
    Check("arguments", "missing and mistyped arguments are answered invalid", arguments),
    Check("descriptors", "descriptors are positive and never used again", descriptors),
    Check("configure", "seed and timers are taken before the first socket, not after", configure),
    Check("long-lines", "lines of nearly a mebibyte are read", long_lines),
    Check("pieces", "a line is what ends with a newline, however it is written", pieces),
    Check("concurrent", "a call that blocks stays open while others are answered", concurrent),
    Check("exit", "exit is answered, then the process ends with status 0", leaving),
    Check("end-of-input", "at the end of input the process ends with status 0", end_of_input),
)
