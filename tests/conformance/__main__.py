"""Try the requirements: `python -m tests.conformance [--check] [W10 ...]`."""

import sys

from tests.conformance.page import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
