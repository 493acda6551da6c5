"""Hold no more of a long capture than the limits say, whatever it is made of."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from mpwire.capture import Frame, RunFile
from mpwire.oracle.cutting import Clerk, tally_of
from mpwire.oracle.judgement import Finding
from mpwire.oracle.limits import Limits
from mpwire.oracle.remains import Names, Remains
from mpwire.oracle.tally import FINDINGS_KEPT, Tally
from mpwire.vocabulary import Verdict
from mpwire.wire.codec import pad_join_request
from mpwire.wire.messages import Data, JoinReq
from tests.oracle.oracle_plots import SESSION, TIMERS
from tests.oracle.oracle_story import START_NS, Send, ethernet

FRAMES = 400
SMALL = Limits(
    whole=0, batch=50, over=60, repeated=40, most=80, odd=10, tidy=1, quiet_ns=10**18, patience=4
)


def request(place: int, *, port: int, tag: int) -> Send:
    """Ask to join, from some port with some tag."""
    message = JoinReq(
        init_tag=tag,
        role=2,
        jl=4,
        leaf_dir=3,
        planes=3,
        next_data_seq=1,
        max_payload=1156,
        timers=TIMERS,
        caps=0,
        versions=(1, 0x0A),
        attempt=1 + place % 5,
    )
    pad_join_request(message)
    return Send("", "leaf1", "root", message, source_port=port)


def strays(port: int) -> Iterator[Send]:
    """Send data of a membership that was never seen to begin."""
    for seq in count():
        message = Data(origin=1, dflags=0, hop=0, payload=b"x", session_id=SESSION, seq=seq)
        message.sender_id, message.destination_tag = 1, 77
        yield Send("", "root", "leaf1", message, target_port=port)


def copies() -> Iterator[Send]:
    """Repeat one request for ever."""
    for place in count():
        yield request(place, port=61717, tag=9)


def newcomers() -> Iterator[Send]:
    """Ask anew from the same port, and never get an answer."""
    for place in count():
        yield request(place, port=61717, tag=100 + place)


def garbage() -> Iterator[Send]:
    """Send what no decoder takes."""
    for place in count():
        yield Send("", "leaf1", "root", octets=b"mp\x01\x01" + bytes([place % 256]) * 60)


def talk() -> Iterator[Send]:
    """Send what is no message at all."""
    for place in count():
        yield Send("", "leaf1", "root", octets=b"hello", source_port=1000 + place)


def capture(sends: Iterator[Send], *, directed: bool = False) -> RunFile:
    """Put datagrams into a capture of another program."""
    frames = [
        Frame(
            number=number,
            vantage="x",
            direction="out" if directed else None,
            time_ns=START_NS + number,
            data=data,
            linktype=1,
            original_octets=len(data),
        )
        for number, data in zip(range(1, FRAMES + 1), map(ethernet, sends), strict=False)
    ]
    return RunFile(
        path=Path("x"),
        interfaces=[],
        frames=frames,
        records=[],
        statistics=[],
        unknown_records={},
        incomplete=[],
    )


MAKERS: tuple[Callable[[], Iterator[Send]], ...] = (copies, newcomers, garbage, talk)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("make", [*MAKERS, lambda: strays(61717)])
def test_no_flood_is_held(make: Callable[[], Iterator[Send]], directed: bool) -> None:
    """Count what a clerk holds after every frame."""
    run = capture(make(), directed=directed)
    clerk = Clerk(run, SMALL, Tally())
    for frame in run.frames:
        clerk.take(frame)
        assert clerk.held_frames <= SMALL.over + SMALL.repeated + SMALL.most + SMALL.batch
    clerk.finish()
    assert clerk.held_frames == 0


@pytest.mark.parametrize("make", MAKERS)
def test_every_message_is_judged_once(make: Callable[[], Iterator[Send]]) -> None:
    """Count the frames that R5 saw, whatever was dismissed when."""
    run = capture(make())
    whole = tally_of(run, Limits(whole=1 << 40)).results["R5"]
    assert tally_of(run, SMALL).results["R5"].count == whole.count


def test_names_are_forgotten_oldest_first() -> None:
    """Remember so many, and the first user of each."""
    names = Names(2)
    assert names.first("a", 1, 10) == (True, 10)
    assert names.first("a", 2, 11) == (False, 10)
    assert names.first("b", 1, 12) == (True, 12)
    assert names.first("c", 1, 13) == (True, 13)
    assert names.used("a") is None
    assert names.used("b") == 12


def test_the_news_of_a_session_are_told_once() -> None:
    """Note two d_roots of one session."""
    remains = Remains()
    assert remains.lead(5, 2)
    assert not remains.lead(5, 3)
    assert remains.leading == {5: {2, 3}}


def finding(verdict: Verdict, frame: int) -> Finding:
    """Make a finding of R2."""
    return Finding(rule="R2", verdict=verdict, frames=(frame,))


def test_findings_are_kept_up_to_a_number() -> None:
    """Add more than are kept: counts stay exact, and a violation is not crowded out."""
    tally = Tally()
    for frame in range(FINDINGS_KEPT + 10):
        more = Tally()
        more.results["R2"].undecided = 1
        more.results["R2"].findings.append(finding(Verdict.INCONCLUSIVE, frame))
        tally.add(more)
    more = Tally()
    more.results["R2"].failed = 1
    more.results["R2"].findings.append(finding(Verdict.FAIL, 9999))
    tally.add(more)
    (result,) = (one for one in tally.settled() if one.id == "R2")
    assert (result.undecided, result.failed) == (FINDINGS_KEPT + 10, 1)
    assert len(result.findings) == FINDINGS_KEPT
    assert result.frames == [9999]


def test_the_difference_of_two_tallies_is_what_one_has_beyond_the_other() -> None:
    """Subtract counts and findings."""
    whole, part = Tally(), Tally()
    whole.results["R2"].passed, part.results["R2"].passed = 5, 3
    assert whole.less(part).weights() == {"R2": 2}
    whole.results["R2"].failed = 1
    whole.results["R2"].findings += [finding(Verdict.FAIL, 1), finding(Verdict.FAIL, 2)]
    part.results["R2"].findings.append(finding(Verdict.FAIL, 1))
    rest = whole.less(part)
    assert rest.weights() is None
    assert [one.frames for one in rest.results["R2"].findings] == [(2,)]
