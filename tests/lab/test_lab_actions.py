"""Every kind of step, carried out by the reference agent over real namespaces."""

from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import AgentExit
from mpwire.lab.session import run_testbed

pytestmark = pytest.mark.lab

BEDS = {
    "callee data, one direction, shutdown, over IPv6": """
about: x
networks: {lan: {family: inet6}}
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf on port 5000
  - root listens on R with backlog 2
  - leaf1 joins root with L1 for sending only with caller data "hi" with room for 10 octets
  - root accepts leaf1 on R as P1 with callee data "welcome"
  - the join on L1 succeeds
  - leaf1 reads callee data "welcome" on L1
  - leaf1 joins R with L1 and gets WSAEISCONN
  - leaf1 sends "x" on L1
  - root receives "x" on R
  - leaf1 receives on L1 and gets WSAEOPNOTSUPP
  - root shuts down R
  - L1 sees FD_CLOSE
  - P1 sees FD_CLOSE
  - leaf1 closes L1
  - root closes R
""",
    "blocking sockets, both families, nobody listening": """
about: x
networks: {lan: {family: both}}
hosts: [root, leaf1, leaf2]
timers: {scale: 0.05}
script:
  - root opens R as c_root/d_root without events
  - leaf1 opens L1 as c_leaf/d_leaf without events
  - leaf2 opens L2 as c_leaf/d_leaf over inet6 on port 7
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - the join on L1 succeeds
  - root sends "x" on R
  - leaf1 receives "x" on L1
  - leaf2 listens on L2
  - leaf2 accepts nobody on L2 and gets WSAEWOULDBLOCK
  - root invites leaf2 with R as P2
  - the join on R fails with WSAECONNREFUSED
  - leaf1 closes L1
  - root closes R
""",
    "defer, the record by hand, selections": """
about: x
hosts: [root, leaf1, leaf2]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf without binding
  - leaf2 opens L2 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root defers leaf1 on R
  - leaf2 joins R with L2
  - R sees nothing
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT, FD_WRITE
  - L1 sees nothing
  - R sees FD_ACCEPT
  - root selects FD_READ on R without reports
  - leaf1 sends "q" on L1
  - everything settles
  - root enumerates FD_READ on R
  - root enumerates nothing on R
  - root selects nothing on R
  - leaf1 sets linger of L1 to 0 seconds
  - leaf1 sets linger of L1 off
expect:
  - P1 saw nothing
  - L1 saw FD_CONNECT, FD_WRITE
""",
    "a session of a group, loopback, scope, errors kept": """
about: x
hosts: [leaf1, leaf2]
script:
  - leaf1 opens L1 as c_leaf/d_leaf of protocol MPW_OPEN
  - leaf2 opens L2 as c_leaf/d_leaf of protocol MPW_OPEN
  - leaf1 joins group 239.77.0.1 with L1
  - L1 sees FD_CONNECT
  - leaf2 joins group 239.77.0.1 with L2
  - L2 sees FD_CONNECT
  - leaf1 sends "one" on L1
  - leaf2 receives "one" on L2
  - leaf1 receives "one" on L1
  - leaf1 turns loopback of L1 off
  - leaf2 sets scope of L2 to 2
  - leaf2 sets scope of L2 to 999 and gets WSAEINVAL
  - leaf2 sends "two" on L2
  - leaf1 receives "two" on L1
  - leaf1 sends "three" on L1
  - leaf2 receives "two" on L2
  - leaf2 receives "three" on L2
  - leaf1 receives on L1 and gets WSAEWOULDBLOCK
  - leaf1 reads no error on L1
  - leaf1 closes L1
""",
    "the last words of a leaf": """
about: x
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf1 parts with "bye" on L1
  - P1 sees FD_CLOSE
  - root reads parting words "bye" on P1
  - leaf1 parts with "more" on L1
  - leaf1 closes L1
  - root closes R
""",
    "a network that fails, and agents that stand still": """
about: x
hosts: [root, leaf1, leaf2]
timers: {scale: 0.05}
faults:
  - drop the first ACCEPT from root to leaf1
  - duplicate every CONFIRM
  - reorder the first DATA from root to leaf1
  - hold every DATA_ACK for 5 to 10 ms
  - corrupt octet 9 of the first CHALLENGE
  - corrupt the first JOIN_REQ from leaf2 unnoticed
  - freeze leaf2 after the first DATA from root to leaf2 for 30 ms
  - send at most 2 Mbit/s from root
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf2 opens L2 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf2 joins R with L2
  - root accepts leaf2 on R as P2
  - L2 sees FD_CONNECT
  - leaf2 sends "here" on L2
  - root receives "here" on R
  - root sends "one" on R
  - root sends "two" on R
  - leaf1 receives "one" on L1
  - leaf1 receives "two" on L1
  - leaf2 receives "one" on L2
  - leaf2 freezes
  - everything settles
  - root sends "three" on R
  - leaf2 thaws
  - leaf2 receives "two" on L2
  - leaf2 receives "three" on L2
  - the network cuts off leaf2 from root one way
  - leaf2 sends "hello?" on L2
  - the network heals
  - root receives "hello?" on R
  - the network cuts off leaf2
  - P2 sees FD_CLOSE WSAECONNABORTED
  - L2 sees FD_CLOSE WSAECONNABORTED
  - leaf1 freezes
expect:
  - L1 saw FD_CONNECT, FD_WRITE, FD_READ, FD_READ, FD_READ
""",
    "an agent that crashes": """
about: x
hosts: [root, leaf1, leaf2]
timers: {scale: 0.02}
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf2 crashes
  - everything settles
  - root crashes
  - L1 sees FD_CLOSE WSAECONNABORTED
expect:
  - L1 saw FD_CONNECT, FD_WRITE, FD_CLOSE WSAECONNABORTED
""",
    "an agent that restarts": """
about: x
hosts: [root, leaf1]
timers: {scale: 0.1}
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT, FD_WRITE
  - leaf1 restarts
  - leaf1 opens M1 as c_leaf/d_leaf
  - leaf1 joins R with M1
  - P1 sees FD_CLOSE WSAECONNRESET
  - root accepts leaf1 on R as Q1
  - M1 sees FD_CONNECT, FD_WRITE
  - leaf1 crashes
  - leaf1 restarts
  - leaf1 opens N1 as c_leaf/d_leaf
expect:
  - L1 saw FD_CONNECT, FD_WRITE
  - M1 saw FD_CONNECT, FD_WRITE
  - N1 saw nothing
""",
    "an interface that is lost": """
about: x
hosts: [root, leaf1]
networks:
  lan: {family: both}
timers: {scale: 0.02}
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root opens S as c_root/d_root over inet6
  - leaf1 opens M1 as c_leaf/d_leaf over inet6
  - root listens on R
  - root listens on S
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf1 joins S with M1
  - root accepts leaf1 on S as Q1
  - M1 sees FD_CONNECT
  - everything settles
  - leaf1 loses its interface
  - L1 sees FD_CLOSE WSAENETDOWN
  - M1 sees FD_CLOSE WSAENETDOWN
  - P1 sees FD_CLOSE WSAECONNABORTED
  - leaf1 regains its interface
  - leaf1 opens N1 as c_leaf/d_leaf on port 4000 over inet6
  - leaf1 joins S with N1
  - root accepts leaf1 on S as T1
  - N1 sees FD_CONNECT
  - root loses its interface
  - T1 sees FD_CLOSE WSAENETDOWN
""",
    "side chat": """
about: x
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root of protocol MPW_DIALOGUE
  - leaf1 opens L1 as c_leaf/d_leaf of protocol MPW_DIALOGUE
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - P1 sees FD_WRITE
  - root sends "psst" on P1
  - leaf1 receives "psst" on L1 in private
  - leaf1 sends "yes?" on L1 in private
  - root receives "yes?" on P1 in private
  - root sends "no" on R in private and gets WSAEOPNOTSUPP
  - root closes R
""",
    "the error that a failed join leaves": """
about: x
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - leaf1 joins R with L1
  - L1 sees FD_CONNECT WSAECONNREFUSED
  - leaf1 reads error WSAECONNREFUSED on L1
  - leaf1 reads no error on L1
""",
}


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("name", BEDS)
def test_a_testbed_of_many_kinds_of_steps_holds(tmp_path: Path, name: str) -> None:
    (tmp_path / "bed.yaml").write_text(BEDS[name], "utf-8")
    outcome = run_testbed(tmp_path / "bed.yaml", tmp_path)
    assert outcome.failure is None
    assert open_run(outcome.folder).incomplete == []


@pytest.mark.usefixtures("inside")
def test_a_delivery_may_kill(tmp_path: Path) -> None:
    fault = "kill leaf1 after the first CHALLENGE"
    bed = BEDS["the error that a failed join leaves"]
    bed = bed.replace("  - leaf1 joins", "  - root listens on R\n  - leaf1 joins", 1)
    (tmp_path / "bed.yaml").write_text(bed, "utf-8")
    outcome = run_testbed(tmp_path / "bed.yaml", tmp_path, faults=[fault])
    assert outcome.failure is not None
    assert outcome.failure.text == "L1 sees FD_CONNECT WSAECONNREFUSED"
    assert "leaf1's agent was killed by signal 9" in outcome.failure.reason
    run = open_run(outcome.folder)
    assert run.incomplete == []
    assert [one.expected for one in run.of(AgentExit) if one.host == "leaf1"] == [True]


@pytest.mark.usefixtures("inside")
def test_a_frozen_agent_is_not_called(tmp_path: Path) -> None:
    bed = "about: x\nhosts: [leaf2]\nscript: [leaf2 opens L2 as c_leaf/d_leaf, leaf2 freezes]\n"
    bed = bed.replace("freezes]", "freezes, leaf2 listens on L2]")
    (tmp_path / "bed.yaml").write_text(bed, "utf-8")
    failure = run_testbed(tmp_path / "bed.yaml", tmp_path).failure
    assert failure is not None
    assert failure.reason == "expected leaf2 to run, seen it frozen"


@pytest.mark.usefixtures("inside")
def test_another_error_than_the_one_claimed_fails_the_step(tmp_path: Path) -> None:
    bed = BEDS["the error that a failed join leaves"].replace("no error", "error WSAETIMEDOUT")
    (tmp_path / "bed.yaml").write_text(bed, "utf-8")
    failure = run_testbed(tmp_path / "bed.yaml", tmp_path).failure
    assert failure is not None
    assert "expected WSAETIMEDOUT as error of L1, seen SUCCESS" in str(failure)
