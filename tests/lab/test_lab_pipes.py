"""Lines over raw pipes: partial writes, partial reads, ends."""

import asyncio
import io
import os

import pytest

from mpwire.lab.pipes import LINE_OCTETS_MAX, LinePipes, LineWriter


class Ends:
    """The four ends of two pipes, as a process and as its harness have them."""

    def __init__(self) -> None:
        self.theirs_in, ours_out = os.pipe()
        ours_in, self.theirs_out = os.pipe()
        self.stdin = io.FileIO(ours_out, "wb")
        self.stdout = io.FileIO(ours_in, "rb")
        for descriptor in (ours_in, ours_out):
            os.set_blocking(descriptor, False)

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
        for descriptor in (self.theirs_in, self.theirs_out):
            try:
                os.close(descriptor)
            except OSError:
                continue


class Heard:
    """What came out of the pipes."""

    def __init__(self, ends: Ends) -> None:
        self.lines: list[bytes] = []
        self.end: list[str] = []
        self.pipes = LinePipes(ends, self.lines.append, self.end.append)


async def turns(count: int = 5) -> None:
    """Let the loop look at its descriptors."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_lines_are_cut_where_they_end_however_they_come() -> None:
    async def scene() -> None:
        ends = Ends()
        heard = Heard(ends)
        for chunk in (b"on", b"e\ntwo\r\nth", b"ree", b"\n\n"):
            os.write(ends.theirs_out, chunk)
            await turns()
        assert heard.lines == [b"one", b"two", b"three", b""]
        os.write(ends.theirs_out, b"rest")
        os.close(ends.theirs_out)
        await turns()
        assert (heard.lines[-1], heard.end) == (b"rest", [""])
        ends.close()

    asyncio.run(scene())


def test_finish_takes_what_is_left_and_does_not_wait_for_more() -> None:
    async def scene() -> None:
        ends = Ends()
        heard = Heard(ends)
        os.write(ends.theirs_out, b"last\n")
        heard.pipes.finish()
        heard.pipes.finish()
        assert (heard.lines, heard.end) == ([b"last"], [""])
        ends.close()

    asyncio.run(scene())


def test_who_stops_listening_hears_not_even_what_has_arrived() -> None:
    async def scene() -> None:
        ends = Ends()
        heard = Heard(ends)

        def stop(line: bytes) -> None:
            heard.lines.append(line)
            heard.pipes.stop_listening()
            heard.pipes.stop_listening()

        heard.pipes = LinePipes(ends, stop, heard.end.append)
        os.write(ends.theirs_out, b"one\ntwo\nthree")
        os.close(ends.theirs_out)
        await turns()
        heard.pipes.finish()
        assert (heard.lines, heard.end) == ([b"one"], [])
        ends.close()

    asyncio.run(scene())


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    async def scene() -> None:
        ends = Ends()
        heard = Heard(ends)
        sent = 0
        while not heard.end:
            sent += os.write(ends.theirs_out, b"x" * 60_000)
            await turns(2)
        assert sent > LINE_OCTETS_MAX
        assert heard.end == [f"printed a line above {LINE_OCTETS_MAX} octets"]
        ends.close()

    asyncio.run(scene())


def test_what_does_not_fit_is_written_when_there_is_room() -> None:
    async def scene() -> None:
        ends = Ends()
        writer = LineWriter(ends.stdin)
        for number in range(3):
            writer.write(b"%d" % number * 100_000)
        got = b""
        while got.count(b"\n") < 3:
            got += os.read(ends.theirs_in, 50_000)
            await turns(1)
        await writer.flush()
        assert got == b"".join(b"%d" % number * 100_000 + b"\n" for number in range(3))
        writer.close()
        writer.close()
        assert os.read(ends.theirs_in, 1) == b""
        ends.close()

    asyncio.run(scene())


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_reader_that_went_away_is_no_error(size: int) -> None:
    async def scene() -> None:
        ends = Ends()
        writer = LineWriter(ends.stdin)
        if size > 1:
            writer.write(b"x" * size)
        os.close(ends.theirs_in)
        writer.write(b"y")
        await writer.flush()
        writer.close()
        ends.close()

    asyncio.run(scene())


def test_closing_gives_up_what_was_not_written() -> None:
    async def scene() -> None:
        ends = Ends()
        writer = LineWriter(ends.stdin)
        writer.write(b"x" * 1_000_000)
        writer.close()
        await writer.flush()
        ends.close()

    asyncio.run(scene())
