"""Machines that lack something, made of this one: what is said, and the exit status."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.denying import UNKNOWN

pytestmark = pytest.mark.lab

BED = """\
about: Somebody listens.
hosts: [root]
timers: {scale: 0.1}
script: [root opens R as c_root/d_root, root listens on R]
"""
SMALL_DISK = "mkdir disk && mount -t tmpfs -o size=8k none disk &&"
FULL_DISK = f"{SMALL_DISK} {{ head -c 8192 /dev/zero > disk/all; }} &&"
TESTS = """\
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_of_many_steps(lab, number):
    lab.start(hosts=["root"])
    lab.do("root opens R as c_root/d_root", "root listens on R")
"""
NO_TUN = "mount -t tmpfs none /dev/net &&"
NO_USER_NAMESPACES = (
    "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --"
)
"""Takes the privilege away, too, by which the superuser does without a user namespace."""
NO_NETWORKS = "echo 0 > /proc/sys/user/max_net_namespaces &&"
APPARMOR = (
    "mount -t tmpfs none /proc/sys/kernel &&"
    " echo 1 > /proc/sys/kernel/apparmor_restrict_unprivileged_userns &&"
    " exec unshare --user --map-user=1000 --map-group=1000 --"
)
"""Be an ordinary user under a kernel whose AppArmor keeps user namespaces from such."""
DENYING = Path(__file__).with_name("denying.py")
REFUSED = "the kernel refused new user, mount, PID and network namespaces"


def run_where(lacking: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a testbed in namespaces in which something is taken away first."""
    (folder / "bed.yaml").write_text(BED, "utf-8")
    return start_where(lacking, folder, "mpwire", "run", "bed.yaml", *arguments)


def start_where(lacking: str, folder: Path, *module: str) -> subprocess.CompletedProcess[str]:
    """Run a module, with its arguments, in such namespaces."""
    command = [sys.executable, "-m", *module]
    root = Path(__file__).parents[2]
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
         f"{lacking} {shlex.join(command)}"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"},
        check=False,
    )  # fmt: skip


def test_without_tun_hosts_are_attached_by_veth_pairs(tmp_path: Path) -> None:
    done = run_where(NO_TUN, tmp_path, "--json")
    assert done.returncode in (0, 3), done.stderr
    assert "simulated" not in done.stdout
    recorded = next((tmp_path / "mpwire-runs").glob("bed-*/run.pcapng")).read_bytes()
    assert b'"carrier":"veth"' in recorded


def test_without_tun_a_tap_that_was_asked_for_cannot_be(tmp_path: Path) -> None:
    done = run_where(NO_TUN, tmp_path, "--carrier", "tap")
    assert done.returncode == 4
    assert "/dev/net/tun" in done.stderr
    assert "`mpwire doctor` says what this machine can do and what helps" in done.stderr
    assert list((tmp_path / "mpwire-runs").iterdir()) == []


@pytest.mark.parametrize("lacking", [NO_USER_NAMESPACES, NO_NETWORKS])
@pytest.mark.parametrize("fabric", ["switch", "bridge"])
def test_a_fabric_that_was_asked_for_is_refused_with_the_remedy(
    tmp_path: Path, lacking: str, fabric: str
) -> None:
    done = run_where(lacking, tmp_path, "--fabric", fabric)
    assert done.returncode == 4
    assert REFUSED in done.stderr
    remedy = "sudo sysctl -w user.max_user_namespaces=15000"
    if lacking is NO_USER_NAMESPACES:
        assert remedy in done.stderr
    else:
        assert "too many namespaces exist" in done.stderr


def test_auto_simulates_and_says_why(tmp_path: Path) -> None:
    done = run_where(NO_USER_NAMESPACES, tmp_path)
    assert done.returncode in (0, 3), done.stderr
    assert f"simulated, as namespaces are not to be had here: {REFUSED}" in done.stdout
    assert "user.max_user_namespaces is 0" in done.stdout


@pytest.mark.parametrize(
    ("disk", "fabric"),
    [
        *[(SMALL_DISK, fabric) for fabric in ("switch", "bridge", "sim", "auto")],
        *[(FULL_DISK, fabric) for fabric in ("switch", "sim")],
    ],
)
def test_a_disk_that_is_full_breaks_the_run_off(tmp_path: Path, disk: str, fabric: str) -> None:
    done = run_where(disk, tmp_path, "--fabric", fabric, "--out", "disk")
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("the run was broken off: No space left on device\n")
    assert "Traceback" not in done.stderr


def test_a_testbed_that_a_full_disk_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    begin = ("mpwire", "lab", "init", "disk/meeting")
    tried = f"{FULL_DISK} ! {shlex.join([sys.executable, '-m', *begin])} &&"
    done = start_where(tried, tmp_path, *begin)
    assert done.returncode == 2
    refusal = "disk/meeting.yaml: cannot write there (No space left on device)\n"
    assert done.stderr == 2 * refusal


@pytest.mark.parametrize("fabric", ["switch", "sim"])
def test_tests_tell_that_the_disk_is_full_and_others_go_on(tmp_path: Path, fabric: str) -> None:
    (tmp_path / "test_full.py").write_text(TESTS, "utf-8")
    options = ("-p", "no:cacheprovider", "-o", "addopts=", f"--mpwire-fabric={fabric}")
    done = start_where(SMALL_DISK, tmp_path, "pytest", *options, "--mpwire-out=disk")
    assert done.returncode == 1, done.stdout
    assert "the run was broken off: No space left on device" in done.stdout
    assert "2 failed" in done.stdout
    assert "Traceback" not in done.stdout
    assert "OSError" not in done.stdout


def run_under_apparmor(
    folder: Path, call: str, error: int, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a testbed as an ordinary user whom AppArmor keeps from labs."""
    denying = shlex.join([sys.executable, str(DENYING), call, str(error)])
    done = run_where(f"{APPARMOR} {denying}", folder, *arguments)
    if done.returncode == UNKNOWN:
        pytest.skip("this machine cannot run it: its system calls have other numbers")
    return done


DENIED = pytest.mark.parametrize(
    ("call", "error", "refused"),
    [
        ("unshare", errno.EPERM, REFUSED),
        ("mount", errno.EACCES, "the kernel refused private mounts in the new mount namespace"),
    ],
)
"""Ubuntu gives the namespaces and then denies what is done in them; others give none."""
PROFILE = (
    "AppArmor restricts user namespaces to programs with a profile:"
    " sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root"
)


@DENIED
def test_apparmor_is_named_with_the_remedy(
    tmp_path: Path, call: str, error: int, refused: str
) -> None:
    done = run_under_apparmor(tmp_path, call, error, "--fabric", "switch")
    assert done.returncode == 4, done.stderr
    assert f"{refused} ({os.strerror(error)}); {PROFILE}" in done.stderr
    assert done.stdout == ""
    assert list((tmp_path / "mpwire-runs").iterdir()) == []


@DENIED
def test_where_apparmor_forbids_labs_auto_simulates_them(
    tmp_path: Path, call: str, error: int, refused: str
) -> None:
    done = run_under_apparmor(tmp_path, call, error)
    assert done.returncode in (0, 3), done.stderr
    told = f"simulated, as namespaces are not to be had here: {refused} ({os.strerror(error)})"
    assert f"{told}; {PROFILE}" in done.stdout
