"""Which frame it is that comes out of a bridge."""

from mpwire.lab.underway import NONE, WINDOW_COUNT, Sent, UnderWay


def under_way(*frames: tuple[int, str, bytes], networks: dict[str, str] | None = None) -> UnderWay:
    """Give frames to a bridge: number, sender, octets."""
    made = UnderWay(networks or {})
    for number, sender, octets in frames:
        made.add(Sent(number, sender), octets)
    return made


def test_every_receiver_gets_a_frame_once() -> None:
    passing = under_way((1, "a", b"x"))
    assert passing.out(b"x", "b") == passing.out(b"x", "c") == Sent(1, "a")
    assert passing.out(b"x", "b") is None
    assert passing.out(b"x", "a") is None, "a bridge sends nothing back"
    assert passing.out(b"y", "b") is None


def test_of_equal_frames_the_newest_comes_out() -> None:
    passing = under_way((1, "a", b"x"), (4, "a", b"x"))
    assert passing.out(b"x", "b") == Sent(4, "a")
    assert passing.out(b"x", "b") == Sent(1, "a")


def test_networks_have_nothing_to_do_with_each_other() -> None:
    networks = {"a": "one", "b": "one", "c": "two", "d": "two"}
    passing = under_way((1, "a", b"x"), (2, "c", b"x"), networks=networks)
    assert passing.out(b"x", "b") == Sent(1, "a")
    assert passing.out(b"x", "d") == Sent(2, "c")


def test_what_came_out_for_nobody_is_told_when_it_is_forgotten() -> None:
    passing = under_way((1, "a", b"x"), (2, "a", b"y"), (3, "a", b"y"))
    passing.out(b"y", "b")
    assert [sent.number for sent in passing.forget(2)] == [1, 2]
    assert passing.out(b"x", "b") is None
    assert passing.newest == 3
    assert list(passing.forget(3)) == []
    assert (len(passing), passing.newest) == (0, 0)


def test_no_more_are_known_than_can_be_under_way() -> None:
    passing = under_way(*((number, "a", b"x") for number in range(1, WINDOW_COUNT + 3)))
    assert [sent.number for sent in passing.forget(NONE)] == [1, 2]
    assert len(passing) == WINDOW_COUNT
