"""Build many objects without looking for garbage in between.

A case is made of very many objects that refer to each other and live as long as it does. Looking
for garbage among them again and again finds none and takes a third of the time; so that is done
once, when the case is no longer needed.
"""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
YOUNG = 0


def collecting_once(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a function run without collection of garbage, and collect its own when it returns."""

    @wraps(function)
    def run(*args: Arguments.args, **named: Arguments.kwargs) -> Result:
        if not gc.isenabled():
            return function(*args, **named)
        gc.disable()
        try:
            return function(*args, **named)
        finally:
            gc.enable()
            gc.collect(YOUNG)

    return run
