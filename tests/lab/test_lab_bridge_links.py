"""Requests about bridges, and the kernel's answers."""

import struct

from mpwire.lab.bridge_links import (
    DISABLED,
    FORWARDING,
    PortState,
    _states,
    bridge_add,
    port_requests,
    port_state_set,
    querier_begin,
    waiting,
)

MAC = bytes.fromhex("020000000001")


def test_every_request_says_how_long_it_is() -> None:
    made = [
        bridge_add("b0", MAC),
        bridge_add("b0", MAC, snooping=True),
        querier_begin(4),
    ]
    made += [*port_requests(7, 5, MAC), port_state_set(7, FORWARDING)]
    for request in made:
        octets = request.octets(9, 0x5)
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", octets)
        assert length == len(octets)
        assert length % 4 == 0
        assert (kind, flags, sequence) == (request.kind, request.flags | 0x5, 9)


def test_a_bridge_without_snooping_asks_nobody() -> None:
    plain, listening = bridge_add("b0", MAC), bridge_add("b0", MAC, snooping=True)
    snooping, querier = struct.pack("=HHB3x", 5, 23, 1), struct.pack("=HHB3x", 5, 25, 1)
    assert snooping not in plain.body
    assert snooping in listening.body
    assert querier not in listening.body
    assert querier in querier_begin(4).body


def test_the_state_of_ports_is_read_from_a_dump() -> None:
    state = struct.pack("=HHB3x", 5, 1, FORWARDING)
    nested = struct.pack("=HH", 4 + len(state), 12 | 0x8000) + state
    operational = struct.pack("=HHB3x", 5, 16, 6)
    port = struct.pack("=BxHiII", 7, 1, 9, 1, 0) + operational + nested
    other = struct.pack("=BxHiII", 7, 1, 4, 1, 0)
    assert dict(_states([port, other])) == {9: PortState(is_up=True, state=FORWARDING)}


def test_a_port_without_carrier_or_state_is_waited_for() -> None:
    states = {1: PortState(True, FORWARDING), 2: PortState(False, FORWARDING)}
    states[3] = PortState(True, DISABLED)
    assert waiting(states, [1, 2, 3, 4]) == [2, 3, 4]
