"""Look at a long run from its hosts while it is read, as `onway.end_to_end` does of a whole one.

What became of a frame is known from frames and decisions near it. So a window of these is held,
and the run itself is not. Whatever cannot be told from the window is said to be unclear, and is a
matter of the whole run: nothing is concluded here that a look at everything might contradict.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mpwire.capture.deliveries import decides
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.onway import constant_octets, hops_left, router_of
from mpwire.capture.records import AnyRecord, Counters, Decision, Run, Sentinel
from mpwire.capture.runfile import Frame, RunFile

WINDOW_FRAMES: Final = 1 << 14
"""What became of a frame is known after so many more."""

Item = Frame | AnyRecord
Timeline = Iterable[tuple[int, Item]]


class Unclear(Exception):  # noqa: N818 - no error, but news
    """Only the whole run tells what became of a frame."""


def seen_from_hosts(run: RunFile, window_frames: int = WINDOW_FRAMES) -> Iterator[tuple[int, Item]]:
    """Yield the timeline of a run with what hosts sent and were given, and with nothing between.

    Of decisions those are kept by which a host was given something.

    Args:
        run: the run.
        window_frames: how many frames are held.

    Raises:
        Unclear: a window is not enough.
    """
    items: Timeline = run.timeline()
    about = run.run
    if about is None:
        yield from items
        return
    if not decides(about):
        items = _matched(items, window_frames)
    if about.routers:
        items = _Crossing(about, window_frames).hosts_only(items)
    yield from items


def _matched(items: Timeline, window_frames: int) -> Iterator[tuple[int, Item]]:
    """Put a decision behind each frame that arrived: it is the newest one sent like it."""
    sent: dict[bytes, list[Frame]] = {}
    window: deque[Frame] = deque()
    taken: set[tuple[int, str]] = set()
    receivers: dict[int, list[str]] = {}
    for position, item in items:
        yield position, item
        if not isinstance(item, Frame):
            continue
        if item.direction == "out":
            sent.setdefault(item.data, []).append(item)
            window.append(item)
            if len(window) > window_frames:
                old = window.popleft()
                del sent[old.data][0]
                if not sent[old.data]:
                    del sent[old.data]
                taken.difference_update((old.number, one) for one in receivers.pop(old.number, ()))
            continue
        host = item.vantage
        for earlier in reversed(sent.get(item.data, ())):
            if (earlier.number, host) not in taken and earlier.vantage != host:
                taken.add((earlier.number, host))
                receivers.setdefault(earlier.number, []).append(host)
                number = earlier.number
                yield position, Decision(frame=number, receiver=host, delivered=item.number)
                break
        else:
            if isinstance(decode_frame(item.linktype, item.data), Datagram):
                raise Unclear


@dataclass(slots=True)
class _Way:
    """Datagrams with equal octets that reached one router."""

    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    """Their frames, with the hops that they had left."""
    gone: int = 0
    """How many before these are known no more."""
    sent: dict[str, int] = field(default_factory=dict)
    """How many each port has sent on."""

    def clean(self) -> bool:
        """Tell whether all that came was sent on, so that what comes later begins anew."""
        return bool(self.sent) and all(count == self.gone for count in self.sent.values())


class _Crossing:
    """Follow datagrams over routers, in a window of frames."""

    def __init__(self, about: Run, window_frames: int) -> None:
        self._routers = router_of(about)
        self._own = {
            address.partition("/")[0]
            for router in about.routers
            for port in router.ports
            for address in port.addresses
        }
        self._window_frames = window_frames
        self._ways: dict[tuple[str, bytes], _Way] = {}
        self._arrivals: deque[tuple[int, tuple[str, bytes]]] = deque()
        self._stranded: set[tuple[str, int]] = set()
        """Routers, and digests of what they did not send on."""
        self._came: dict[int, int] = {}
        """What a router was given, with the frame by which it had been sent; the newest last."""
        self._on: dict[int, int] = {}
        """What a router sent, with the frame by which it had been given it; 0: its own."""
        self._newest = 0

    def hosts_only(self, items: Timeline) -> Iterator[tuple[int, Item]]:
        """Leave out what happens at routers."""
        for position, item in items:
            match item:
                case Frame():
                    self._newest = item.number
                    if item.vantage not in self._routers:
                        yield position, item
                    else:
                        self._at_router(item)
                case Decision():
                    made = self._decided(item)
                    if made is not None:
                        yield position, made
                case Counters(host=host) | Sentinel(host=host) if host in self._routers:
                    pass
                case _:
                    yield position, item

    def _at_router(self, frame: Frame) -> None:
        if frame.direction != "in":
            self._on[frame.number] = 0
        decoded = decode_frame(frame.linktype, frame.data)
        octets = constant_octets(frame.data)
        if not isinstance(decoded, Datagram) or octets is None:
            return
        key = (self._routers[frame.vantage], octets)
        if frame.direction == "in":
            if (key[0], hash(octets)) in self._stranded:
                raise Unclear
            self._ways.setdefault(key, _Way()).waiting.append((frame.number, hops_left(frame.data)))
            self._arrivals.append((frame.number, key))
            self._let_go()
        elif decoded.source[0] not in self._own:
            self._sent_on(frame, self._ways.get(key))

    def _sent_on(self, frame: Frame, way: _Way | None) -> None:
        """Find what a router sends on among what has reached it."""
        if way is None:
            raise Unclear
        count = way.sent.get(frame.vantage, 0)
        place = count - way.gone
        if not 0 <= place < len(way.waiting):
            raise Unclear
        number, hops = way.waiting[place]
        if hops_left(frame.data) != hops - 1:
            raise Unclear
        way.sent[frame.vantage] = count + 1
        self._on[frame.number] = number

    def _let_go(self) -> None:
        """Forget what is out of the window."""
        while self._arrivals[0][0] <= self._newest - self._window_frames:
            _, key = self._arrivals.popleft()
            way = self._ways[key]
            way.waiting.popleft()
            way.gone += 1
            if not way.waiting:
                if not way.clean():
                    self._stranded.add((key[0], hash(key[1])))
                del self._ways[key]
        for known in (self._came, self._on):
            while known and next(iter(known)) <= self._newest - 2 * self._window_frames:
                del known[next(iter(known))]

    def _decided(self, decision: Decision) -> Decision | None:
        """Tie a delivery to the frame that left a host; None for one at a router."""
        if decision.delivered is None:
            return None
        if decision.frame <= self._newest - self._window_frames:
            raise Unclear
        if decision.receiver in self._routers:
            self._came[decision.delivered] = decision.frame
            return None
        origin = self._origin(decision.frame)
        return None if origin is None else msgspec.structs.replace(decision, frame=origin)

    def _origin(self, number: int) -> int | None:
        """Go back from router to router; None for what the last of them made itself."""
        while number in self._on:
            arrived = self._on[number]
            if not arrived:
                return None
            number = self._came.get(arrived, 0)
        if number <= max(0, self._newest - 2 * self._window_frames):
            raise Unclear
        return number
