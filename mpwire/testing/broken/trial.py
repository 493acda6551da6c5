"""Run a broken endpoint in its scene and let the judge decide, who knows nothing of it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from mpwire.capture import RunFile, open_run
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.names import LinkType
from mpwire.capture.runfile import Frame
from mpwire.errors import MpwireError
from mpwire.oracle import Judgement, judge
from mpwire.testing.broken.patches import PATCHES, Patch
from mpwire.testing.broken.playing import play
from mpwire.vocabulary import Verdict
from mpwire.wire import is_mpw


@dataclass(slots=True, frozen=True)
class Trial:
    """What came of one run."""

    scene: str
    patch: str
    """Name of the patch; empty for the endpoint as it should be."""
    verdict: Verdict
    fired: tuple[str, ...]
    """The rules that failed, in order."""
    frames: tuple[int, ...]
    """What the rule that was meant to fire named first; empty if it did not."""
    kill_s: float | None
    """Seconds from the first datagram of the protocol to the last of these."""
    wall_s: float
    """Seconds that it all took: namespaces, agents, script, judgement."""
    incomplete: tuple[str, ...]
    """What the record lacks; nothing, unless the laboratory itself went wrong."""

    @property
    def killed(self) -> bool:
        """Tell whether the rule that was meant to fire did, on a record that is complete."""
        found = PATCHES[self.patch].rule in self.fired
        return found and self.verdict is Verdict.FAIL and not self.incomplete

    @property
    def is_good(self) -> bool:
        """Tell whether the endpoint was judged as it should be."""
        return self.killed if self.patch else self.verdict is Verdict.PASS

    @property
    def outcome(self) -> str:
        """Say in few words what became of the endpoint."""
        if not self.patch:
            return "passed" if self.is_good else "not passed"
        if self.killed:
            return "killed"
        return "killed by others" if self.fired else "survived"


def try_patch(patch: Patch, out: Path) -> Trial:
    """Break one host of a scene and judge the run."""
    command = [sys.executable, "-m", "mpwire.testing.broken", patch.name]
    return _trial(patch.scene, patch.name, dict.fromkeys(patch.host.split(), command), out)


def try_reference(scene: str, out: Path) -> Trial:
    """Run a scene with every endpoint as it should be."""
    return _trial(scene, "", {}, out)


def _trial(scene: str, name: str, agents: Mapping[str, Sequence[str]], out: Path) -> Trial:
    started_s = perf_counter()
    try:
        run = open_run(play(scene, agents, out))
    except MpwireError as error:
        took_s = perf_counter() - started_s
        return Trial(scene, name, Verdict.INCONCLUSIVE, (), (), None, took_s, (str(error),))
    judgement = judge(run)
    fired = tuple(rule.id for rule in judgement.rules if rule.verdict is Verdict.FAIL)
    frames = _evidence(judgement, PATCHES[name].rule) if name else ()
    return Trial(
        scene=scene,
        patch=name,
        verdict=judgement.verdict,
        fired=fired,
        frames=frames,
        kill_s=_moment_s(run, frames) if frames else None,
        wall_s=perf_counter() - started_s,
        incomplete=tuple(judgement.incomplete),
    )


def _evidence(judgement: Judgement, rule: str) -> tuple[int, ...]:
    """Return the frames of the finding of a rule that comes first in the run."""
    found = [
        finding.frames
        for finding in judgement.rule(rule).findings
        if finding.verdict is Verdict.FAIL and finding.frames
    ]
    return min(found, key=max, default=())


def _moment_s(run: RunFile, frames: Sequence[int]) -> float:
    """Return how long after the first datagram of the protocol the last of these was recorded."""
    times_ns = {frame.number: frame.time_ns for frame in run.frames}
    began_ns = next((frame.time_ns for frame in run.frames if _speaks(frame)), None)
    found_ns = max(times_ns[number] for number in frames)
    return 0.0 if began_ns is None else max(found_ns - began_ns, 0) / 1e9


def _speaks(frame: Frame) -> bool:
    datagram = decode_frame(LinkType.ETHERNET, frame.data)
    return isinstance(datagram, Datagram) and is_mpw(datagram.payload)
