"""A run over routers is seen from its hosts alone: one departure, one arrival, one decision."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.onway import constant_octets, end_to_end, hops_left, origins
from mpwire.capture.records import Counters, Decision, Host, Router, Sentinel
from mpwire.sim import packets
from tests.capture.runs import run_record

LEFT, RIGHT = ("10.77.0.2", 5), ("10.77.2.2", 6)
GROUP = ("239.1.2.3", 6)
MAC = bytes.fromhex("020000000001")


def datagram(
    payload: bytes, hops: int, there: tuple[str, int] = RIGHT, here: tuple[str, int] = LEFT
) -> bytes:
    """Build a datagram as it is after so many routers."""
    return packets.udp_frame((MAC, MAC), here, there, payload, hops)


class Tale:
    """Record what a fabric with two routers in a row would record."""

    def __init__(self, folder: Path) -> None:
        def port(name: str, address: str) -> Host:
            return Host(name=name, mac="02:00:00:00:00:09", addresses=[f"{address}/24"])

        self.run = run_record(
            [port("a", LEFT[0]), port("b", RIGHT[0])],
            started_ns=1,
            routers=[
                Router(name="r", ports=[port("r.one", "10.77.0.1"), port("r.two", "10.77.1.1")]),
                Router(name="s", ports=[port("s.two", "10.77.1.254"), port("s.far", "10.77.2.1")]),
            ],
        )
        self.writer = RunWriter(folder, self.run.vantages)
        self.writer.record(self.run)
        self.now_ns = 10

    def hop(self, sender: str, receiver: str, frame: bytes, reason: str | None = None) -> list[int]:
        """Let a frame pass from a port to another one; with a reason it does not arrive."""
        self.now_ns += 2
        sent = self.writer.frame(sender, "out", frame, self.now_ns)
        arrived = None
        if reason is None:
            arrived = self.writer.frame(receiver, "in", frame, self.now_ns + 1)
        self.writer.record(
            Decision(frame=sent, receiver=receiver, delivered=arrived, reason=reason)
        )
        return [sent] if arrived is None else [sent, arrived]

    def way(self, payload: bytes) -> list[int]:
        """Let a datagram go all the way from a to b; return its frames."""
        return [
            *self.hop("a", "r.one", datagram(payload, 64)),
            *self.hop("r.two", "s.two", datagram(payload, 63)),
            *self.hop("s.far", "b", datagram(payload, 62)),
        ]

    def read(self) -> RunFile:
        """Finish the file and read it."""
        return open_run(self.writer.finish())


@pytest.fixture
def tale(tmp_path: Path) -> Tale:
    """Begin a run."""
    return Tale(tmp_path)


def decisions(run: RunFile) -> list[tuple[int, str, int | None, str | None]]:
    """List what became of what, as told."""
    return [(one.frame, one.receiver, one.delivered, one.reason) for one in run.of(Decision)]


def numbers(frames: Sequence[object]) -> list[int]:
    """List the numbers of frames."""
    return [getattr(one, "number", 0) for one in frames]


def test_a_way_over_two_routers_is_one_step(tale: Tale) -> None:
    first, second = tale.way(b"one"), tale.way(b"two")
    tale.writer.record(Sentinel(host="r.one", stage="start", request=1, reply=2))
    tale.writer.record(Sentinel(host="a", stage="start", request=1, reply=2))
    for host in ("r.two", "b"):
        tale.writer.record(Counters(host=host, interface={}, udp={}, capture={}))
    run = tale.read()
    assert run.incomplete == []
    assert origins(run) == {3: 1, 5: 1, 9: 7, 11: 7}
    seen = end_to_end(run)
    assert numbers(seen.frames) == [first[0], first[-1], second[0], second[-1]]
    assert decisions(seen) == [(1, "b", 6, None), (7, "b", 12, None)]
    assert [one.host for one in seen.of(Sentinel)] == ["a"]
    assert [one.host for one in seen.of(Counters)] == ["b"]


def test_equal_datagrams_keep_their_order(tale: Tale) -> None:
    tale.hop("a", "r.one", datagram(b"x", 64))
    tale.hop("a", "r.one", datagram(b"x", 64))
    tale.hop("r.two", "s.two", datagram(b"x", 63))
    tale.hop("r.two", "s.two", datagram(b"x", 63))
    assert origins(tale.read()) == {5: 1, 7: 3}


def test_what_goes_to_a_group_leaves_a_router_at_several_ports(tale: Tale) -> None:
    tale.hop("a", "r.two", datagram(b"all", 3, GROUP))  # which has a for a neighbour, here
    tale.hop("r.one", "b", datagram(b"all", 2, GROUP))
    tale.hop("r.two", "b", datagram(b"all", 2, GROUP))
    tale.hop("r.two", "b", datagram(b"all", 9, GROUP))  # and one that r made itself
    run = tale.read()
    assert origins(run) == {3: 1, 5: 1}
    assert decisions(end_to_end(run)) == [(1, "b", 4, None), (1, "b", 6, None)]


def test_what_does_not_arrive_is_told_of_its_sender(tale: Tale) -> None:
    tale.hop("a", "r.one", datagram(b"cut", 64), "impaired: cut")
    tale.hop("a", "r.one", datagram(b"hop", 1))
    tale.hop("a", "r.one", datagram(b"down", 64))
    tale.hop("r.two", "s.two", datagram(b"down", 63), "port down")
    tale.hop("a", "r.one", datagram(b"drop", 64))
    tale.hop("r.two", "s.two", datagram(b"drop", 63))
    tale.hop("s.far", "b", datagram(b"drop", 62), "impaired: drop")
    tale.hop("a", "r.one", datagram(b"none", 64, GROUP))
    tale.hop("a", "r.one", datagram(b"cut", 64, GROUP), "impaired: cut")
    assert decisions(end_to_end(tale.read())) == [
        (1, "b", None, "impaired: cut"),
        (4, "b", None, "port down"),
        (7, "b", None, "impaired: drop"),
        (14, "r.one", None, "impaired: cut"),
        (2, "b", None, "not sent on by r"),
    ]


def test_what_routers_say_themselves_has_no_origin(tale: Tale) -> None:
    tale.hop("s.far", "b", datagram(b"mine", 64, RIGHT, ("10.77.2.1", 9)))
    tale.hop("s.two", "r.two", b"\xff" * 12 + b"\x08\x06" + bytes(28))
    tale.hop("r.one", "a", datagram(b"never came", 63, LEFT, RIGHT))
    seen = end_to_end(tale.read())
    assert numbers(seen.frames) == [2, 6]
    assert decisions(seen) == []


def test_a_run_without_routers_stays_as_it_is(tale: Tale) -> None:
    tale.way(b"one")
    run = tale.read()
    alone = msgspec.structs.replace(
        run, records=[msgspec.structs.replace(run.records[0], routers=[]), *run.records[1:]]
    )
    assert end_to_end(alone) is alone
    assert end_to_end(msgspec.structs.replace(run, records=[])).frames is run.frames


def test_only_what_routers_change_is_left_out_of_a_frame() -> None:
    six = [packets.udp_frame((MAC, MAC), ("fd77::2", 5), ("fd77::3", 6), b"x", n) for n in (9, 8)]
    four = [datagram(b"x", 9), datagram(b"x", 8)]
    for one, other in (six, four):
        assert constant_octets(one) == constant_octets(other)
        assert constant_octets(one) is not None
        assert (hops_left(one), hops_left(other)) == (9, 8)
    assert constant_octets(datagram(b"y", 9)) != constant_octets(datagram(b"x", 9))
    assert constant_octets(bytes(60)) is None
    assert constant_octets(datagram(b"", 9)[:20]) is None
