"""What the words of a step stand for: names, numbers, texts, events and errors."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from mpwire.lab.faults import ANY, FLAGS, TYPES, Duration, Which
from mpwire.lab.steps import CHANGES, EVENTS, Sight
from mpwire.lab.wording import guess, listed
from mpwire.vocabulary import WsaError

ROLES: Final = ("c_root/d_root", "c_root/d_leaf", "c_leaf/d_root", "c_leaf/d_leaf")
ERRORS: Final = tuple(str(error.name) for error in WsaError if error)
_OF_A_CONFERENCE: Final = ("c_root/d_leaf", "c_leaf/d_leaf")
LEGAL_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "MPW_ROOTED": ROLES,
    "MPW_CONFERENCE": _OF_A_CONFERENCE,
    "MPW_ROOTED_ASM": ROLES,
    "MPW_ROOTED_SSM": ROLES,
    "MPW_CONFERENCE_ASM": _OF_A_CONFERENCE,
    "MPW_OPEN": ("c_leaf/d_leaf",),
    "MPW_COLLECT": ("c_leaf/d_root", "c_leaf/d_leaf"),
    "MPW_ATM": ("c_root/d_root", "c_leaf/d_leaf"),
    "MPW_DIALOGUE": ROLES,
}
"""Roles in a session of each protocol entry of the agent contract, version 1."""
PROTOCOLS: Final = (*LEGAL_ROLES,)
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

_ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
_RATES: Final = {"kbit/s": 1e3, "Mbit/s": 1e6}
_UNITS: Final = {"ms": 1e-3, "s": 1.0}

_ESCAPE: Final = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_ESCAPES: Final = {"n": b"\n", "t": b"\t", '"': b'"', "\\": b"\\"}


@dataclass(slots=True)
class Names:
    """What the words of a script may refer to; grows as steps make sockets."""

    hosts: tuple[str, ...]
    families: tuple[str, ...] = ("inet",)
    """Of any host."""
    sockets: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Socket name to its host ("" when the step that makes it is wrong) and line."""
    families_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By host, where not every host has all."""
    routers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Networks by router."""
    crashed: dict[str, int] = field(default_factory=dict)
    """Host whose agent does not run, to the line that says so."""
    gone: dict[str, int] = field(default_factory=dict)
    """Socket that went with its process, to the line that says so."""

    def bury(self, host: str, line: int, *, stays: bool) -> None:
        """Note that an agent ended, and its sockets with it; `stays`: no other one begins."""
        self.crashed.pop(host, None)
        if stays:
            self.crashed[host] = line
        for name in self.sockets_of(host):
            self.gone.setdefault(name, line)

    def sockets_of(self, host: str) -> list[str]:
        """List the sockets that a host has made so far."""
        return [name for name, (owner, _) in self.sockets.items() if owner == host]


@dataclass(slots=True, frozen=True)
class Token:
    text: str
    start: int

    @property
    def quoted(self) -> bool:
        return self.text.startswith('"')


class WrongWord(Exception):  # noqa: N818 - caught in this module; a word is wrong
    """A word that has the right shape stands for nothing."""

    def __init__(self, token: Token, expected: str, *, among: Sequence[str] = ()) -> None:
        self.token = token
        self.found = token.text if token.quoted else repr(token.text)
        self.expected = expected
        self.hint = guess(token.text, among)

    def but_it_is(self, what: str) -> "WrongWord":
        """Say what the word stands for instead."""
        self.found += f", {what}"
        self.hint = ""
        return self


Reader = Callable[[Sequence[Token], Mapping[str, object], Names], object]


def _host(tokens: Sequence[Token], _: Mapping[str, object], names: Names) -> str:
    name = tokens[0].text
    if name in names.hosts:
        return name
    error = WrongWord(tokens[0], f"a host ({listed(names.hosts)})", among=names.hosts)
    raise error.but_it_is("a socket") if name in names.sockets else error


def _peer(tokens: Sequence[Token], values: Mapping[str, object], names: Names) -> str:
    name = _host(tokens, values, names)
    if name == values.get("host"):
        others = [host for host in names.hosts if host != name]
        raise WrongWord(tokens[0], f"another host ({listed(others)})").but_it_is("the host itself")
    return name


def _router(tokens: Sequence[Token], _: Mapping[str, object], names: Names) -> str:
    name = tokens[0].text
    if name in names.routers:
        return name
    known = (
        f"a router ({listed(names.routers)})" if names.routers else "a router, but there is none"
    )
    raise WrongWord(tokens[0], known, among=[*names.routers])


def _network(tokens: Sequence[Token], values: Mapping[str, object], names: Names) -> str:
    name, router = tokens[0].text, str(values.get("router"))
    attached = names.routers.get(router)
    if attached is None or name in attached:
        return name
    raise WrongWord(tokens[0], f"a network of {router} ({listed(attached)})", among=attached)


def _socket(tokens: Sequence[Token], values: Mapping[str, object], names: Names) -> str:
    name, host = tokens[0].text, str(values.get("host", ""))
    mine = names.sockets_of(host) if host else list(names.sockets)
    known = f" ({listed(mine)})" if mine else ", but no step before this one made any"
    owner = f"a socket of {host}" if host else "a socket"
    error = WrongWord(tokens[0], owner + known, among=mine)
    if name in names.hosts:
        raise error.but_it_is("a host")
    if name not in names.sockets:
        raise error
    if host and names.sockets[name][0] not in ("", host):
        raise error.but_it_is(f"a socket of {names.sockets[name][0]}")
    return name


def _target(tokens: Sequence[Token], values: Mapping[str, object], names: Names) -> str:
    name, host = tokens[0].text, values.get("host")
    known = [s for s, (owner, _) in names.sockets.items() if owner != host]
    others = [*known, *(other for other in names.hosts if other != host)]
    error = WrongWord(
        tokens[0], f"a socket of another host, or a host ({listed(others)})", among=others
    )
    if name == host:
        raise error.but_it_is("the host itself")
    if name in names.sockets and names.sockets[name][0] == host:
        raise error.but_it_is(f"a socket of {host} itself")
    if name not in names.sockets and name not in names.hosts:
        raise error
    return name


def _new(tokens: Sequence[Token], _: Mapping[str, object], names: Names) -> str:
    name = tokens[0].text
    error = WrongWord(tokens[0], "a new name")
    if name in names.sockets:
        raise error.but_it_is(f"a socket made in line {names.sockets[name][1]}")
    if name in names.hosts:
        raise error.but_it_is("a host")
    if not NAME.fullmatch(name):
        raise WrongWord(tokens[0], "a name of letters, digits, - and _ that begins with a letter")
    return name


def _number(tokens: Sequence[Token], *_: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", tokens[0].text):
        most = ", at most 999999999" if re.fullmatch("[0-9]+", tokens[0].text) else ""
        raise WrongWord(tokens[0], f"a whole number{most}")
    return int(tokens[0].text)


def _port(tokens: Sequence[Token], *_: object) -> int:
    text = tokens[0].text
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise WrongWord(tokens[0], "a port from 1 to 65535")
    return int(text)


def _text(tokens: Sequence[Token], *_: object) -> bytes:
    (token,) = tokens
    octets, end = b"", 1
    for escape in _ESCAPE.finditer(token.text, 1, len(token.text) - 1):
        octets += token.text[end : escape.start()].encode()
        said, end = escape.group(1), escape.end()
        if len(said) == 3:
            octets += bytes.fromhex(said[1:])
        elif said in _ESCAPES:
            octets += _ESCAPES[said]
        else:
            place = Token(escape.group(), token.start + escape.start())
            raise WrongWord(place, r"one of the escapes \", \\, \n, \t and \x41")
    return octets + token.text[end:-1].encode()


def _event(token: Token) -> str:
    known = (*EVENTS, *CHANGES)
    if token.text not in known:
        raise WrongWord(token, f"an event ({listed(known)})", among=known)
    return token.text


def _events(tokens: Sequence[Token], *_: object) -> list[str]:
    if tokens[0].text == "all":
        return list(EVENTS)
    return [_event(token) for token in tokens if token.text != ","]


def _sights(tokens: Sequence[Token], *_: object) -> list[Sight]:
    sights: list[Sight] = []
    for before, token in zip((None, *tokens), tokens, strict=False):
        if token.text != "," and (before is None or before.text == ","):
            sights.append(Sight(_event(token)))
        elif token.text != ",":
            sights[-1] = Sight(sights[-1].event, _error([token]))
    return sights


def _error(tokens: Sequence[Token], *_: object) -> str:
    if tokens[0].text not in ERRORS:
        raise WrongWord(tokens[0], "the name of a Winsock error", among=ERRORS)
    return tokens[0].text


def _roles(tokens: Sequence[Token], *_: object) -> str:
    if tokens[0].text not in ROLES:
        raise WrongWord(tokens[0], f"roles ({listed(ROLES)})", among=ROLES)
    return tokens[0].text


def _protocol(tokens: Sequence[Token], values: Mapping[str, object], _: Names) -> str:
    name, roles = tokens[0].text, values.get("roles")
    if name not in PROTOCOLS:
        raise WrongWord(tokens[0], f"a protocol ({listed(PROTOCOLS)})", among=PROTOCOLS)
    if roles is not None and roles not in LEGAL_ROLES[name]:
        fitting = [other for other, legal in LEGAL_ROLES.items() if roles in legal]
        error = WrongWord(tokens[0], f"a protocol with a {roles} ({listed(fitting)})")
        raise error.but_it_is(f"whose sockets are {listed(LEGAL_ROLES[name])}")
    return name


def _group(tokens: Sequence[Token], *_: object) -> str:
    try:
        group = ip_address(tokens[0].text)
    except ValueError:
        raise WrongWord(tokens[0], "an IP multicast address") from None
    if not group.is_multicast:
        raise WrongWord(tokens[0], "an IP multicast address").but_it_is("no multicast address")
    return str(group)


def _family(tokens: Sequence[Token], found: Mapping[str, object], names: Names) -> str:
    families = names.families_of.get(str(found.get("host")), names.families)
    if tokens[0].text not in families:
        raise WrongWord(tokens[0], f"a family of the network ({listed(families)})")
    return tokens[0].text


def _which(tokens: Sequence[Token], *_: object) -> Which:
    said = " ".join(token.text for token in tokens)
    if said == "every":
        return Which()
    if share := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?% of", said):
        if 0 < float(share[1]) <= 100:
            return Which(share=float(share[1]) / 100)
        raise WrongWord(tokens[0], "a share above 0 and up to 100 %")
    place = tokens[-1]
    if tokens[0].text != "the" or len(tokens) < 2:
        raise WrongWord(tokens[0], "a share such as '5 % of'")
    if place.text in _ORDINALS:
        return Which(ordinal=_ORDINALS.index(place.text) + 1)
    if number := re.fullmatch("([1-9][0-9]{0,8})(?:st|nd|rd|th)", place.text):
        return Which(ordinal=int(number[1]))
    raise WrongWord(place, "a number such as 'first' or '2nd'", among=_ORDINALS)


def _message(tokens: Sequence[Token], *_: object) -> str:
    text = tokens[0].text
    if text == f"{ANY}s":
        return ANY
    if text not in TYPES:
        raise WrongWord(tokens[0], "a type of message, or 'message'", among=TYPES)
    return text


def _flag(tokens: Sequence[Token], *_: object) -> str:
    if tokens[0].text not in FLAGS:
        raise WrongWord(tokens[0], f"a flag ({listed(FLAGS)})", among=FLAGS)
    return tokens[0].text


def _positive(token: Token, what: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", token.text) or not float(token.text):
        raise WrongWord(token, what)
    return float(token.text)


def _duration(tokens: Sequence[Token], *_: object) -> Duration:
    unit = tokens[-1]
    if len(tokens) < 2 or unit.text not in _UNITS:
        raise WrongWord(unit, "a time such as '300 ms' or '2 s'")
    least, most = (_positive(token, "a number") for token in (tokens[0], tokens[-2]))
    if most < least:
        raise WrongWord(tokens[-2], f"a number not below {tokens[0].text}")
    return Duration(least * _UNITS[unit.text], most * _UNITS[unit.text])


def _rate(tokens: Sequence[Token], *_: object) -> float:
    if len(tokens) < 2 or tokens[1].text not in _RATES:
        raise WrongWord(tokens[-1], "a rate such as '64 kbit/s' or '2 Mbit/s'")
    return _positive(tokens[0], "a number") * _RATES[tokens[1].text]


VALUES: Final[Mapping[str, Reader]] = {
    "HOST": _host,
    "SOCKET": _socket,
    "NEW": _new,
    "PEER": _peer,
    "ROUTER": _router,
    "NETWORK": _network,
    "TARGET": _target,
    "ROLES": _roles,
    "PROTOCOL": _protocol,
    "GROUP": _group,
    "FAMILY": _family,
    "PORT": _port,
    "NUMBER": _number,
    "TEXT": _text,
    "EVENTS": _events,
    "SIGHTS": _sights,
    "ERROR": _error,
    "WHICH": _which,
    "MESSAGE": _message,
    "FLAG": _flag,
    "DURATION": _duration,
    "RATE": _rate,
}
