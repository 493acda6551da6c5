"""Mutants repeat by their seed, are often valid, and are seldom what was sent."""

from random import Random

from mpwire.testing.actor import admit, leaf_actor, root_actor
from mpwire.testing.bus import Bus, Transit
from mpwire.testing.mangling import mutant
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.errors import DecodeError


def transits() -> list[Transit]:
    """Return what a short session puts on the wire, and an empty datagram."""
    bus = Bus()
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf).close()
    bus.run(1)
    return [*bus.trace, Transit(0.0, leaf.address, root.address, b"", copies=1)]


def is_valid(data: bytes) -> bool:
    """Tell whether the codec takes it."""
    try:
        decode_untrusted(data)
    except DecodeError:
        return False
    return True


def test_the_same_seed_gives_the_same_mutants() -> None:
    sent = transits()
    one, two = Random(1), Random(1)
    assert [mutant(one, sent) for _ in range(50)] == [mutant(two, sent) for _ in range(50)]


def test_many_mutants_are_valid_and_most_are_new() -> None:
    sent, random = transits(), Random(2)
    mutants = [mutant(random, sent).data for _ in range(1000)]
    valid = [data for data in mutants if is_valid(data)]
    new = set(mutants) - {transit.data for transit in sent}
    assert len(new) > 600
    assert 300 < len(valid) < 900
    assert sum(is_valid(data) for data in new) > 200
