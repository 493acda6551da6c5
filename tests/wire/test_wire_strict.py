"""Hold the gate over Scapy to what Scapy itself lets pass."""

import pytest
from scapy.packet import Padding, Raw

from mpwire.wire.layers import MPW
from mpwire.wire.strict import StrictError, canonical_octets, dissect_strict

ABORT = bytes.fromhex(
    "6d70010c80010028 0123456789abcdef 99aabbccddeeff01 00000009 00000000 01000000 00000009"
)
NACK = bytes.fromhex(
    "6d7001130001003c 0123456789abcdef 99aabbccddeeff01 00000003 00000002 00000001 02000000"
    "80140010 00000001 00000002 00000005 00000005"
)
VERSION_NEG = bytes.fromhex(
    "6d70000000010028 0000000000000000 1122334455667788 00000007 00000000 03000000 01021a00"
)

TEXT = bytes.fromhex(
    "6d70010c80010030 0123456789abcdef 99aabbccddeeff01 00000009 00000000 01000000 00000009"
    "000e0004 74696d65"
)


def patched(data: bytes, offset: int, octets: bytes) -> bytes:
    """Overwrite octets."""
    return data[:offset] + octets + data[offset + len(octets) :]


@pytest.mark.parametrize("data", [ABORT, NACK, VERSION_NEG, TEXT])
def test_the_gate_accepts_canonical_datagrams(data: bytes) -> None:
    assert bytes(dissect_strict(data)) == data
    assert canonical_octets(data) == data


def test_scapy_lets_pass_what_the_gate_finds() -> None:
    assert MPW(ABORT + b"xx").haslayer(Padding)
    assert MPW(patched(ABORT, 3, b"\x18")).haslayer(Raw)
    assert MPW(patched(ABORT, 34, b"\x01")).payload.reason == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too short"),
        (ABORT[:31], "too short"),
        (ABORT + b"xx", "Padding after"),
        (patched(ABORT, 3, b"\x18"), "not assigned"),
        (patched(ABORT + b"xx", 7, b"\x2a"), "Raw after"),
        (patched(ABORT, 7, b"\x29"), "rebuilding"),
        (patched(ABORT, 0, b"MP"), "magic"),
        (patched(ABORT, 2, b"\x02"), "version"),
        (patched(ABORT, 33, b"\x01"), "reserved is not zero"),
        (patched(ABORT, 32, b"\x19"), "reason is not one of"),
        (patched(ABORT, 4, b"\x02"), "flags is not"),
        (patched(ABORT, 4, b"\x40"), "flag A"),
        (patched(ABORT, 16, bytes(8)), "destination tag"),
        (patched(NACK, 36, b"\x01"), "rebuilding"),
        (patched(NACK, 42, b"\x00\x0f"), "among records"),
        (patched(NACK, 52, b"\x00\x00\x00\x02"), "overlap"),
        (patched(VERSION_NEG[:36], 6, b"\x00\x24")[:32] + bytes(4), "count"),
        (TEXT[:-1] + b"\xff", "UTF-8"),
        (patched(VERSION_NEG, 39, b"\x01"), "rebuilding"),
    ],
)
def test_the_gate_says_why_it_refuses(data: bytes, reason: str) -> None:
    with pytest.raises(StrictError, match=reason):
        dissect_strict(data)
