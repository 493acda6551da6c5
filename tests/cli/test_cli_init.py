"""`mpwire agent` and how it ends."""

import os
import signal
import subprocess
from collections.abc import Sequence


def started(argv: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    agent = subprocess.Popen(
        [*argv, "agent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert agent.stdout is not None
    assert agent.stdout.readline().startswith(b'{"hello"')
    return agent


def test_ctrl_c_ends_the_agent_quietly(argv: Sequence[str], environment: dict[str, str]) -> None:
    with started(argv, environment) as agent:
        agent.send_signal(signal.SIGINT)
        _, said = agent.communicate(timeout=20)
    assert said == b""
    assert agent.returncode == 130


def test_the_end_of_input_ends_the_agent(argv: Sequence[str], environment: dict[str, str]) -> None:
    with started(argv, environment) as agent:
        out, said = agent.communicate(b"", timeout=20)
    assert (out, said, agent.returncode) == (b"", b"", 0)


def test_a_reader_that_goes_away_ends_the_agent_quietly(
    argv: Sequence[str], environment: dict[str, str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nowhere:
        done = subprocess.run(
            [*argv, "agent"],
            input=b'{"id": 1, "call": "exit"}\n',
            stdout=nowhere,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=20,
            check=False,
        )
    assert done.stderr == b""
