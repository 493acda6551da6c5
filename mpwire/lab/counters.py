"""What the kernel counts in a network namespace, parsed from /proc."""

import os
from contextlib import suppress
from pathlib import Path

_COLUMNS = (
    *("rx_bytes", "rx_packets", "rx_errors", "rx_dropped"),
    *("rx_fifo_errors", "rx_frame_errors", "rx_compressed", "multicast"),
    *("tx_bytes", "tx_packets", "tx_errors", "tx_dropped"),
    *("tx_fifo_errors", "collisions", "tx_carrier_errors", "tx_compressed"),
)


def parse_interface(text: str, interface: str) -> dict[str, int]:
    """Return the counters of one interface.

    Layout: lines of "name: " and 16 numbers, as in /proc/net/dev.
    """
    for line in text.splitlines():
        name, colon, numbers = line.partition(":")
        if colon and name.strip() == interface:
            return dict(zip(_COLUMNS, map(int, numbers.split()), strict=False))
    return {}


def parse_udp(snmp: str, snmp6: str = "") -> dict[str, int]:
    """Return the UDP counters, those of IPv6 with the prefix "Udp6" as the kernel writes it.

    Layout: /proc/net/snmp has a line of names and a line of numbers per protocol, each after
    "Udp: "; /proc/net/snmp6 has lines of name and number.
    """
    rows = [line.split()[1:] for line in snmp.splitlines() if line.startswith("Udp: ")]
    counted = dict(zip(rows[0], map(int, rows[1]), strict=True)) if len(rows) == 2 else {}
    for line in snmp6.splitlines():
        if line.startswith("Udp6"):
            name, number = line.split()
            counted[name] = int(number)
    return counted


def read_udp() -> dict[str, int]:
    """Read the UDP counters of the thread's present namespace."""
    texts = []
    for name in ("snmp", "snmp6"):
        texts.append("")
        with suppress(FileNotFoundError):  # snmp6: a kernel without IPv6
            texts[-1] = (Path("/proc/self/net") / name).read_text("ascii")
    return parse_udp(*texts)


class InterfaceFile:
    """Read an interface's counters again and again from wherever the thread is.

    The file, opened inside a namespace, keeps showing that namespace.
    """

    def __init__(self, interface: str) -> None:
        """Open it in the thread's present namespace."""
        self._interface = interface
        self._file = os.open("/proc/self/net/dev", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> dict[str, int]:
        """Return the counters now."""
        return parse_interface(self._text().decode("ascii"), self._interface)

    def packets(self) -> dict[str, tuple[int, int]]:
        """Return how many packets every interface of the namespace has received and sent."""
        return parse_packets(self._text())

    def dropped(self) -> dict[str, int]:
        """Return how many packets every interface of the namespace has dropped, not sent."""
        return parse_dropped(self._text())

    def _text(self) -> bytes:
        text = b""
        while chunk := os.pread(self._file, 65536, len(text)):
            text += chunk
        return text

    def close(self) -> None:
        """Close the file; harmless when done already."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def parse_packets(text: bytes) -> dict[str, tuple[int, int]]:
    """Return how many packets each interface has received and sent.

    Layout: as for `parse_interface`; quick, because it is asked again and again.
    """
    found = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(b":")
        columns = numbers.split(None, 10)
        found[name.strip().decode()] = (int(columns[1]), int(columns[9]))
    return found


def parse_dropped(text: bytes) -> dict[str, int]:
    """Return how many packets each interface has dropped instead of sending them.

    Layout: as for `parse_interface`.
    """
    column = _COLUMNS.index("tx_dropped")
    lines = [line.partition(b":") for line in text.splitlines()[2:]]
    return {name.strip().decode(): int(numbers.split()[column]) for name, _, numbers in lines}
