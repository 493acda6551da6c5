"""Testbed files: what is right becomes a plan; every mistake is told with line and column."""

import json
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest
from ruamel.yaml import YAML

from mpwire.errors import InputError
from mpwire.lab import testbed
from mpwire.lab.models import MAXIMUM_HOSTS
from mpwire.lab.plan import Plan
from mpwire.lab.session import TOUR
from mpwire.lab.source import TestbedError
from mpwire.lab.testbed import DEFAULT_AGENT

TESTBEDS = Path(__file__).parents[2] / "testbeds"
SCRIPT = "script: [everything settles]\n"
Value = dict[str, object]
SMALL = "about: x\nhosts: [root, leaf1]\n" + SCRIPT


def parse(text: str) -> Plan:
    """Read a testbed that is right."""
    return testbed.parse(text, Path("bed.yaml"), {})


def wrong(text: str) -> list[str]:
    """Read one that is not, and list what is told."""
    with pytest.raises(TestbedError) as caught:
        parse(text)
    assert all(line.startswith("bed.yaml:") for line in str(caught.value).splitlines())
    return [line.removeprefix("bed.yaml:") for line in str(caught.value).splitlines()]


def test_addresses_and_macs_follow_from_the_order_of_hosts() -> None:
    plan = parse("about: x\nnetworks: {lan: {family: both, mtu: 1280}}\nhosts: [b, a]\n" + SCRIPT)
    assert [(host.name, host.mac, host.addresses, host.port.mtu) for host in plan.hosts] == [
        ("b", "02:4d:50:00:00:02", ("10.77.0.2/24", "fd77::2/64"), 1280),
        ("a", "02:4d:50:00:00:03", ("10.77.0.3/24", "fd77::3/64"), 1280),
    ]
    assert plan.hosts[0].families == ("inet", "inet6")
    assert (plan.hosts[0].address("inet"), plan.hosts[0].address("inet6")) == (
        "10.77.0.2",
        "fd77::2",
    )


def test_all_hosts_a_file_may_have_get_addresses_of_their_own() -> None:
    hosts = ", ".join(f"h{number}" for number in range(MAXIMUM_HOSTS))
    plan = parse(f"about: x\nhosts: [{hosts}]\n" + SCRIPT)
    assert len({host.mac for host in plan.hosts}) == MAXIMUM_HOSTS
    assert plan.hosts[-1].addresses == ("10.77.0.251/24",)


def test_every_host_has_its_own_seed_that_follows_from_the_files() -> None:
    one, two = parse(SMALL), parse(SMALL.replace("leaf1", "leaf2"))
    assert one.seed == 1
    assert one.hosts[0].seed == two.hosts[0].seed
    assert len({one.hosts[0].seed, one.hosts[1].seed, two.hosts[1].seed}) == 3
    assert all(host.seed is not None and host.seed < 2**48 for host in one.hosts)
    assert [host.seed for host in parse(SMALL + "seed: null\n").hosts] == [None, None]


def test_agents_are_commands_for_one_or_for_all(tmp_path: Path) -> None:
    text = SMALL + "agents: {default: mpwire agent --fast, leaf1: [./own agent.py, ./x, y]}\n"
    plan = testbed.parse(text, tmp_path / "bed.yaml", {})
    assert plan.hosts[0].agent == (*DEFAULT_AGENT, "--fast")
    assert plan.hosts[1].agent == (str(tmp_path / "own agent.py"), str(tmp_path / "x"), "y")
    assert parse(SMALL).hosts[0].agent == DEFAULT_AGENT
    quoted = parse(SMALL + "agents: {root: \"python3 'my agent.py'\"}\n")
    assert quoted.hosts[0].agent == ("python3", "my agent.py")


def test_a_caller_may_replace_agents() -> None:
    path = Path("bed.yaml")
    plan = testbed.parse(SMALL + "agents: {root: a}\n", path, {"default": ["b"], "leaf1": ["c"]})
    assert [host.agent for host in plan.hosts] == [("a",), ("c",)]
    with pytest.raises(InputError, match="'leaf9': no such host, expected root, leaf1 or default"):
        testbed.parse(SMALL, path, {"leaf9": ["b"]})


def test_timers_are_scaled_and_set() -> None:
    assert parse(SMALL).timers == {}
    scaled = parse(SMALL + "timers: {scale: 0.01, poll_s: 2}\n").timers
    assert scaled["rto_initial_s"] == 0.01
    assert scaled["retransmissions"] == 5
    assert scaled["poll_s"] == 2.0
    assert parse(SMALL + "timers: {dead_s: 1.5}\n").timers == {"dead_s": 1.5}
    text = SMALL + "timers: {scale: 0.01, poll_s: 2}\n"
    faster = testbed.parse(text, Path("bed.yaml"), {}, scale=0.1).timers
    assert (faster["rto_initial_s"], faster["poll_s"]) == (0.1, 2.0)


def test_a_plan_survives_the_way_to_the_lab() -> None:
    plan = testbed.load(TOUR)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_the_tour_in_the_package_is_the_one_in_the_repository() -> None:
    assert TOUR.read_bytes() == (TESTBEDS / "rooted-lan.yaml").read_bytes()


@pytest.mark.parametrize("path", sorted(TESTBEDS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_testbed_of_the_repository_is_right_and_fits_the_schema(path: Path) -> None:
    assert testbed.load(path).script
    jsonschema.validate(YAML(typ="safe").load(path), testbed.schema())


def test_faults_are_read_and_a_caller_may_add_some() -> None:
    text = SMALL + "faults: [drop 5 % of messages]\n"
    plan = testbed.parse(text, Path("bed.yaml"), {}, seed=9, faults=["drop the first ACK"])
    assert [(one.line, one.text) for one in plan.faults] == [
        (4, "drop 5 % of messages"),
        (0, "drop the first ACK"),
    ]
    assert plan.seed == 9
    assert plan.hosts[0].seed != parse(text).hosts[0].seed
    assert wrong(SMALL + "faults: [drop 5 % of message, lose everything]\n") == [
        (
            "4:31: found 'lose', expected 'drop', 'duplicate', 'hold', 'reorder', 'corrupt',"
            " 'send', 'kill' or 'freeze'"
        )
    ]
    with pytest.raises(InputError, match=r"fault 'drop everything', column 6: found"):
        testbed.parse(text, Path("bed.yaml"), {}, faults=["drop everything"])


def test_the_schema_says_what_the_reader_says() -> None:
    schema = testbed.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"about": "x", "hosts": ["a"], "script": ["everything settles"]}
    jsonschema.validate(good, schema)
    right: list[Value] = [{"agents": {"a": "x y"}}, {"agents": {"a": ["x"]}}, {"seed": None}]
    wrong: list[Value] = [{"hots": []}, {"hosts": ["A"]}, {"timers": {"scale": 0}}, {"seed": "x"}]
    for more in right:
        jsonschema.validate({**good, **more}, schema)
    for more in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **more}, schema)


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no readable file \\(No such file or directory\\)"):
        testbed.load(tmp_path / "none.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("# é\nabout: ü".encode() + b"\xff\n")
    with pytest.raises(InputError) as caught:
        testbed.load(latin)
    assert str(caught.value) == (
        f"{latin}:2:9: found the octet 0xff, which is no UTF-8, expected text in UTF-8"
    )


MODEL = [
    ("", ["1:1: found nothing, expected a mapping ('key: value' lines)"]),
    ("- x\n", ["1:1: found a list, expected a mapping ('key: value' lines)"]),
    ("hello\n", ["1:1: found 'hello', expected a mapping ('key: value' lines)"]),
    (
        "{}\n",
        [
            "1:1: found no 'about', expected a text",
            "1:1: found no 'hosts', expected a list of names",
            "1:1: found no 'script', expected a list of steps",
        ],
    ),
    (
        SMALL + "hots: 3\n",
        [
            (
                "4:1: found 'hots', expected about, networks, hosts, routers, agents, timers,"
                " seed, requires, needs, faults, script or expect; did you mean 'hosts'?"
            )
        ],
    ),
    (SMALL.replace("x", "3"), ["1:8: found the number 3, expected a text"]),
    (SMALL.replace("x", "''"), ["1:8: found '', expected a text that is not empty"]),
    (SMALL.replace("[root, leaf1]", "root"), ["2:8: found 'root', expected a list"]),
    (SMALL.replace("[root, leaf1]", "[]"), ["2:8: found none, expected at least 1"]),
    (
        SMALL.replace("root", "Root"),
        ["2:9: found 'Root', expected 1 to 15 small letters, digits and hyphens, a letter first"],
    ),
    (SMALL.replace("root", "3"), ["2:9: found the number 3, expected a text"]),
    (
        SMALL.replace("leaf1", "root"),
        ["2:15: found 'root' a second time, expected every host once"],
    ),
    (
        SMALL.replace("leaf1", "nothing"),
        ["2:15: found 'nothing', a word of the step language, expected another name"],
    ),
    (
        SMALL.replace("[root", "[" + ", ".join(f"h{n}" for n in range(250)) + ", root"),
        ["2:8: found 252 of them, expected at most 250"],
    ),
    (SMALL + "networks: {}\n", ["4:11: found none, expected at least 1"]),
    (
        SMALL + "networks: {a: {}, b: {}}\n",
        ["2:8: found a list, expected a mapping of hosts to networks (a or b)"],
    ),
    (
        SMALL.replace("[root, leaf1]", "{root: a, leaf1: C, the: a}")
        + "networks: {a: {}, b: {}}\n",
        [
            "2:25: found 'C', expected 1 to 15 small letters, digits and hyphens, a letter first",
            "2:25: found 'C', expected a network (a or b)",
            "2:28: found 'the', a word of the step language, expected another name",
        ],
    ),
    (SMALL.replace("[root, leaf1]", "{}"), ["2:8: found none, expected at least 1"]),
    (
        SMALL + "routers: {root: [lan], on: [lan, lan], Up: 3, x: [lan, land]}\n",
        [
            "4:11: found 'root', a host, expected a name that no host has",
            "4:17: found 1 of them, expected at least 2",
            "4:24: found 'on', a word of the step language, expected another name",
            "4:34: found 'lan' a second time, expected every network once",
            "4:40: found 'Up', expected 1 to 15 small letters, digits and hyphens, a letter first",
            "4:44: found the number 3, expected a list",
            "4:56: found 'land', expected a network (lan); did you mean 'lan'?",
        ],
    ),
    (
        SMALL.replace("[root, leaf1]", "{root: a, leaf1: b}")
        + "networks: {a: {}, b: {}}\n"
        + "routers: {u: [a, b], v: [a, b], w: [a, b], x: [a, b], y: [a, b]}\n",
        [
            "4:12: found 5 routers on a, expected at most 4",
            "4:19: found 5 routers on b, expected at most 4",
        ],
    ),
    (
        SMALL + "networks: {LAN: {}}\n",
        ["4:12: found 'LAN', expected 1 to 15 small letters, digits and hyphens, a letter first"],
    ),
    (
        SMALL + "networks: {lan: {famly: inet}}\n",
        ["4:18: found 'famly', expected family or mtu; did you mean 'family'?"],
    ),
    (
        SMALL + "networks: {lan: {family: ipv6}}\n",
        ["4:26: found 'ipv6', expected 'inet', 'inet6' or 'both'"],
    ),
    (
        SMALL + "networks: {lan: {family: inet4}}\n",
        ["4:26: found 'inet4', expected 'inet', 'inet6' or 'both'; did you mean 'inet'?"],
    ),
    (
        SMALL + "networks: {lan: {mtu: 100}}\n",
        ["4:23: found the number 100, expected a number not below 576"],
    ),
    (
        SMALL + "networks: {lan: {mtu: 1279, family: both}}\n",
        ["4:23: found the number 1279, expected 1280 or more, as IPv6 needs"],
    ),
    (
        SMALL + "networks: {lan: {mtu: 10000}}\n",
        ["4:23: found the number 10000, expected a number up to 9000"],
    ),
    (
        SMALL + "networks: {lan: {mtu: 1500.5}}\n",
        ["4:23: found the number 1500.5, expected a whole number"],
    ),
    (
        SMALL + "networks: {lan: 3}\n",
        ["4:17: found the number 3, expected a mapping ('key: value' lines)"],
    ),
    (
        SMALL + "agents: {lefa1: x}\n",
        ["4:10: found 'lefa1', expected a host (root, leaf1 or default); did you mean 'leaf1'?"],
    ),
    (
        SMALL + "agents: {root: 3}\n",
        [
            "4:16: found the number 3, expected a command line, as one text or as a list of words",
        ],
    ),
    (
        SMALL + 'agents: {root: "a \'b"}\n',
        ["4:16: found a quote without end, expected a command line"],
    ),
    (SMALL + "agents: {root: ''}\n", ["4:16: found none, expected at least 1"]),
    (SMALL + "agents: {root: [a, 3]}\n", ["4:20: found the number 3, expected a text"]),
    (
        SMALL + "timers: 0.1\n",
        ["4:9: found the number 0.1, expected a mapping ('key: value' lines)"],
    ),
    (
        SMALL + "timers: {scale: 0}\n",
        ["4:17: found the number 0, expected a number greater than 0"],
    ),
    (
        SMALL + "timers: {scale: .inf}\n",
        ["4:17: found the number inf, expected a number up to 4"],
    ),
    (
        SMALL + "timers: {dead_s: .nan}\n",
        ["4:18: found the number nan, expected a finite number"],
    ),
    (SMALL + "timers: {poll_s: yes}\n", ["4:18: found 'yes', expected a number"]),
    (SMALL + "timers: {poll_s: true}\n", ["4:18: found true, expected a number"]),
    (
        SMALL + "timers: {retransmissions: 2.5}\n",
        ["4:27: found the number 2.5, expected a whole number"],
    ),
    (
        SMALL + "timers: {pol_s: 1}\n",
        [
            (
                "4:10: found 'pol_s', expected scale, rto_initial_s, rto_maximum_s, keepalive_s,"
                " dead_s, pend_s, linger_s, drain_s, poll_s, cookie_life_s or retransmissions;"
                " did you mean 'poll_s'?"
            )
        ],
    ),
    (SMALL + "seed: -1\n", ["4:7: found the number -1, expected a number not below 0"]),
    (SMALL + "seed: x\n", ["4:7: found 'x', expected a whole number"]),
    (
        SMALL + f"seed: {2**63}\n",
        [f"4:7: found the number {2**63}, expected a number below 9.22337e+18"],
    ),
    (
        SMALL + f"seed: {'9' * 5000}\n",
        ["4:7: found a number that cannot be read, expected a plain value"],
    ),
    (
        SMALL + "seed: !!int x\n",
        ["4:7: found a number that cannot be read, expected a plain value"],
    ),
    (
        'about: "\\ud800"\n' + SMALL.partition("\n")[2],
        ["1:8: found '\\ud800', expected characters that can be written as UTF-8"],
    ),
    (
        "about: x\nhosts: [root]\nscript:\n  - the network cuts off root from root\n",
        ["4:36: found 'root', the host itself, expected another host (none)"],
    ),
    (
        "about: x\nhots: [root]\nscript:\n  - root listens on R\n  - everything settles\n",
        [
            "1:1: found no 'hosts', expected a list of names",
            (
                "2:1: found 'hots', expected about, networks, hosts, routers, agents, timers,"
                " seed, requires, needs, faults, script or expect; did you mean 'hosts'?"
            ),
            "4:5: found 'root', expected a host (none)",
            "4:21: found 'R', expected a socket, but no step before this one made any",
        ],
    ),
    (
        "about: x\nhosts: [root]\nscript:\n  - root joins leaf1 with R\n",
        [
            "4:16: found 'leaf1', expected a socket of another host, or a host (none)",
            "4:27: found 'R', expected a socket of root, but no step before this one made any",
        ],
    ),
    (
        SMALL + "requires: [join_laef]\n",
        [
            (
                "4:12: found 'join_laef', expected a call of the agent contract;"
                " did you mean 'join_leaf'?"
            )
        ],
    ),
    (SMALL.replace(SCRIPT, "script: []\n"), ["3:9: found none, expected at least 1"]),
    (SMALL.replace(SCRIPT, "script: [3]\n"), ["3:10: found the number 3, expected a text"]),
    (
        SMALL.replace(SCRIPT, 'script:\n  - root sends "a: b" on R\n'),
        ["4:5: found a mapping, expected a text; put a step that contains ': ' in single quotes"],
    ),
    (
        SMALL.replace(SCRIPT, "script:\n  - >\n    everything\n    settles\n"),
        ["4:5: found a step over 4 lines, expected one line"],
    ),
    (
        SMALL + "expect: [everything settles]\n",
        ["4:10: found 'everything', expected a socket"],
    ),
]


@pytest.mark.parametrize(("text", "problems"), MODEL, ids=range(len(MODEL)))
def test_every_wrong_value_is_told_at_its_place(text: str, problems: list[str]) -> None:
    assert wrong(text) == problems


YAML_MISTAKES = [
    ("about: a: b\n", "1:9: found ': ' inside plain text, expected single quotes around the line"),
    ("about: x\n\thosts: y\n", "2:1: found a tab, expected spaces"),
    ("about: [1,\n", "2:1: found the end of the file, expected a closing bracket"),
    ("about: *x\n", "1:8: found an alias, expected the value itself"),
    (
        "about: &x y\nhosts: [*x]\n",
        "1:8: found a value with an alias, expected it written out each time",
    ),
    (
        "about: x\nabout: y\n",
        "2:1: found 'about' a second time (first in line 1), expected every key once",
    ),
    ("about: x\n---\nabout: y\n", "2:1: found a second YAML document, expected one document"),
    ("3: x\n", "1:1: found a key that is no text, expected a word"),
    (
        "about: !!set x\n",
        "1:8: found the YAML type tag:yaml.org,2002:set, expected a plain value",
    ),
    ('about: "x\n', "2:1: found the end of the file, expected a closing quote"),
    ('about: "\\q"\n', "1:10: found an unknown escape in double quotes, expected single quotes"),
    ("about: x\nhosts\nscript: y\n", "3:1: found a line without ': ', expected 'key: value'"),
    (
        "about: x\n- y\n",
        "2:1: found a line that does not fit the indentation, expected one list or mapping",
    ),
    (
        "[about]\nx = 3\n",
        "2:1: found a line that does not go on with those above, expected 'key: value'",
    ),
    ("about: \x01\n", "1:8: found the character U+0001, expected printable text"),
    (
        "about: @x\n",
        (
            "1:8: found no YAML (found character '@' that cannot start any token),"
            " expected lines of 'key: value' or '- item'"
        ),
    ),
    ("about: " + "[" * 500, "1:1: found endless nesting, expected a testbed"),
]


@pytest.mark.parametrize(("text", "problem"), YAML_MISTAKES, ids=range(len(YAML_MISTAKES)))
def test_broken_yaml_is_told_at_its_place(text: str, problem: str) -> None:
    assert wrong(text) == [problem]


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order() -> None:
    text = """\
about: x
hosts: [root, Leaf1]
seed: soon
script:
  - root opens R as c_root/d_root
  - root lisens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - root accepts leaf1 on Q as P1
  - P1 sees FD_CLSOE
expect:
  - P1 saw nothing
  - P9 saw nothing
"""
    assert [line.partition(": ")[0] for line in wrong(text)] == [
        "2:15", "3:7", "6:10", "7:5", "8:18", "8:27", "9:13", "12:5",
    ]  # fmt: skip


STEP = "leaf1 sends %s on L1 now"
QUOTED = [
    STEP % '"x"',
    "'" + STEP % '"x"' + "'",
    "'" + STEP % "\"it''s\"" + "'",
    '"' + STEP % '\\"x\\"' + '"',
    '"' + STEP % '\\"\\u00e9\\x41\\t\\"' + '"',
]


@pytest.mark.parametrize("line", QUOTED)
def test_columns_are_those_of_the_file_whatever_yaml_quotes(line: str) -> None:
    text = "about: x\nhosts: [root, leaf1]\nscript:\n  - leaf1 opens L1 as c_leaf/d_leaf\n"
    column = 5 + line.index("now")
    assert wrong(text + f"  - {line}\n") == [
        f"5:{column}: found 'now', expected 'in', 'and' or the end of the line"
    ]


def test_problems_are_objects_too() -> None:
    with pytest.raises(TestbedError) as caught:
        parse("about: x\n")
    first = caught.value.problems[0]
    assert (first.line, first.column, first.found) == (1, 1, "no 'hosts'")
    assert json.dumps(str(caught.value))


@pytest.mark.parametrize(
    ("command", "started"),
    [
        (["mpwire", "agent"], [sys.executable, "-m", "mpwire.io.agent"]),
        (["mpwire", "agent", "-v"], [sys.executable, "-m", "mpwire.io.agent", "-v"]),
        (["python", "-m", "mpwire.x", "y"], [sys.executable, "-m", "mpwire.x", "y"]),
        (["python", "-m", "mine"], ["python", "-m", "mine"]),
        (["python", "-m"], ["python", "-m"]),
        (["python3", "agent.py"], ["python3", "agent.py"]),
    ],
)
def test_agents_of_mpwire_itself_run_in_its_own_python(
    command: list[str], started: list[str]
) -> None:
    assert testbed.resolved(command) == tuple(started)
