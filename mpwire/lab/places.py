"""What a testbed file says about networks, hosts and routers, and what is wrong with it.

These are the mistakes that no type of a single value shows: names that stand for nothing or for
two things. They are looked for in the plain data, so that they are told together with all others.
"""

from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from mpwire.lab.forms import RESERVED
from mpwire.lab.models import MAXIMUM_HOSTS, Network
from mpwire.lab.source import Document, Path, Problem
from mpwire.lab.topology import ROUTERS_PER_NETWORK
from mpwire.lab.wording import guess, listed

FAMILIES: Final = ("inet", "inet6")
IPV4_MTU, IPV6_MTU = 576, 1280


def host_names(document: Document) -> list[str]:
    """List the hosts that a file names, each once."""
    hosts = _top(document, "hosts")
    names = hosts if isinstance(hosts, list | dict) else ()
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def routers(document: Document) -> dict[str, tuple[str, ...]]:
    """Give the networks of every router, as far as they are names."""
    found = _top(document, "routers")
    return {
        name: tuple(one for one in attached if isinstance(one, str))
        for name, attached in (found if isinstance(found, dict) else {}).items()
        if isinstance(attached, list) and attached
    }


def families(document: Document) -> dict[str, tuple[str, ...]]:
    """Say of every host which address families it has; all where its network is wrong."""
    networks = _top(document, "networks")
    known = networks if isinstance(networks, dict) and networks else {"lan": {}}
    of_network = {name: _families(network) for name, network in known.items()}
    first = next(iter(of_network))
    hosts = _top(document, "hosts")
    placed = hosts if isinstance(hosts, dict) else dict.fromkeys(host_names(document), first)
    return {host: of_network.get(str(network), FAMILIES) for host, network in placed.items()}


def problems(document: Document) -> list[Problem]:
    """List what contradicts itself."""
    found = (_hosts, _crowds, _routers, _narrow)
    return [problem for look in found for problem in look(document)]


def _top(document: Document, key: str) -> object:
    data = document.data if isinstance(document.data, dict) else {}
    return data.get(key)


def _networks(document: Document) -> list[str]:
    networks = _top(document, "networks")
    return list(networks) if isinstance(networks, dict) and networks else ["lan"]


def _families(network: object) -> tuple[str, ...]:
    try:
        return Network.model_validate(network).families
    except ValidationError:
        return FAMILIES


def _named(name: str, place: tuple[int, int]) -> Iterator[Problem]:
    if name in RESERVED:
        yield Problem(*place, f"{name!r}, a word of the step language", "another name")


def _is_network(document: Document, path: Path, name: object) -> Iterator[Problem]:
    known = _networks(document)
    if isinstance(name, str) and name not in known:
        told = f"a network ({listed(known)})"
        yield Problem(*document.place(path), repr(name), told, guess(name, known))


def _hosts(document: Document) -> Iterator[Problem]:
    hosts = _top(document, "hosts")
    if isinstance(hosts, dict):
        for name, network in hosts.items():
            yield from _named(name, document.place(("hosts", name), key=True))
            yield from _is_network(document, ("hosts", name), network)
        return
    seen: set[str] = set()
    for index, name in enumerate(hosts if isinstance(hosts, list) else ()):
        place = document.place(("hosts", index))
        if isinstance(name, str) and name in seen:
            yield Problem(*place, f"{name!r} a second time", "every host once")
        if isinstance(name, str):
            yield from _named(name, place)
        seen.add(str(name))
    if isinstance(hosts, list) and len(_networks(document)) > 1:
        told = f"a mapping of hosts to networks ({listed(_networks(document))})"
        yield Problem(*document.place(("hosts",)), "a list", told)


def _crowds(document: Document) -> Iterator[Problem]:
    """Say which networks have more hosts or routers than numbers for them."""
    hosts, routers = _top(document, "hosts"), _top(document, "routers")
    attached = list(hosts.values()) if isinstance(hosts, dict) else []
    routed = [
        name
        for names in (routers.values() if isinstance(routers, dict) else ())
        for name in (names if isinstance(names, list) else ())
    ]
    for network in _networks(document):
        found = attached.count(network), routed.count(network)
        place = document.place(("networks", network), key=True)
        for count, most, kind in zip(
            found, (MAXIMUM_HOSTS, ROUTERS_PER_NETWORK), ("hosts", "routers"), strict=True
        ):
            if count > most:
                yield Problem(*place, f"{count} {kind} on {network}", f"at most {most}")


def _narrow(document: Document) -> Iterator[Problem]:
    """Say which networks are too narrow for IPv6 (RFC 8200 section 5)."""
    networks = _top(document, "networks")
    for name, network in (networks if isinstance(networks, dict) else {}).items():
        mtu = network.get("mtu") if isinstance(network, dict) else None
        narrow = isinstance(mtu, int) and IPV4_MTU <= mtu < IPV6_MTU
        if narrow and "inet6" in _families(network):
            told = f"{IPV6_MTU} or more, as IPv6 needs"
            yield Problem(*document.place(("networks", name, "mtu")), f"the number {mtu}", told)


def _routers(document: Document) -> Iterator[Problem]:
    routers = _top(document, "routers")
    hosts = host_names(document)
    for name, attached in (routers if isinstance(routers, dict) else {}).items():
        place = document.place(("routers", name), key=True)
        yield from _named(name, place)
        if name in hosts:
            yield Problem(*place, f"{name!r}, a host", "a name that no host has")
        seen: set[object] = set()
        for index, network in enumerate(attached if isinstance(attached, list) else ()):
            path = ("routers", name, index)
            yield from _is_network(document, path, network)
            if network in seen:
                told = f"{network!r} a second time"
                yield Problem(*document.place(path), told, "every network once")
            seen.add(network if isinstance(network, str) else index)
