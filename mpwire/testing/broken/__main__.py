"""Break this process in the way that the arguments name, and serve as an agent."""

import sys

from mpwire.io import agent
from mpwire.testing.broken import PATCHES


def main() -> None:
    """Apply the patches that the arguments name, and serve."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in PATCHES]
    if not names or unknown:
        listing = "\n".join(
            f"  {item.name:36}{item.rule:6}{item.about}" for item in PATCHES.values()
        )
        sys.exit(f"usage: python -m mpwire.testing.broken NAME...\n{listing}")
    for name in names:
        PATCHES[name].apply()
    agent.main()


if __name__ == "__main__":
    main()
