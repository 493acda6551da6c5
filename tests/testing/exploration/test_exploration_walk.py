"""Every scenario is walked to its bounds, and every broken rule is refuted by its invariant."""

import pytest

from mpwire.testing.exploration.moves import Budget
from mpwire.testing.exploration.patches import PATCHES, patched
from mpwire.testing.exploration.scenarios import SCENARIOS
from mpwire.testing.exploration.search import search
from mpwire.testing.exploration.telling import tell

FAST = [scenario.name for scenario in SCENARIOS.values() if scenario.fast is not None]


@pytest.mark.parametrize("name", FAST)
def test_nothing_that_must_not_be_can_be_reached(name: str) -> None:
    scenario = SCENARIOS[name]
    walker = scenario.begin(scenario.bounds)
    tally = search(walker)
    assert tally.offence is None, "\n".join(tell(walker, tally))
    assert tally.states > 60
    assert tally.ends > 1


@pytest.mark.parametrize("name", PATCHES)
def test_a_broken_rule_is_refuted_by_the_invariant_meant_for_it(name: str) -> None:
    broken = PATCHES[name]
    scenario = SCENARIOS[broken.scenario]
    with patched(name):
        walker = scenario.begin(scenario.bounds)
        tally = search(walker)
        story = tell(walker, tally)
    assert tally.offence is not None
    assert tally.offence.invariant is broken.invariant
    assert story[-2:] == [
        f"      refuted: {broken.invariant.value}",
        f"      {tally.offence.what}",
    ]
    assert len(story) == len(tally.path) + 2


def test_nothing_stays_broken() -> None:
    scenario = SCENARIOS["dialogue-side-up"]
    before = search(scenario.begin(scenario.bounds))
    with patched("take-every-side"):
        assert search(scenario.begin(scenario.bounds)).offence is not None
    after = search(scenario.begin(scenario.bounds))
    assert (after.offence, after.states) == (None, before.states)


def test_a_counterexample_is_the_shortest_and_reads_well() -> None:
    scenario = SCENARIOS["data-up"]
    with patched("deliver-duplicates"):
        walker = scenario.begin(Budget(losses=2, duplicates=2, early=2))
        story = tell(walker, search(walker))
    assert story == [
        "   1  leaf 2  calls send L one\n                -> root: DATA(#1, to 1004, one)",
        (
            "   2  root    hears DATA(#1, to 1004, one) (and it stays in flight)\n"
            "                R: FD_READ\n                R: receives one"
        ),
        (
            "   3  root    hears DATA(#1, to 1004, one)\n"
            "                R: FD_READ\n                R: receives one"
        ),
        "      refuted: nothing is delivered twice",
        "      R of 10.0.0.1 received [b'one', b'one']",
    ]


def test_what_is_too_large_for_the_fast_profile_has_deep_bounds_alone() -> None:
    large = [scenario for scenario in SCENARIOS.values() if scenario.name not in FAST]
    names = {scenario.name for scenario in large}
    assert names == {"glare-listening-again", "relay-both", "three-glare"}
    with pytest.raises(ValueError, match="is not in the fast profile"):
        large[0].bounds  # noqa: B018 - reading it is the point


def test_every_bound_adds_states() -> None:
    scenario = SCENARIOS["joined-leave"]
    counts = [
        search(scenario.begin(budget)).states
        for budget in (
            Budget(),
            Budget(losses=1),
            Budget(losses=1, duplicates=1),
            Budget(losses=1, duplicates=1, early=1),
            Budget(losses=1, duplicates=1, early=1, keepalives=1),
        )
    ]
    assert counts == sorted(set(counts))
