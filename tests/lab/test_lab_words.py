"""A wrong word of a sentence is pointed at, with what was expected in its place."""

from pathlib import Path

import pytest

from mpwire.lab.grammar import FORMS
from mpwire.lab.script import Line, read_line
from mpwire.lab.words import LEGAL_ROLES, PROTOCOLS, ROLES, Names
from mpwire.vocabulary import SocketFlag
from mpwire.winsock import SocketError
from mpwire.winsock.protocols import ENTRIES, Protocol, ProtocolEntry

HOSTS = ("root", "leaf1", "leaf2", "leaf3")


def names() -> Names:
    """Everybody has opened a socket."""
    made = {"R": ("root", 3), "L1": ("leaf1", 4), "L2": ("leaf2", 5), "L3": ("leaf3", 6)}
    made |= {"P1": ("root", 7), "P2": ("root", 8), "A2": ("leaf2", 9)}
    return Names(HOSTS, ("inet", "inet6"), made)


def wrong(text: str, known: Names | None = None) -> list[str]:
    """Read a line that is not, and give its problems as a person sees them, columns from 1."""
    line = Line(text, 1, range(1, 2 + len(text)))
    step, problems = read_line(line, FORMS, known or names())
    assert step is None
    return [f"{p.column}: found {p.found}, expected {p.expected}|{p.hint}" for p in problems]


WRONG = [
    (
        "root opns X as c_root/d_root",
        (
            "6: found 'opns', expected 'opens', 'connects', 'duplicates', 'selects', 'listens',"
            " 'joins', 'invites', 'accepts', 'rejects', 'defers', 'reads', 'turns', 'sets',"
            " 'sends', 'receives', 'shuts', 'parts', 'closes', 'finds', 'enumerates',"
            " 'tries', 'cancels', 'awaits', 'crashes', 'restarts', 'freezes', 'thaws', 'loses' or"
            " 'regains'|did you mean 'opens'?"
        ),
    ),
    ("root opens X az c_root/d_root", "14: found 'az', expected 'as'|"),
    (
        "root opens X as c_root/d_root of protocol MPW_ROTED",
        (
            "43: found 'MPW_ROTED', expected a protocol (MPW_ROOTED, MPW_CONFERENCE,"
            " MPW_ROOTED_ASM, MPW_ROOTED_SSM, MPW_CONFERENCE_ASM, MPW_OPEN, MPW_COLLECT, MPW_ATM"
            " or MPW_DIALOGUE)|did you mean 'MPW_ROOTED'?"
        ),
    ),
    (
        "root opens X as c_root/d_root of protocol MPW_CONFERENCE",
        (
            "43: found 'MPW_CONFERENCE', whose sockets are c_root/d_leaf or c_leaf/d_leaf, expected"
            " a protocol with a c_root/d_root (MPW_ROOTED, MPW_ROOTED_ASM, MPW_ROOTED_SSM, MPW_ATM"
            " or MPW_DIALOGUE)|"
        ),
    ),
    (
        "root opens X as c_root/d_leaf of protocol MPW_OPEN",
        (
            "43: found 'MPW_OPEN', whose sockets are c_leaf/d_leaf, expected a protocol with a"
            " c_root/d_leaf (MPW_ROOTED, MPW_CONFERENCE, MPW_ROOTED_ASM, MPW_ROOTED_SSM,"
            " MPW_CONFERENCE_ASM or MPW_DIALOGUE)|"
        ),
    ),
    ("leaf1 joins group R with L1", "19: found 'R', expected an IP multicast address|"),
    (
        "leaf1 joins group 10.0.0.1 with L1",
        "19: found '10.0.0.1', no multicast address, expected an IP multicast address|",
    ),
    ("root opens X as", "16: found the end of the line, expected roles or 'an'|"),
    (
        "root opens X as c_rot/d_root",
        (
            "17: found 'c_rot/d_root', expected roles (c_root/d_root, c_root/d_leaf, c_leaf/d_root"
            " or c_leaf/d_leaf)|did you mean 'c_root/d_root'?"
        ),
    ),
    (
        "root opens X as c_root/d_root with events",
        (
            "31: found 'with', expected 'of', 'on', 'over', 'at', 'without' or the end of the line|"
            "did you mean 'without'?"
        ),
    ),
    (
        "root opens X as c_root/d_root on port",
        "38: found the end of the line, expected a port|",
    ),
    (
        "root opens X as c_root/d_root on port 0",
        "39: found '0', expected a port from 1 to 65535|",
    ),
    (
        "root opens X as c_root/d_root on port x",
        "39: found 'x', expected a port from 1 to 65535|",
    ),
    (
        "root opens R as c_root/d_root",
        "12: found 'R', a socket made in line 3, expected a new name|",
    ),
    ("root opens leaf1 as c_root/d_root", "12: found 'leaf1', a host, expected a new name|"),
    (
        "root opens 1R as c_root/d_root",
        "12: found '1R', expected a name of letters, digits, - and _ that begins with a letter|",
    ),
    ("root opens nothing as c_root/d_root", "12: found 'nothing', expected a new name|"),
    (
        "rot listens on R",
        "1: found 'rot', expected a host (root, leaf1, leaf2 or leaf3)|did you mean 'root'?",
    ),
    (
        "R listens on R",
        "1: found 'R', a socket, expected a host (root, leaf1, leaf2 or leaf3)|",
    ),
    (
        "root listens on L1",
        "17: found 'L1', a socket of leaf1, expected a socket of root (R, P1 or P2)|",
    ),
    (
        "root listens on leaf1",
        "17: found 'leaf1', a host, expected a socket of root (R, P1 or P2)|",
    ),
    (
        "root listens on P",
        "17: found 'P', expected a socket of root (R, P1 or P2)|did you mean 'P2'?",
    ),
    (
        "leaf3 closes L33",
        "14: found 'L33', expected a socket of leaf3 (L3)|did you mean 'L3'?",
    ),
    (
        "root listens on R with backlog many",
        "32: found 'many', expected a whole number|",
    ),
    (
        "the network of leaf1 carries 99999999999 octets/s",
        "30: found '99999999999', expected a whole number, at most 999999999|",
    ),
    ("root listens", "13: found the end of the line, expected 'on'|"),
    (
        "leaf1 joins leaf1 with L1",
        (
            "13: found 'leaf1', the host itself, expected a socket of another host, or a host (R,"
            " L2, L3, P1, P2, A2, root, leaf2 or leaf3)|"
        ),
    ),
    (
        "leaf1 joins L1 with L1",
        (
            "13: found 'L1', a socket of leaf1 itself, expected a socket of another host, or a host"
            " (R, L2, L3, P1, P2, A2, root, leaf2 or leaf3)|"
        ),
    ),
    (
        "leaf1 joins rooot with L1",
        (
            "13: found 'rooot', expected a socket of another host, or a host (R, L2, L3, P1, P2,"
            " A2, root, leaf2 or leaf3)|did you mean 'root'?"
        ),
    ),
    (
        "leaf1 joins R with L1 for sending",
        "34: found the end of the line, expected 'only'|",
    ),
    (
        "root accepts root on R as X",
        "14: found 'root', the host itself, expected another host (leaf1, leaf2 or leaf3)|",
    ),
    ("root accepts leaf1 on R", "24: found the end of the line, expected 'as' or 'and'|"),
    (
        "root accepts nobody on R as X",
        "26: found 'as', expected 'and'|",
    ),
    (
        "root accepts leaf1 on R and gets ECONNRESET",
        (
            "34: found 'ECONNRESET', expected the name of a Winsock error|"
            "did you mean 'WSAECONNRESET'?"
        ),
    ),
    (
        "leaf1 sends hello on L1",
        "13: found 'hello', expected a text in double quotes|",
    ),
    (
        "leaf1 receives hello on L1",
        "16: found 'hello', expected a text in double quotes, 'something' or 'on'|",
    ),
    (
        'leaf1 sends "hello on L1',
        (
            "13: found a text without end, expected a closing double quote|"
            "put a step that contains ' #' or ': ' in single quotes"
        ),
    ),
    (
        'leaf1 sends "a\\q" on L1',
        "15: found '\\\\q', expected one of the escapes \\\", \\\\, \\n, \\t and \\x41|",
    ),
    ('leaf1 sends "x" on L1 now', "23: found 'now', expected 'in', 'and' or the end of the line|"),
    (
        "L1 sees CONNECT",
        (
            "9: found 'CONNECT', expected an event (FD_READ, FD_WRITE, FD_ACCEPT, FD_CONNECT,"
            " FD_CLOSE, FD_QOS, FD_ROUTING_INTERFACE_CHANGE or FD_ADDRESS_LIST_CHANGE)"
            "|did you mean 'FD_CONNECT'?"
        ),
    ),
    (
        "L1 sees FD_CONNECT REFUSED",
        "20: found 'REFUSED', expected the name of a Winsock error|did you mean 'WSAECONNREFUSED'?",
    ),
    ("L1 sees", "8: found the end of the line, expected an event or 'nothing'|"),
    ("L1 sees FD_CLOSE, ", "17: found ',', expected the end of the line|"),
    ("L1 sees nothing else", "17: found 'else', expected the end of the line|"),
    (
        "L9 sees FD_CLOSE",
        "1: found 'L9', expected a socket (R, L1, L2, L3, P1, P2 or A2)|",
    ),
    (
        "root sees FD_CLOSE",
        "1: found 'root', a host, expected a socket (R, L1, L2, L3, P1, P2 or A2)|",
    ),
    ("L1 says FD_CLOSE", "4: found 'says', expected 'sees'|"),
    ("everything setles", "12: found 'setles', expected 'settles'|"),
    ("the join on L1 works", "16: found 'works', expected 'succeeds' or 'fails'|"),
    (
        '"root" opens X as c_root/d_root',
        "1: found \"root\", expected a host, 'the', a socket, 'router' or 'everything'|",
    ),
    (
        "",
        "1: found the end of the line, expected a host, 'the', a socket, 'router' or 'everything'|",
    ),
    ("root selects everything on R", "14: found 'everything', expected an event or 'nothing'|"),
    ("root selects all on R", "14: found 'all', expected an event or 'nothing'|"),
    (
        "root selects FD_READ, FD_CLSOE on R",
        (
            "23: found 'FD_CLSOE', expected an event (FD_READ, FD_WRITE, FD_ACCEPT, FD_CONNECT,"
            " FD_CLOSE, FD_QOS, FD_ROUTING_INTERFACE_CHANGE or FD_ADDRESS_LIST_CHANGE)"
            "|did you mean 'FD_CLOSE'?"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[text or "empty" for text, _ in WRONG])
def test_a_wrong_word_is_pointed_at(text: str, problem: str) -> None:
    assert wrong(text) == [problem]


def test_every_unknown_name_of_a_line_is_told() -> None:
    assert wrong("leaf9 joins X with Y for receiving only with room for x octets") == [
        "1: found 'leaf9', expected a host (root, leaf1, leaf2 or leaf3)|did you mean 'leaf3'?",
        (
            "13: found 'X', expected a socket of another host, or a host (R, L1, L2, L3, P1, P2,"
            " A2, root, leaf1, leaf2 or leaf3)|"
        ),
        "20: found 'Y', expected a socket (R, L1, L2, L3, P1, P2 or A2)|",
        "55: found 'x', expected a whole number|",
    ]


def test_a_family_the_network_lacks_is_told() -> None:
    only_ipv4 = Names(HOSTS)
    assert wrong("root opens R as c_root/d_root over inet6", only_ipv4) == [
        "36: found 'inet6', expected a family of the network (inet)|"
    ]


def test_a_family_that_only_others_have_is_told() -> None:
    known = Names(HOSTS, ("inet", "inet6"), families_of={"leaf1": ("inet6",)})
    assert wrong("leaf1 opens L as c_leaf/d_leaf over inet", known) == [
        "37: found 'inet', expected a family of the network (inet6)|"
    ]


def test_a_router_or_a_network_that_is_not_there_is_told() -> None:
    known = Names(HOSTS, routers={"edge": ("north", "south")})
    assert wrong("router egde loses north", known) == [
        "8: found 'egde', expected a router (edge)|did you mean 'edge'?"
    ]
    assert wrong("router edge loses west", known) == [
        "19: found 'west', expected a network of edge (north or south)|"
    ]
    assert wrong("router edge regains north", Names(HOSTS)) == [
        "8: found 'edge', expected a router, but there is none|"
    ]


def test_a_socket_that_no_step_has_made_yet_is_told() -> None:
    assert wrong("root listens on R", Names(HOSTS)) == [
        "17: found 'R', expected a socket of root, but no step before this one made any|"
    ]


@pytest.mark.parametrize(
    "text", ["root opens X as c_root/x", "root opens X az c_root/d_root", "root accept leaf1 as X"]
)
def test_the_socket_of_a_wrong_line_is_known_afterwards(text: str) -> None:
    known = names()
    wrong(text, known)
    text = "X sees nothing"
    assert read_line(Line(text, 1, range(1, 2 + len(text))), FORMS, known)[0] is not None


def test_the_protocols_are_those_of_the_provider() -> None:
    assert [protocol.name for protocol in Protocol] == list(PROTOCOLS)


def test_the_roles_of_each_protocol_are_those_of_the_provider() -> None:
    def is_legal(entry: ProtocolEntry, roles: str) -> bool:
        flags = SocketFlag(0)
        for name in roles.upper().split("/"):
            flags |= SocketFlag[name]
        try:
            entry.check_flags(flags)
        except SocketError:
            return False
        return not entry.one_way or roles in {"c_root/d_root", "c_leaf/d_leaf"}

    for entry in ENTRIES.values():
        assert LEGAL_ROLES[entry.name] == tuple(one for one in ROLES if is_legal(entry, one))


def test_the_roles_of_each_protocol_are_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "testbeds.md").read_text()
    for name, legal in LEGAL_ROLES.items():
        listed = ", ".join(f"`{roles}`" for roles in legal)
        assert f"| `{name}` | {listed} |" in document, name
