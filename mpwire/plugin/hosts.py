"""Hosts and sockets of a lab, with a method for each kind of step.

Every method says one sentence of the step language (docs/testbeds.md): what it does, and when it
returns, is written there. Sockets and hosts are known by their names, and may be given by them.
"""

from typing import Literal, Protocol

from mpwire.plugin.sentences import quoted

__tracebackhide__ = True
"""A test's traceback ends in the test."""

Octets = bytes | str
Flow = tuple[int, int]
"""A flow specification: octets per second that it sends and receives."""
Direction = Literal["for sending only", "for receiving only"]


class Speaker(Protocol):
    """Whoever carries sentences out; `mpwire.plugin.lab.Lab` does."""

    def do(self, *sentences: str) -> bytes | None:
        """Carry sentences out and return what the last one has received."""

    def events(self, socket: "str | Socket") -> tuple[str, ...]:
        """List what a socket has reported."""


class Expect(Protocol):
    """What the fixtures `expect`, `never` and `exactly_once` give."""

    def __call__(self, subject: "str | Socket", event: str | None = None, /) -> None:
        """Wait for something, or claim something; see `mpwire.plugin.lab.Lab`."""


class Named:
    """Something that the sentences know by a name."""

    def __init__(self, speaker: Speaker, name: str) -> None:
        """Stand for what has a name."""
        self.name = name
        self._lab = speaker

    def __str__(self) -> str:
        """Give the name, so that a sentence may be written with it."""
        return self.name

    def __repr__(self) -> str:
        """Tell kind and name."""
        return f"<{type(self).__name__} {self.name}>"


class Host(Named):
    """A host of a lab."""

    def opens(
        self,
        socket: str,
        roles: str,
        *,
        protocol: str | None = None,
        port: int | None = None,
        over: Literal["inet", "inet6"] | None = None,
        scope: int | None = None,
        binding: bool = True,
        events: bool = True,
    ) -> "Socket":
        """Open a socket; `roles` is such as `c_leaf/d_leaf`, or `an ordinary socket`."""
        self._lab.do(
            f"{self} opens {socket} as {roles}"
            + _of(" of protocol", protocol)
            + _of(" on port", port)
            + _of(" over", over)
            + _of(" at scope", scope)
            + ("" if binding else " without binding")
            + ("" if events else " without events")
        )
        return Socket(self._lab, self, socket)

    def crashes(self) -> None:
        """Kill the agent."""
        self._lab.do(f"{self} crashes")

    def restarts(self) -> None:
        """Start the agent anew."""
        self._lab.do(f"{self} restarts")

    def freezes(self) -> None:
        """Stop the agent where it is."""
        self._lab.do(f"{self} freezes")

    def thaws(self) -> None:
        """Let a frozen agent go on."""
        self._lab.do(f"{self} thaws")

    def loses_its_interface(self) -> None:
        """Set the network interface down."""
        self._lab.do(f"{self} loses its interface")

    def regains_its_interface(self) -> None:
        """Set the network interface up again."""
        self._lab.do(f"{self} regains its interface")

    def loses_its_addresses(self) -> None:
        """Take the addresses of the network interface."""
        self._lab.do(f"{self} loses its addresses")

    def regains_its_addresses(self) -> None:
        """Give the addresses back."""
        self._lab.do(f"{self} regains its addresses")

    def has_network_of(self, octets_per_s: int | None) -> None:
        """Tell the agent what its network carries from now on; None: all that it ever did."""
        told = "everything" if octets_per_s is None else f"{octets_per_s} octets/s"
        self._lab.do(f"the network of {self} carries {told}")

    def finds_protocol(
        self,
        protocol: str,
        control: Literal["rooted", "nonrooted"],
        data: Literal["rooted", "nonrooted"],
    ) -> None:
        """Look a protocol entry up and compare its planes."""
        self._lab.do(f"{self} finds protocol {protocol} with {control} control and {data} data")

    def tries(self, roles: str, protocol: str, *, gets: str) -> None:
        """Try to create a socket that its protocol does not have."""
        self._lab.do(f"{self} tries {roles} of protocol {protocol} and gets {gets}")

    def finds_event_object(self, state: Literal["signalled", "reset"]) -> None:
        """Compare whether the event object of selections without reports is set."""
        self._lab.do(f"{self} finds its event object {state}")

    def is_cut_off(self, peer: "Host | str | None" = None, *, one_way: bool = False) -> None:
        """Let nothing pass between this host and another, or all."""
        way = " one way" if one_way else ""
        self._lab.do(f"the network cuts off {self}{_of(' from', peer)}{way}")


class Socket(Named):
    """A socket of a host."""

    def __init__(self, speaker: Speaker, host: Host, name: str) -> None:
        """Stand for a socket that a step makes."""
        super().__init__(speaker, name)
        self.host = host

    @property
    def events(self) -> tuple[str, ...]:
        """List what it has reported so far, as the sentences write it."""
        return self._lab.events(self)

    def _does(self, sentence: str, gets: str | None = None) -> bytes | None:
        return self._lab.do(f"{self.host} {sentence}{_of(' and gets', gets)}")

    def duplicates(self, new: str) -> "Socket":
        """Make another descriptor of the same socket."""
        self._does(f"duplicates {self} as {new}")
        return Socket(self._lab, self.host, new)

    def connects(
        self, target: "Socket | Host | str", *, port: int | None = None, gets: str | None = None
    ) -> None:
        """Ask for an ordinary connection to a socket or a host."""
        self._does(f"connects {self} to {target}{_of(' at port', port)}", gets)

    def finds(
        self, ready: Literal["readable and writable", "readable", "writable", "not ready"]
    ) -> None:
        """Look what can be done with it without waiting."""
        self._does(f"finds {self} {ready}")

    def selects(self, *events: str, reports: bool = True) -> None:
        """Select events anew; none at all cancels the selection."""
        wanted = ", ".join(events) or "nothing"
        self._does(f"selects {wanted} on {self}{'' if reports else ' without reports'}")

    def listens(self, backlog: int | None = None, *, gets: str | None = None) -> None:
        """Let requests or invitations queue."""
        self._does(f"listens on {self}{_of(' with backlog', backlog)}", gets)

    def joins(
        self,
        target: "Socket | Host | str",
        direction: Direction | None = None,
        *,
        port: int | None = None,
        caller_data: Octets | None = None,
        room: int | None = None,
        flow: Flow | None = None,
        gets: str | None = None,
    ) -> None:
        """Ask the root for membership; `target` is its socket or its host."""
        options = _join_options(direction, port, caller_data, room) + _flow(flow)
        self._does(f"joins {target} with {self}{options}", gets)

    def joins_group(
        self,
        group: str,
        direction: Direction | None = None,
        *,
        port: int | None = None,
        caller_data: Octets | None = None,
        gets: str | None = None,
    ) -> None:
        """Join the session of an IP group."""
        options = _join_options(direction, port, caller_data, None)
        self._does(f"joins group {group} with {self}{options}", gets)

    def invites(
        self,
        target: "Socket | Host | str",
        new: str | None = None,
        direction: Direction | None = None,
        *,
        port: int | None = None,
        caller_data: Octets | None = None,
        room: int | None = None,
        flow: Flow | None = None,
        gets: str | None = None,
    ) -> "Socket":
        """Invite a listening leaf; `new` names the socket that stands for it.

        Without a new socket the call has to fail: `gets` says how.
        """
        options = _join_options(direction, port, caller_data, room) + _flow(flow)
        self._does(
            f"invites {target} with {self}{_of(' as', new)}{_of(' and gets', gets)}{options}"
        )
        return Socket(self._lab, self.host, new or "")

    def accepts(
        self,
        peer: Host | str,
        new: str | None = None,
        *,
        callee_data: Octets | None = None,
        gets: str | None = None,
    ) -> "Socket":
        """Accept whoever is at the head of the queue, who has to be `peer`.

        Without a new socket the call has to fail: `gets` says how.
        """
        data = "" if callee_data is None else f" with callee data {quoted(callee_data)}"
        self._does(f"accepts {peer} on {self}{_of(' as', new)}{data}", gets)
        return Socket(self._lab, self.host, new or "")

    def rejects(self, peer: Host | str) -> None:
        """Refuse whoever is at the head of the queue."""
        self._does(f"rejects {peer} on {self}")

    def defers(self, peer: Host | str) -> None:
        """Leave whoever is at the head of the queue undecided."""
        self._does(f"defers {peer} on {self}")

    def join_succeeds(self) -> None:
        """Wait for the join to succeed."""
        self._lab.do(f"the join on {self} succeeds")

    def join_fails(self, error: str) -> None:
        """Wait for the join to fail."""
        self._lab.do(f"the join on {self} fails with {error}")

    def cancels_join(self) -> None:
        """End its blocking join before its time."""
        self._does(f"cancels the join on {self}")

    def sets_flow(self, flow: Flow, *, gets: str | None = None) -> None:
        """State what later joins ask of the network."""
        self._does(f"sets flow of {self}{_flow(flow)}", gets)

    def has_flow(self, flow: Flow = (0, 0), *, gets: str | None = None) -> None:
        """Compare what the network carries of what it asked for."""
        self._does(f"reads flow of {self}{_flow(flow)}", gets)

    def awaits_addresses(self, *, gets: str | None = None) -> None:
        """Ask to be told once when an address of the host comes or goes."""
        self._does(f"awaits a change of its addresses on {self}", gets)

    def awaits_way_to(self, peer: Host | str, *, gets: str | None = None) -> None:
        """Ask to be told once when no address of the host, or another one, reaches a peer."""
        self._does(f"awaits a change of its way to {peer} on {self}", gets)

    def has_error(self, error: str | None) -> None:
        """Compare the error that the socket keeps, which reading clears."""
        self._does(f"reads {f'error {error}' if error else 'no error'} on {self}")

    def has_callee_data(self, data: Octets) -> None:
        """Compare what came back with the join."""
        self._does(f"reads callee data {quoted(data)} on {self}")

    def turns_loopback(self, state: Literal["on", "off"], *, gets: str | None = None) -> None:
        """Say whether what it sends comes back to it."""
        self._does(f"turns loopback of {self} {state}", gets)

    def sets_scope(self, scope: int, *, gets: str | None = None) -> None:
        """Say how far its group data goes."""
        self._does(f"sets scope of {self} to {scope}", gets)

    def sends(self, data: Octets, *, private: bool = False, gets: str | None = None) -> None:
        """Send one message."""
        self._does(f"sends {quoted(data)} on {self}{' in private' if private else ''}", gets)

    def receives(
        self, data: Octets | None = None, *, private: bool = False, gets: str | None = None
    ) -> bytes:
        """Wait for a message and return it; compare it, if `data` is given.

        With `gets` the call is made at once and has to fail.
        """
        if gets is not None:
            self._does(f"receives on {self}", gets)
            return b""
        what = "something" if data is None else quoted(data)
        return self._does(f"receives {what} on {self}{' in private' if private else ''}") or b""

    def shuts_down(
        self, how: Literal["sending", "receiving"] | None = None, *, gets: str | None = None
    ) -> None:
        """End both directions, or one."""
        self._does(f"shuts down {self}{_of(' for', how)}", gets)

    def parts_with(self, data: Octets, *, gets: str | None = None) -> None:
        """End the direction of sending with a last word."""
        self._does(f"parts with {quoted(data)} on {self}", gets)

    def reads_parting_words(self, data: Octets, *, gets: str | None = None) -> None:
        """End the direction of receiving and compare the last word that has come."""
        self._does(f"reads parting words {quoted(data)} on {self}", gets)

    def sets_linger(self, seconds: int | None, *, gets: str | None = None) -> None:
        """Say how long a close waits for unsent data; None: it does not wait."""
        told = "off" if seconds is None else f"to {seconds} seconds"
        self._does(f"sets linger of {self} {told}", gets)

    def closes(self, *, gets: str | None = None) -> None:
        """Give the descriptor back."""
        self._does(f"closes {self}", gets)

    def enumerates(self, *sights: str, resetting: bool = False, only: bool = False) -> None:
        """Read the record by hand and compare all of it.

        Args:
            sights: what is in it, each such as `FD_CONNECT` or `FD_CONNECT WSAECONNREFUSED`.
            resetting: reset the event object with it.
            only: compare that no other error codes are written.
        """
        options = " resetting its event object" if resetting else ""
        options += " touching nothing else" if only else ""
        self._does(f"enumerates {', '.join(sights) or 'nothing'} on {self}{options}")

    def enumerates_without_event_object(self, *, gets: str) -> None:
        """Read the record by hand and name an event object that is none."""
        self._does(f"enumerates on {self} without an event object", gets)

    def sees(self, *sights: str) -> None:
        """Wait for events, each such as `FD_CONNECT` or `FD_CONNECT WSAECONNREFUSED`.

        Without any, let everything settle: nothing new was reported.
        """
        self._lab.do(f"{self} sees {', '.join(sights) or 'nothing'}")


def _of(words: str, value: object) -> str:
    return "" if value is None else f"{words} {value}"


def _flow(flow: Flow | None) -> str:
    if flow is None:
        return ""
    return f" sending {flow[0]} octets/s receiving {flow[1]} octets/s"


def _join_options(
    direction: str | None, port: int | None, caller_data: Octets | None, room: int | None
) -> str:
    data = None if caller_data is None else quoted(caller_data)
    parts = _of("", direction), _of(" at port", port), _of(" with caller data", data)
    return "".join(parts) + ("" if room is None else f" with room for {room} octets")
