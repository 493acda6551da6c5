"""Break W1 to W7: protocol entries, and making sockets."""

from dataclasses import replace

from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.protocols import C_FLAGS, D_FLAGS, Protocol, ProtocolEntry, ServiceFlag
from mpwire.winsock.sockets import Role
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

PAIRS = {
    c | d
    for c in (SocketFlag.C_ROOT, SocketFlag.C_LEAF)
    for d in (SocketFlag.D_ROOT, SocketFlag.D_LEAF)
}


@breaks(1)
def multipoint_is_not_claimed(patch: MonkeyPatch) -> None:
    """Protocol entries have plane bits, but not the bit that makes them count."""

    def wrong(original: Original, *others: object) -> list[ProtocolEntry]:
        bit = ServiceFlag.SUPPORT_MULTIPOINT
        return [replace(one, service_flags=one.service_flags & ~bit) for one in original(*others)]

    wrap(patch, Provider, "enum_protocols", wrong)


@breaks(2)
def one_entry_for_both_data_planes(patch: MonkeyPatch) -> None:
    """What differs from another protocol in its data plane only has no entry of its own."""

    def wrong(original: Original, *others: object) -> list[ProtocolEntry]:
        conferences = {Protocol.MPW_CONFERENCE, Protocol.MPW_CONFERENCE_ASM}
        return [entry for entry in original(*others) if entry.protocol not in conferences]

    wrap(patch, Provider, "enum_protocols", wrong)


@breaks(3)
def missing_plane_is_guessed(patch: MonkeyPatch) -> None:
    """A socket with a C flag but no D flag is made, as a d_leaf."""

    def wrong(
        original: Original, self: Provider, flags: SocketFlag, *others: object, **named: object
    ) -> object:
        if flags & C_FLAGS and not flags & D_FLAGS:
            flags |= SocketFlag.D_LEAF
        return original(self, flags, *others, **named)

    wrap(patch, Provider, "socket", wrong)


@breaks(3)
def roles_may_be_mixed(patch: MonkeyPatch) -> None:
    """A socket may have both flags of one plane."""

    def wrong(original: Original, entry: ProtocolEntry, flags: SocketFlag) -> None:
        if flags & C_FLAGS != C_FLAGS:
            original(entry, flags)

    wrap(patch, ProtocolEntry, "check_flags", wrong)


@breaks(4)
def roots_of_planes_without_a_root(patch: MonkeyPatch) -> None:
    """C_ROOT and D_ROOT are allowed on planes that are not rooted."""

    def wrong(original: Original, entry: ProtocolEntry, flags: SocketFlag) -> None:
        try:
            original(entry, flags)
        except SocketError:
            if flags & ~SocketFlag.OVERLAPPED not in PAIRS:
                raise

    wrap(patch, ProtocolEntry, "check_flags", wrong)


@breaks(5)
def mixed_pairs_cannot_be_made(patch: MonkeyPatch) -> None:
    """A c_root is always a d_root, and a c_leaf a d_leaf."""

    def wrong(original: Original, entry: ProtocolEntry, flags: SocketFlag) -> None:
        original(entry, flags)
        if bool(flags & SocketFlag.C_ROOT) is not bool(flags & SocketFlag.D_ROOT):
            raise SocketError(WsaError.WSAEINVAL, f"{flags!r} mixes the roles")

    wrap(patch, ProtocolEntry, "check_flags", wrong)


@breaks(6)
def ordinary_sockets_are_leaves(patch: MonkeyPatch) -> None:
    """A socket made without flags is a c_leaf all the same, and may join."""

    def wrong(original: Original, self: Provider, *others: object, **named: object) -> object:
        handle = original(self, *others, **named)
        if self.sockets[handle].role is Role.PLAIN:
            self.sockets[handle].role = Role.LEAF
        return handle

    wrap(patch, Provider, "socket", wrong)


@breaks(7)
def selection_leaves_the_mode_alone(patch: MonkeyPatch) -> None:
    """WSPEventSelect does not make a blocking socket nonblocking."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        blocking = self.sockets[handle].blocking
        original(self, handle, *others)
        self.sockets[handle].blocking = blocking

    wrap(patch, Provider, "event_select", wrong)


@breaks(7)
def selected_socket_may_block(patch: MonkeyPatch) -> None:
    """FIONBIO off is accepted while a selection is active."""

    def wrong(_original: Original, self: Provider, handle: int, *, blocking: bool) -> None:
        self.find(handle).blocking = blocking

    wrap(patch, Provider, "set_blocking", wrong)
