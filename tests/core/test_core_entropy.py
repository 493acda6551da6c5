"""One seed, one stream; a copy goes on as its original."""

import copy
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.entropy import Entropy


def test_the_same_seed_gives_the_same_stream() -> None:
    one, two, other = Entropy(b"a"), Entropy(b"a"), Entropy(b"b")
    assert [one.tag() for _ in range(5)] == [two.tag() for _ in range(5)]
    assert one.octets(16) != other.octets(16)


def test_the_stream_is_sha256_in_counter_mode() -> None:
    assert Entropy(b"seed").octets(32) == sha256(b"seed" + (1).to_bytes(8, "big")).digest()


def test_a_copy_goes_on_alike() -> None:
    one = Entropy(b"a")
    one.octets(1)
    assert copy.deepcopy(one).octets(8) == one.octets(8)


class Zeros(Entropy):
    """Gives zero octets twice, then others."""

    def octets(self, count: int) -> bytes:
        real = super().octets(count)
        return bytes(count) if self._counter <= 2 else real


def test_a_tag_is_never_zero() -> None:
    assert Zeros(b"x").tag() != 0


@given(st.binary(max_size=8), st.floats(-10, 10), st.floats(0.001, 10))
def test_numbers_lie_in_their_range(seed: bytes, low: float, width: float) -> None:
    entropy = Entropy(seed)
    assert 0 <= entropy.sequence() < 2**32
    assert 0 < entropy.tag() < 2**64
    assert low <= entropy.uniform(low, low + width) <= low + width


def test_uniform_fills_its_range() -> None:
    entropy = Entropy(b"x")
    numbers = [entropy.uniform(0.9, 1.1) for _ in range(2000)]
    assert min(numbers) < 0.901
    assert max(numbers) > 1.099
    assert abs(sum(numbers) / len(numbers) - 1.0) < 0.01
