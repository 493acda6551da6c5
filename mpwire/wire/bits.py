"""Let fields of flags be asked for a bit as fast as numbers are."""

from enum import IntFlag


class Bits(IntFlag):
    """Flags of a field, of which `&` leaves a plain number.

    That is asked several times about every message; to make flags of it takes forty times as long.
    """

    def __init_subclass__(cls) -> None:
        """Let a class of flags do what its numbers do."""
        super().__init_subclass__()
        cls.__and__ = int.__and__  # type: ignore[assignment]
        cls.__rand__ = int.__rand__  # type: ignore[assignment]
