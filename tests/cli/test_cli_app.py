"""The commands as such: help, version, usage, and what starts fast."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

import mpwire as package

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = ("run", "check", "show", "agent", "agent-check", "matrix", "doctor")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(mpwire: Mpwire, name: str) -> None:
    done = mpwire(name, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"mpwire {name}" in done.stdout.partition("Example")[2]
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_lists_the_commands_and_the_statuses(mpwire: Mpwire) -> None:
    done = mpwire("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert "130  interrupted" in done.stdout


def test_version(mpwire: Mpwire) -> None:
    assert mpwire("--version").stdout == f"mpwire {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [(), ("bogus",), ("run", "--bogus"), ("check",), ("show",), ("show", "a", "b"),
     ("run", "--carrier", "pigeon"), ("show", "x", "--frame", "one"), ("agent", "x"),
     ("run", "--scale", "0"), ("run", "--scale", "nan"), ("run", "--scale", "5")],
)  # fmt: skip
def test_wrong_usage_is_status_2(mpwire: Mpwire, arguments: Sequence[str]) -> None:
    done = mpwire(*arguments)
    assert done.returncode == 2
    assert done.stderr or not arguments


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--every", "dorp", ("'dorp', expected one of 'drop', 'drop-pair', 'dup', 'reorder', "
      "'kill-after'; did you mean 'drop'?")),
     ("--carrier", "pigeon", "'pigeon', expected one of 'tap', 'veth'"),
     ("--seed", "abc", None), ("--scale", "fast", None)],
)  # fmt: skip
def test_a_wrong_value_is_told_in_our_words(
    mpwire: Mpwire, option: str, value: str, told: str | None
) -> None:
    done = mpwire("run", option, value)
    expected = {"--seed": "expected a whole number", "--scale": "expected a number"}
    said = f"found {told}" if told else expected[option]
    assert done.returncode == 2
    assert done.stderr.endswith(f"Error: Invalid value for '{option}': {said}\n")


def test_help_that_nobody_reads_to_its_end_is_no_violation(
    environment: dict[str, str], argv: Sequence[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nowhere:
        done = subprocess.run(
            [*argv, "--help"],
            stdout=nowhere,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    assert done.returncode == 0
    assert done.stderr == b""


def test_the_agent_starts_without_what_only_people_need(
    environment: dict[str, str], argv: Sequence[str]
) -> None:
    done = subprocess.run(
        [argv[0], "-X", "importtime", *argv[1:], "agent"],
        input=b'{"id": 1, "call": "exit"}\n',
        capture_output=True,
        env=environment,
        check=True,
    )
    assert [next(iter(json.loads(line))) for line in done.stdout.splitlines()] == ["hello", "id"]
    imported = {
        line.rpartition(b"|")[2].strip().partition(b".")[0] for line in done.stderr.split(b"\n")
    }
    assert b"mpwire" in imported
    assert not imported & {b"typer", b"rich", b"scapy", b"pydantic", b"ruamel", b"pyroute2"}


def test_nothing_imports_scapy(environment: dict[str, str]) -> None:
    code = (
        "import sys, mpwire.cli.running, mpwire.cli.checking, mpwire.cli.showing, "
        "mpwire.cli.diagnosing, mpwire.cli.rules; print('scapy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert done.stdout == b"False\n"
