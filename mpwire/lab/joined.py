"""Which groups a host's kernel wants to hear, read from /proc.

A kernel reports a membership some milliseconds after a program has asked for it. Who wants to know
that everything has been said compares what the kernel has with what was said.
"""

import os
import sys
from ipaddress import ip_address
from typing import Final

from mpwire.lab.namespaces import NetworkNamespace

_FILES: Final = ("igmp", "mcfilter", "igmp6", "mcfilter6")


def parse_groups(igmp: str, igmp6: str, interface: str) -> set[str]:
    """List the groups that an interface hears.

    Layout: /proc/net/igmp has a line "index device : ..." per interface, and below it indented
    lines that begin with a group, as the kernel's machine word in hexadecimal; /proc/net/igmp6
    has lines of index, device, group in 32 hexadecimal digits, and numbers.
    """
    found = set()
    here = False
    for line in igmp.splitlines()[1:]:
        words = line.split()
        if not line[:1].isspace():
            here = words[1] == interface
        elif here:
            octets = int(words[0], 16).to_bytes(4, sys.byteorder)
            found.add(str(ip_address(octets)))
    for line in igmp6.splitlines():
        _index, device, group, *_ = line.split()
        if device == interface:
            found.add(str(ip_address(bytes.fromhex(group))))
    return found


def parse_sources(mcfilter: str, interface: str) -> dict[str, set[str]]:
    """Give the sources from which groups are wanted, where only some are.

    Layout: a heading, then lines of index, device, group, source, and how many sockets include
    and exclude it; addresses in hexadecimal, those of IPv4 after "0x".
    """
    found: dict[str, set[str]] = {}
    for line in mcfilter.splitlines()[1:]:
        _index, device, group, source, including, _excluding = line.split()
        if device == interface and int(including):
            found.setdefault(_address(group), set()).add(_address(source))
    return found


def _address(text: str) -> str:
    return str(ip_address(bytes.fromhex(text.removeprefix("0x"))))


class JoinedGroups:
    """Read one host's memberships again and again, from wherever the thread is."""

    def __init__(self, namespace: NetworkNamespace, interface: str) -> None:
        """Open the files in the host's namespace, which they keep showing."""
        self._interface = interface
        self._files: dict[str, int] = {}
        with namespace.entered():
            for name in _FILES:
                try:
                    self._files[name] = os.open(
                        f"/proc/self/net/{name}", os.O_RDONLY | os.O_CLOEXEC
                    )
                except FileNotFoundError:  # a kernel without IPv6
                    continue

    def read(self) -> dict[str, set[str]]:
        """Give the groups, each with its sources; none: from anybody."""
        said = {name: self._text(name) for name in _FILES}
        sources = parse_sources(said["mcfilter"], self._interface)
        sources |= parse_sources(said["mcfilter6"], self._interface)
        groups = parse_groups(said["igmp"], said["igmp6"], self._interface)
        return {group: sources.get(group, set()) for group in groups}

    def _text(self, name: str) -> str:
        descriptor = self._files.get(name)
        text = b""
        while descriptor is not None and (chunk := os.pread(descriptor, 65536, len(text))):
            text += chunk
        return text.decode("ascii")

    def close(self) -> None:
        """Close the files; harmless when done already."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
