"""Print what the commands of this package have to say."""

import os
import sys


def say(line: str) -> None:
    """Print a line at once; who reads no more, as `head` does, misses the rest and nothing else."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
