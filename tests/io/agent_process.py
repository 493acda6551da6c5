"""An agent under test: a real process, every line of it held against the published schema."""

import json
import subprocess
import sys
from typing import Any

import jsonschema

from mpwire.io.schema import schema

ALL_EVENTS = ["FD_CONNECT", "FD_ACCEPT", "FD_READ", "FD_WRITE", "FD_CLOSE"]
SCHEMA = schema()


def _part(part: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(part | {"$defs": SCHEMA["$defs"]})


LINES = _part({"oneOf": SCHEMA["oneOf"]})
CALLS = {name: _part(part) for name, part in SCHEMA["calls"].items()}
RESULTS = {name: _part(part) for name, part in SCHEMA["results"].items()}


class AgentProcess:
    """One agent under test; every line it prints is held against the schema."""

    def __init__(self, module: str = "mpwire.io.agent") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self.asks: list[dict[str, Any]] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self.names: dict[int, str] = {}
        """What was called, by id."""
        self.last_id = 0
        self.hello = self.read()["hello"]

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        LINES.validate(line)
        if "result" in line and line["id"] in self.names:
            RESULTS[self.names[line["id"]]].validate(line["result"])
        return line

    def start(self, name: str, **args: Any) -> int:  # noqa: ANN401 - whatever the call takes
        self.last_id += 1
        line = {"id": self.last_id, "call": name, "args": args}
        LINES.validate(line)
        CALLS[name].validate(args)
        self.names[self.last_id] = name
        self.write(json.dumps(line))
        return self.last_id

    def answer(self, call_id: int) -> dict[str, Any]:
        while call_id not in self.answers:
            line = self.read()
            if "event" in line:
                self.events.append(line)
            elif "ask" in line:
                self.asks.append(line)
                return line
            else:
                self.answers[line["id"]] = line
        return self.answers.pop(call_id)

    def call(self, name: str, **args: Any) -> Any:  # noqa: ANN401 - whatever was answered
        answer = self.answer(self.start(name, **args))
        return answer.get("result", answer)

    def wait_for(self, event: str, socket: int) -> dict[str, Any]:
        while True:
            for line in self.events:
                if (line["event"], line["socket"]) == (event, socket):
                    self.events.remove(line)
                    return line
            line = self.read()
            assert "event" in line, line
            self.events.append(line)

    def opened(self, *flags: str, host: str = "127.0.0.1") -> tuple[int, list[Any]]:
        socket = self.call("socket", flags=list(flags))["socket"]
        self.call("bind", socket=socket, address=[host, 0])
        self.call("event_select", socket=socket, events=ALL_EVENTS)
        return socket, self.call("getsockname", socket=socket)["address"]

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.read()  # whatever it still has to say before it notices
        self.process.stdout.close()
        return self.process.wait(10)
