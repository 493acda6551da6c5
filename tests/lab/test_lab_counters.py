"""Parsing of what the kernel counts."""

from mpwire.lab.counters import (
    InterfaceFile,
    parse_dropped,
    parse_interface,
    parse_packets,
    parse_udp,
    read_udp,
)

NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:     197       4    2    3    0     0          0         5      297       6    7    8    0     0       0          0
"""  # noqa: E501 - as the kernel prints it

SNMP = """Tcp: RtoAlgorithm RtoMin
Tcp: 1 200
Udp: InDatagrams NoPorts InErrors
Udp: 10 2 3
UdpLite: InDatagrams NoPorts InErrors
UdpLite: 0 0 0
"""


def test_interface_counters_have_the_names_of_ip_s_link() -> None:
    found = parse_interface(NET_DEV, "eth0")
    assert found["rx_packets"] == 4
    assert (found["rx_errors"], found["rx_dropped"], found["multicast"]) == (2, 3, 5)
    assert (found["tx_packets"], found["tx_errors"], found["tx_dropped"]) == (6, 7, 8)


def test_packets_of_all_interfaces_are_read_at_once() -> None:
    assert parse_packets(NET_DEV.encode()) == {"lo": (1, 1), "eth0": (4, 6)}
    assert parse_dropped(NET_DEV.encode()) == {"lo": 0, "eth0": 8}
    file = InterfaceFile("")
    assert "lo" in file.packets()
    assert "lo" in file.dropped()
    file.close()


def test_an_interface_that_is_not_there_has_no_counters() -> None:
    assert parse_interface(NET_DEV, "eth1") == {}


def test_udp_counters_keep_the_kernels_names() -> None:
    assert parse_udp(SNMP) == {"InDatagrams": 10, "NoPorts": 2, "InErrors": 3}
    both = parse_udp(SNMP, "Ip6InReceives  1\nUdp6InDatagrams  7\nUdpLite6InDatagrams 9\n")
    assert both == {"InDatagrams": 10, "NoPorts": 2, "InErrors": 3, "Udp6InDatagrams": 7}
    assert parse_udp("") == {}


def test_the_file_of_an_interface_can_be_read_again_and_again() -> None:
    file = InterfaceFile("lo")
    first = file.read()
    assert file.read()["rx_packets"] >= first["rx_packets"]
    file.close()
    file.close()


def test_this_namespace_counts_datagrams() -> None:
    assert read_udp()["InDatagrams"] >= 0
