"""A cookie proves one source, one destination and one request, for a while."""

import pytest
from msgspec.structs import replace

from mpwire.core.cookie import COOKIE_OCTETS, COOKIE_VERSION, KEY_LIFE_S, CookieJar
from mpwire.core.entropy import Entropy
from mpwire.testing.ends import LEAF, ROOT, join_request
from mpwire.wire.registries import Role

REQUEST = join_request(Role.C_LEAF_TO_ROOT, 0x11, caller_data=b"caller")
GREASE = (0x1A1A, b"anything")


@pytest.fixture
def jar() -> CookieJar:
    return CookieJar(Entropy(b"jar"), life_s=30.0)


def proves(jar: CookieJar, cookie: bytes | None, now_s: float = 0.0) -> bool:
    return jar.proves(replace(REQUEST, cookie=cookie, attempt=2), LEAF, ROOT, now_s)


def test_a_fresh_cookie_proves_the_request(jar: CookieJar) -> None:
    cookie = jar.issue(REQUEST, LEAF, ROOT, 0.0)
    assert len(cookie) == COOKIE_OCTETS
    assert proves(jar, cookie)


@pytest.mark.parametrize(
    "changes",
    [{"attempt": 9}, {"flags": 1}, {"pad_octets": None}, {"extra": (GREASE,)}],
)
def test_what_differs_between_copies_does_not_matter(
    jar: CookieJar, changes: dict[str, object]
) -> None:
    cookie = jar.issue(REQUEST, LEAF, ROOT, 0.0)
    assert jar.proves(replace(REQUEST, cookie=cookie, **changes), LEAF, ROOT, 1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"init_tag": 0x12},
        {"seq": 8},
        {"session_id": 5},
        {"role": Role.C_ROOT},
        {"leaf_dir": 1},
        {"next_data_seq": 1},
        {"caller_data": b"other"},
        {"caps": 1},
        {"extra": ((0x7777, b"x"),)},
    ],
)
def test_everything_else_does(jar: CookieJar, changes: dict[str, object]) -> None:
    cookie = jar.issue(REQUEST, LEAF, ROOT, 0.0)
    assert not jar.proves(replace(REQUEST, cookie=cookie, **changes), LEAF, ROOT, 0.0)


def test_it_is_bound_to_both_addresses(jar: CookieJar) -> None:
    request = replace(REQUEST, cookie=jar.issue(REQUEST, LEAF, ROOT, 0.0))
    assert not jar.proves(request, (LEAF[0], LEAF[1] + 1), ROOT, 0.0)
    assert not jar.proves(request, ("10.0.0.9", LEAF[1]), ROOT, 0.0)
    assert not jar.proves(request, LEAF, (ROOT[0], 1), 0.0)


def test_it_ages_out(jar: CookieJar) -> None:
    cookie = jar.issue(REQUEST, LEAF, ROOT, 100.0)
    assert proves(jar, cookie, 130.0)
    assert not proves(jar, cookie, 130.1)
    assert not proves(jar, cookie, 99.0)


def test_what_was_never_issued_proves_nothing(jar: CookieJar) -> None:
    cookie = jar.issue(REQUEST, LEAF, ROOT, 0.0)
    assert not proves(jar, None)
    assert not proves(jar, cookie[:-1])
    assert not proves(jar, bytes((COOKIE_VERSION + 1,)) + cookie[1:])
    assert not proves(jar, cookie[:1] + bytes((cookie[1] ^ 1,)) + cookie[2:])
    assert not proves(jar, cookie[:-1] + bytes((cookie[-1] ^ 1,)))
    assert not proves(CookieJar(Entropy(b"other"), 30.0), cookie)


def test_keys_rotate_and_two_generations_are_known(jar: CookieJar) -> None:
    old = jar.issue(REQUEST, LEAF, ROOT, KEY_LIFE_S - 1)
    new = jar.issue(REQUEST, LEAF, ROOT, KEY_LIFE_S + 1)
    assert old[1] != new[1]
    assert proves(jar, old, KEY_LIFE_S + 5)
    assert proves(jar, new, KEY_LIFE_S + 5)
    jar.issue(REQUEST, LEAF, ROOT, 3 * KEY_LIFE_S)
    assert sorted(jar.keys) == [3]


def test_the_clock_in_it_may_wrap(jar: CookieJar) -> None:
    wrap_s = 2**32 / 1000
    cookie = jar.issue(REQUEST, LEAF, ROOT, wrap_s - 1)
    assert proves(jar, cookie, wrap_s + 1)


def test_cookies_from_before_a_time_can_be_made_void(jar: CookieJar) -> None:
    old = jar.issue(REQUEST, LEAF, ROOT, 1.0)
    new = jar.issue(REQUEST, LEAF, ROOT, 1.5)
    jar.void_until_s = 1.0
    assert not proves(jar, old, 1.0)
    assert not proves(jar, old, 5.0)
    assert proves(jar, new, 5.0)
    assert not proves(jar, new, 31.6)


def test_what_was_issued_just_after_that_time_stays_good_for_its_whole_life(jar: CookieJar) -> None:
    new = jar.issue(REQUEST, LEAF, ROOT, 1000.002)
    jar.void_until_s = 1000.0
    assert proves(jar, new, 1000.002)
    assert proves(jar, new, 1030.0)
