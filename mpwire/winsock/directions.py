"""From dwFlags of WSPJoinLeaf to LeafDir of the wire, and back (W14, W62, D14)."""

from typing import Final

from mpwire.vocabulary import JoinFlag, SocketFlag
from mpwire.wire.registries import LeafDirection

LEAF_DIRECTION: Final = {
    JoinFlag.SENDER_ONLY: LeafDirection.SEND,
    JoinFlag.RECEIVER_ONLY: LeafDirection.RECEIVE,
    JoinFlag.BOTH: LeafDirection.SEND | LeafDirection.RECEIVE,
}
"""What dwFlags of a joining leaf allow the leaf."""
MIRRORED: Final = {
    JoinFlag.SENDER_ONLY: LeafDirection.RECEIVE,
    JoinFlag.RECEIVER_ONLY: LeafDirection.SEND,
    JoinFlag.BOTH: LeafDirection.SEND | LeafDirection.RECEIVE,
}
"""What dwFlags of an inviting root, which speak of the root (D14), allow the leaf."""
FLAG_OF_DIRECTION: Final = {direction: flag for flag, direction in LEAF_DIRECTION.items()}


def leaf_direction(flag: JoinFlag, flags: SocketFlag) -> LeafDirection:
    """Return LeafDir of a socket that joins by itself: its direction, and whether it is d_root."""
    d_root = LeafDirection.D_ROOT if flags & SocketFlag.D_ROOT else LeafDirection(0)
    return LEAF_DIRECTION[flag] | d_root


def flag_of(direction: int) -> JoinFlag:
    """Return in which directions a leaf acts that was invited: the invitation says it."""
    return FLAG_OF_DIRECTION[LeafDirection(direction & ~LeafDirection.D_ROOT)]
