"""A simulated router: forwards, tells why it does not, and asks for neighbours."""

from collections.abc import Callable

import pytest

from mpwire.capture.frames import Datagram, LinkType, Other, decode_frame
from mpwire.capture.groups import TO_EXCLUDE
from mpwire.core.events import SendDatagram
from mpwire.io.udp import Unreachable
from mpwire.lab.craft import SWITCH_MAC, echo_reply_nonce, echo_request
from mpwire.lab.multicast import MulticastRouting
from mpwire.lab.topology import Network, Node, Topology, derive
from mpwire.sim import packets
from mpwire.sim.router import Router
from mpwire.sim.stack import Stack

BOTH = ("inet", "inet6")
TOPOLOGY = derive(
    [
        Network(name="north", families=BOTH),
        Network(name="south", families=BOTH, mtu=1280),
        Network(name="far", families=BOTH),
    ],
    {"a": "north", "b": "south", "c": "far"},
    {"edge": ["north", "south"], "next": ["south", "far"]},
)
EDGE, NEXT = TOPOLOGY.routers
A, B, C = TOPOLOGY.hosts
FAMILIES = pytest.mark.parametrize("family", BOTH)


class Clock:
    """Let time pass when told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    def time(self) -> float:
        """Tell the time."""
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[..., object], /, *args: object) -> None:
        """Remember what to call."""
        self._count += 1
        self._due.append((self.now_s + delay_s, self._count, lambda: callback(*args)))

    def run(self, until_s: float) -> None:
        """Call what is due by then."""
        while self._due and min(self._due)[0] <= until_s:
            self._due.sort()
            due_s, _, callback = self._due.pop(0)
            self.now_s = max(self.now_s, due_s)
            callback()
        self.now_s = until_s


class Edge:
    """The router between north and south, and what it puts on its cables."""

    def __init__(self, topology: Topology = TOPOLOGY, node: Node = EDGE) -> None:
        self.clock = Clock()
        self.sent: list[tuple[str, bytes]] = []
        self.multicast = MulticastRouting(topology)
        senders = {port.name: self._sender(port.name) for port in node.ports}
        self.router = Router(node, self.clock, senders, self.multicast)
        for port in node.ports:
            known = self.router.neighbours[port.name].known
            for other in topology.neighbours(port):
                known |= {str(one.ip): other.mac_octets() for one in other.interfaces()}

    def _sender(self, port: str) -> Callable[[bytes], None]:
        return lambda frame: self.sent.append((port, frame))

    def take(self, port: str, frame: bytes) -> list[tuple[str, bytes]]:
        """Let a frame reach a port; return what leaves because of it, soon."""
        self.sent.clear()
        self.router.ports[port].write(frame)
        self.clock.run(self.clock.now_s + 0.001)
        assert self.router.ports[port].in_flight == 0
        return [*self.sent]


def address(node: Node, family: str) -> str:
    """Give a host's address."""
    found = node.port.address(family)
    assert found is not None
    return found


def datagram(family: str, there: str, *, octets: int = 3, hops: int = 64, here: Node = A) -> bytes:
    """Build what a sends over the router."""
    macs = EDGE.ports[0].mac_octets(), here.port.mac_octets()
    ends = (address(here, family), 1000), (there, 2000)
    return packets.udp_frame(macs, *ends, bytes(octets), hops)


def told(frame: bytes) -> tuple[str, str, int]:
    """Say what an ICMP error says, to whom, and of which MTU."""
    decoded = decode_frame(LinkType.ETHERNET, frame)
    assert isinstance(decoded, Other)
    assert decoded.unreachable is not None
    assert decoded.unreachable.quoted is not None
    assert decoded.unreachable.quoted.source[1] == 1000
    return decoded.unreachable.meaning, decoded.destination or "", decoded.unreachable.mtu


@FAMILIES
def test_it_forwards_with_one_hop_less(family: str) -> None:
    ((port, frame),) = Edge().take("edge.north", datagram(family, address(B, family)))
    assert port == "edge.south"
    assert frame[:12] == B.port.mac_octets() + EDGE.ports[1].mac_octets()
    decoded = decode_frame(LinkType.ETHERNET, frame)
    assert isinstance(decoded, Datagram)
    assert (decoded.ttl, decoded.problems, decoded.checksum) == (63, (), "ok")
    ((port, frame),) = Edge().take("edge.north", datagram(family, address(C, family)))
    assert (port, frame[:6]) == ("edge.south", NEXT.ports[0].mac_octets())


@FAMILIES
def test_it_tells_why_it_does_not(family: str) -> None:
    edge = Edge()
    nowhere = "192.0.2.1" if family == "inet" else "2001:db8::1"
    for frame, meaning, mtu in (
        (datagram(family, nowhere), "net", 0),
        (datagram(family, address(B, family), hops=1), "time exceeded", 0),
        (datagram(family, address(B, family), octets=1281), "too big", 1280),
    ):
        ((port, error),) = edge.take("edge.north", frame)
        assert (port, error[:6]) == ("edge.north", A.port.mac_octets())
        assert told(error) == (meaning, address(A, family), mtu)
    own = EDGE.ports[1].address(family) or ""
    ((_, error),) = edge.take("edge.north", datagram(family, own))
    assert told(error) == ("port", address(A, family), 0)


@FAMILIES
def test_it_asks_three_times_for_a_neighbour_that_is_not_there(family: str) -> None:
    edge = Edge()
    absent = "10.77.1.99" if family == "inet" else "fd77:0:0:1::63"
    ((port, question),) = edge.take("edge.north", datagram(family, absent))
    assert (port, question[0] & 1) == ("edge.south", 1)
    edge.clock.run(2.5)
    assert [port for port, _ in edge.sent] == ["edge.south"] * 3
    edge.clock.run(3.1)
    assert told(edge.sent[-1][1]) == ("host", address(A, family), 0)


@FAMILIES
def test_it_learns_a_neighbour_that_answers(family: str) -> None:
    edge = Edge()
    del edge.router.neighbours["edge.south"].known[address(B, family)]
    first = datagram(family, address(B, family))
    ((_, question),) = edge.take("edge.north", first)
    assert edge.take("edge.north", first) == []
    answering = Stack(B.port, edge.clock, lambda frame: edge.sent.append(("answer", frame)))
    answering.write(question)
    edge.clock.run(0.1)
    answer = edge.sent.pop()[1]
    sent = edge.take("edge.south", answer)
    assert [(port, frame[:6]) for port, frame in sent] == [("edge.south", B.port.mac_octets())] * 2
    edge.clock.run(9.0)
    assert len(edge.sent) == 2


@FAMILIES
def test_it_answers_echoes_and_questions_for_its_own(family: str) -> None:
    edge = Edge()
    port = EDGE.ports[1]
    mine = next(one.ip for one in port.interfaces() if (one.version == 4) is (family == "inet"))
    ((out, reply),) = edge.take("edge.south", echo_request(port.mac_octets(), mine, 77, 1))
    assert (out, echo_reply_nonce(reply), reply[:6]) == ("edge.south", 77, SWITCH_MAC)
    question = packets.resolution(B.port.mac_octets(), address(B, family), str(mine))
    ((out, answer),) = edge.take("edge.south", question)
    assert out == "edge.south"
    assert packets.resolved(answer) == (mine.packed, port.mac_octets())
    assert edge.take("edge.south", answer) == []


@FAMILIES
def test_errors_are_not_told_about_errors(family: str) -> None:
    edge = Edge()
    nowhere = packets.packed("192.0.2.1" if family == "inet" else "2001:db8::1")
    sent = datagram(family, address(B, family))
    packet = bytearray(sent[14:])
    if family == "inet":
        packet[12:16] = nowhere
    else:
        packet[8:24] = nowhere
    macs = EDGE.ports[0].mac_octets(), A.port.mac_octets()
    here = packets.packed(address(A, family))
    error = packets.icmp_error(macs, bytes(packet), here, (3, 1) if family == "inet" else (1, 3))
    assert edge.take("edge.north", error) == []
    lost = datagram(family, str(address(B, family)), hops=1)
    at = 26 if family == "inet" else 22
    unknown = lost[:at] + nowhere + lost[at + len(nowhere) :]
    assert edge.take("edge.north", unknown) == []


def test_an_echo_that_cannot_go_on_is_told() -> None:
    echo = echo_request(EDGE.ports[0].mac_octets(), A.port.interfaces()[0].ip, 1)
    sent = echo[:26] + packets.packed(address(A, "inet")) + packets.packed("192.0.2.1") + echo[34:]
    ((_, error),) = Edge().take("edge.north", sent)
    decoded = decode_frame(LinkType.ETHERNET, error)
    assert isinstance(decoded, Other)
    assert decoded.unreachable is not None
    assert decoded.unreachable.meaning == "net"


def test_what_is_not_for_it_is_left() -> None:
    edge = Edge()
    assert edge.take("edge.north", bytes(6) + datagram("inet", address(B, "inet"))[6:]) == []
    assert edge.take("edge.north", EDGE.ports[0].mac_octets() + bytes(50)) == []


def test_a_port_that_is_down_carries_nothing() -> None:
    edge = Edge()
    edge.router.set_port("edge.south", is_up=False)
    with pytest.raises(OSError, match="down"):
        edge.router.ports["edge.south"].write(bytes(60))
    ((port, error),) = edge.take("edge.north", datagram("inet", address(B, "inet")))
    assert (port, told(error)[0]) == ("edge.north", "net")
    ((_, error),) = edge.take("edge.north", datagram("inet", address(C, "inet")))
    assert told(error)[0] == "net"
    edge.router.set_port("edge.south", is_up=True)
    edge.router.ports["edge.north"].write(datagram("inet", address(B, "inet")))
    edge.router.set_port("edge.north", is_up=False)
    edge.sent.clear()
    edge.clock.run(9.0)
    assert edge.sent == []


def test_groups_go_where_they_are_wanted_while_hops_are_left() -> None:
    edge = Edge()
    group, source = "239.1.2.3", address(A, "inet")
    macs = packets.group_mac(group), A.port.mac_octets()
    report = packets.group_report(B.port.mac_octets(), address(B, "inet"), TO_EXCLUDE, group, ())

    def data(hops: int, octets: int = 3) -> bytes:
        return packets.udp_frame(macs, (source, 5), (group, 6), bytes(octets), hops)

    assert edge.take("edge.north", data(2)) == []
    assert edge.take("edge.south", report) == []
    ((port, frame),) = edge.take("edge.north", data(2))
    assert (port, frame[:12]) == ("edge.south", macs[0] + EDGE.ports[1].mac_octets())
    assert edge.take("edge.north", data(1)) == []
    assert edge.take("edge.north", data(2, 1400)) == []


def test_a_host_remembers_what_fits_on_a_way() -> None:
    clock = Clock()
    sent: list[bytes] = []
    stack = Stack(A.port, clock, sent.append, A.routes)
    stack.neighbours.known["10.77.0.1"] = EDGE.ports[0].mac_octets()
    socket = stack.bind((address(A, "inet"), 1000), 4)
    edge = Edge()
    assert stack.source_for("10.77.1.2") == address(A, "inet")

    def send(octets: int) -> str | None:
        there = address(B, "inet"), 2000
        error = socket.send(SendDatagram(bytes(octets), socket.local, there))
        return None if error is None else error.strerror

    assert send(1300) is None
    ((_, error),) = edge.take("edge.north", sent.pop())
    stack.write(error)
    clock.run(1.0)
    assert not socket.queue
    assert send(1300) == "Message too long"
    assert send(1252) is None
    lost = edge.take("edge.north", datagram("inet", address(B, "inet"), hops=1))
    stack.write(lost[0][1])
    clock.run(2.0)
    (item,) = socket.queue
    assert isinstance(item, Unreachable)
    assert (item.port, item.peer) == (False, (address(B, "inet"), 2000))
