"""Cut a long capture into exchanges, and judge each when it is over: memory for what is live.

A short capture is one case. Of a long one every datagram goes to the dossier of its exchange,
found by tags and addresses. A dossier whose exchanges are over and that has been quiet since, or
for which there is no more room, is judged by the same rules as a short capture, together with
others, and forgotten, but for what `remains` keeps.

What belongs to one dossier: everything between two addresses; everything that carries its tags;
in a session that uses a group, the whole session. Where frames say in which direction they were
captured, rules look at whole hosts, so that there all exchanges of one address belong together.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.batches import Batch
from mpwire.capture.framefile import Frame, FrameFile, frame_in
from mpwire.capture.sightings import Sightings, seen_once
from mpwire.oracle.case import Case
from mpwire.oracle.collecting import collecting_once
from mpwire.oracle.digest import REPEATED, digested
from mpwire.oracle.dossier import JOIN_REQ, NO_TYPE, Dossier, Glance, Key, glance
from mpwire.oracle.limits import Limits
from mpwire.oracle.remains import Remains
from mpwire.oracle.tally import Tally

if TYPE_CHECKING:
    from mpwire.oracle.columns import Columns
    from mpwire.oracle.folding import Folder
    from mpwire.oracle.learning import Learner

LEARNED_AT_A_TIME: Final = 256


def tally_of(run: RunFile, limits: Limits) -> Tally:
    """Judge the capture of another program."""
    tally = Tally()
    frames = run.frames
    if len(frames) <= limits.whole:
        tally.again = _take_whole(tally, run)
        return tally
    clerk = Clerk(run, limits, tally)
    if isinstance(frames, FrameFile):
        for batch in frames.batches():
            clerk.take_batch(batch)
    else:
        for frame in frames:
            clerk.take(frame)
    clerk.finish()
    tally.again = clerk.sightings.again
    return tally


@collecting_once
def _take_whole(tally: Tally, run: RunFile) -> int:
    """Judge a capture as one case; return how many frames show again what was seen."""
    frames, sightings = seen_once(run.frames)
    tally.take(Case(part(run, frames)), complete=False)
    return sightings.again


def part(run: RunFile, frames: list[Frame]) -> RunFile:
    """Return some frames of a capture as if they were all."""
    return msgspec.structs.replace(
        run, frames=frames, records=[], statistics=[], unknown_records={}, incomplete=[]
    )


class Clerk:
    """Sort the frames of a capture into dossiers, and have them judged when they are over."""

    def __init__(self, run: RunFile, limits: Limits, tally: Tally) -> None:
        """Begin with no dossier."""
        self._run = run
        self._limits = limits
        self._tally = tally
        self.sightings = Sightings()
        self._remains = Remains()
        self._taken = 0
        self._now_ns = 0
        self._found: dict[Key, Dossier] = {}
        self._live: dict[Dossier, None] = {}
        """Dossiers whose exchanges are not over; what was heard of last is last."""
        self._over: dict[Dossier, None] = {}
        """Dossiers whose exchanges are over, likewise."""
        self._ready: list[Dossier] = []
        self._held = {"over": 0, "ready": 0, "repeated": 0, "odd": 0}
        """Frames held, by why."""
        self._ways: dict[tuple[str, int, str | None], int] = {}
        self._samples: list[Frame] = []
        self._odd: dict[bytes, list[Frame]] = {}
        self._usual: Callable[[Batch], Columns | None] = lambda _: None
        self._folder: Folder | None = None
        self._learner: Learner | None = None
        self._prepare()
        self._eager: dict[Dossier, None] = {}
        """Dossiers of which it may be learned what they repeat."""

    def _prepare(self) -> None:
        """Make what counts many frames at a time, for which numpy is needed."""
        try:
            from mpwire.oracle.folding import (  # noqa: PLC0415 - only where captures are long
                Folder,
                usual_of,
            )
            from mpwire.oracle.learning import Learner  # noqa: PLC0415
        except ModuleNotFoundError:
            return
        self._usual = usual_of
        self._folder = Folder(self._tally)
        self._learner = Learner(self._folder, self._tally, self._case)

    def take_batch(self, batch: Batch) -> None:
        """Put the packets of a batch where they belong, but for those that are only counted."""
        usual = self._usual(batch)
        stride = self._limits.stride
        for first in range(0, len(batch), stride):
            last = min(first + stride, len(batch))
            counted: set[int] = set()
            alone = not self.sightings.again
            if usual is not None and self._folder is not None and alone:
                counted = self._folder.fold(usual, first, last, batch.time_ns(last - 1))
            for place in range(first, last):
                if place not in counted:
                    self.take(frame_in(batch, place))
            self._learn()

    def take(self, captured: Frame) -> None:
        """Put a frame where it belongs."""
        frame = self.sightings.look(captured)
        if frame is None:
            return
        self._now_ns = max(self._now_ns, frame.time_ns)
        seen = glance(frame)
        if seen is None:
            return
        if seen.kind == NO_TYPE:
            self._take_odd(frame, seen)
            return
        new = bool(seen.named) and seen.named not in self._found
        keys = _keys(frame, seen)
        dossier = self._dossier(keys, seen, new=new)
        self._detach(dossier)
        if new:
            keys.append(seen.named)
        for key in keys:
            if self._found.get(key) is not dossier:
                self._found[key] = dossier
                dossier.keys.append(key)
                self._claim(dossier, key)
        dossier.note(seen, new=new)
        if dossier.closing:
            self._unlearn(dossier)
        if seen.leading and self._remains.lead(seen.session_id, seen.leading) and self._folder:
            self._folder.drop_session(seen.session_id)
        self._put(dossier, frame, repeated=seen.kind in REPEATED)
        self._attach(dossier)
        if dossier.frames >= self._limits.most:
            self._dismiss(dossier)
        self._taken += 1
        if not self._taken % self._limits.tidy:
            self._tidy()

    @property
    def held_frames(self) -> int:
        """Count the frames that are held."""
        dossiers = (*self._over, *self._live, *self._ready)
        return sum(one.frames for one in dossiers) + self._held["odd"]

    def finish(self) -> None:
        """Judge everything that is left."""
        for held in (self._over, self._live):
            while held:
                self._dismiss(next(iter(held)))
        self._judge()
        self._odd.clear()
        self._held["odd"] = 0

    def _put(self, dossier: Dossier, frame: Frame, *, repeated: bool = False) -> None:
        way = (frame.vantage, frame.linktype, frame.direction)
        place = self._ways.get(way)
        if place is None:
            place = self._ways[way] = len(self._samples)
            self._samples.append(frame)
        dossier.put(frame, place)
        dossier.directed |= frame.direction is not None
        if repeated:
            dossier.repeated += 1
            self._held["repeated"] += 1
            eager = dossier.repeated >= dossier.patience
            if eager and not dossier.directed and not dossier.closing:
                self._eager[dossier] = None

    def _dossier(self, keys: list[Key], seen: Glance, *, new: bool) -> Dossier:
        """Find the dossier of a datagram; make one of several that it ties together.

        A new request between addresses whose exchanges are all over begins a new one.
        """
        request = new and seen.kind == JOIN_REQ
        found: dict[Dossier, None] = {}
        for key in (*keys, seen.tag, seen.named):
            dossier = self._found.get(key) if key else None
            if dossier is not None and not (request and dossier.begun and not dossier.open):
                found[dossier] = None
        if not found:
            return Dossier(patience=self._limits.patience)
        chosen, *others = found
        for other in others:
            self._unlearn(chosen)
            self._unlearn(other)
            self._detach(other)
            self._detach(chosen)
            chosen.take_over(other)
            for key in other.keys:
                self._found[key] = chosen
            self._attach(chosen)
        return chosen

    def _attach(self, dossier: Dossier) -> None:
        if dossier.open:
            self._live[dossier] = None
        else:
            self._over[dossier] = None
            self._held["over"] += dossier.frames

    def _detach(self, dossier: Dossier) -> None:
        if dossier in self._over:
            del self._over[dossier]
            self._held["over"] -= dossier.frames
        else:
            self._live.pop(dossier, None)

    def _tidy(self) -> None:
        """Have judged what is over, what nothing comes to any more, and what is too much."""
        limits = self._limits
        while self._over:
            oldest = next(iter(self._over))
            quiet = self._now_ns - oldest.newest_ns > limits.quiet_ns
            if not quiet and (self._held["over"] <= limits.over or len(self._over) == 1):
                break
            self._dismiss(oldest)
        while self._live:
            oldest = next(iter(self._live))
            if self._now_ns - oldest.newest_ns <= limits.idle_ns:
                break
            heard_ns = self._folder.heard(oldest.lined) if self._folder is not None else 0
            if heard_ns > oldest.newest_ns:
                oldest.newest_ns = heard_ns
                self._live[oldest] = self._live.pop(oldest)
            else:
                self._dismiss(oldest)
        if self._held["repeated"] > limits.repeated:
            self._learn_early()
        if self._held["repeated"] > limits.repeated:
            self._digest()

    def _dismiss(self, dossier: Dossier) -> None:
        """Have a dossier judged, and forget by what it was found."""
        self._detach(dossier)
        self._unlearn(dossier)
        self._held["repeated"] -= dossier.repeated
        for key in dossier.keys:
            if self._found.get(key) is dossier:
                del self._found[key]
        self._ready.append(dossier)
        self._held["ready"] += dossier.frames
        if self._held["ready"] >= self._limits.batch:
            self._judge()

    @collecting_once
    def _judge(self) -> None:
        frames = [frame for one in self._ready for frame in one.unpacked(self._samples)]
        self._ready.clear()
        self._held["ready"] = 0
        if frames:
            self._tally.take(self._case(frames), complete=False)

    def _case(self, frames: list[Frame]) -> Case:
        frames.sort(key=lambda frame: frame.number)
        return Case(part(self._run, frames), self._remains, self._now_ns)

    def _digest(self) -> None:
        """Make room: judge what was sent again and again where there is most of it.

        Where frames say in which direction they were captured, what comes next is judged by what
        came before, so that nothing can be left out: then the exchanges are judged as far as they
        have come.
        """
        heavy = sorted(
            (one for one in (*self._live, *self._over) if one.repeated),
            key=lambda one: one.repeated,
            reverse=True,
        )
        batch: list[Dossier] = []
        for dossier in heavy:
            if self._held["repeated"] <= self._limits.repeated // 2:
                break
            if dossier.directed:
                self._dismiss(dossier)
                continue
            self._held["repeated"] -= dossier.repeated
            batch.append(dossier)
            if sum(one.frames for one in batch) >= self._limits.batch:
                self._digest_all(batch)
                batch = []
        self._digest_all(batch)

    @collecting_once
    def _digest_all(self, batch: list[Dossier]) -> None:
        """Judge dossiers with and without what is repeated; the difference is what it is worth."""
        if not batch:
            return
        everything: list[Frame] = []
        kept: list[Frame] = []
        for dossier in batch:
            self._detach(dossier)
            frames = list(dossier.unpacked(self._samples))
            rest = digested(frames)
            everything += frames
            kept += rest
            dossier.emptied()
            for frame in rest:
                self._put(dossier, frame)
            self._attach(dossier)
        whole, less = Tally(), Tally()
        whole.take(self._case(everything), complete=False)
        less.take(self._case(kept), complete=False)
        self._tally.add(whole.less(less))

    def _learn(self) -> None:
        """Learn what dossiers repeat, and keep of their frames only what is not that."""
        eager, self._eager = list(self._eager), {}
        if self._learner is None:
            return
        for first in range(0, len(eager), LEARNED_AT_A_TIME):
            some = [one for one in eager[first:][:LEARNED_AT_A_TIME] if one.repeated]
            for dossier, kept in self._learner.learn(some, self._samples).items():
                self._detach(dossier)
                self._held["repeated"] -= dossier.repeated
                dossier.emptied()
                for frame in kept:
                    seen = glance(frame)
                    self._put(dossier, frame, repeated=seen is not None and seen.kind in REPEATED)
                dossier.shrink()
                dossier.patience = max(self._limits.patience, 2 * dossier.repeated)
                self._eager.pop(dossier, None)
                self._attach(dossier)

    def _learn_early(self) -> None:
        """Learn of many members at once what each has repeated only a little."""
        for dossier in self._live:
            new = not dossier.lined and dossier.patience == self._limits.patience
            if new and dossier.repeated and not dossier.directed and not dossier.closing:
                self._eager[dossier] = None
        self._learn()

    def _unlearn(self, dossier: Dossier) -> None:
        self._eager.pop(dossier, None)
        if self._folder is not None and dossier.lined:
            self._folder.drop(dossier.lined)
            dossier.lined = ()

    def _take_odd(self, frame: Frame, seen: Glance) -> None:
        """Keep a datagram that is no message, for it may be between endpoints that speak MPW."""
        dossier = self._found.get(seen.between)
        if dossier is not None:
            self._detach(dossier)
            self._put(dossier, frame)
            self._attach(dossier)
            return
        self._odd.setdefault(seen.between, []).append(frame)
        self._held["odd"] += 1
        while self._held["odd"] > self._limits.odd:
            self._held["odd"] -= len(self._odd.pop(next(iter(self._odd))))

    def _claim(self, dossier: Dossier, key: Key) -> None:
        """Take what was no message between two addresses that now speak MPW."""
        if self._odd and isinstance(key, bytes):
            for frame in self._odd.pop(key, ()):
                self._held["odd"] -= 1
                self._put(dossier, frame)


def _keys(frame: Frame, seen: Glance) -> list[Key]:
    """Name the dossier of a datagram by its addresses and, with a group, by its session."""
    keys: list[Key] = []
    if seen.grouped:
        keys.append(b"session" + seen.session_id.to_bytes(8, "big"))
    elif not frame.direction:
        return [seen.between]
    if not seen.to_group:
        keys.append(seen.between)
    if frame.direction:
        keys.append(seen.source)
        if not seen.to_group:
            keys.append(seen.destination)
    return keys
