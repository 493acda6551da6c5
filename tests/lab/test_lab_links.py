"""One agent behind its pipes: whatever it prints, the harness stays in one piece."""

import asyncio
import io
import json
import os
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpwire.lab.links import (
    RECORD_OCTETS,
    UNASKED_OCTETS_MAX,
    AgentFault,
    AgentLink,
    Bell,
    Refused,
    Report,
    Unsupported,
)
from mpwire.lab.pipes import LinePipes

HELLO = b'{"hello": {"contract": 1, "name": "x", "version": "0", "calls": ["listen"]}}\n'


class Pipes:
    """An agent's pipes without an agent; the test writes what it would print."""

    pid = None

    def __init__(self) -> None:
        self.calls, to_agent = os.pipe()
        from_agent, self.output = os.pipe()
        self.stdin = io.FileIO(to_agent, "wb")
        self.stdout = io.FileIO(from_agent, "rb")
        for descriptor in (to_agent, from_agent):
            os.set_blocking(descriptor, False)

    def pipes(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None]) -> LinePipes:
        return LinePipes(self, on_line, on_end)

    def print(self, text: bytes) -> None:
        os.write(self.output, text)

    def stderr(self) -> str:
        return ""

    def kill(self) -> None:
        """Is no process."""

    def signal(self, number: int) -> None:
        """Is no process."""

    async def wait(self) -> int:
        return 0

    def close(self) -> None:
        for pipe in (self.stdin, self.stdout):
            pipe.close()
        for descriptor in (self.calls, self.output):
            os.close(descriptor)


class Log:
    """Keep what passed."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self.events: list[Report] = []

    def agent_line(self, host: str, direction: Literal["to", "from"], line: bytes) -> None:
        assert host == "leaf1"
        self.lines.append((direction, line))

    def event(self, host: str, report: Report) -> None:
        assert host == "leaf1"
        self.events.append(report)


class Scene:
    """A link and the agent's side of it."""

    def __init__(self, *, greeted: bool = True) -> None:
        self.pipes, self.log, self.bell = Pipes(), Log(), Bell()
        self.link = AgentLink("leaf1", self.pipes, self.log, self.bell)
        if greeted:
            self.pipes.print(HELLO)

    async def turns(self) -> None:
        """Let the loop read what was printed."""
        for _ in range(3):
            await asyncio.sleep(0)


def run(coroutine: Any) -> Any:  # noqa: ANN401 - any scene, any outcome
    """Run a scene; an exception in a callback is an error."""
    loop = asyncio.new_event_loop()
    wrong: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    try:
        outcome = loop.run_until_complete(coroutine)
    finally:
        loop.close()
    assert wrong == []
    return outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b'"result": {"a": 1}', {"a": 1}),
        (b'"error": {"code": 10022, "name": "WSAEINVAL"}', Refused),
        (b'"unsupported": "listen"', Unsupported),
        (b'"invalid": "why"', AgentFault),
    ],
)
def test_each_kind_of_answer_has_its_outcome(answer: bytes, outcome: object) -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        one.pipes.print(b'{"id": 1, ' + answer + b"}\n")
        calling = one.link.call("listen", {"socket": 1}, 10)
        if isinstance(outcome, dict):
            assert await calling == outcome
        else:
            assert isinstance(outcome, type)
            with pytest.raises(outcome):
                await calling
        assert one.link.fault is None
        assert one.log.lines[-2][0] == "to"
        one.pipes.close()

    run(scene())


def test_answers_may_come_in_any_order_with_events_between() -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        first, second = one.link.begin("recv", {}), one.link.begin("listen", {})
        one.pipes.print(
            b'{"id": 2, "result": {"n": 2}}\n'
            b'{"event": "FD_READ", "socket": 1, "code": 0, "seq": 1}\n'
            b'{"id": 1, "result": {"n": 1}}\n'
        )
        assert (await second, await first) == ({"n": 2}, {"n": 1})
        assert [report.event for report in one.link.reported(1)] == ["FD_READ"]
        assert one.link.reported(2) == []
        assert one.log.events == one.link.reports
        one.pipes.close()

    run(scene())


def test_a_call_that_cannot_block_and_is_not_answered_is_a_fault() -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        with pytest.raises(AgentFault, match=r"leaf1 did not answer recv within 0\.01 s"):
            await one.link.call("recv", {}, 0.01, blocks=True)
        assert one.link.fault is None
        with pytest.raises(AgentFault, match="did not answer listen"):
            await one.link.call("listen", {}, 0.01)
        with pytest.raises(AgentFault, match="did not answer listen"):
            await one.link.call("close", {}, 10)
        assert all(b"close" not in line for _, line in one.log.lines)
        one.pipes.close()

    run(scene())


def test_whoever_owes_an_answer_is_asked_whether_it_lives() -> None:
    """The answer to a barrier proves that the call before it was forgotten; silence nothing."""

    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        calling = asyncio.create_task(one.link.call("listen", {}, 0.01))
        asked = b""
        while b"barrier" not in asked:
            asked += await asyncio.to_thread(os.read, one.pipes.calls, 65536)
        one.pipes.print(b'{"id": 2, "result": {}}\n')
        with pytest.raises(AgentFault, match="did not answer listen"):
            await calling
        last = [(way, msgspec.json.decode(line)) for way, line in one.log.lines[-2:]]
        assert last == [
            ("to", {"id": 2, "call": "barrier", "args": {}}),
            ("from", {"id": 2, "result": {}}),
        ]
        assert one.link.fault is not None
        one.pipes.close()

    run(scene())


def test_a_barrier_that_is_not_answered_is_not_asked_again() -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        with pytest.raises(AgentFault, match="did not answer barrier"):
            await one.link.call("barrier", {}, 0.01)
        assert [b"barrier" in line for _, line in one.log.lines].count(True) == 1
        one.pipes.close()

    run(scene())


def test_silence_instead_of_a_hello_is_a_fault() -> None:
    async def scene() -> None:
        one = Scene(greeted=False)
        with pytest.raises(AgentFault, match=r"leaf1 did not say hello within 0\.01 s"):
            await one.link.greet(0.01)
        one.pipes.close()

    run(scene())


def test_a_bell_wakes_whoever_waits_and_loses_nothing() -> None:
    async def scene() -> None:
        bell, seen = Bell(), list[int]()
        waiting = asyncio.create_task(bell.until(lambda: len(seen) == 3, 10))
        for number in range(3):
            await asyncio.sleep(0)
            seen.append(number)
            bell.ring()
        assert await waiting
        assert not await bell.until(lambda: len(seen) == 4, 0.01)

    run(scene())


NAMES = (
    *("hello", "id", "result", "error", "unsupported", "invalid"),
    *("event", "socket", "code", "seq", "ask", "call", "condition"),
)
VALUES = st.one_of(
    st.none(),
    st.integers(-1, 3),
    st.sampled_from(["FD_READ", "x", {}, {"code": 1, "name": "x"}]),
)
LINES = st.one_of(
    st.binary(max_size=80),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(
        lambda line: json.dumps(line).encode()
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=6))
def test_whatever_is_printed_the_link_only_ever_ends_with_a_reason(lines: list[bytes]) -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        answer = one.link.begin("listen", {})
        for line in lines:
            one.pipes.print(line.replace(b"\n", b" ") + b"\n")
        await one.turns()
        if one.link.fault is not None:
            assert str(one.link.fault).startswith("leaf1")
            assert answer.done()
        heard = [line for direction, line in one.log.lines if direction == "from"][1:]
        assert len(heard) == len(lines) or (one.link.silenced and heard)
        printed = [line.replace(b"\n", b" ").removesuffix(b"\r") for line in lines]
        assert heard == printed[: len(heard)]
        one.pipes.close()

    run(scene())


def test_nothing_is_read_after_a_line_that_broke_the_contract() -> None:
    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        one.pipes.print(b"garbage\n" * 1000)
        await one.turns()
        assert one.log.lines[1:] == [("from", b"garbage")]
        one.pipes.print(b"more\n")
        await one.turns()
        assert await one.link.leave(10) == 0
        assert one.log.lines[1:] == [("from", b"garbage")]
        assert one.link.silenced
        one.pipes.close()

    run(scene())


def test_what_nobody_asked_for_is_bounded_and_an_answer_starts_anew() -> None:
    event = '{{"event": "FD_READ", "socket": 1, "code": 0, "seq": {}}}\n'
    share = UNASKED_OCTETS_MAX // (len(event) + RECORD_OCTETS)

    async def scene() -> None:
        one = Scene()
        await one.link.greet(10)
        for seq in range(1, 2 * share):
            if seq == share:
                answer = one.link.begin("listen", {})
                one.pipes.print(b'{"id": 1, "result": {}}\n')
                await answer
            one.pipes.print(event.format(seq).encode())
            await asyncio.sleep(0)
        await one.turns()
        assert one.link.fault is None
        with pytest.raises(AgentFault, match="more than anybody asked for"):
            await flooded(one)
        one.pipes.close()

    async def flooded(one: Scene) -> None:
        for seq in range(2 * share, 3 * share):
            one.pipes.print(event.format(seq).encode())
            await one.turns()
            if one.link.fault is not None:
                raise one.link.fault

    run(scene())
