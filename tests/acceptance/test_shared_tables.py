"""Endpoint and judge know the same numbers, each from the specification and in words of its own.

So neither can hide a mistake of the other: each number is broken here at one side at a time, first
in the endpoint, then in the judge, and the other side must notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.lab import testbed
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict, WsaError
from mpwire.wire.registries import RejectReason
from tests.mutation.applying import change
from tests.mutation.arena import fight
from tests.mutation.mutants import ROOT, source_of
from tests.mutation.reach import known
from tests.mutation.scenarios import Scenario

RULES: Final = "mpwire.oracle.rules"
TIMED_OUT: Final = int(WsaError.WSAETIMEDOUT)


@dataclass(frozen=True)
class Shared:
    """One number that both sides know."""

    name: str
    product: tuple[str, str, str]
    """Module of the endpoint, what stands there, and what is put in its place."""
    judged: Mapping[str, object]
    """What is put in the place of the judge's names."""
    rule: str
    """The rule that notices a wrong endpoint, and that a wrong judge misapplies."""
    testbed: str
    """A testbed of the library, or a script."""
    faults: tuple[str, ...] = ()


SESSION: Final = """
about: a root, a leaf, and somebody who is never heard
hosts: [root, leaf1, late]
timers: {scale: 1}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - leaf1 opens L1 as c_leaf/d_leaf
  - late opens T as c_leaf/d_leaf
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - L1 sees FD_WRITE
"""
GROUP: Final = """
about: a member of a group, and somebody who is never heard
hosts: [root, leaf1, late]
timers: {scale: 1}
script:
  - root opens R as c_root/d_root
  - root listens on R
  - late opens T as c_leaf/d_leaf
  - leaf1 opens A as c_leaf/d_leaf of protocol MPW_OPEN
  - leaf1 joins group 239.77.0.1 with A
  - A sees FD_CONNECT
"""
INVITED: Final = """
about: a root that only sends invites a leaf
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf1 listens on L1
  - root invites L1 with R as P1 for sending only
  - leaf1 accepts root on L1 as A1
  - R sees FD_CONNECT
"""
UNHEARD: Final = "drop every JOIN_REQ from late"
LATER: Final = "  - late joins R with T\n  - T sees FD_CONNECT WSAETIMEDOUT\n"
"""Lets half a minute pass, in no time."""
SENDS: Final = [f'  - root sends "{number}" on R\n' for number in range(32)]

SHARED: Final = (
    Shared(
        "copies of a PROBE",
        ("mpwire.core.timers", "PROBE_SENDS: Final = 4", "PROBE_SENDS: Final = 5"),
        {f"{RULES}.copies.PROBE_COPIES": 3},
        "R77",
        "end-crash",
    ),
    Shared(
        "copies of a CANCEL",
        ("mpwire.core.timers", "CANCEL_SENDS: Final = 3", "CANCEL_SENDS: Final = 4"),
        {f"{RULES}.copies.CANCEL_COPIES": 2},
        "R77",
        SESSION.replace("- root accepts leaf1 on R as P1", "- R sees FD_ACCEPT").partition(
            "  - L1 sees FD_CONNECT"
        )[0]
        + "  - leaf1 closes L1\n"
        + LATER,
        (UNHEARD, "drop every CANCEL_ACK"),
    ),
    Shared(
        "messages before the first acknowledgement",
        ("mpwire.core.inflow", "INITIAL_WINDOW: Final = 32", "INITIAL_WINDOW: Final = 40"),
        {"mpwire.oracle.streams.INITIAL_WINDOW": 16},
        "R109",
        SESSION + "".join(SENDS) + '  - root sends "x" on R and gets WSAEWOULDBLOCK\n',
        ("drop every DATA_ACK",),
    ),
    Shared(
        "messages that a receiver can hold",
        ("mpwire.core.inflow", "BUFFER: Final = 256", "BUFFER: Final = 512"),
        {f"{RULES}.windowing.BUFFER_MESSAGES": 128},
        "R110",
        SESSION + "".join(SENDS[:9]),
    ),
    Shared(
        "requests for what is missing",
        ("mpwire.core.inflow", "NACK_SENDS: Final = 8", "NACK_SENDS: Final = 12"),
        {f"{RULES}.repairing.NACKS_PER_SERIES": 4},
        "R91",
        SESSION + "".join(SENDS[:2]) + LATER,
        (UNHEARD, "drop the first DATA", "drop every NACK", "drop every SYNC"),
    ),
    Shared(
        "series in vain",
        ("mpwire.core.inflow", "SERIES_IN_VAIN: Final = 8", "SERIES_IN_VAIN: Final = 4"),
        {"mpwire.oracle.promises.NACKS_IN_VAIN": 80},
        "R117",
        SESSION + SENDS[0] + "  - L1 sees FD_CLOSE WSAECONNABORTED\n",
        (UNHEARD, "drop every DATA"),
    ),
    Shared(
        "announcements of a new member",
        ("mpwire.core.participant", "JOIN_SENDS: Final = 3", "JOIN_SENDS: Final = 5"),
        {f"{RULES}.grouping.JOINS_MAX": 2},
        "R100",
        GROUP + LATER,
        (UNHEARD,),
    ),
    Shared(
        "announcements of a member that leaves",
        (
            "mpwire.core.participant",
            "self._enter(S.GONE)",
            "self._announce(AnnounceKind.LEAVE, now_s); self._enter(S.GONE)",
        ),
        {f"{RULES}.grouping.LEAVES_MAX": 1},
        "R100",
        GROUP + "  - leaf1 closes A\n" + LATER,
        (UNHEARD,),
    ),
    Shared(
        "directions of an inviting root",
        (
            "mpwire.winsock.directions",
            "JoinFlag.SENDER_ONLY: LeafDirection.RECEIVE",
            "JoinFlag.SENDER_ONLY: LeafDirection.SEND",
        ),
        {f"{RULES}.joining.MIRRORED": {1: 1, 2: 2, 3: 3}},
        "R30",
        INVITED,
    ),
    Shared(
        "waits between copies",
        ("mpwire.core.timers", "(1 << (sends - 1))", "0.3"),
        {f"{RULES}.timing.wait_ms": lambda _timers, _copy: 60_000},
        "R76",
        "end-crash",
    ),
    Shared(
        "what a refusal means",
        ("mpwire.core.asking", "WsaError.WSAECONNREFUSED", "WsaError.WSAETIMEDOUT"),
        {"mpwire.oracle.expect_join.REFUSALS": {int(RejectReason.APP_REFUSED): TIMED_OUT}},
        "EV5",
        "rooted-lan",
    ),
)


@pytest.fixture(params=SHARED, ids=lambda one: one.name)
def shared(request: pytest.FixtureRequest) -> Shared:
    """Take one number after the other."""
    assert isinstance(request.param, Shared)
    return request.param


def scenario(shared: Shared, folder: Path) -> Scenario:
    """Load the testbed that shows a number."""
    path = ROOT / "testbeds" / f"{shared.testbed}.yaml"
    if "\n" in shared.testbed:
        path = folder / "script.yaml"
        path.write_text(shared.testbed, "utf-8")
    return Scenario(shared.name, testbed.load(path, faults=shared.faults, scale=1.0, seed=1))


def played(shared: Shared, folder: Path) -> RunFile:
    """Let the endpoint as it is play."""
    run_simulated(scenario(shared, folder).plan, folder)
    return open_run(folder)


def test_the_judge_notices_a_wrong_endpoint(shared: Shared, tmp_path: Path) -> None:
    module, right, wrong = shared.product
    source = source_of(module)
    assert right in source
    rounds, lost = known([scenario(shared, tmp_path)])
    assert not lost
    outcome = fight(change(module, source.replace(right, wrong)), rounds)
    assert outcome.fate == "killed"
    assert shared.rule in outcome.rules


def test_the_endpoint_shows_a_wrong_judge(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = played(shared, tmp_path)
    assert judge(run).verdict is Verdict.PASS
    for name, value in shared.judged.items():
        monkeypatch.setattr(name, value)
    assert judge(run).rule(shared.rule).verdict is Verdict.FAIL
