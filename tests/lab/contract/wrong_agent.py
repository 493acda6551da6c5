"""An agent with one mistake: the reference agent behind a filter that makes it.

    python wrong_agent.py MISTAKE

Lines to the agent and from it pass through two functions of the mistake; both may drop, change and
add lines. `root-only` is no mistake: such an agent just lacks the leaf's role.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

Line = dict[str, Any]


class Filter:
    """Pass everything on."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.held: list[Line] = []

    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        """Pass on a line with its end, or answer it."""
        yield octets

    def from_agent(self, line: Line) -> Iterator[object]:
        """Pass on a line."""
        yield line

    def at_end(self) -> int:
        """Say the exit status, when the agent has ended with 0."""
        return 0

    def call(self, octets: bytes) -> Line:
        """Read a call, as far as it is one."""
        try:
            call = json.loads(octets)
        except ValueError:
            return {}
        if not isinstance(call, dict) or not isinstance(call.get("id"), int):
            return {}
        self.names[call["id"]] = call.get("call", "")
        return call


def say(line: object) -> None:
    """Print a line; a text as it stands."""
    text = line if isinstance(line, str) else json.dumps(line)
    os.write(1, text.encode() + b"\n")


MISTAKES: dict[str, type[Filter]] = {}


def mistake(name: str) -> Callable[[type[Filter]], type[Filter]]:
    """Register a mistake."""

    def register(made: type[Filter]) -> type[Filter]:
        MISTAKES[name] = made
        return made

    return register


def changed_hello(name: str, change: Callable[[Line], object]) -> None:
    """Register a mistake that is all in the hello."""

    class Changed(Filter):
        def from_agent(self, line: Line) -> Iterator[object]:
            if "hello" in line:
                change(line["hello"])
            yield line

    MISTAKES[name] = Changed


changed_hello("version", lambda hello: hello.update(contract=2))
changed_hello("listed", lambda hello: hello["calls"].append("enum_protocols"))
changed_hello("unlisted", lambda hello: hello["calls"].remove("enum_protocols"))


@mistake("hello")
class HelloTwice(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        if "hello" in line:
            yield line


@mistake("hello-late")
class HelloLate(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "hello" in line:
            yield {"event": "FD_READ", "socket": 1, "code": 0, "seq": 1}
        yield line


@mistake("chatter")
class Chatter(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        if "hello" in line:
            yield {"event": "FD_READ", "socket": 1, "code": 0, "seq": 1}


@mistake("listed-lacking")
class ListedLacking(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if self.names.get(line.get("id", 0)) == "bind":
            yield {"id": line["id"], "unsupported": "bind"}
        else:
            yield line

    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        self.call(octets)
        yield octets


@mistake("unknown-call")
class UnknownFails(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "unsupported" in line:
            line = {"id": line["id"], "error": {"code": 10045, "name": "WSAEOPNOTSUPP"}}
        yield line


@mistake("unknown-argument")
class UnknownIgnored(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        call = self.call(octets)
        if call.get("call") == "barrier":
            call["args"] = {}
            octets = json.dumps(call).encode() + b"\n"
        yield octets


@mistake("ids")
class AnswersTwice(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        if "unsupported" in line:
            yield line


@mistake("ids-swapped")
class Swapped(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "id" not in line:
            yield line
            return
        self.held.append(line)
        if len(self.held) == 2:
            one, other = self.held
            one["id"], other["id"] = other["id"], one["id"]
            self.held = []
            yield from (one, other)


@mistake("ids-foreign")
class Foreign(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        if "unsupported" in line:
            yield {"id": 1_000_001, "result": {}}


@mistake("errors")
class WrongNumber(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "error" in line:
            line["error"]["code"] = 88
        yield line


@mistake("errors-none")
class NoErrors(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield {"id": line["id"], "result": {}} if "error" in line else line


@mistake("malformed")
class DiesOfIt(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        if not self.call(octets):
            os._exit(1)
        yield octets


@mistake("malformed-ignored")
class IgnoresIt(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        if self.call(octets):
            yield octets


@mistake("malformed-done")
class DoesItAnyhow(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        if not self.call(octets):
            octets = b'{"id": 1, "call": "barrier"}\n'
        yield octets


@mistake("arguments")
class GuessesArguments(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "invalid" in line:
            line = {"id": line["id"], "error": {"code": 10022, "name": "WSAEINVAL"}}
        yield line


@mistake("descriptors")
class UsesAgain(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "socket" in line.get("result", {}):
            line["result"]["socket"] = 1
        yield line


@mistake("descriptors-zero")
class FromZero(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "socket" in line.get("result", {}):
            line["result"]["socket"] -= 1
        yield line


@mistake("configure")
class ConfiguresLate(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if line.get("invalid") == "configure comes before the first socket":
            line = {"id": line["id"], "result": {}}
        yield line


@mistake("configure-names")
class AnyTimer(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "no timer is named" in line.get("invalid", ""):
            line = {"id": line["id"], "result": {}}
        yield line


@mistake("long-lines")
class ShortBuffer(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        yield octets if len(octets) < 65_536 else b"{}\n"


@mistake("pieces")
class InPieces(Filter):
    """Made in `main`: what is read at a time is taken for a line."""


@mistake("concurrent")
class OneAtATime(Filter):
    """Made in `main`: the next call is read when the last one has been answered."""


@mistake("exit")
class WrongStatus(Filter):
    def at_end(self) -> int:
        return 3


@mistake("exit-talks")
class LastWords(Filter):
    def at_end(self) -> int:
        say({"event": "FD_READ", "socket": 1, "code": 0, "seq": 1})
        return 0


@mistake("end-of-input")
class Stays(Filter):
    """Made in `main`: it stays when its input has ended."""


@mistake("events")
class ReadTwice(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        if line.get("event") == "FD_READ":
            yield {**line, "seq": line["seq"] + 1}


@mistake("events-lost")
class NoConnect(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if line.get("event") != "FD_CLOSE":
            yield line


@mistake("barrier")
class BarrierFirst(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        self.call(octets)
        yield octets

    def from_agent(self, line: Line) -> Iterator[object]:
        if line.get("event") == "FD_READ":
            self.held.append(line)
            return
        yield line
        if self.names.get(line.get("id", 0)) == "barrier":
            yield from self.held
            self.held = []


@mistake("no-report")
class ReportsAll(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        call = self.call(octets)
        if call.get("call") == "event_select":
            call["args"]["report"] = True
            octets = json.dumps(call).encode() + b"\n"
        yield octets


@mistake("duplicates")
class SameAgain(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        self.call(octets)
        yield octets

    def from_agent(self, line: Line) -> Iterator[object]:
        if self.names.get(line.get("id", 0)) == "duplicate_socket" and "result" in line:
            line["result"]["socket"] -= 1
        yield line


@mistake("duplicates-die")
class NothingLeft(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        self.call(octets)
        yield octets

    def from_agent(self, line: Line) -> Iterator[object]:
        if self.names.get(line.get("id", 0)) == "recv":
            yield {"id": line["id"], "error": {"code": 10038, "name": "WSAENOTSOCK"}}
        else:
            yield line


@mistake("select")
class NeverWaits(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        call = self.call(octets)
        if call.get("call") == "select":
            call["args"]["timeout_s"] = 0
            octets = json.dumps(call).encode() + b"\n"
        yield octets


@mistake("select-empty")
class FindsNothing(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        self.call(octets)
        yield octets

    def from_agent(self, line: Line) -> Iterator[object]:
        if self.names.get(line.get("id", 0)) == "select" and "result" in line:
            line["result"]["read"] = []
        yield line


@mistake("ask")
class DecidesItself(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        yield octets.replace(b'"condition": "ask"', b'"condition": "accept"')


@mistake("ask-lets-in")
class LetsIn(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        yield octets.replace(b'"reject"', b'"accept"')


@mistake("lines")
class Debugs(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        yield line
        yield "DEBUG: said it"


@mistake("lines-schema")
class TextCode(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "event" in line:
            line["code"] = "0"
        yield line


@mistake("results")
class Nameless(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "socket" in line.get("result", {}):
            line["result"]["descriptor"] = "1"
            line["result"]["socket"] = "1"
        yield line


@mistake("sequence")
class SkipsNumbers(Filter):
    def from_agent(self, line: Line) -> Iterator[object]:
        if "event" in line:
            line["seq"] *= 2
        yield line


@mistake("root-only")
class RootOnly(Filter):
    def to_agent(self, octets: bytes) -> Iterator[bytes]:
        call = self.call(octets)
        if call.get("call") == "socket" and "C_LEAF" in call.get("args", {}).get("flags", ()):
            say({"id": call["id"], "unsupported": "socket: C_LEAF"})
        else:
            yield octets


def chunks(name: str) -> Iterator[bytes]:
    """Read lines; or, with the mistake `pieces`, whatever is there."""
    rest = b""
    while chunk := os.read(0, 65_536):
        if name == "pieces":
            yield chunk.rstrip(b"\n") + b"\n"
            continue
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)


def main() -> None:
    """Pass lines on, both ways."""
    name = sys.argv[1]
    kept = MISTAKES[name]()
    child = subprocess.Popen(
        [sys.executable, "-m", "mpwire.io.agent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    stdin, stdout = child.stdin, child.stdout
    answered = threading.Event()

    def listen() -> None:
        for octets in stdout:
            line = json.loads(octets)
            for made in kept.from_agent(line):
                say(made)
            if "id" in line:
                answered.set()
        os._exit(child.wait() or kept.at_end())

    threading.Thread(target=listen, daemon=True).start()
    for octets in chunks(name):
        for passed in kept.to_agent(octets):
            answered.clear()
            stdin.write(passed)
            stdin.flush()
            if name == "concurrent":
                answered.wait()
    if name == "end-of-input":
        threading.Event().wait()
    stdin.close()
    threading.Event().wait()


if __name__ == "__main__":
    main()
