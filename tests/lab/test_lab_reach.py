"""Who can be reached: what a script takes, and what is given back at its end."""

from mpwire.lab.decide import Decider
from mpwire.lab.reach import Reach
from mpwire.lab.topology import Network, derive

TOPOLOGY = derive([Network(name="lan", families=("inet",))], {"root": "lan", "leaf1": "lan"})


class Taken:
    """Take note of what a fabric is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def set_interface(self, host: str, *, is_up: bool) -> None:
        self.told.append(f"{host} {'up' if is_up else 'down'}")

    def remove_addresses(self, host: str) -> None:
        self.told.append(f"{host} without addresses")

    def part(self, host: str, *, is_apart: bool) -> None:
        self.told.append(f"{host} {'apart' if is_apart else 'together'}")


def reach(fabric: Taken) -> Reach:
    return Reach(TOPOLOGY, fabric, Decider((), 1))


def test_what_is_gone_is_not_taken_again_and_comes_back_once() -> None:
    fabric = Taken()
    script = reach(fabric)
    script.remove_addresses("leaf1", "leaf1 loses its addresses")
    script.remove_addresses("leaf1", "leaf1 loses its addresses")
    script.set_interface("root", "root loses its interface", is_up=False)
    script.remove_addresses("root", "root loses its addresses")
    script.restore()
    script.restore()
    assert fabric.told == ["leaf1 without addresses", "root down", "leaf1 up", "root up"]


def test_an_interface_may_go_when_its_addresses_are_gone() -> None:
    fabric = Taken()
    script = reach(fabric)
    script.remove_addresses("leaf1", "leaf1 loses its addresses")
    script.set_interface("leaf1", "leaf1 loses its interface", is_up=False)
    script.restore()
    assert fabric.told == ["leaf1 without addresses", "leaf1 down", "leaf1 up"]


def test_what_was_not_lost_stays_as_it_is() -> None:
    fabric = Taken()
    script = reach(fabric)
    script.set_interface("leaf1", "leaf1 regains its interface", is_up=True)
    script.set_port("edge.lan", is_up=True)
    script.set_port("edge.lan", is_up=False)
    script.set_port("edge.lan", is_up=True)
    script.restore()
    assert fabric.told == ["edge.lan down", "edge.lan up"]
