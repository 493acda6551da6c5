"""Methods of hosts and sockets: each says one sentence, which the step language knows."""

from collections.abc import Callable

import pytest

from mpwire.lab.grammar import EXPECTATIONS, FORMS
from mpwire.lab.places import FAMILIES
from mpwire.lab.words import Names
from mpwire.plugin.hosts import Host, Socket
from mpwire.plugin.sentences import SentenceError, quoted, read_sentence, sentences_in


class Book:
    """Write sentences down instead of carrying them out."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def do(self, *sentences: str) -> bytes | None:
        """Write down."""
        self.sentences += sentences
        return b"something" if "something" in sentences[0] else None

    def events(self, socket: str | Socket) -> tuple[str, ...]:
        """Say whose events were wanted."""
        return (str(socket),)


Say = Callable[[Host, Socket, Socket], object]
SAID: tuple[tuple[Say, str], ...] = (
    (lambda h, *_: h.opens("N", "c_root/d_root"), "root opens N as c_root/d_root"),
    (
        lambda h, *_: h.opens(
            "N", "c_leaf/d_leaf", protocol="MPW_OPEN", port=4000, over="inet6", binding=False
        ),
        (
            "root opens N as c_leaf/d_leaf of protocol MPW_OPEN on port 4000 over inet6"
            " without binding"
        ),
    ),
    (
        lambda h, *_: h.opens("N", "c_root/d_root", scope=2),
        "root opens N as c_root/d_root at scope 2",
    ),
    (
        lambda h, *_: h.opens("N", "c_root/d_root", events=False),
        "root opens N as c_root/d_root without events",
    ),
    (lambda h, *_: h.opens("N", "an ordinary socket"), "root opens N as an ordinary socket"),
    (lambda _h, r, _l: r.finds("readable and writable"), "root finds R readable and writable"),
    (lambda _h, r, _l: r.duplicates("N"), "root duplicates R as N"),
    (
        lambda _h, r, li: r.connects(li, port=9, gets="WSAEOPNOTSUPP"),
        "root connects R to L1 at port 9 and gets WSAEOPNOTSUPP",
    ),
    (lambda h, *_: h.crashes(), "root crashes"),
    (lambda h, *_: h.restarts(), "root restarts"),
    (lambda h, *_: h.freezes(), "root freezes"),
    (lambda h, *_: h.thaws(), "root thaws"),
    (lambda h, *_: h.loses_its_interface(), "root loses its interface"),
    (lambda h, *_: h.regains_its_interface(), "root regains its interface"),
    (lambda h, *_: h.loses_its_addresses(), "root loses its addresses"),
    (lambda h, *_: h.regains_its_addresses(), "root regains its addresses"),
    (lambda h, *_: h.is_cut_off(), "the network cuts off root"),
    (
        lambda h, *_: h.is_cut_off("leaf1", one_way=True),
        "the network cuts off root from leaf1 one way",
    ),
    (lambda _h, r, _l: r.selects("FD_READ", "FD_CLOSE"), "root selects FD_READ, FD_CLOSE on R"),
    (lambda _h, r, _l: r.selects(), "root selects nothing on R"),
    (
        lambda _h, r, _l: r.selects("all events", reports=False),
        "root selects all events on R without reports",
    ),
    (lambda _h, r, _l: r.listens(), "root listens on R"),
    (
        lambda _h, r, _l: r.listens(2, gets="WSAEINVAL"),
        "root listens on R with backlog 2 and gets WSAEINVAL",
    ),
    (lambda _h, r, l1: l1.joins(r), "leaf1 joins R with L1"),
    (
        lambda h, _r, l1: l1.joins(
            h, "for sending only", port=4, caller_data='"\\\n', room=7, gets="WSAEINVAL"
        ),
        (
            'leaf1 joins root with L1 for sending only at port 4 with caller data "\\"\\\\\\x0a"'
            " with room for 7 octets and gets WSAEINVAL"
        ),
    ),
    (
        lambda _h, _r, l1: l1.joins_group("239.77.0.1", "for receiving only"),
        "leaf1 joins group 239.77.0.1 with L1 for receiving only",
    ),
    (lambda _h, r, l1: r.invites(l1, "P2"), "root invites L1 with R as P2"),
    (
        lambda _h, r, l1: r.invites(l1, gets="WSAEALREADY"),
        "root invites L1 with R and gets WSAEALREADY",
    ),
    (
        lambda _h, r, _l: r.accepts("leaf1", "P2", callee_data=b"\x00"),
        'root accepts leaf1 on R as P2 with callee data "\\x00"',
    ),
    (
        lambda _h, r, _l: r.accepts("nobody", gets="WSAEWOULDBLOCK"),
        "root accepts nobody on R and gets WSAEWOULDBLOCK",
    ),
    (
        lambda _h, r, _l: r.accepts("leaf1", gets="WSAECONNRESET"),
        "root accepts leaf1 on R and gets WSAECONNRESET",
    ),
    (lambda _h, r, _l: r.rejects("leaf1"), "root rejects leaf1 on R"),
    (lambda _h, r, _l: r.defers("leaf1"), "root defers leaf1 on R"),
    (lambda _h, _r, l1: l1.join_succeeds(), "the join on L1 succeeds"),
    (
        lambda _h, _r, l1: l1.join_fails("WSAECONNREFUSED"),
        "the join on L1 fails with WSAECONNREFUSED",
    ),
    (
        lambda _h, _r, l1: l1.has_error("WSAECONNREFUSED"),
        "leaf1 reads error WSAECONNREFUSED on L1",
    ),
    (lambda _h, _r, l1: l1.has_error(None), "leaf1 reads no error on L1"),
    (lambda _h, _r, l1: l1.has_callee_data("x"), 'leaf1 reads callee data "x" on L1'),
    (lambda _h, _r, l1: l1.turns_loopback("off"), "leaf1 turns loopback of L1 off"),
    (lambda _h, _r, l1: l1.sets_scope(0), "leaf1 sets scope of L1 to 0"),
    (lambda _h, _r, l1: l1.sends("x"), 'leaf1 sends "x" on L1'),
    (
        lambda _h, _r, l1: l1.sends("é", private=True, gets="WSAENOTCONN"),
        'leaf1 sends "\\xc3\\xa9" on L1 in private and gets WSAENOTCONN',
    ),
    (lambda _h, _r, l1: l1.receives(), "leaf1 receives something on L1"),
    (
        lambda _h, _r, l1: l1.receives("x", private=True),
        'leaf1 receives "x" on L1 in private',
    ),
    (
        lambda _h, _r, l1: l1.receives(gets="WSAEDISCON"),
        "leaf1 receives on L1 and gets WSAEDISCON",
    ),
    (lambda _h, r, _l: r.shuts_down(), "root shuts down R"),
    (lambda _h, r, _l: r.shuts_down("sending"), "root shuts down R for sending"),
    (lambda _h, r, _l: r.parts_with("bye"), 'root parts with "bye" on R'),
    (lambda _h, r, _l: r.reads_parting_words("bye"), 'root reads parting words "bye" on R'),
    (lambda _h, r, _l: r.sets_linger(0), "root sets linger of R to 0 seconds"),
    (lambda _h, r, _l: r.sets_linger(None), "root sets linger of R off"),
    (lambda _h, r, _l: r.closes(), "root closes R"),
    (
        lambda _h, r, _l: r.enumerates("FD_ACCEPT", "FD_CLOSE WSAECONNRESET"),
        "root enumerates FD_ACCEPT, FD_CLOSE WSAECONNRESET on R",
    ),
    (lambda _h, r, _l: r.enumerates(), "root enumerates nothing on R"),
    (
        lambda _h, r, _l: r.joins("leaf1", flow=(1, 2), gets="WSAEOPNOTSUPP"),
        "root joins leaf1 with R sending 1 octets/s receiving 2 octets/s and gets WSAEOPNOTSUPP",
    ),
    (lambda _h, r, _l: r.cancels_join(), "root cancels the join on R"),
    (
        lambda _h, r, _l: r.sets_flow((1, 0), gets="WSAEOPNOTSUPP"),
        "root sets flow of R sending 1 octets/s receiving 0 octets/s and gets WSAEOPNOTSUPP",
    ),
    (
        lambda _h, r, _l: r.has_flow((1, 2)),
        "root reads flow of R sending 1 octets/s receiving 2 octets/s",
    ),
    (
        lambda _h, r, _l: r.enumerates("FD_READ", resetting=True, only=True),
        "root enumerates FD_READ on R resetting its event object touching nothing else",
    ),
    (
        lambda _h, r, _l: r.enumerates_without_event_object(gets="WSAEINVAL"),
        "root enumerates on R without an event object and gets WSAEINVAL",
    ),
    (
        lambda h, *_: h.finds_protocol("MPW_OPEN", "nonrooted", "nonrooted"),
        "root finds protocol MPW_OPEN with nonrooted control and nonrooted data",
    ),
    (
        lambda h, *_: h.tries("c_root/d_root", "MPW_OPEN", gets="WSAEINVAL"),
        "root tries c_root/d_root of protocol MPW_OPEN and gets WSAEINVAL",
    ),
    (lambda h, *_: h.finds_event_object("reset"), "root finds its event object reset"),
    (lambda h, *_: h.has_network_of(5), "the network of root carries 5 octets/s"),
    (lambda h, *_: h.has_network_of(None), "the network of root carries everything"),
    (lambda _h, r, _l: r.awaits_addresses(), "root awaits a change of its addresses on R"),
    (
        lambda _h, r, _l: r.awaits_way_to("leaf1", gets="WSAEINVAL"),
        "root awaits a change of its way to leaf1 on R and gets WSAEINVAL",
    ),
    (lambda _h, r, _l: r.sees("FD_ACCEPT"), "R sees FD_ACCEPT"),
    (lambda _h, r, _l: r.sees(), "R sees nothing"),
)
WITHOUT_METHOD = (
    "the network heals",
    "everything settles",
    "router edge loses south",
    "router edge regains south",
)
"""Sentences about no host and no socket: `Lab.do` says them."""


def names() -> Names:
    sockets = {"R": ("root", 1), "L1": ("leaf1", 1)}
    routers = {"edge": ("north", "south")}
    return Names(("root", "leaf1"), FAMILIES, sockets, routers=routers)


@pytest.mark.parametrize(("say", "sentence"), SAID, ids=[sentence for _, sentence in SAID])
def test_a_method_says_its_sentence(say: Say, sentence: str) -> None:
    book = Book()
    root, leaf1 = Host(book, "root"), Host(book, "leaf1")
    say(root, Socket(book, root, "R"), Socket(book, leaf1, "L1"))
    assert book.sentences == [sentence]
    read_sentence(sentence, 1, FORMS, names())


def test_every_sentence_has_a_method() -> None:
    said = [sentence for _, sentence in SAID] + list(WITHOUT_METHOD)
    lacking = set()
    for form in FORMS:
        try:
            found = [one for one in said if _fits(one, form)]
        except SentenceError:
            found = []
        if not found:
            lacking.add(form.pattern)
    assert lacking == set()


def _fits(sentence: str, form: object) -> bool:
    try:
        read_sentence(sentence, 1, [form], names())  # type: ignore[list-item]  # one of FORMS
    except SentenceError:
        return False
    return True


def test_methods_give_what_they_made_or_received() -> None:
    book = Book()
    root, leaf1 = Host(book, "root"), Host(book, "leaf1")
    socket = root.opens("R", "c_root/d_root")
    assert (str(socket), socket.host, socket.events) == ("R", root, ("R",))
    assert socket.receives() == b"something"
    assert socket.receives(gets="WSAEDISCON") == b""
    handle = socket.accepts(leaf1, "P1")
    assert (str(handle), handle.host) == ("P1", root)
    assert str(socket.invites(leaf1, "P2")) == "P2"
    assert str(socket.duplicates("R2")) == "R2"
    assert (repr(root), repr(handle)) == ("<Host root>", "<Socket P1>")


def test_texts_become_sentences() -> None:
    text = "\n  - root opens R as c_root/d_root\n\n # nothing\n  R sees nothing \n"
    wanted = ["root opens R as c_root/d_root", "R sees nothing"]
    assert sentences_in([text, "everything settles"]) == [*wanted, "everything settles"]


def test_octets_are_written_as_the_sentences_do() -> None:
    octets = bytes(range(256))
    step = read_sentence(f"root sends {quoted(octets)} on R", 1, FORMS, names())
    assert getattr(step, "data", None) == octets


def test_a_sentence_that_is_none_is_refused() -> None:
    with pytest.raises(SentenceError) as caught:
        read_sentence("R sees FD_CLOS", 3, (*FORMS, *EXPECTATIONS), names())
    assert str(caught.value).startswith("R sees FD_CLOS\nfound 'FD_CLOS', expected an event")
