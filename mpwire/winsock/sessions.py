"""What a root makes of its socket's protocol: the session that SESSION_DESC describes."""

from ipaddress import ip_address
from typing import Final

from mpwire.core import Entropy, Session, SessionFacts
from mpwire.core.address import Address, parse_host
from mpwire.core.groups import default_group
from mpwire.vocabulary import SocketFlag
from mpwire.winsock.protocols import Multicast
from mpwire.winsock.sockets import Socket
from mpwire.wire.messages import SessionDesc
from mpwire.wire.registries import AddressFamily, RepairMode

MAXIMUM_RATE_PPS: Final = 100_000
"""Announced bound on a session's group data (SESSION_DESC.MaxRate)."""


def new_session(socket: Socket, local: Address, entropy: Entropy) -> Session:
    """Return the session of an R that is bound to `local`."""
    entry = socket.protocol
    group_tag, session_id = entropy.tag(), entropy.tag()
    host, port = "", local[1]
    if entry.multicast is not Multicast.NONE:
        specific = entry.multicast is Multicast.ONE_SOURCE
        host = default_group(session_id, socket.family, specific=specific)
        if socket.options.group is not None:
            host, port = socket.options.group
    description = SessionDesc(
        planes=entry.planes,
        family=AddressFamily(socket.family) if host else AddressFamily.NONE,
        data_port=port,
        group_tag=group_tag,
        max_rate=MAXIMUM_RATE_PPS,
        max_payload=entry.max_payload_octets,
        hop_limit=socket.options.scope,
        repair=RepairMode.ON,
        group=parse_host(host).packed if host else b"",
    )
    facts = SessionFacts(session_id, description, entropy.sequence())
    awaits_d_root = entry.data_rooted and not socket.flags & SocketFlag.D_ROOT
    return Session(facts, awaits_d_root=awaits_d_root)


def group_of(description: SessionDesc) -> Address:
    """Return the group of a multicast session."""
    return str(ip_address(description.group)), description.data_port
