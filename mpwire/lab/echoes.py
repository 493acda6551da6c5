"""Echoes through the hosts' own stacks: what a switch says to hosts, and what comes back."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mpwire.capture.records import Sentinel
from mpwire.errors import MpwireError
from mpwire.lab.craft import echo_reply_nonce, echo_request
from mpwire.lab.hosts import Cable
from mpwire.lab.switch import Recorder, Switch, port_error


class FabricError(MpwireError):
    """A host's stack does not do what every host's stack does."""


@dataclass(slots=True)
class Echo:
    """Keep what is known of an echo that was asked for."""

    host: str
    stage: Literal["start", "end"] | None
    nonce: int
    request: int
    answer: asyncio.Future[int]


class Echoes:
    """Ask hosts for echoes through a switch, and take their answers."""

    def __init__(
        self, switch: Switch, cables: Mapping[str, Cable], recorder: Recorder, deadline_s: float
    ) -> None:
        """Begin with none.

        Args: cables: by port; deadline_s: for an answer.
        """
        self._switch = switch
        self._cables = cables
        self._recorder = recorder
        self._deadline_s = deadline_s
        self._nonces = itertools.count(1)
        self._open: dict[int, Echo] = {}

    def ask(self, host: str, stage: Literal["start", "end"] | None) -> Echo:
        """Send a host an echo; of one with a stage the record keeps that it was answered.

        Raises: FabricError when its port does not take it.
        """
        cable = self._cables[host]
        spec, nonce = cable.spec, next(self._nonces)
        frame = echo_request(spec.mac_octets(), spec.interfaces()[0].ip, nonce, cable.place)
        answer = asyncio.get_running_loop().create_future()
        try:
            request = self._switch.inject(host, frame)
        except OSError as error:
            raise FabricError(f"{host} does not take frames: {port_error(error)}") from error
        echo = self._open[nonce] = Echo(host, stage, nonce, request, answer)
        return echo

    async def answers(self, echoes: Sequence[Echo]) -> None:
        """Wait for the answers; raise FabricError when one does not come in time."""
        try:
            async with asyncio.timeout(self._deadline_s):
                for echo in echoes:
                    await echo.answer
        except TimeoutError as error:
            # The one that was waited for is cancelled, those after it are pending.
            silent = ", ".join(
                echo.host for echo in echoes if echo.answer.cancelled() or not echo.answer.done()
            )
            raise FabricError(f"no echo within {self._deadline_s} s from {silent}") from error
        finally:
            for echo in echoes:
                self._open.pop(echo.nonce, None)

    def received(self, sender: str, frame: bytes, number: int) -> None:
        """Take a frame to the switch itself: an answer that somebody waits for, or nothing."""
        nonce = echo_reply_nonce(frame)
        echo = None if nonce is None else self._open.get(nonce)
        if echo is None or echo.host != sender or echo.answer.done():
            return
        if echo.stage is not None:
            # At once, because the file's order of records is the order of what they tell.
            self._recorder.record(
                Sentinel(host=sender, stage=echo.stage, request=echo.request, reply=number)
            )
        echo.answer.set_result(number)
