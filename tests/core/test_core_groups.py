"""Groups and the names of nonrooted sessions."""

from hashlib import sha256

import pytest

from mpwire.core.groups import is_group_host, is_source_specific, session_name


@pytest.mark.parametrize(
    ("host", "group", "specific"),
    [
        ("239.255.1.1", True, False),
        ("232.0.0.1", True, True),
        ("ff15::1", True, False),
        ("ff35::1", True, True),
        ("10.0.0.1", False, False),
        ("fd00::1", False, False),
    ],
)
def test_groups_are_told_by_their_address(host: str, group: bool, specific: bool) -> None:
    assert is_group_host(host) is group
    assert is_source_specific(host) is specific


def test_the_name_is_made_of_family_group_port_and_session_name() -> None:
    octets = b"mpw1" + bytes([4, 239, 255, 7, 7]) + (7777).to_bytes(2) + b"choir"
    digest = sha256(octets).digest()
    name = session_name(("239.255.7.7", 7777), "choir")
    assert name.session_id == int.from_bytes(digest[:8])
    assert name.group_tag == int.from_bytes(digest[8:16])


def test_everything_in_the_name_makes_another_session() -> None:
    names = {
        session_name(("239.255.7.7", 7777)),
        session_name(("239.255.7.7", 7778)),
        session_name(("239.255.7.8", 7777)),
        session_name(("ff15::7:7", 7777)),
        session_name(("239.255.7.7", 7777), "choir"),
    }
    assert len(names) == 5


def test_the_example_of_the_specification_is_right() -> None:
    name = session_name(("239.255.7.7", 7777))
    assert f"{name.session_id:016x}" == "a50315a4156bf8dc"
    assert f"{name.group_tag:016x}" == "ff68ca4948756abf"
