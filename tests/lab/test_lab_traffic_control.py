"""Requests about queues: as a library of others encodes them, and which packets they mean."""

import struct
from ipaddress import ip_address

import pytest
from pyroute2.netlink.rtnl.tcmsg import cls_u32, sched_netem, tcmsg
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from mpwire.lab.emulation import _TYPES
from mpwire.lab.netlink import NLM_F_ACK, NLM_F_REQUEST, Request
from mpwire.lab.sight import sighting
from mpwire.lab.traffic_control import (
    Key,
    Queue,
    _queues,
    bands_add,
    blocks,
    datagram_keys,
    delay_add,
    filter_add,
)
from mpwire.wire.numbers import HEADER_OCTETS, MAGIC, MessageType

SOURCES = ("10.77.0.2", "fd77::2")
ETHERNET_OCTETS = 14


def octets(request: Request) -> bytes:
    """Encode our own."""
    return request.octets(5, NLM_F_REQUEST | NLM_F_ACK)


def theirs(kind: int, attributes: list[list[object]], **fields: int) -> bytes:
    """Let the library encode a request that wants an answer."""
    message = tcmsg()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | 0x600
    message["header"]["sequence_number"] = 5
    message.encode()
    return bytes(message.data)


def test_a_filter_puts_what_its_keys_mean_into_a_band() -> None:
    keys = [Key(12, 0x0A4D0002, 0xFFFFFFFF), Key(28, 0x4D500001, 0xFFFF00FF)]
    wanted = ["0x0a4d0002/0xffffffff+12", "0x4d500001/0xffff00ff+28"]
    options = cls_u32.get_parameters({"target": 0x10002, "keys": wanted})
    attributes: list[list[object]] = [["TCA_KIND", "u32"], ["TCA_OPTIONS", options]]
    made = theirs(44, attributes, index=7, parent=0x10000, info=4 << 16 | 0x0008)
    ours = octets(filter_add(7, 2, 4, keys))
    # The library knows keys of four octets that follow each other, and cuts ours in two.
    at = ours.index(bytes.fromhex("ffffffff0a4d0002"))
    assert ours[16:36] == made[16:36]
    assert ours[at : at + 16] in made
    assert ours[36:48] == made[36:48], "kind, and the head of the options"
    sizes = struct.unpack_from("=BBB", ours, at - 16)
    assert sizes == (1, 0, 2), "a match is final, and there are two keys"


def test_a_band_holds_back_for_so_long() -> None:
    request = delay_add(7, 3, 20_000_000)
    made = theirs(
        36,
        [
            ["TCA_KIND", "netem"],
            ["TCA_OPTIONS", sched_netem.get_parameters({"delay": 0, "limit": 1 << 20})],
        ],
        index=7,
        handle=0x40000,
        parent=0x10003,
    )
    ours = octets(request)
    assert ours[16:36] == made[16:36], "tcmsg"
    assert ours[36:48] == made[36:48], "kind"
    assert ours[52:76] == made[52:76], "tc_netem_qopt"
    assert ours[-12:] == struct.pack("=HHq", 12, 10, 20_000_000)
    assert len(ours) == struct.unpack_from("=I", ours)[0]


def test_all_but_what_filters_choose_goes_into_the_first_band() -> None:
    body = bands_add(7, 3).body
    assert struct.unpack_from("=B3xiIII", body) == (0, 7, 0x10000, 0xFFFFFFFF, 0)
    assert body.endswith(struct.pack("=HHi", 24, 2, 3) + bytes(16))


@pytest.mark.parametrize("numbers", [[0], [3, 4, 5], list(range(23)), [255], list(range(256))])
def test_blocks_cover_numbers_and_no_others(numbers: list[int]) -> None:
    made = list(blocks(numbers))
    covered = [one for one in range(256) for value, mask in made if one & mask == value]
    assert covered == numbers
    assert len(made) <= len(numbers)


def meant(frame: bytes, source: str) -> bool:
    """Do as the kernel does with the filters for the messages of a host."""
    address = ip_address(source)
    if frame[12:14] != (b"\x08\0" if address.version == 4 else b"\x86\xdd"):
        return False
    keys, payload_at = datagram_keys(address)
    packet = frame[ETHERNET_OCTETS:] + bytes(64)
    types = [Key(payload_at, MAGIC << 16 | kind, 0xFFFF_0000 | mask) for kind, mask in _TYPES]

    def holds(key: Key) -> bool:
        (word,) = struct.unpack_from("!I", packet, key.place)
        return bool(word & key.mask == key.value)

    return all(map(holds, keys)) and any(map(holds, types))


def frames(source: str) -> list[Packet]:
    """Make messages of a host, and much that is none."""
    six = ":" in source
    ip = IPv6(src=source, dst="fd77::3") if six else IP(src=source, dst="10.77.0.3")
    other = IPv6(src="fd77::9", dst="fd77::3") if six else IP(src="10.77.0.9", dst="10.77.0.3")
    head = MAGIC.to_bytes(2, "big") + b"\x01"
    rest = bytes(HEADER_OCTETS)
    made = [ip / UDP() / Raw(head + bytes([kind]) + rest) for kind in range(256)]
    made += [other / UDP() / Raw(head + b"\x01" + rest), ip / UDP() / Raw(b"hello" + rest)]
    made += [ip / UDP(), ip / Raw(head + b"\x01" + rest)]
    if not six:
        made.append(IP(src=source, frag=3) / UDP() / Raw(head + b"\x01" + rest))
        made.append(IP(src=source, flags="MF") / UDP() / Raw(head + b"\x01" + rest))
    return made


@pytest.mark.parametrize("source", SOURCES)
def test_filters_mean_the_messages_of_a_host_and_nothing_else(source: str) -> None:
    count = 0
    for packet in frames(source):
        frame = bytes(Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:03") / packet)
        is_message = bool(sighting(frame).message) and packet.src == source
        count += is_message
        assert meant(frame, source) is is_message, packet.summary()
    assert count == len(MessageType)


def test_of_a_datagram_with_options_nobody_knows_whether_it_is_a_message() -> None:
    """Pass over what no endpoint sends: the filters look at fixed places."""
    message = MAGIC.to_bytes(2, "big") + b"\x01\x01" + bytes(HEADER_OCTETS)
    packet = IP(src=SOURCES[0], options=[IPOption_Router_Alert()]) / UDP() / Raw(message)
    assert not meant(bytes(Ether() / packet), SOURCES[0])


def test_the_state_of_queues_is_read_from_a_dump() -> None:
    def queue(kind: bytes, waiting: int, dropped: int) -> bytes:
        counted = struct.pack("=HHIIIII", 24, 3, waiting, 1, dropped, 0, 0)
        stats = struct.pack("=HH", 4 + len(counted), 7) + counted
        name = struct.pack("=HH", 4 + len(kind), 1) + kind + bytes(-len(kind) % 4)
        return struct.pack("=B3xiIII", 0, 7, 0, 0, 0) + name + stats

    found = list(_queues([queue(b"netem\0", 3, 1), queue(b"prio\0", 4, 0)]))
    assert found == [Queue(7, "netem", 3, 1), Queue(7, "prio", 4, 0)]
