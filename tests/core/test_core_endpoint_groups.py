"""An endpoint that listens to a group: what it takes from there, and that it never answers."""

import pytest

from mpwire.core.endpoint import Endpoint
from mpwire.core.entropy import Entropy
from mpwire.core.groups import session_name
from mpwire.core.participant import Participant
from mpwire.core.timers import TimerPlan
from mpwire.testing.ends import join_request
from mpwire.wire.codec import encode
from mpwire.wire.messages import Data, Message, Probe, Sync
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import LeafDirection, Role

GROUP = ("239.255.7.7", 7777)
HERE = ("10.0.0.1", 61000)
THERE = ("10.0.0.2", 61000)
NAME = session_name(GROUP)
TAG = NAME.group_tag
HEADER = {"session_id": NAME.session_id, "destination_tag": TAG, "sender_id": 77}


@pytest.fixture
def endpoint() -> Endpoint:
    """Give the endpoint of a participant; what it sent on entering is gone."""
    one = Endpoint(HERE, TimerPlan(), Entropy(b"endpoint"))
    direction = LeafDirection.SEND | LeafDirection.RECEIVE
    one.enter(Participant(HERE, GROUP, NAME, one.plan, one.entropy, direction), 0.0)
    one.datagrams.clear()
    return one


def data(flags: int = HeaderFlag.M, **changes: object) -> Data:
    """Return a message of another participant."""
    fields = {**HEADER, "origin": 77, "seq": 5, "dflags": 0, "hop": 0, "payload": b"x", **changes}
    return Data(flags=flags, **fields)  # type: ignore[arg-type]


def test_data_of_the_group_is_reported(endpoint: Endpoint) -> None:
    endpoint.receive_untrusted(encode(data()), THERE, GROUP, 1.0)
    assert len(endpoint.session_reports) == 1
    assert endpoint.datagrams == []
    assert endpoint.dropped == []


@pytest.mark.parametrize(
    "message",
    [
        data(flags=0),
        data(destination_tag=1),
        data(extra=((0x9001, b""),)),
        Sync(flags=HeaderFlag.M, destination_tag=TAG, origin=77, trail_seq=0, sflags=0),
        Probe(flags=HeaderFlag.M, destination_tag=TAG, nonce=7, next_data_seq=0),
        join_request(Role.C_LEAF_TO_ROOT, 7),
    ],
    ids=lambda message: type(message).__name__,
)
def test_everything_else_is_dropped_without_an_answer(endpoint: Endpoint, message: Message) -> None:
    endpoint.receive_untrusted(encode(message), THERE, GROUP, 1.0)
    assert len(endpoint.dropped) == 1
    assert endpoint.datagrams == []
    assert endpoint.session_reports == []


@pytest.mark.parametrize("octets", [b"", b"mp" + bytes(200), b"mp\x02" + bytes(197)])
def test_what_is_no_message_is_dropped_without_an_answer(endpoint: Endpoint, octets: bytes) -> None:
    endpoint.receive_untrusted(octets, THERE, GROUP, 1.0)
    assert len(endpoint.dropped) == 1
    assert endpoint.datagrams == []


def test_groups_that_were_not_joined_and_sources_that_are_none_are_dropped(
    endpoint: Endpoint,
) -> None:
    for source, destination in ((THERE, ("239.255.7.8", 7777)), (GROUP, GROUP)):
        endpoint.receive_untrusted(encode(data()), source, destination, 1.0)
    assert [one.rule for one in endpoint.dropped] == ["R16 R103"] * 2


def test_it_is_idle_once_the_second_leave_is_out(endpoint: Endpoint) -> None:
    assert endpoint.next_timer_s() == 1.0
    endpoint.leave(0.5)
    assert endpoint.groups == {}
    idle = [endpoint.is_idle]
    for now_s in (1.4, 1.5):
        endpoint.expire_timers(now_s)
        idle.append(endpoint.is_idle)
    assert idle == [False, False, True]
    assert endpoint.next_timer_s() is None
    assert len(endpoint.datagrams) == 2
    endpoint.receive_untrusted(encode(data()), THERE, GROUP, 2.0)
    assert endpoint.session_reports == []
