"""Groups and the names of nonrooted sessions."""

from hashlib import sha256

import pytest

from mpwire.core.groups import default_group, is_group_host, is_source_specific, session_name


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


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("specific", [False, True])
def test_rooted_sessions_have_groups_of_their_own(family: int, specific: bool) -> None:
    hosts = [default_group(number, family, specific=specific) for number in (0, 1, (1 << 64) - 1)]
    assert len(set(hosts)) == 3
    for host in hosts:
        assert is_group_host(host)
        assert is_source_specific(host) is specific
        assert (":" in host) is (family == 6)


def test_the_low_bits_of_the_session_id_are_the_group() -> None:
    session_id = 0x0123456789ABCDEF
    assert default_group(session_id, 4, specific=False) == "239.255.205.239"
    assert default_group(session_id, 4, specific=True) == "232.171.205.239"
    assert default_group(session_id, 6, specific=False) == "ff15::89ab:cdef"
    assert default_group(session_id, 6, specific=True) == "ff35::89ab:cdef"
