"""Testbeds drawn at random: sessions that go well on any network, and networks of any kind.

A script waits for events only, never for silence, so that it holds whatever the network loses,
repeats, holds up or reorders, as long as retransmission gets through in the end.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from mpwire.lab import testbed as testbeds

PROTOCOLS = ("MPW_ROOTED", "MPW_ROOTED", "MPW_DIALOGUE", "MPW_CONFERENCE", "MPW_ROOTED_ASM")
SCALE = 0.05
"""Of all timers: `rto_initial_s` is 50 ms."""


@dataclass(slots=True)
class Member:
    """A leaf that is in the session."""

    leaf: str
    socket: str
    handle: str
    """What stands for it at the root."""


@dataclass(slots=True)
class Story:
    """One session, as it is told."""

    draw: random.Random
    protocol: str
    leaves: list[str]
    disasters: bool
    """Processes may die, interfaces may go."""
    lines: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def conference(self) -> bool:
        """Tell whether everybody hears everybody, and itself."""
        return self.protocol == "MPW_CONFERENCE"

    def say(self, *lines: str) -> None:
        """Add steps."""
        self.lines += lines

    def tell(self) -> list[str]:
        """Tell it all."""
        roles = "c_root/d_leaf" if self.conference else "c_root/d_root"
        self.say(f"root opens R as {roles} of protocol {self.protocol}", "root listens on R")
        self.join()
        acts = [self.join, self.join, self.invite, self.root_speaks, self.root_speaks]
        acts += [self.leaf_speaks, self.leaf_speaks, self.part, self.refuse, self.trouble]
        acts += [self.disaster] if self.disasters and self.draw.random() < 0.3 else []
        for _ in range(self.draw.randint(6, 16)):
            self.draw.choice(acts)()
        self.end()
        return self.lines

    def _newcomer(self) -> tuple[str, str] | None:
        """Open a socket for a leaf that is not in the session."""
        present = {member.leaf for member in self.members}
        absent = [leaf for leaf in self.leaves if leaf not in present]
        if not absent:
            return None
        leaf = self.draw.choice(absent)
        number = next(self.numbers)
        port = f" on port {50000 + number}"
        self.say(f"{leaf} opens L{number} as c_leaf/d_leaf of protocol {self.protocol}{port}")
        return leaf, str(number)

    def _data(self) -> tuple[str, str]:
        """Draw what goes along with a request, and with its answer."""
        number = next(self.numbers)
        asks = f' with caller data "hello {number}"' if self.draw.random() < 0.4 else ""
        if self.draw.random() < 0.6:
            return asks, ""
        room = self.draw.choice((16, 64))
        return f"{asks} with room for {room} octets", f' with callee data "ok {number}"'

    def join(self) -> None:
        """A leaf asks and is let in."""
        found = self._newcomer()
        if found is None:
            return
        leaf, number = found
        asked, answered = self._data()
        self.say(
            f"{leaf} joins R with L{number}{asked}",
            f"root accepts {leaf} on R as P{number}{answered}",
            f"L{number} sees FD_CONNECT",
        )
        self._arrived(Member(leaf, f"L{number}", f"P{number}"))

    def invite(self) -> None:
        """The root asks a leaf, which agrees."""
        found = self._newcomer()
        if found is None:
            return
        leaf, number = found
        asked, answered = self._data()
        self.say(
            f"{leaf} listens on L{number}",
            f"root invites L{number} with R as P{number}{asked}",
            f"{leaf} accepts root on L{number} as A{number}{answered}",
            "R sees FD_CONNECT",
        )
        self._arrived(Member(leaf, f"A{number}", f"P{number}"))

    def _arrived(self, member: Member) -> None:
        """Let both ends know of the membership: what the leaf says is heard."""
        self.members.append(member)
        self.speak(member, 1)

    def refuse(self) -> None:
        """A leaf asks in vain."""
        found = self._newcomer()
        if found is None:
            return
        leaf, number = found
        self.say(
            f"{leaf} joins R with L{number}",
            f"root rejects {leaf} on R",
            f"L{number} sees FD_CONNECT WSAECONNREFUSED",
            f"{leaf} closes L{number}",
        )

    def root_speaks(self) -> None:
        """The root sends some messages to all."""
        if not self.members:
            return
        texts = [f"root {next(self.numbers)}" for _ in range(self.draw.randint(1, 6))]
        self.say(*(f'root sends "{text}" on R' for text in texts))
        if self.conference:
            self.say(*(f'root receives "{text}" on R' for text in texts))
        for member in self.members:
            self.say(*(f'{member.leaf} receives "{text}" on {member.socket}' for text in texts))

    def leaf_speaks(self) -> None:
        """A leaf sends some messages."""
        if self.members:
            self.speak(self.draw.choice(self.members), self.draw.randint(1, 4))

    def speak(self, member: Member, number: int) -> None:
        """Send from a leaf, to the root and, in a conference, to everybody."""
        texts = [f"{member.leaf} {next(self.numbers)}" for _ in range(number)]
        private = self.protocol == "MPW_DIALOGUE" and self.draw.random() < 0.5
        mark, at = (" in private", member.handle) if private else ("", "R")
        self.say(*(f'{member.leaf} sends "{text}" on {member.socket}{mark}' for text in texts))
        self.say(*(f'root receives "{text}" on {at}{mark}' for text in texts))
        for other in self.members if self.conference else ():
            self.say(*(f'{other.leaf} receives "{text}" on {other.socket}' for text in texts))

    def part(self) -> None:
        """A leaf goes, or is made to."""
        if not self.members:
            return
        member = self.members.pop(self.draw.randrange(len(self.members)))
        if self.draw.random() < 0.6:
            self.say(f"{member.leaf} closes {member.socket}", f"{member.handle} sees FD_CLOSE")
        else:
            self.say(f"root closes {member.handle}", f"{member.socket} sees FD_CLOSE")

    def trouble(self) -> None:
        """Somebody is cut off, or frozen, while the root goes on speaking."""
        if not self.members:
            return
        leaf = self.draw.choice(self.members).leaf
        before, after = self.draw.choice(
            [
                (f"{leaf} freezes", f"{leaf} thaws"),
                (f"the network cuts off {leaf}", "the network heals"),
                (f"the network cuts off {leaf} from root one way", "the network heals"),
            ]
        )
        self.say(before)
        place = len(self.lines)
        self.root_speaks()
        sent = sum(" sends " in line for line in self.lines[place:])
        self.lines.insert(place + sent, after)

    def disaster(self) -> None:
        """A leaf's process dies and another takes its place, or its interface goes and comes."""
        if not self.members:
            return
        member = self.members.pop(self.draw.randrange(len(self.members)))
        leaf, socket = member.leaf, member.socket
        if self.draw.random() < 0.6:
            self.say(f"{leaf} crashes", f"{member.handle} sees FD_CLOSE WSAECONNABORTED")
            self.say(f"{leaf} restarts")
            return
        self.say(f"{leaf} loses its interface", f"{socket} sees FD_CLOSE WSAENETDOWN")
        self.say(f"{member.handle} sees FD_CLOSE WSAECONNABORTED", f"{leaf} regains its interface")

    def end(self) -> None:
        """Dismantle the session, or let everybody go first."""
        if self.draw.random() < 0.4:
            while self.members:
                self.part()
        self.say(self.draw.choice(["root closes R", "root shuts down R"]))
        self.say(*(f"{member.socket} sees FD_CLOSE" for member in self.members))


def network(draw: random.Random, hosts: list[str]) -> list[str]:
    """Draw what is wrong with a network."""
    kinds: list[Callable[[], str]] = [
        lambda: f"drop {draw.choice((1, 2, 5, 8))} % of messages{_link(draw, hosts)}",
        lambda: f"duplicate {draw.choice((2, 10, 30))} % of messages{_link(draw, hosts)}",
        lambda: f"reorder {draw.choice((2, 10, 30))} % of messages{_link(draw, hosts)}",
        lambda: f"corrupt {draw.choice((1, 3))} % of messages{_link(draw, hosts)}",
        lambda: f"hold {draw.choice((5, 20))} % of messages for 1 to 40 ms{_link(draw, hosts)}",
        lambda: f"hold every message for 1 to {draw.choice((2, 5, 12))} ms",
        lambda: "send at most 2 Mbit/s",
        lambda: f"freeze {draw.choice(hosts)} after 4 % of messages for 5 to 60 ms",
    ]
    return [kind() for kind in draw.sample(kinds, draw.randint(0, 4))]


def _link(draw: random.Random, hosts: list[str]) -> str:
    return draw.choice(("", "", "", f" from {draw.choice(hosts)}", f" to {draw.choice(hosts)}"))


def from_library(seed: int, library: Sequence[Path]) -> tuple[Path, list[str]]:
    """Draw a testbed of the library, and faults for it; its script may not hold with them."""
    draw = random.Random(f"library {seed}")
    path = draw.choice(library)
    hosts = [host.name for host in testbeds.load(path).hosts]
    return path, network(draw, hosts)


def drawn(seed: int, *, disasters: bool = True) -> str:
    """Draw a testbed; the same one for the same seed."""
    draw = random.Random(f"testbed {seed}")
    leaves = [f"leaf{number}" for number in range(1, draw.randint(2, 5))]
    hosts = ["root", *leaves]
    lines = [
        f"about: Testbed number {seed} of those that are drawn.",
        f"networks: {{lan: {{family: {draw.choice(('inet', 'inet6'))}}}}}",
        f"hosts: [{', '.join(hosts)}]",
        f"seed: {seed}",
        f"timers: {{scale: {SCALE}}}",
    ]
    faults = network(draw, hosts)
    lines += ["faults:", *(f"  - {fault}" for fault in faults)] if faults else []
    story = Story(draw, draw.choice(PROTOCOLS), leaves, disasters).tell()
    return "\n".join([*lines, "script:", *(f"  - {line}" for line in story)]) + "\n"
