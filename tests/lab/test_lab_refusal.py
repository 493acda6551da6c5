"""What a refused namespace is explained with."""

import errno

import pytest

from mpwire.lab.refusal import Facts, explain, explain_forwarding, read_facts, remedy_for


def facts(
    *,
    root: bool = False,
    limit: int | None = 96365,
    clone_allowed: bool | None = None,
    apparmor_restricts: bool | None = None,
) -> Facts:
    return Facts(
        root=root,
        limit=limit,
        clone_allowed=clone_allowed,
        apparmor_restricts=apparmor_restricts,
    )


@pytest.mark.parametrize(
    ("number", "found", "remedy"),
    [
        (errno.ENOSPC, facts(limit=0), "sysctl -w user.max_user_namespaces=15000"),
        (errno.ENOSPC, facts(), "raise user.max_user_namespaces"),
        (errno.EUSERS, facts(), "nested too deeply"),
        (errno.EPERM, facts(clone_allowed=False), "kernel.unprivileged_userns_clone=1"),
        (
            errno.EPERM,
            facts(apparmor_restricts=True),
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root",
        ),
        (errno.EPERM, facts(root=True, apparmor_restricts=True), "seccomp=unconfined"),
        (errno.EPERM, facts(apparmor_restricts=False), "seccomp=unconfined"),
        (errno.EINVAL, facts(), "built without user namespaces"),
    ],
)
def test_the_remedy_fits_the_cause(number: int, found: Facts, remedy: str) -> None:
    assert remedy in remedy_for(number, found)


def test_the_error_names_what_was_refused_and_the_remedy() -> None:
    error = explain("unshare", errno.EPERM, facts(apparmor_restricts=True))
    assert str(error).startswith(
        "the kernel refused new user, mount, PID and network namespaces (Operation not permitted);"
        " AppArmor restricts"
    )
    assert "a user id map" in str(explain("map", errno.EACCES, facts()))


@pytest.mark.parametrize(
    ("version", "option"), [(4, "CONFIG_IP_MROUTE"), (6, "CONFIG_IPV6_MROUTE")]
)
def test_a_kernel_without_multicast_routing_is_named(version: int, option: str) -> None:
    said = str(explain_forwarding(version, errno.ENOPROTOOPT))
    assert (
        f"groups of IPv{version} (Protocol not available); it was built without {option}:" in said
    )
    assert "--fabric sim" in said
    assert option not in str(explain_forwarding(version, errno.EPERM))


def test_facts_are_read_from_this_machine() -> None:
    found = read_facts()
    assert found.limit is None or found.limit >= 0
