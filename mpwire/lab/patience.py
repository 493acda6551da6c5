"""How long an answer is waited for, from an agent that may be stopped meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any


async def came_in_time(
    answer: asyncio.Future[Any], patience_s: float, thaws_s: Callable[[], float]
) -> bool:
    """Wait for an answer; tell whether it came.

    Args:
        answer: it.
        patience_s: so long the agent may take, once it is not stopped any more.
        thaws_s: tells until when it is stopped, in the time of the loop.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while not answer.done():
        until_s = max(began_s, thaws_s()) + patience_s
        if loop.time() >= until_s:
            return False
        await asyncio.wait([answer], timeout=until_s - loop.time())
    return True
