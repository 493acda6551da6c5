"""An agent that says what a test told it to say; it has no sockets and no network.

Started as `python -I -S scripted_agent.py RULES`. RULES is a JSON object: call name to a list of
turns, one for each time the call is made; a turn is a list of lines to print. In a line, `id` is
filled in unless it is there; so is `seq` in an event. A line may also be a command for the agent
itself: {"exit": 3}, {"kill": 9}, {"raw": "text"}, {"stderr": "text"}, {"big": octets},
{"listen": true} (read the next line before going on), {"hang": true} (do nothing any more). The
turn of "hello" is printed first.

Calls without a rule succeed: `socket` and `accept` hand out descriptors 1, 2, 3, ..., `send` counts
its octets, everything else answers {}.
"""

import json
import os
import signal
import sys
from typing import Any

CALLS = [
    "configure", "socket", "bind", "listen", "event_select", "enum_network_events", "join_leaf",
    "callee_data", "accept", "send", "recv", "shutdown", "close", "set_linger", "barrier", "exit",
]  # fmt: skip
HELLO = {"hello": {"contract": 1, "name": "scripted", "version": "1", "calls": CALLS}}


class Scripted:
    """Follow the rules."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self.rules = rules
        self.seq = 0
        self.descriptor = 0

    def say(self, line: dict[str, Any]) -> None:
        """Print one line."""
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def turn(self, call: dict[str, Any]) -> None:
        """Print what the rules say for one call, or answer it."""
        turns = self.rules.get(call["call"])
        if not turns:
            self.say({"id": call["id"], "result": self.result(call)})
        for line in turns.pop(0) if turns else ():
            self.act(dict(line), call)
        if call["call"] == "exit":
            sys.exit(0)

    def act(self, line: dict[str, Any], call: dict[str, Any]) -> None:
        """Print one line of a turn, or do what it commands."""
        if "exit" in line:
            os._exit(line["exit"])
        elif "kill" in line:
            os.kill(os.getpid(), line["kill"])
        elif "raw" in line:
            sys.stdout.write(line["raw"] + "\n")
            sys.stdout.flush()
        elif "big" in line:
            sys.stdout.write("x" * line["big"] + "\n")
            sys.stdout.flush()
        elif "hang" in line:
            signal.pause()
        elif "stderr" in line:
            sys.stderr.write(line["stderr"] + "\n")
        elif "listen" in line:
            sys.stdin.readline()
        elif "event" in line:
            self.seq += 1
            self.say({"seq": self.seq, **line})
        elif "ask" in line:
            self.say({"call": call["id"], **line})
        elif "hello" in line:
            self.say(line)
        elif line.get("default"):
            self.say({"id": call["id"], "result": self.result(call)})
        else:
            self.say({"id": call["id"], **line})

    def result(self, call: dict[str, Any]) -> dict[str, Any]:
        """Succeed."""
        if call["call"] in ("socket", "accept"):
            self.descriptor += 1
            return {"socket": self.descriptor, "address": ["10.77.0.3", 61717]}
        if call["call"] == "send":
            return {"octets": len(call["args"]["data"]) // 2}
        return {}


def main() -> None:
    """Say hello and serve calls until the input ends."""
    agent = Scripted(json.loads(sys.argv[1]))
    for line in agent.rules.get("hello", [[HELLO]])[0]:
        agent.act(dict(line), {"id": 0, "call": "hello"})
    for line in sys.stdin:
        agent.turn(json.loads(line))


if __name__ == "__main__":
    main()
