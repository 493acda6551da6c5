"""What a test claims of the whole of a run: that something never happens, or exactly once.

Such a claim may be made at any time; whether it holds is known when all has settled in the end.
It is about an event of a socket, as its agent reported it, or about messages on the wire.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from mpwire.capture import RunFile
from mpwire.capture.records import Decision
from mpwire.lab.faults import ANY, Fault
from mpwire.lab.forms import Form
from mpwire.lab.sight import sighting
from mpwire.lab.words import Names
from mpwire.plugin.sentences import read_sentence

__tracebackhide__ = True
"""A test's traceback ends in the test."""

Times = Literal["never", "exactly once", "at least once"]


class Messages(Fault, frozen=True, kw_only=True, tag="messages"):
    """Messages that a claim is about."""

    message: str
    flag: str | None = None

    def count(self, run: RunFile) -> int:
        """Count them in a run: each transmission by a host, once per receiver."""
        frames = {frame.number: frame for frame in run.frames}
        hosts = run.run.hosts if run.run else []
        owners = {one.partition("/")[0]: host.name for host in hosts for one in host.addresses}
        senders = {host.name for host in hosts}
        found: set[tuple[int, str]] = set()
        for one in run.of(Decision):
            frame = frames.get(one.frame)
            if frame is None or frame.vantage not in senders or not self._is_meant(frame.data):
                continue
            to_router = one.receiver not in senders
            receiver = owners.get(_destination(frame.data), "") if to_router else one.receiver
            if self.sender in (None, frame.vantage) and self.receiver in (None, receiver):
                found.add((one.frame, receiver))
        return len(found)

    def _is_meant(self, frame: bytes) -> bool:
        seen = sighting(frame)
        if not seen.message or self.message not in (ANY, seen.message):
            return False
        return self.flag is None or self.flag in seen.flags


def _destination(frame: bytes) -> str:
    """Read where a frame that holds a message is going: IPv4 or IPv6 behind Ethernet."""
    address = frame[30:34] if frame[12:14] == b"\x08\0" else frame[38:54]
    return str(ip_address(address))


FORMS = (
    Form(
        "MESSAGE [from HOST:sender] [to HOST:receiver] [with FLAG]",
        Messages,
        "Messages of a type, or any.",
        "ACCEPT from root to leaf1",
    ),
)


@dataclass(slots=True, frozen=True)
class Claim:
    """One claim, and where the test makes it."""

    times: Times
    subject: str
    """A message as the sentences of faults say it, or an event such as `FD_CLOSE WSAECONNRESET`."""
    socket: str | None
    """Whose event it is; None for messages."""
    where: str
    messages: Messages | None = None

    def against_events(self, events: tuple[str, ...]) -> str | None:
        """Say what is wrong with it, given all that the socket reported; None if nothing."""
        wanted, _, error = self.subject.partition(" ")
        of_kind = [one for one in events if one.partition(" ")[0] == wanted]
        if self.times == "never":
            seen = [one for one in of_kind if not error or one == self.subject]
            return self._wrong(", ".join(seen)) if seen else None
        if of_kind == [self.subject]:
            return None
        return self._wrong(", ".join(of_kind) or "nothing of it")

    def against_run(self, run: RunFile) -> str | None:
        """Say what is wrong with it, given a record; None if nothing."""
        assert self.messages is not None
        count = self.messages.count(run)
        holds = {"never": not count, "exactly once": count == 1, "at least once": count > 0}
        return None if holds[self.times] else self._wrong(f"{count} of them")

    def _wrong(self, seen: str) -> str:
        whose = f" on {self.socket}" if self.socket else ""
        return f"{self.where}: {self.subject}{whose}: expected {self.times}, seen {seen}"


def messages_of(subject: str, names: Names) -> Messages:
    """Read what a claim about messages is about.

    Raises:
        SentenceError: it names no messages.
    """
    read = read_sentence(subject, 0, FORMS, names)
    assert isinstance(read, Messages)
    return read
