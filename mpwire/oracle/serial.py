"""Sequence numbers of 32 bits, compared in serial arithmetic (RFC 1982)."""

MODULUS = 1 << 32
HALF = 1 << 31


def serial_next(number: int) -> int:
    """Return the number that follows."""
    return (number + 1) % MODULUS


def serial_before(first: int, second: int) -> bool:
    """Tell whether the first number comes before the second."""
    return first != second and (second - first) % MODULUS < HALF


def serial_distance(first: int, second: int) -> int:
    """Return how many steps lead from the first number to the second; 0 if it is not later."""
    return (second - first) % MODULUS if serial_before(first, second) else 0
