"""Whom data is for: where a leaf is the root of a rooted data plane, not for whoever is given it.

The c_root may be a d_leaf (docs/protocol.md 11.7), and a session without a root may have a d_root
all the same (21.5). What the d_root sends is for all; what others send is for the d_root alone.
"""

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.opening import Opening
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Packet
from mpwire.wire.messages import Announce
from mpwire.wire.numbers import LeafDirection, Planes

COLLECTING = ("MPW_COLLECT", 7)
"""Names of the protocol whose control plane has no root and whose data plane has one."""


def leading_leaves(case: Case, session_id: int) -> set[int]:
    """Return the Member IDs of the leaves of a session that joined as its d_root."""
    known = case.leading.get(session_id)
    if known is None:
        known = case.leading[session_id] = {
            membership.leaf_id
            for membership in case.history.of_session(session_id)
            if membership.leaf_dir & LeafDirection.D_ROOT
        }
        known |= case.remains.leading.get(session_id, set())
    return known


def is_meant(case: Case, end: End, origin: int) -> bool:
    """Tell whether what a member sends is for one side of a membership, and not only sent to it."""
    leading = leading_leaves(case, end.membership.session_id)
    return not leading or origin in leading or end.member_id in leading


def awaits_d_root(case: Case, end: End) -> bool:
    """Tell whether a root is a d_leaf of a rooted data plane, and this member no d_root."""
    socket = case.session_socket(end)
    rooted = end.membership.planes & Planes.DATA_ROOTED and end.is_root
    leaf = socket is not None and "D_LEAF" in socket.flags
    return bool(rooted) and leaf and not end.membership.leaf_dir & LeafDirection.D_ROOT


def collects(opening: Opening) -> bool:
    """Tell whether a nonrooted session has a rooted data plane."""
    return opening.socket.maker.args.get("protocol") in COLLECTING


def leads(opening: Opening) -> bool:
    """Tell whether a participant is meant to be the d_root."""
    return "D_ROOT" in opening.socket.flags


def appearances(case: Case, opening: Opening) -> list[Packet]:
    """List the first announcement of every d_root that a participant's host was given."""
    found: dict[int, Packet] = {}
    for packet in case.history.announcements:
        here = packet.direction == "in" and packet.host == opening.call.host
        message = read(packet, Announce)
        alive = packet.destination == opening.group and packet.position > opening.call.asked
        if here and alive and message.leaf_dir & LeafDirection.D_ROOT:
            found.setdefault(message.member_tag, packet)
    return list(found.values())
