"""Follow joins of nonrooted sessions: nobody is asked, the member announces itself to a group."""

from dataclasses import dataclass, field

from mpwire.oracle.calls import AgentLog, Call
from mpwire.oracle.history import History
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Kind, Socket, SocketTable, endpoint_of
from mpwire.oracle.trace import NEVER, Endpoint, Packet, Position, Trace, is_multicast
from mpwire.wire.messages import Announce, Data
from mpwire.wire.numbers import AnnounceKind


@dataclass(slots=True, eq=False)
class Opening:
    """One WSPJoinLeaf to a group, and what its member announced."""

    call: Call
    socket: Socket
    group: Endpoint
    announcements: list[Packet] = field(default_factory=list)
    """What left with the MemberTag of this join, in order."""
    reported: Position = NEVER
    """Where the host's first membership report for the group left after the call."""

    @property
    def receives(self) -> bool:
        """Tell whether the member is given what others send."""
        return self.call.text("flags") != "SENDER_ONLY"

    @property
    def sends(self) -> bool:
        """Tell whether the member may send."""
        return self.call.text("flags") != "RECEIVER_ONLY"

    @property
    def began(self) -> Position:
        """Return where the first announcement left."""
        return self.announcements[0].position if self.announcements else NEVER

    @property
    def ended(self) -> Position:
        """Return where the first LEAVE left, or the socket or its process was gone."""
        kinds = ((p.position, read(p, Announce).kind) for p in self.announcements)
        leaves = (position for position, kind in kinds if kind == AnnounceKind.LEAVE)
        return min(self.socket.gone, next(leaves, NEVER))

    def confined(self, log: AgentLog) -> bool:
        """Tell whether the application keeps what the socket sends inside its host (scope 0)."""
        for call in log.calls:
            words = (call.name, *(value for value in call.args.values() if isinstance(value, str)))
            scoped = any("scope" in word.lower() for word in words)
            if scoped and call.socket == self.socket.descriptor and 0 in call.args.values():
                return True
        return False

    def given(self, history: History) -> list[Packet]:
        """Return the first copies of DATA that others sent to the group and the host was given."""
        found: dict[tuple[object, ...], Packet] = {}
        shelf = history.groups.get(self._session())
        for packet in shelf.arrived(Data) if shelf is not None else ():
            message = read(packet, Data)
            here = packet.host == self.call.host and packet.destination == self.group
            own = self.socket.is_at(packet.source) and message.sender_id == self._member_id()
            if here and not own and self.call.asked < packet.position < self.socket.closed:
                found.setdefault((packet.source, message.origin, message.seq), packet)
        return list(found.values())

    def _session(self) -> int:
        return read(self.announcements[0], Announce).session_id if self.announcements else 0

    def _member_id(self) -> int:
        return read(self.announcements[0], Announce).sender_id if self.announcements else 0


def openings(
    trace: Trace, history: History, table: SocketTable, logs: dict[str, AgentLog]
) -> list[Opening]:
    """Tie every join to a group to the announcements that followed it."""
    found: list[Opening] = []
    taken: set[int] = set()
    asked = [(call, socket) for socket in table.all for call in socket.joins if call.host in logs]
    for call, socket in sorted(asked, key=lambda pair: pair[0].asked):
        group = endpoint_of(call.args.get("address"))
        failed = call.error is not None or call.invalid is not None
        if group is None or socket.kind is not Kind.LEAF or failed or not _is_group(group):
            continue
        opening = Opening(call, socket, group)
        opening.announcements = _announced(history, opening, taken)
        opening.reported = min(
            (
                report.position
                for report in trace.reports
                if report.host == call.host
                and report.group == group[0]
                and report.joins
                and report.position > call.asked
            ),
            default=NEVER,
        )
        found.append(opening)
    return found


def _is_group(group: Endpoint) -> bool:
    try:
        return is_multicast(group[0])
    except ValueError:
        return False


def _announced(history: History, opening: Opening, taken: set[int]) -> list[Packet]:
    """Choose the announcements with the first new MemberTag that left after the call."""
    tag: int | None = None
    chosen: list[Packet] = []
    for packet in history.announcements:
        message = read(packet, Announce)
        here = packet.direction == "out" and packet.host == opening.call.host
        if not here or packet.destination != opening.group:
            continue
        if packet.position < opening.call.asked or message.member_tag in taken - {tag}:
            continue
        if tag is None and message.kind == AnnounceKind.JOIN:
            tag = message.member_tag
            taken.add(tag)
        if message.member_tag == tag:
            chosen.append(packet)
    return chosen
