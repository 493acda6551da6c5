"""R95-R108, EV8, EV24: groups, sessions without a root, strangers, extensions."""

from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, casting
from mpwire.core.address import Address
from mpwire.core.replies import Limiter
from mpwire.io.driver import Driver
from mpwire.io.multicast import GroupSocket
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import alter, divert, instead, wrap
from mpwire.winsock import Provider, sessions
from mpwire.wire.messages import (
    Abort,
    Announce,
    Auth,
    Close,
    CloseAck,
    Confirm,
    Data,
    EventEcho,
    JoinReq,
)
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import AbortReason, AnnounceKind

JOIN = AnnounceKind.JOIN


@patch("R95", "rooted-asm", "root")
def group_data_too_far() -> None:
    """What goes to the group may cross 64 routers, although the session says 1."""

    def far(original: Any, self: Driver, local: Address, source: Address, _hops: int) -> None:
        original(self, local, source, 64)

    wrap(Driver, "set_reach", far)


@patch("R95", "rooted-asm", "root")
def group_data_to_another_port() -> None:
    """What goes to the group goes to another port than the session says."""
    divert(
        Data,
        lambda source, peer: (source, (peer[0], peer[1] + 1) if peer[0] > "224" else peer),
    )


@patch("R95", "rooted-asm", "root")
def group_that_nobody_may_use() -> None:
    """The session uses a group of another scope than protocol and registry allow."""
    wrap(sessions, "default_group", lambda _original, *_, **__: "224.5.6.7")


@patch("R96", "rooted-asm", "leaf3")
def sender_listens_in() -> None:
    """A leaf that joined to send only joins the group, too."""

    def curious(original: Any, self: Provider, endpoint: Endpoint, member: Any) -> Any:
        code = original(self, endpoint, member)
        group = sessions.group_of(member.description)
        self.transport.set_reach(endpoint.local, member.local, 1)
        self.transport.join_group(endpoint.local, member.local, group, ())
        return code

    wrap(Provider, "hear_group", curious)


@patch("R97", "group-for-long", "leaf1")
def group_never_joined() -> None:
    """A receiving leaf does not tell its network that it wants to hear the group."""
    put(Driver, "join_group", lambda *_: None)
    put(Driver, "leave_group", lambda *_: None)


@patch("R97", "group-of-one", "leaf1")
def everybody_heard() -> None:
    """A leaf of a source-specific session joins the group for any source."""
    wrap(GroupSocket, "join", lambda original, self, _origins: original(self, ()))


@patch("R98", "open-lan", "alice")
def speaks_under_another_name() -> None:
    """DATA to the group has a Sender Member ID that its sender never announced."""
    alter(
        Data,
        sender_id=lambda message: message.sender_id ^ 1,
        origin=lambda message: message.origin ^ 1,
    )


@patch("R98", "rooted-asm", "root")
def group_tag_to_one() -> None:
    """CLOSE to a single leaf carries the GroupTag."""

    def tagged(endpoint: Endpoint, message: Close) -> list[Close]:
        assert endpoint.session is not None
        tag = endpoint.session.facts.description.group_tag
        return [replace(message, destination_tag=tag)]

    instead(Close, tagged)


@patch("R99", "rooted-asm", "leaf1")
def group_data_answered() -> None:
    """What came by the group is answered with an ABORT to its sender."""

    def answer(original: Any, endpoint: Endpoint, data: bytes, source: Any, *others: Any) -> None:
        original(endpoint, data, source, *others)
        tag = int.from_bytes(data[16:24])
        abort = Abort(
            flags=HeaderFlag.R,
            session_id=int.from_bytes(data[8:16]),
            destination_tag=tag,
            seq=int.from_bytes(data[24:28]),
            reason=AbortReason.NO_MEMBERSHIP,
            echo_seq=0,
        )
        endpoint.send(abort, endpoint.local, source)

    wrap(casting, "take_untrusted", answer)


@patch("R100", "open-lan", "alice")
def announcements_uncounted() -> None:
    """Every ANNOUNCE has the same number."""
    alter(Announce, seq=1)


@patch("R100", "open-lan", "bob")
def hold_changes() -> None:
    """HoldS changes from one ANNOUNCE to the next."""
    alter(Announce, hold_s=lambda message: message.hold_s + message.seq)


@patch("R100", "open-lan", "carol")
def enters_unannounced() -> None:
    """The first ANNOUNCE says ALIVE."""

    def alive(_endpoint: Endpoint, message: Announce) -> list[Announce]:
        return [replace(message, kind=AnnounceKind.ALIVE) if message.kind == JOIN else message]

    instead(Announce, alive)


@patch("R103", "open-lan", "bob")
def announcement_answered() -> None:
    """An ANNOUNCE to the group is answered with an ABORT to its sender."""

    def answer(original: Any, self: Endpoint, message: Any, source: Any, now_s: float) -> None:
        original(self, message, source, now_s)
        abort = Abort(
            flags=HeaderFlag.R,
            session_id=message.session_id,
            destination_tag=message.destination_tag,
            seq=message.seq,
            reason=AbortReason.NO_MEMBERSHIP,
            echo_seq=0,
        )
        self.send(abort, self.participant.local if self.participant else self.local, source)

    wrap(Endpoint, "hear_session", answer)


@patch("R104", "strangers", "leaf1")
def answers_without_limit() -> None:
    """Every datagram out of the blue is answered, however many there are."""
    wrap(Limiter, "admits", lambda _original, *_: True)


@patch("R105", "rooted-lan", "leaf1")
def authenticated_once() -> None:
    """JOIN_REQ carries AUTH, and nothing after it does."""
    auth = Auth(key_id=1, alg=1, counter=1, icv=bytes(16))
    alter(JoinReq, flags=HeaderFlag.A, auth=auth)


@patch("R108", "rooted-lan", "leaf3")
def counts_go_back() -> None:
    """EVENT_ECHO counts fewer events each time."""
    counted = [9]

    def echo(_message: Any) -> tuple[EventEcho, ...]:
        counted[0] -= 1
        return (EventEcho(event=0, socket_kind=1, error=0, count=counted[0]),)

    alter((Confirm, CloseAck), event_echo=echo)
