"""What the doctor says of a machine."""

import os
import sys
from pathlib import Path

import pytest

from mpwire.lab import doctor
from mpwire.lab.doctor import (
    check_lab,
    check_python,
    check_smcroute,
    check_tool,
    examine,
    judge_bridge,
    judge_carriers,
)


def test_an_old_python_is_named_with_what_is_needed() -> None:
    assert check_python((3, 10), "3.10.12").remedy == "install Python 3.11 or newer"
    assert check_python((3, 11), "3.11.0").ok
    assert check_python((4, 0), "4.0").ok


@pytest.mark.parametrize(
    ("tap", "veth", "verdicts"),
    [
        ("", "", [(True, False), (True, False)]),
        ("/dev/net/tun: Permission denied", "", [(False, False), (True, True)]),
        ("", "no ring", [(True, False), (False, False)]),
        ("no tun", "no ring", [(False, False), (False, True)]),
    ],
)
def test_one_carrier_is_enough(tap: str, veth: str, verdicts: list[tuple[bool, bool]]) -> None:
    checks = judge_carriers(tap, veth)
    assert [(check.ok, check.required) for check in checks] == verdicts
    assert all(check.ok == (check.remedy == "") for check in checks)
    assert [check.found for check in checks if not check.ok] == [one for one in (tap, veth) if one]


def test_the_bridge_and_netem_are_optional() -> None:
    checks = judge_bridge("", "")
    assert [(check.ok, check.required, check.remedy) for check in checks] == [(True, False, "")] * 2
    checks = judge_bridge("no bridge", "the kernel refused netem")
    assert [(check.ok, check.required) for check in checks] == [(False, False)] * 2
    assert [check.found for check in checks] == ["no bridge", "the kernel refused netem"]
    assert all("optional" in check.remedy for check in checks)


def test_a_routing_daemon_is_optional() -> None:
    assert check_smcroute("").ok
    lacking = check_smcroute("no smcrouted: sudo apt-get install smcroute")
    assert (lacking.ok, lacking.required, lacking.found) == (False, False, "no smcrouted")
    assert lacking.remedy.startswith("optional, ")
    assert lacking.remedy.endswith(": sudo apt-get install smcroute")


def test_a_tool_is_asked_for_its_version() -> None:
    check = check_tool("python3")
    assert check.ok
    assert check.found.startswith("Python 3")


def test_a_tool_that_is_not_there_names_its_package() -> None:
    check = check_tool("tshark-that-nobody-has")
    assert (check.ok, check.found, check.required) == (False, "not installed", False)
    assert "apt-get install tshark-that-nobody-has" in check.remedy


def test_a_tool_that_cannot_be_run_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "tcpdump"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = check_tool("tcpdump")
    assert not check.ok
    assert check.found != "not installed"


def test_a_tool_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "tcpdump"
    hanging.write_text(f"#!{sys.executable}\nimport threading; threading.Event().wait()\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "TOOL_DEADLINE_S", 0.05)
    assert "timed out" in check_tool("tcpdump").found


@pytest.mark.lab
def test_a_refused_lab_is_one_required_check_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor that the kernel refuses, played by a program that says the same."""
    refused = tmp_path / "supervisor.py"
    refused.write_text("""print('{"refused": "unshare", "errno": 28}'); raise SystemExit(4)""")
    monkeypatch.setattr("mpwire.lab.launch.SUPERVISOR", refused)
    (check,) = check_lab()
    assert not check.ok
    assert check.required
    assert check.found.startswith("the kernel refused new user, mount")
    assert check.remedy


@pytest.mark.lab
def test_this_machine_is_examined_for_real(inside: object) -> None:
    assert inside, "labs can run here"
    checks = {check.name: check for check in examine()}
    assert list(checks) == [
        "Python",
        "user namespaces",
        "TAP devices",
        "veth pairs and packet sockets",
        "kernel bridge",
        "netem",
        "SMCRoute",
        "tshark",
        "tcpdump",
    ]
    assert checks["Python"].ok
    assert checks["user namespaces"].ok
    opens = os.access("/dev/net/tun", os.R_OK | os.W_OK)
    assert checks["TAP devices"].ok <= opens
