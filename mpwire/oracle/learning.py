"""Learn of a membership that lasts what it repeats, so that this can be counted from then on.

Of the frames that a dossier has gathered, those that repeat what a known class of frames says are
counted and dropped at once; of a class that is not known yet the first one is weighed.
"""

from collections.abc import Callable, Iterable, Sequence

from mpwire.capture.batches import Batch
from mpwire.capture.blocks import Interface
from mpwire.capture.frames import LinkType
from mpwire.capture.runfile import Frame
from mpwire.oracle.case import Case
from mpwire.oracle.collecting import collecting_once
from mpwire.oracle.columns import KINDS
from mpwire.oracle.digest import digested
from mpwire.oracle.dossier import Dossier
from mpwire.oracle.folding import NOBODY, Folder, Line, class_of, lines_of, usual_of
from mpwire.oracle.tally import Tally

Made = Callable[[list[Frame]], Case]
"""Makes a case of frames."""


class Learner:
    """Teach a folder the lines of dossiers."""

    def __init__(self, folder: Folder, tally: Tally, made: Made) -> None:
        """Count for a tally what can be dropped."""
        self._folder = folder
        self._tally = tally
        self._made = made

    @collecting_once
    def learn(
        self, dossiers: Sequence[Dossier], ways: Sequence[Frame]
    ) -> dict[Dossier, list[Frame]]:
        """Teach the folder the lines of some dossiers, and return what they keep."""
        frames = {dossier: list(dossier.unpacked(ways)) for dossier in dossiers}
        lasting = {dossier: digested(held) for dossier, held in frames.items()}
        case = self._made([frame for held in lasting.values() for frame in held])
        owner: dict[int, Dossier] = {}
        lines: dict[int, Line] = {}
        for dossier in dossiers:
            dossier.lined = ()
            for line in lines_of(case.history, dossier.pairs, case.remains.leading):
                lines[line.tag] = line
                owner[line.tag] = dossier
        everything = [frame for held in frames.values() for frame in held]
        known = self._weighed(everything, lines, {tag: lasting[owner[tag]] for tag in lines})
        for line in lines.values():
            numbers = (self._folder.known(class_of(line, kind)) for kind in range(len(KINDS)))
            line.classes = [NOBODY if number is None else number for number in numbers]
            self._folder.add(line)
            owner[line.tag].lined += (line.tag,)
        self._folder.settle()
        return {
            dossier: [frame for frame in held if frame.number not in known]
            for dossier, held in frames.items()
        }

    def _weighed(
        self, frames: list[Frame], lines: dict[int, Line], lasting: dict[int, list[Frame]]
    ) -> set[int]:
        """Weigh a specimen of every new class; count what is of known ones, and return it."""
        sample = Folder(self._tally)
        for line in lines.values():
            sample.add(line)
        sample.settle()
        usual = usual_of(batch_of(frames))
        if usual is None:
            return set()
        counted: set[int] = set()
        usual, rows = sample.recognized(usual)
        for place, kind, row in zip(
            usual.places.tolist(), usual.kinds.tolist(), rows.tolist(), strict=True
        ):
            tag = sample.tag_of(row)
            named = class_of(lines[tag], kind)
            number = self._folder.known(named)
            if number is None:
                number = self._folder.weigh(named, self._worth(lasting[tag], frames[place]))
            if number != NOBODY:
                self._folder.count(number)
                counted.add(frames[place].number)
        return counted

    def _worth(self, handshake: list[Frame], specimen: Frame) -> Tally:
        """Judge a handshake with and without a specimen."""
        whole, less = Tally(), Tally()
        whole.take(self._made([*handshake, specimen]), complete=False)
        less.take(self._made(list(handshake)), complete=False)
        return whole.less(less)


def batch_of(frames: Iterable[Frame]) -> Batch:
    """Make a batch of frames over Ethernet; others are not in it, but have their places."""
    interface = Interface(index=0, name="", linktype=LinkType.ETHERNET)
    batch = Batch(1, b"", described=[interface])
    parts: list[bytes] = []
    at = 0
    for frame in frames:
        batch.starts.append(at if frame.linktype == LinkType.ETHERNET else -1)
        batch.captured.append(len(frame.data))
        batch.originals.append(frame.original_octets)
        batch.stamps.append(frame.time_ns)
        batch.interfaces.append(0)
        parts.append(frame.data)
        at += len(frame.data)
    batch.octets = b"".join([*parts, bytes(128)])
    return batch
