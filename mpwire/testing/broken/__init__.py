"""Deliberately broken endpoints: each wrong in one way, to prove that the judge notices.

    python -m mpwire.testing.broken close-reported-twice

is `mpwire agent` with one patch applied, so that a testbed can give it to any host. A patch changes
one thing in core, winsock or io from outside; the product itself knows nothing of them.

- `patches`: what a patch is, and replacing functions so that it can be taken back
- `seams`, `reports`: where patches take hold
- `framing` to `polling`: the patches, by what they break
- `scenes`, `playing`: the testbeds in which they show
- `exempt`: the rules that no endpoint can break, with the reasons
- `trial`: one run of one of them, judged; `python -m mpwire.testing.mutants` runs them all
"""

from mpwire.testing.broken import (
    admitting,
    arrivals,
    asking,
    calls,
    carrying,
    changes,
    closing,
    descriptors,
    events,
    framing,
    grouping,
    identity,
    joining,
    keeping,
    polling,
    repairing,
)
from mpwire.testing.broken.patches import PATCHES, Patch, restore

__all__ = ["PATCHES", "THEMES", "Patch", "restore"]

THEMES = (
    framing,
    identity,
    joining,
    admitting,
    closing,
    keeping,
    carrying,
    changes,
    repairing,
    grouping,
    events,
    arrivals,
    calls,
    asking,
    descriptors,
    polling,
)
"""Importing them registers their patches."""
