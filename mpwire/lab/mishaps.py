"""What befalls hosts and the network between the calls: sentences, and the steps they make.

None of it is a call of an agent: the harness itself does it to processes, interfaces and links.
"""

from typing import Final

from mpwire.lab.forms import Form
from mpwire.lab.step import Step


class Crash(Step, frozen=True, kw_only=True, tag="crash"):
    """Kill a host's agent: its sockets are gone, and nobody is told."""

    host: str


class Restart(Step, frozen=True, kw_only=True, tag="restart"):
    """Start a host's agent anew, after killing it: the new process knows nothing of the old."""

    host: str


class Freeze(Step, frozen=True, kw_only=True, tag="freeze"):
    """Stop a host's agent where it is (SIGSTOP)."""

    host: str


class Thaw(Step, frozen=True, kw_only=True, tag="thaw"):
    """Let a frozen agent go on (SIGCONT)."""

    host: str


class Lose(Step, frozen=True, kw_only=True, tag="lose"):
    """Set a host's network interface down."""

    host: str


class Regain(Step, frozen=True, kw_only=True, tag="regain"):
    """Set a host's network interface up again."""

    host: str


class LoseAddress(Step, frozen=True, kw_only=True, tag="lose address"):
    """Take all addresses of a host's interface, which stays up."""

    host: str


class RegainAddress(Step, frozen=True, kw_only=True, tag="regain address"):
    """Give a host's interface its addresses again."""

    host: str


class Unplug(Step, frozen=True, kw_only=True, tag="unplug"):
    """Set a router's port down."""

    router: str
    network: str

    @property
    def port(self) -> str:
        """Name the port."""
        return f"{self.router}.{self.network}"


class Plug(Unplug, frozen=True, kw_only=True, tag="plug"):
    """Set a router's port up again."""


class Cut(Step, frozen=True, kw_only=True, tag="cut"):
    """Let nothing pass between a host and another, or all others."""

    host: str
    peer: str | None = None
    one_way: bool = False


class Heal(Step, frozen=True, kw_only=True, tag="heal"):
    """Undo all cuts."""


AnyMishap = (
    Crash
    | Freeze
    | Thaw
    | Lose
    | Regain
    | LoseAddress
    | RegainAddress
    | Cut
    | Heal
    | Unplug
    | Plug
    | Restart
)

FORMS: Final = (
    Form(
        "HOST crashes",
        Crash,
        "Kill the host's agent. Its sockets are gone and nobody is told; the host itself lives on,"
        " and no later step can be about it, unless it restarts.",
        "leaf1 crashes",
    ),
    Form(
        "HOST restarts",
        Restart,
        "Start the host's agent anew, which is killed before if it has not crashed. The new process"
        " knows nothing of the old one's sockets, and may bind their ports.",
        "leaf1 restarts",
    ),
    Form(
        "HOST freezes",
        Freeze,
        "Stop the host's agent where it is (SIGSTOP). Its sockets stay and its kernel goes on"
        " taking datagrams; steps about its calls have to wait until it thaws.",
        "leaf1 freezes",
    ),
    Form(
        "HOST thaws",
        Thaw,
        "Let a frozen agent go on (SIGCONT). When the script ends, all do.",
        "leaf1 thaws",
    ),
    Form(
        "HOST loses its interface",
        Lose,
        "Set the host's network interface down, as if its card had been taken: nothing leaves or"
        " reaches it, and its agent may be told.",
        "leaf1 loses its interface",
    ),
    Form(
        "HOST regains its interface",
        Regain,
        "Set the interface up again, with everything it had. When the script ends, all are.",
        "leaf1 regains its interface",
    ),
    Form(
        "HOST loses its addresses",
        LoseAddress,
        "Take the addresses of the host's interface, which itself stays up: nothing that is sent to"
        " them is for the host any more, and its agent may be told.",
        "leaf1 loses its addresses",
    ),
    Form(
        "HOST regains its addresses",
        RegainAddress,
        "Give the addresses back, with the routes that went with them. When the script ends, all"
        " are.",
        "leaf1 regains its addresses",
    ),
    Form(
        "router ROUTER loses NETWORK",
        Unplug,
        "Set the router's port in that network down: nothing passes there, and who sends that way"
        " is told so (ICMP net unreachable). Routes stay as they are, whatever another router"
        " could reach.",
        "router edge loses south",
    ),
    Form(
        "router ROUTER regains NETWORK",
        Plug,
        "Set the port up again, with everything it had. When the script ends, all are.",
        "router edge regains south",
    ),
    Form(
        "the network cuts off HOST [from PEER] [one way]",
        Cut,
        "From here on nothing passes between the host and the other one, or anybody. `one way`:"
        " what the host sends is lost, what is sent to it arrives.",
        "the network cuts off leaf1 from root",
    ),
    Form(
        "the network heals",
        Heal,
        "All cuts are undone.",
        "the network heals",
    ),
)
"""Lines of `script`."""
