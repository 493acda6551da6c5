"""R19-R27: tags, sessions, member IDs, addresses."""

from typing import Any

from mpwire.core import Entropy
from mpwire.core.address import Address
from mpwire.io.driver import Driver
from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import alter, bend, divert, wrap
from mpwire.wire.messages import Abort, Accept, Challenge, Close, Data, JoinReq, Pending
from mpwire.wire.numbers import HEADER_OCTETS, ROOT_MEMBER_ID, HeaderFlag


@patch("R19", "rooted-lan", "root")
def tag_of_zero() -> None:
    """The root names itself by the tag 0."""
    bend(Pending, lambda data: data[:HEADER_OCTETS] + bytes(8) + data[HEADER_OCTETS + 8 :])


@patch("R20", "rooted-lan", "leaf3")
def tag_used_again() -> None:
    """Every attempt has the same InitTag."""
    wrap(Entropy, "tag", lambda _original, _self: 0x1234_5678_9ABC_DEF0)


@patch("R20", "rooted-lan", "root")
def tag_of_the_peer() -> None:
    """Who is asked takes the InitTag of who asks for its own."""
    alter((Pending, Accept), resp_tag=lambda message: message.destination_tag)


@patch("R21", "rooted-lan", "leaf1")
def tag_of_somebody_else() -> None:
    """CLOSE carries a tag that its receiver never had."""
    alter(Close, destination_tag=lambda message: message.destination_tag ^ 1)


@patch("R21", "rooted-asm", "root")
def group_under_a_private_tag() -> None:
    """What goes to the group carries another tag than the GroupTag."""
    alter(
        Data,
        lambda message: message.flags & HeaderFlag.M,
        destination_tag=lambda message: message.destination_tag ^ 1,
    )


@patch("R22", "rooted-lan", "leaf1")
def close_to_nobody() -> None:
    """CLOSE has Destination Tag 0."""
    bend(Close, lambda data: data[:16] + bytes(8) + data[24:])


@patch("R23", "rooted-abort", "leaf1")
def abort_as_if_reflected() -> None:
    """An ABORT of its own accord is marked as a reaction."""
    alter(Abort, flags=HeaderFlag.R)


@patch("R24", "rooted-lan", "leaf1")
def session_of_another() -> None:
    """CLOSE names another session than the handshake did."""
    alter(Close, session_id=lambda message: message.session_id + 1)


@patch("R24", "rooted-lan", "root")
def session_without_name() -> None:
    """ACCEPT of the root names no session."""
    alter(Accept, session_id=0)


@patch("R25", "rooted-lan", "leaf1")
def leaf_as_root() -> None:
    """A leaf sends DATA under the Member ID of the root."""
    alter(Data, sender_id=1)


@patch("R25", "rooted-lan", "root")
def challenged_in_own_name() -> None:
    """CHALLENGE names the root as its sender, as if there were a session already."""
    alter(Challenge, sender_id=ROOT_MEMBER_ID)


@patch("R26", "rooted-lan", "leaf1")
def close_from_elsewhere() -> None:
    """CLOSE leaves from another port than the join request did."""

    def open_two(original: Any, self: Driver, address: Address | None, family: int) -> Address:
        opened: Address = original(self, address, family)
        original(self, (opened[0], opened[1] + 1), family)
        return opened

    wrap(Driver, "open", open_two)
    divert(Close, lambda source, destination: ((source[0], source[1] + 1), destination))


@patch("R27", "rooted-lan", "leaf1")
def version_changes() -> None:
    """The copy of JOIN_REQ that brings the cookie is of another version than the first one."""
    bend(JoinReq, lambda data: data[:2] + b"\x1a" + data[3:], lambda one: one.cookie is not None)


@patch("R21", "rooted-lan", "leaf3")
def request_to_a_tag() -> None:
    """JOIN_REQ has a Destination Tag, although nobody has told one."""
    bend(JoinReq, lambda data: data[:16] + bytes(7) + b"\x01" + data[24:])
