"""Walk all interleavings of small sessions of the real machines.

    python -m mpwire.testing.explore                       every scenario, within the fast bounds
    python -m mpwire.testing.explore --profile deep leaf-cancel glare-plain
    python -m mpwire.testing.explore --patch deliver-duplicates   must be refuted
    python -m mpwire.testing.explore --list

Prints, per scenario, its bounds (losses, duplicates, early timers, keepalives), states,
transitions, depth, steps for which the product was run, seconds of the processor, states per second
and verdict; below a refuted one, the shortest way to what should not be; and all of it in sum.
Exits with 1 if anything was refuted.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from time import process_time
from typing import Final

from mpwire.testing.exploration.casting import Scenario
from mpwire.testing.exploration.moves import Budget
from mpwire.testing.exploration.patches import PATCHES, patched
from mpwire.testing.exploration.scenarios import SCENARIOS
from mpwire.testing.exploration.search import Tally, search
from mpwire.testing.exploration.telling import tell
from mpwire.testing.saying import say

HEADLINE: Final = (
    f"{'scenario':32}{'l d e k':>8}{'states':>10}{'transitions':>13}{'depth':>6}{'runs':>9}"
    f"{'seconds':>9}{'states/s':>10}  verdict"
)


def _names() -> list[tuple[str, str]]:
    """Return the name of every scenario and of every patch, and what each is about."""
    scenarios = [(scenario.name, scenario.about) for scenario in SCENARIOS.values()]
    return scenarios + [(patch.name, patch.about) for patch in PATCHES.values()]


def _figures(subject: str, tally: Tally, took_s: float) -> str:
    return (
        f"{subject:40}{tally.states:10,}{tally.transitions:13,}{tally.depth:6}{tally.runs:9,}"
        f"{took_s:9.2f}{tally.states / took_s:10,.0f}"
    )


def explore(scenario: Scenario, budget: Budget) -> tuple[Tally, list[str]]:
    """Walk one scenario and print what came of it; return the figures and the counterexample."""
    started_s = process_time()
    walker = scenario.begin(budget)
    tally = search(walker)
    took_s = process_time() - started_s
    verdict = "proved" if tally.offence is None else "REFUTED"
    bounds = " ".join(str(bound) for bound in budget)
    say(_figures(f"{scenario.name:32}{bounds:>8}", tally, took_s) + f"  {verdict}")
    story = tell(walker, tally) if tally.offence is not None else []
    for line in story:
        say(line)
    return tally, story


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if an invariant was refuted."""
    parser = ArgumentParser(prog="python -m mpwire.testing.explore", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--profile", choices=("fast", "deep"), default="fast")
    parser.add_argument("--patch", choices=sorted(PATCHES), help="a rule to break")
    parser.add_argument("--list", action="store_true", help="name the scenarios and the patches")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if options.list:
        for name, about in _names():
            say(f"{name:32}{about}")
        return 0
    names = options.scenarios or ([PATCHES[options.patch].scenario] if options.patch else SCENARIOS)
    say(HEADLINE)
    total = Tally()
    started_s = process_time()
    refuted = False
    with patched(options.patch):
        for name in names:
            budget = getattr(SCENARIOS[name], options.profile)
            if budget is not None:
                tally, _ = explore(SCENARIOS[name], budget)
                refuted |= tally.offence is not None
                total.states += tally.states
                total.transitions += tally.transitions
                total.runs += tally.runs
                total.depth = max(total.depth, tally.depth)
    say(_figures("in all", total, process_time() - started_s))
    return int(refuted)


if __name__ == "__main__":
    raise SystemExit(main())
