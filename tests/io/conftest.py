"""Agents for tests: started when asked for, ended with the test, all of them in order."""

from collections.abc import Iterator

import pytest

from tests.io.agent_process import AgentProcess


@pytest.fixture
def agents() -> Iterator[list[AgentProcess]]:
    """Start agents by appending them; all end with their input."""
    started: list[AgentProcess] = []
    yield started
    assert [agent.end() for agent in started] == [0] * len(started)


@pytest.fixture
def root(agents: list[AgentProcess]) -> AgentProcess:
    agents.append(AgentProcess())
    return agents[-1]


@pytest.fixture
def leaf(agents: list[AgentProcess]) -> AgentProcess:
    agents.append(AgentProcess())
    return agents[-1]
