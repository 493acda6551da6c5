"""The record of one socket, alone: its phases, and that it says neither too much nor too little."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mpwire.testing.bus import ALL_EVENTS
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.record import (
    CONTRACT,
    FD_ACCEPT,
    FD_CLOSE,
    FD_CONNECT,
    FD_READ,
    FD_WRITE,
    NO_EVENTS,
    REPORTING_ORDER,
    EventRecord,
    Phase,
)

E = WsaError


def test_a_record_inherits_the_selection_and_nothing_that_happened() -> None:
    record = EventRecord(FD_READ, 5)
    record.occur(FD_READ)
    child = record.inherited()
    assert (child.mask, child.event_object) == (FD_READ, 5)
    assert child.recorded() == []


def test_a_code_that_the_contract_lacks_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        EventRecord().occur(FD_CLOSE, E.WSAEALREADY)


@pytest.mark.w(27)
def test_a_new_join_can_complete_though_the_last_was_not_read() -> None:
    record = EventRecord(ALL_EVENTS, 1)
    record.occur(FD_CONNECT, E.WSAECONNREFUSED)
    record.called("join_leaf")
    assert record.recorded() == []
    assert record.occur(FD_CONNECT)
    assert record.enumerate() == [(FD_CONNECT, E.SUCCESS)]


class RecordMachine(RuleBasedStateMachine):
    """Compare a record with counts: what may be said, and what must have been."""

    def __init__(self) -> None:
        super().__init__()
        self.record = EventRecord(ALL_EVENTS, 1)
        self.said: dict[NetworkEvent, int] = dict.fromkeys(CONTRACT, 0)
        self.allowed: dict[NetworkEvent, int] = dict.fromkeys(CONTRACT, 1)
        self.happened: set[NetworkEvent] = set()

    @rule(event=st.sampled_from(REPORTING_ORDER))
    def occur(self, event: NetworkEvent) -> None:
        signals = self.record.occur(event)
        self.happened.add(event)
        assert not signals or self.record.phases[event] is Phase.RECORDED

    @rule(event=st.sampled_from([FD_READ, FD_ACCEPT]))
    def holds(self, event: NetworkEvent) -> None:
        self.record.still_holds(event)
        self.happened.add(event)

    @rule(event=st.sampled_from([FD_READ, FD_ACCEPT, FD_WRITE]))
    def reenable(self, event: NetworkEvent) -> None:
        unread = event in self.record.recorded()
        self.allowed[event] = self.said[event] + (2 if unread else 1)
        self.record.reenable(event)

    @rule()
    def start_join(self) -> None:
        self.allowed[FD_CONNECT] = self.said[FD_CONNECT] + 1
        self.record.called("join_leaf")

    @rule(mask=st.sampled_from([ALL_EVENTS, NO_EVENTS, FD_READ | FD_CLOSE]))
    def select(self, mask: NetworkEvent) -> None:
        signals = self.record.select(mask, 1)
        assert signals == any(event & mask for event in self.record.recorded())
        for event in (FD_READ, FD_ACCEPT):
            self.allowed[event] = max(self.allowed[event], self.said[event] + 1)

    @rule()
    def enumerate(self) -> None:
        found = self.record.enumerate()
        assert [event for event, _ in found] == [
            event for event in REPORTING_ORDER if event in dict(found)
        ]
        for event, _ in found:
            assert event & self.record.mask
            assert event in self.happened
            self.said[event] += 1

    @invariant()
    def says_no_more_than_it_may(self) -> None:
        for event, count in self.said.items():
            assert count <= self.allowed[event], event


TestRecordMachine = RecordMachine.TestCase
