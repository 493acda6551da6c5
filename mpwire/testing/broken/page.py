"""Write what came of the trials: the tables of docs/mutants.md, and a document for programs.

In the page, whatever stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced by
the fragment of that name; those that a run says nothing of stay as they are.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from mpwire.testing.broken.exempt import EXEMPT
from mpwire.testing.broken.patches import PATCHES
from mpwire.testing.broken.trial import Trial

HEADER: Final = (
    "| mutant | what it does wrong | meant for | scene | host | verdict | fired | to kill |"
)
_FRAGMENT: Final = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def document_of(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the results as plain values."""
    return {
        "trials": [
            {
                "mutant": trial.patch or None,
                "rule": PATCHES[trial.patch].rule if trial.patch else None,
                "scene": trial.scene,
                "host": PATCHES[trial.patch].host if trial.patch else None,
                "verdict": trial.verdict.value,
                "outcome": trial.outcome,
                "fired": list(trial.fired),
                "frames": list(trial.frames),
                "to_kill_s": trial.kill_s,
                "in_all_s": round(trial.wall_s, 3),
                "incomplete": list(trial.incomplete),
            }
            for trial in trials
        ],
        "good": sum(trial.is_good for trial in trials),
        "count": len(trials),
    }


def rendered(page: str, trials: Sequence[Trial]) -> str:
    """Return the page with the fragments that these trials tell of."""
    mutants = [trial for trial in trials if trial.patch]
    reference = [trial for trial in trials if not trial.patch]
    fragments = {"exempt": _exempt()}
    if mutants:
        fragments |= {"score": _score(mutants), "matrix": _matrix(mutants)}
    if reference:
        fragments["reference"] = _reference(reference)

    def filled(match: re.Match[str]) -> str:
        made = fragments.get(match[2])
        return match[0] if made is None else f"{match[1]}\n{made}\n\n{match[3]}"

    return _FRAGMENT.sub(filled, page)


def _score(trials: Sequence[Trial]) -> str:
    outcomes = Counter(trial.outcome for trial in trials)
    rules = {PATCHES[trial.patch].rule for trial in trials}
    kills = sorted(trial.kill_s for trial in trials if trial.kill_s is not None)
    return "\n".join(
        (
            "| | |",
            "|---|---|",
            f"| broken endpoints | {len(trials)} |",
            f"| rules that they are meant for | {len(rules)} |",
            f"| rules that no endpoint can break | {len(EXEMPT)} |",
            f"| killed by the rule that was meant to | {outcomes['killed']} |",
            f"| killed by other rules only | {outcomes['killed by others']} |",
            f"| survived | {outcomes['survived']} |",
            f"| from the first datagram to the evidence, median | {kills[len(kills) // 2]:.2f} s |",
            f"| the slowest | {kills[-1]:.2f} s |",
        )
    )


def _matrix(trials: Sequence[Trial]) -> str:
    lines = [HEADER, "|---|---|---|---|---|---|---|---|"]
    for trial in trials:
        patch = PATCHES[trial.patch]
        others = (f"**{one}**" if one == patch.rule else one for one in trial.fired)
        kill = "-" if trial.kill_s is None else f"{trial.kill_s:.2f} s"
        lines.append(
            f"| `{patch.name}` | {patch.about} | {patch.rule} | {patch.scene} | {patch.host} "
            f"| {trial.verdict.value} | {' '.join(others)} | {kill} |"
        )
    return "\n".join(lines)


def _exempt() -> str:
    rows = [f"| {rule} | {reason} |" for rule, reason in EXEMPT.items()]
    return "\n".join(["| rule | why |", "|---|---|", *rows])


def _reference(trials: Sequence[Trial]) -> str:
    runs: dict[str, list[Trial]] = {}
    for trial in trials:
        runs.setdefault(trial.scene, []).append(trial)
    lines = ["| scene | runs | passed | slowest |", "|---|---|---|---|"]
    for scene, ones in sorted(runs.items()):
        passed = sum(one.is_good for one in ones)
        slowest_s = max(one.wall_s for one in ones)
        lines.append(f"| {scene} | {len(ones)} | {passed} | {slowest_s:.1f} s |")
    total = sum(one.is_good for one in trials)
    return "\n".join([*lines, f"| all | {len(trials)} | {total} | |"])
