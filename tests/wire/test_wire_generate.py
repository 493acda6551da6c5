"""Hold the generated modules to the layers they come from."""

import runpy
import sys
from pathlib import Path

import pytest

from mpwire.wire import generate


def test_generated_modules_follow_from_the_layers() -> None:
    for path, text in generate.generated_files().items():
        assert path.read_text(encoding="utf-8") == text, (
            f"run python -m mpwire.wire.generate: {path}"
        )
    assert generate.main(["--check"]) == 0


def test_generating_writes_what_differs_and_check_only_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "messages.py does not follow" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"messages.py", "tables.py"}
    assert generate.main(["--check"]) == 0


def test_the_command_ends_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(generate.__file__, run_name="__main__")
    assert ended.value.code == 0
