"""How much of a long capture is held at a time."""

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """How much of a capture is held at a time."""

    whole: int = 20_000
    """A capture of no more frames is one case."""
    batch: int = 8_000
    """So many frames of exchanges that are over are judged together."""
    over: int = 30_000
    """So many frames of exchanges that are over may wait for stragglers."""
    repeated: int = 50_000
    """So many frames of what memberships send again and again may wait for their end."""
    most: int = 30_000
    """A dossier of so many frames is judged as far as it has come."""
    quiet_ns: int = 40_000_000_000
    """After so long no straggler comes to exchanges that are over: T_LINGER."""
    idle_ns: int = 600_000_000_000
    """After so long nothing comes any more to exchanges that are not over."""
    patience: int = 8
    """With so many repeated frames of a dossier it is learned what its members repeat."""
    stride: int = 2_000
    """After so many frames that is learned."""
    tidy: int = 256
    """After so many frames it is looked for what is over, or too much."""
    odd: int = 2_000
    """So many datagrams that are no messages wait for their addresses to speak MPW."""
    held: int = 8_000
    """So many further frames and records of a run are read before it is looked what is settled."""
    growth: float = 0.5
    """At least so many times what was held before, so that little is judged very often."""
    share: float = 0.25
    """If less than this share of it is settled, nothing is forgotten yet."""
    quiet: float = 1.25
    """After so many times the longest announced wait no straggler comes in a run."""
