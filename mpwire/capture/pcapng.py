"""pcapng, read and written: the names to import.

`Writer` appends blocks to a stream, `Reader` iterates over the blocks of one. The values they
exchange are in `mpwire.capture.blocks`.
"""

from mpwire.capture.blocks import Block, Custom, Direction, Interface, Packet, Section, Statistics
from mpwire.capture.reader import Reader
from mpwire.capture.writer import Writer

__all__ = [
    "Block",
    "Custom",
    "Direction",
    "Interface",
    "Packet",
    "Reader",
    "Section",
    "Statistics",
    "Writer",
]
