"""Compare 32-bit sequence numbers that wrap (RFC 1982 arithmetic, protocol.md 4)."""

from typing import Final

MODULUS: Final = 1 << 32
HALF: Final = 1 << 31


def after(seq: int, reference: int) -> int:
    """Return how far `seq` lies after `reference`: -2**31 .. 2**31 - 1, 0 when equal."""
    return (seq - reference + HALF) % MODULUS - HALF


def plus(seq: int, count: int) -> int:
    """Return `seq` moved by `count`, modulo 2**32."""
    return (seq + count) % MODULUS
