"""How the leaves of a multicast session come to hear its group (protocol.md 11.6)."""

from mpwire.core import Endpoint, Membership, casting
from mpwire.vocabulary import WsaError
from mpwire.winsock.base import ProviderBase
from mpwire.winsock.errors import SocketError
from mpwire.winsock.sessions import group_of
from mpwire.wire.registries import Capability, LeafDirection, Planes


class Hearing(ProviderBase):
    """Join groups for members, and leave them."""

    def hear_group(self, endpoint: Endpoint, member: Membership) -> WsaError:
        """Listen to the group of a session that this end has joined, before CONFIRM leaves (LF7).

        Who only sends does not (R96), nor who cannot receive multicast: copies come to it alone.

        Returns:
            SUCCESS, or why there is no hearing it: WSAENOBUFS, WSAENETUNREACH.
        """
        description = member.description
        assert description is not None
        hears = member.leaf_dir & LeafDirection.RECEIVE and member.agreed & Capability.MCAST_RX
        if not (hears and description.group):
            return WsaError.SUCCESS
        group = group_of(description)
        if group not in endpoint.groups:
            origins = (member.peer[0],) if description.planes & Planes.SSM else ()
            try:
                self.transport.set_reach(endpoint.local, member.local, description.hop_limit)
                self.transport.join_group(endpoint.local, member.local, group, origins)
            except SocketError as error:
                known = error.code is WsaError.WSAENOBUFS
                return error.code if known else WsaError.WSAENETUNREACH
        casting.hear(endpoint, group, description.group_tag, member)
        return WsaError.SUCCESS

    def stop_hearing(self, endpoint: Endpoint, member: Membership) -> None:
        """Listen no more for a member that has ended."""
        group = casting.stop_hearing(endpoint, member)
        if group is not None:
            self.transport.leave_group(endpoint.local, group)
