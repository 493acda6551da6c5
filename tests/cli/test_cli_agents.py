"""`--agent`: which program plays which host."""

from pathlib import Path

import pytest

from mpwire.cli.agents import EVERY_HOST, for_hosts, parse_agents, require_programs
from mpwire.errors import InputError
from mpwire.lab import testbed

TEXT = """\
about: two hosts
hosts: [root, leaf1]
agents: {leaf1: /bin/true}
script: [root opens R as c_root/d_root]
"""


def test_commands_are_for_one_host_or_for_all() -> None:
    agents = parse_agents(["leaf1=prog 'an argument'", "other --x=1", "root=FOO=1"])
    assert agents == {
        "leaf1": ("prog", "an argument"),
        EVERY_HOST: ("other", "--x=1"),
        "root": ("FOO=1",),
    }


def test_paths_are_looked_for_where_the_command_was_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_agents(["./a ../b c"])[EVERY_HOST] == (
        str(tmp_path / "a"),
        str(tmp_path / ".." / "b"),
        "c",
    )


@pytest.mark.parametrize("wrong", ["", "leaf1=", "prog 'unclosed"])
def test_no_command_is_said(wrong: str) -> None:
    with pytest.raises(InputError, match="expected HOST=COMMAND or COMMAND"):
        parse_agents([wrong])


def test_two_for_one_host_is_said() -> None:
    with pytest.raises(InputError, match="a second one for leaf1"):
        parse_agents(["leaf1=a", "leaf1=b"])
    with pytest.raises(InputError, match="a second one for every host"):
        parse_agents(["a", "b"])


def test_all_means_all_and_one_prevails() -> None:
    plan = testbed.parse(TEXT, Path("two.yaml"), {})
    assert for_hosts({}, plan) == {}
    assert for_hosts({EVERY_HOST: ("a",), "root": ("b",)}, plan) == {
        "leaf1": ("a",),
        "root": ("b",),
    }


def test_programs_are_looked_for_before_anything_starts() -> None:
    plan = testbed.parse(TEXT, Path("two.yaml"), {})
    require_programs(plan, {"root": ("mpwire", "agent")})
    require_programs(plan, {"leaf1": ("python", "-m", "mpwire.testing.broken")})
    with pytest.raises(InputError, match="agent of leaf1: found no program 'no/such'"):
        require_programs(plan, {"leaf1": ("no/such",)})
