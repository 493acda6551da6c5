"""One spelling per address, and who may be spoken with."""

import pytest

from mpwire.core.address import is_unicast, parse_host


@pytest.mark.parametrize(
    ("host", "port", "unicast"),
    [
        ("10.0.0.1", 1, True),
        ("10.0.0.1", 65_535, True),
        ("10.0.0.1", 0, False),
        ("10.0.0.1", 65_536, False),
        ("0.0.0.0", 1, False),
        ("239.1.1.1", 1, False),
        ("224.0.0.1", 1, False),
        ("255.255.255.255", 1, False),
        ("fd00::1", 1, True),
        ("::1", 1, True),
        ("::", 1, False),
        ("ff02::1", 1, False),
    ],
)
def test_only_unicast_addresses_are_spoken_with(host: str, port: int, unicast: bool) -> None:
    assert is_unicast((host, port)) is unicast


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="leaf1"):
        parse_host("leaf1")


def test_spellings_of_one_address_are_one() -> None:
    assert str(parse_host("FD00:0::0:1")) == "fd00::1"
