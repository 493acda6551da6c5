"""Run every broken endpoint in a lab and see which rule kills it.

    python -m mpwire.testing.mutants                        all of them, then the score
    python -m mpwire.testing.mutants --only R56 --only tag-of-zero
    python -m mpwire.testing.mutants --reference            the correct endpoint in their scenes
    python -m mpwire.testing.mutants --write docs/mutants.md

One line each: mutant, the rule that must catch it, verdict, how long after the first datagram that
rule had its evidence, how long it all took, and which other rules fired. Exits with 1 if a mutant
survived or was killed by others only, or if the correct endpoint did not pass.
"""

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from mpwire.testing.broken import PATCHES, Patch
from mpwire.testing.broken.page import document_of, rendered
from mpwire.testing.broken.trial import Trial, try_patch, try_reference
from mpwire.testing.saying import say

HEADLINE: Final = (
    f"  {'mutant':34}{'rule':6}{'verdict':13}{'to kill':>8}{'in all':>8}  what else fired"
)
REFERENCE_HEADLINE: Final = f"  {'scene':40}{'verdict':21}{'in all':>8}"

Say = Callable[[str], None]


def chosen(only: Sequence[str]) -> list[Patch]:
    """Return the patches that are named, or meant for a rule or a scene that is; all for none."""
    return [
        patch
        for patch in PATCHES.values()
        if not only or {patch.name, patch.rule, patch.scene} & {*only}
    ]


def row(trial: Trial) -> str:
    """Return one line of the matrix."""
    mark = "✓" if trial.is_good else "✗"
    if not trial.patch:
        said = f"{mark} {trial.scene:40}{trial.verdict.value:21}{trial.wall_s:>6.1f} s"
        return f"{said}  {' '.join((*trial.fired, *trial.incomplete))}".rstrip()
    patch = PATCHES[trial.patch]
    kill = "-" if trial.kill_s is None else f"{trial.kill_s:.2f} s"
    said = " ".join(one for one in trial.fired if one != patch.rule)
    if not trial.is_good:
        said = " ".join((trial.outcome.upper(), said, *trial.incomplete))
    return (
        f"{mark} {patch.name:34}{patch.rule:6}{trial.verdict.value:13}{kill:>8}"
        f"{trial.wall_s:>6.1f} s  {said}".rstrip()
    )


def run(tries: Iterable[Callable[[], Trial]], jobs: int, tell: Say = say) -> list[Trial]:
    """Run trials, some at a time, and say what came of each, in their order."""
    trials = []
    with ProcessPoolExecutor(jobs) as pool:
        for future in [pool.submit(one) for one in tries]:
            trials.append(future.result())
            tell(row(trials[-1]))
    return trials


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if an endpoint was not judged as it should be."""
    options = _options(arguments)
    patches = chosen(options.only)
    if not patches:
        sys.stderr.write(f"no mutant, rule or scene is called {', '.join(options.only)}\n")
        return 2
    if options.list:
        for patch in patches:
            say(f"{patch.name:34}{patch.rule:6}{patch.scene:24}{patch.host:12}{patch.about}")
        return 0
    started_s = perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        trials = _carry_out(options, patches, options.out or Path(scratch))
    good = sum(trial.is_good for trial in trials)
    if options.json:
        sys.stdout.write(json.dumps(document_of(trials), indent=2) + "\n")
    else:
        verb = "passed" if options.reference else "killed by the rule that was meant to"
        say(f"\n{good} of {len(trials)} {verb}, in {perf_counter() - started_s:.0f} s")
    if options.write is not None:
        page = options.write.read_text("utf-8")
        options.write.write_text(rendered(page, trials), "utf-8")
    return int(good != len(trials))


def _carry_out(options: Namespace, patches: list[Patch], out: Path) -> list[Trial]:
    tell: Say = (lambda _line: None) if options.json else say
    if options.reference:
        tell(REFERENCE_HEADLINE)
        scenes = [*dict.fromkeys(patch.scene for patch in patches)] * options.times
        return run([partial(try_reference, scene, out) for scene in scenes], options.jobs, tell)
    tell(HEADLINE)
    return run([partial(try_patch, patch, out) for patch in patches], options.jobs, tell)


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        prog="python -m mpwire.testing.mutants",
        description="Run every broken endpoint in a lab and see which rule kills it.",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a mutant, a rule, or a scene"
    )
    parser.add_argument("--jobs", type=int, default=2, help="labs at a time (2)")
    parser.add_argument("--out", type=Path, help="keep the run files in this folder")
    parser.add_argument("--list", action="store_true", help="name them, and run nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--reference", action="store_true", help="the correct endpoint in the same scenes"
    )
    parser.add_argument("--times", type=int, default=1, help="how often, with --reference (1)")
    parser.add_argument("--write", type=Path, help="put the results into this document")
    options = parser.parse_args(arguments)
    if options.write is not None and options.only:
        parser.error("--write is for all of them, not for some")
    return options


if __name__ == "__main__":
    sys.exit(main())
