"""Read captures in batches: where each packet stands among many octets, and nothing more.

A packet as an object costs more than everything else that is done with most packets of a long
capture. So a batch holds the octets as they were read, with the place of every packet in them, and
makes a packet only of what somebody asks for.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn

from mpwire.capture.blocks import Block, BlockType, Interface, Packet
from mpwire.capture.pcap import PcapReader
from mpwire.capture.reader import Reader, nanoseconds

EPB = int(BlockType.ENHANCED_PACKET)
EPB_OCTETS = 32
"""An enhanced packet block without packet and options."""
PACKET_OCTETS = 16
"""What stands before a packet in a pcap file."""
ELSEWHERE = -1


@dataclass(slots=True)
class Batch:
    """Packets that stand one after the other in a file."""

    first: int
    """Place of the first one in the file, from 1."""
    octets: bytes
    starts: list[int] = field(default_factory=list)
    """Where the octets of each packet begin; ELSEWHERE for one that is in `packets`."""
    captured: list[int] = field(default_factory=list)
    """How many there are of each."""
    originals: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    """Time of each, in units of its interface."""
    interfaces: list[int] = field(default_factory=list)
    """Number of the interface of each in its section."""
    described: list[Interface] = field(default_factory=list)
    """The interfaces of the section."""
    packets: dict[int, Packet] = field(default_factory=dict)
    """Packets that have options, or are of another kind of block, by place in the batch."""

    def __len__(self) -> int:
        """Count the packets."""
        return len(self.starts)

    def packet(self, place: int) -> Packet:
        """Make the packet at a place of the batch."""
        start = self.starts[place]
        if start == ELSEWHERE:
            return self.packets[place]
        interface = self.described[self.interfaces[place]]
        return Packet(
            interface=interface,
            time_ns=nanoseconds(interface, self.stamps[place]),
            data=self.octets[start : start + self.captured[place]],
            original_octets=self.originals[place],
            offset_octets=0,
        )

    def time_ns(self, place: int) -> int:
        """Return the time of the packet at a place, 0 if it has none."""
        if self.starts[place] == ELSEWHERE:
            return self.packets[place].time_ns or 0
        return nanoseconds(self.described[self.interfaces[place]], self.stamps[place])

    def add(self, packet: Packet) -> None:
        """Append a packet that was decoded."""
        self.packets[len(self.starts)] = packet
        for column, value in (
            (self.starts, ELSEWHERE),
            (self.captured, len(packet.data)),
            (self.originals, packet.original_octets),
            (self.stamps, 0),
            (self.interfaces, 0),
        ):
            column.append(value)


class BatchReader(Reader):
    """Iterate over the packets of a pcapng stream in batches; other blocks go to `others`."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read from a binary stream; the name is used in messages."""
        super().__init__(stream, name)
        self.others: list[Block] = []
        self._count = 0

    def batches(self) -> Iterator[Batch]:
        """Yield all packets in file order, and an empty batch where `others` should be looked at.

        Raises:
            InputError: as iterating over single blocks.
        """
        window = self._window
        self._require_section_header()
        while window.has(12):
            batch = Batch(self._count + 1, window.buffer)
            batch.described = self.interfaces[self._section_start :]
            before = window.at
            self._fill(batch)
            if len(batch):
                self._count += len(batch)
                yield batch
            elif window.at == before:
                _kind, length = self._head()
                if not window.has(length):
                    self._lose(f"the last block claims {length} octets")
                    return
                yield from self._single()
            if self.others:
                yield Batch(self._count + 1, b"")
        if window.remaining_octets():
            self._lose("a block needs at least 12 octets")

    def _single(self) -> Iterator[Batch]:
        """Take a block that is short, or for which more octets had to be read."""
        batch = Batch(self._count + 1, b"")
        self._take(batch)
        if len(batch):
            self._count += 1
            yield batch

    def _fill(self, batch: Batch) -> None:
        """Take the blocks that are wholly there, up to one that changes what blocks mean."""
        window = self._window
        octets, at, end = window.buffer, window.at, len(window.buffer)
        unpack = self._block_head.unpack_from
        starts, captured, originals = batch.starts, batch.captured, batch.originals
        stamps, interfaces, known = batch.stamps, batch.interfaces, len(batch.described)
        while at + EPB_OCTETS <= end:
            kind, length, interface, high, low, octets_there, original = unpack(octets, at)
            bare = length - EPB_OCTETS == octets_there + (-octets_there & 3)
            if kind != EPB or not bare or interface >= known or at + length > end:
                window.at = at
                if not self._take(batch):
                    return
                at = window.at
                continue
            if octets[at + 4 : at + 8] != octets[at + length - 4 : at + length]:
                window.at = at
                self._refuse(length)
            starts.append(at + 28)
            captured.append(octets_there)
            originals.append(original)
            stamps.append(high << 32 | low)
            interfaces.append(interface)
            at += length
        window.at = at

    def _take(self, batch: Batch) -> bool:
        """Take one block of any kind; tell whether the batch may go on after it."""
        window = self._window
        kind, length = self._head()
        if window.remaining_octets() < length:
            return False
        start, end = window.at, window.at + length
        (trailer,) = self._trailer.unpack_from(window.buffer, end - 4)
        if trailer != length:
            self._fail(f"a block of {length} octets ends in the length {trailer}")
        found = self._decoded(kind, window.buffer[start + 8 : end - 4])
        window.at = end
        if isinstance(found, Packet):
            batch.add(found)
        elif found is not None:
            self.others.append(found)
        return isinstance(found, Packet) or found is None

    def _refuse(self, length: int) -> NoReturn:
        self._fail(f"a block of {length} octets ends in another length")


class PcapBatchReader(PcapReader):
    """Iterate over the packets of a pcap stream in batches."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read from a binary stream; the name is used in messages."""
        super().__init__(stream, name)
        self.others: list[Block] = []

    def batches(self) -> Iterator[Batch]:
        """Yield all packets in file order.

        Raises:
            InputError: as iterating over single packets.
        """
        window = self._window
        opened = self._opened()
        if opened is None:
            return
        order, interface = opened
        head = struct.Struct(order + "IIII")
        units, count = interface.units_per_second, 0
        while window.has(PACKET_OCTETS):
            batch = Batch(count + 1, window.buffer, described=[interface])
            octets, at, end = window.buffer, window.at, len(window.buffer)
            while at + PACKET_OCTETS <= end:
                seconds, fraction, captured, original = head.unpack_from(octets, at)
                if at + PACKET_OCTETS + captured > end:
                    break
                batch.starts.append(at + PACKET_OCTETS)
                batch.captured.append(captured)
                batch.originals.append(original)
                batch.stamps.append(seconds * units + fraction)
                at += PACKET_OCTETS + captured
            window.at = at
            batch.interfaces = [0] * len(batch)
            if len(batch):
                count += len(batch)
                yield batch
            elif not self._whole(captured):
                break
        if window.remaining_octets():
            self._lose(PACKET_OCTETS, "packet record")
