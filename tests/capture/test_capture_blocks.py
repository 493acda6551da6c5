"""Options as octets, and text that may be anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.blocks import (
    ByteOrder,
    decode_options_untrusted,
    decode_text,
    encode_options,
    encode_text,
    pad,
)
from mpwire.errors import LocalProtocolError


def test_options_are_padded_and_ended() -> None:
    options = [(2, b"abc"), (1, b"")]
    assert encode_options("<", options).hex(" ", 4) == "02000300 61626300 01000000 00000000"
    assert encode_options(">", options).hex(" ", 4) == "00020003 61626300 00010000 00000000"
    assert encode_options("<", []) == b""


def test_nothing_is_read_behind_the_end_mark() -> None:
    data = bytes.fromhex("ffffffff 0200 0100 61000000 0000 0000 0200 ffff")
    assert list(decode_options_untrusted("<", data, 4)) == [(2, b"a")]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("0100", "2 octets where an option needs at least 4"),
        ("0100 0500 61626364", "option 1 claims 5 octets, 4 are left"),
    ],
)
def test_options_that_overrun(data: str, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        list(decode_options_untrusted("<", bytes.fromhex(data), 0))


def test_option_too_long() -> None:
    encode_options("<", [(1, bytes(65535))])
    with pytest.raises(LocalProtocolError, match="65536"):
        encode_options("<", [(1, bytes(65536))])


@given(st.sampled_from(["<", ">"]), st.lists(st.tuples(st.integers(1, 65535), st.binary())))
def test_round_trip_of_options(order: ByteOrder, options: list[tuple[int, bytes]]) -> None:
    encoded = encode_options(order, options)
    assert len(encoded) % 4 == 0
    assert list(decode_options_untrusted(order, encoded, 0)) == options


def test_text() -> None:
    assert encode_text("é\ud800") == "é?".encode()
    assert decode_text(b"a\xff\0\0") == "a�"
    assert pad(b"12345") == b"12345\0\0\0"
    assert pad(b"1234") == b"1234"
