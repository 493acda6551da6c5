"""Deterministic octets for tags, sequence starts, cookie keys and jitter.

The core never asks the operating system for entropy. Whoever builds an endpoint injects a seed:
`os.urandom(32)` in production, a number of the testbed under test. The stream is SHA-256 in counter
mode, so that a copied endpoint continues exactly as its original would, and so that reading the
octets on the wire does not tell the seed.
"""

from hashlib import sha256


class Entropy:
    """Give a reproducible stream of octets from one seed."""

    __slots__ = ("_counter", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def octets(self, count: int) -> bytes:
        """Return the next `count` octets, at most 32."""
        self._counter += 1
        return sha256(self._seed + self._counter.to_bytes(8)).digest()[:count]

    def tag(self) -> int:
        """Return a fresh 64-bit tag, never zero (R19)."""
        while (tag := int.from_bytes(self.octets(8))) == 0:
            pass
        return tag

    def sequence(self) -> int:
        """Return a random start for a 32-bit sequence."""
        return int.from_bytes(self.octets(4))

    def uniform(self, low: float, high: float) -> float:
        """Return a number drawn uniformly from [low, high)."""
        return low + (high - low) * int.from_bytes(self.octets(6)) / (1 << 48)
