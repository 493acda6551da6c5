"""Play a scene: a testbed of the library, or one of `scenes`.

A scene of the library runs with timers of a twentieth of the defaults, as timing is not the
matter; those of `scenes` say their own.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mpwire.lab.session import run_testbed
from mpwire.testing.broken.scenes import SCENES

LIBRARY: Final = Path(__file__).parents[3] / "testbeds"
SCALE: Final = 0.05


def text_of(scene: str) -> str:
    """Return the testbed of a scene.

    Raises:
        KeyError: there is no such scene, neither here nor in the library.
    """
    if scene in SCENES:
        return SCENES[scene]
    path = LIBRARY / f"{scene}.yaml"
    if not path.exists():
        raise KeyError(f"no scene is called {scene}")
    return path.read_text("utf-8")


def play(scene: str, agents: Mapping[str, Sequence[str]], out: Path) -> Path:
    """Run a scene with these agents and return its run file.

    Raises:
        LabError: the lab process died.
        MachineError: this machine cannot run it.
    """
    own = scene in SCENES
    path = _written(scene, out) if own else LIBRARY / f"{scene}.yaml"
    return run_testbed(path, out, agents=agents, scale=None if own else SCALE).run_file


def _written(scene: str, out: Path) -> Path:
    """Write a scene of `scenes` where the laboratory can read it; others may do so, too."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{scene}.yaml"
    draft = out / f".{scene}-{os.getpid()}"
    draft.write_text(SCENES[scene], "utf-8")
    draft.replace(path)
    return path
