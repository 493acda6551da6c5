"""Echoes through the hosts' own stacks, over a bridge on which nobody stands between."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mpwire.capture.records import Sentinel
from mpwire.lab.bridge_cables import Cables
from mpwire.lab.craft import echo_reply_nonce, echo_request, echo_request_nonce
from mpwire.lab.echoes import FabricError
from mpwire.lab.switch import RunRecorder, port_error


@dataclass(slots=True)
class _Echo:
    """Keep what is known of an echo that was asked for."""

    host: str
    stage: Literal["start", "end"] | None
    answer: asyncio.Future[None]
    request: int = 0
    """Number of the request's frame, once it has been heard."""


class BridgeEchoes:
    """Ask hosts for echoes, and take their answers, as the ring hears both."""

    def __init__(
        self,
        cables: Cables,
        recorder: RunRecorder,
        drain: Callable[[], int],
        deadline_s: float,
    ) -> None:
        """Begin with none.

        Args: drain: reads what the ring has heard by now; deadline_s: for an answer.
        """
        self._cables = cables
        self._recorder = recorder
        self._drain = drain
        self._deadline_s = deadline_s
        self._cpus = os.sched_getaffinity(0)
        self._nonces = itertools.count(1)
        self._open: dict[int, _Echo] = {}

    def asked(self, host: str, frame: bytes, number: int) -> None:
        """Take note of a frame of ours on its way to a host."""
        echo = self._found(echo_request_nonce(frame), host)
        if echo is not None:
            echo.request = number

    def answered(self, host: str, frame: bytes, number: int) -> None:
        """Take a frame that a host has sent to us."""
        echo = self._found(echo_reply_nonce(frame), host)
        if echo is None or echo.answer.done() or not echo.request:
            return
        if echo.stage is not None:
            # At once, because the file's order of records is the order of what they tell.
            self._recorder.record(
                Sentinel(host=host, stage=echo.stage, request=echo.request, reply=number)
            )
        echo.answer.set_result(None)

    def _found(self, nonce: int | None, host: str) -> _Echo | None:
        echo = None if nonce is None else self._open.get(nonce)
        return echo if echo is not None and echo.host == host else None

    def ask(self, host: str, stage: Literal["start", "end"] | None) -> int:
        """Send a host an echo, and return its nonce.

        Raises: FabricError when its port does not take it.
        """
        port = self._cables[host]
        if port.is_down:
            raise FabricError(f"{host} does not take frames: port down")
        spec, nonce = port.cable.spec, next(self._nonces)
        frame = echo_request(spec.mac_octets(), spec.interfaces()[0].ip, nonce, port.cable.place)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[nonce] = _Echo(host, stage, answer)
        try:
            port.cable.port.write(frame)
        except OSError as error:
            del self._open[nonce]
            raise FabricError(f"{host} does not take frames: {port_error(error)}") from error
        return nonce

    def ask_on_all_cpus(self) -> dict[int, str]:
        """Send an echo to every host from every CPU: frames wait in a queue for each of them."""
        reached = [port.name for port in self._cables if not port.is_down]
        asked: dict[int, str] = {}
        present = os.sched_getaffinity(0)
        try:
            for cpu in sorted(self._cpus):
                os.sched_setaffinity(0, {cpu})
                asked |= {self.ask(host, None): host for host in reached}
        finally:
            os.sched_setaffinity(0, present)
        return asked

    async def answers(self, asked: Mapping[int, str]) -> None:
        """Wait for answers, by nonce; raise FabricError when one does not come in time."""
        self._drain()
        waited = [self._open[nonce].answer for nonce in asked]
        give_up_s = time.monotonic() + self._deadline_s
        while not all(answer.done() for answer in waited) and time.monotonic() < give_up_s:
            self._drain()
            await asyncio.sleep(0)
        done = {nonce: self._open.pop(nonce).answer.done() for nonce in asked}
        silent = dict.fromkeys(asked[nonce] for nonce, answered in done.items() if not answered)
        if silent:
            raise FabricError(f"no echo within {self._deadline_s} s from {', '.join(silent)}")
