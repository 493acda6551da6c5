"""Standard output: for people, for pipes, for programs, and for nobody."""

import io
import sys

import pytest
from rich.text import Text

from mpwire.cli.output import Output, guarded
from mpwire.cli.status import Status
from mpwire.errors import InputError, LocalProtocolError, MachineError


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    assert not output.is_terminal
    output.lines([Text("a", "bold red"), "b", ""])
    assert capsys.readouterr().out == "a\nb\n\n"


def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=True)
    output.line("for people")
    output.document({"verdict": "PASS"})
    assert capsys.readouterr().out == '{\n  "verdict": "PASS"\n}\n'


def test_glyphs_become_ascii_where_the_encoding_knows_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    output = Output()
    output.line(Text("├─► é"))
    output.flush()
    assert not output.knows_unicode
    assert stream.buffer.getvalue() == b"|-> \\xe9\n"


def test_a_terminal_gets_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    output = Output()
    assert output.is_terminal
    output.line(Text("a", "red"))
    assert capsys.readouterr().out == "\x1b[31ma\x1b[0m\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("file:1:2: found x"), Status.USAGE, "file:1:2: found x\n"),
        (
            MachineError("no namespaces; run as root"),
            Status.MACHINE,
            "no namespaces; run as root\n`mpwire doctor` says what this machine can do",
        ),
        (LocalProtocolError("the lab died"), Status.INCONCLUSIVE, "the lab died\n"),
        (KeyboardInterrupt(), Status.INTERRUPTED, "interrupted\n"),
        (OSError(28, "No space left on device", "x"), Status.MACHINE, "x: No space left on "),
        (OSError("odd"), Status.MACHINE, "odd\n"),
        (
            UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"),
            Status.USAGE,
            "expected characters that can be written as UTF-8, found 'a\\udcff'\n",
        ),
    ],
)
def test_trouble_is_a_line_and_a_status(
    error: BaseException, status: Status, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> Status:
        raise error

    assert guarded(Output(), command) is status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(said)


def test_trouble_under_json_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> Status:
        raise MachineError("no namespaces")

    guarded(Output(json=True), command)
    assert '"kind": "machine"' in capsys.readouterr().out


def test_a_command_that_ends_well_keeps_its_status() -> None:
    assert guarded(Output(), lambda: Status.UNSUPPORTED) is Status.UNSUPPORTED
