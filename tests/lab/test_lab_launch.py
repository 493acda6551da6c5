"""The launcher: what a caller gives and gets."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mpwire.errors import MachineError
from mpwire.lab.launch import LabError, launch

HERE = str(Path(__file__).parent)

pytestmark = pytest.mark.lab


def test_the_lab_is_alone_and_root_in_its_namespaces(
    inside: Callable[..., dict[str, object]],
) -> None:
    found = inside("nothing")
    assert found["uid"] == 0
    assert found["parent"] == 1
    assert found["processes"] == [1, 2]
    assert found["network"] != str(Path("/proc/self/ns/net").readlink())


def test_the_specification_may_be_large_and_arrives_whole(
    inside: Callable[..., dict[str, object]],
) -> None:
    text = "ä∂\n" * 400_000
    spec = inside("nothing", text=text)["spec"]
    assert spec == {"scenario": "nothing", "text": text}


def test_interpreter_and_module_path_are_the_callers(
    inside: Callable[..., dict[str, object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    found = inside("nothing")
    assert found["executable"] == sys.executable
    assert isinstance(found["path"], list)
    assert found["path"][:2] == [HERE, str(tmp_path)]


def test_the_exit_status_comes_through(inside: Callable[..., object]) -> None:
    inside("nothing", status=3)


def test_an_interrupt_reaches_the_lab_which_ends_in_its_own_time(inside: object) -> None:
    assert inside, "labs can run here"
    with launch({"scenario": "until_interrupted"}, "inner_scenarios", [HERE]) as lab:
        lines = lab.lines()
        assert next(lines) == {"ready": True}
        lab.interrupt()
        assert list(lab.lines()) == [{"interrupted": True}]
        assert lab.wait() == 130
        lab.interrupt()  # harmless now


def test_wait_has_a_limit_and_leaving_the_block_ends_the_lab(inside: object) -> None:
    assert inside, "labs can run here"
    with launch({"scenario": "until_interrupted"}, "inner_scenarios", [HERE]) as lab:
        assert next(lab.lines()) == {"ready": True}
        with pytest.raises(TimeoutError, match="not ended within"):
            lab.wait(0.01)
    assert lab.wait() == 137
    lab.close()


def test_wait_alone_does_not_deadlock_on_unread_progress(inside: object) -> None:
    assert inside, "labs can run here"
    spec = {"scenario": "nothing", "text": "x" * 1_000_000}
    with launch(spec, "inner_scenarios", [HERE]) as lab:
        assert lab.wait() == 0


@pytest.mark.parametrize("lines", [True, False])
def test_a_refusal_becomes_a_machine_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: bool
) -> None:
    """A supervisor that the kernel refuses, played by a program that says the same."""
    refused = tmp_path / "supervisor.py"
    refused.write_text("""print('{"refused": "unshare", "errno": 1}'); raise SystemExit(4)""")
    monkeypatch.setattr("mpwire.lab.launch.SUPERVISOR", refused)
    with launch({}) as lab, pytest.raises(MachineError, match="the kernel refused new user"):
        list(lab.lines()) if lines else lab.wait()


def test_a_line_that_is_no_object_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    babbling = tmp_path / "supervisor.py"
    babbling.write_text("print('hello')")
    monkeypatch.setattr("mpwire.lab.launch.SUPERVISOR", babbling)
    with launch({}) as lab, pytest.raises(LabError, match="found b'hello'"):
        list(lab.lines())


def test_an_interpreter_that_is_not_there_is_a_machine_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    before = open_descriptors()
    with pytest.raises(MachineError, match="cannot start /nonexistent/python"):
        launch({})
    assert open_descriptors() == before


def open_descriptors() -> set[str]:
    """Name what this process holds open, without the descriptor that lists."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{path.name} {path.readlink()}")
    return found
