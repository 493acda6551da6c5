"""Scenes on a loop of their own, and what happens in most of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mpwire.io.aio import Leaf, MultipointSocket, Root, join
from mpwire.io.host import HOSTS


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene on a loop of its own; it leaves no task and no host behind."""

    async def watched() -> None:
        await scene()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())
    assert HOSTS == {}


async def meet(root: Root, **options: Any) -> tuple[MultipointSocket, Leaf]:  # noqa: ANN401
    """Let a leaf join; return P and L."""
    return tuple(await asyncio.gather(root.accept(), join(root.getsockname(), **options)))  # type: ignore[return-value]


async def seen(socket: MultipointSocket, *names: str) -> None:
    """Wait for these events, in this order; an error follows its event's name."""
    events = socket.events()
    for name in names:
        event, code = await anext(events)
        assert name == (f"{event.name} {code.name}" if code else event.name)
