"""Correct stories, second part: data both ways, leaving, expelling, dismantling; the tour."""

from mpwire.wire.messages import Close, CloseAck, Data
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_plots import LEAF_DATA, SESSION, Join, Plot
from tests.oracle.oracle_story import Move, Wait


class Tale(Plot):
    """Steps of sessions after the join."""

    def tell_all(self, text: bytes, joins: list[Join], root: int = 1) -> None:
        """Let the root send to its members, who read."""
        asked = self.ask(f"send {text!r}", "root", "send", socket=root, data=text.hex())
        self.answer(f"send {text!r}", "root", asked, result={"octets": len(text)})
        for join in joins:
            leaf = join.leaf
            data = self.data(text, 1, self.next_root, join.leaf_tag)
            self.send(f"DATA {text!r} {leaf}", "root", leaf, data)
            self.event(f"FD_READ {text!r} {leaf}", leaf, join.end, "FD_READ")
            self.barrier(leaf)
            self.call(f"recv {text!r} {leaf}", leaf, "recv", {"data": text.hex()}, socket=join.end)
            join.last["root"] = self.next_root
        self.next_root += 1
        self.barrier("root", *(join.leaf for join in joins))

    def tell_root(self, text: bytes, join: Join, root: int = 1) -> None:
        """Let a leaf send to the root, which reads."""
        leaf = join.leaf
        asked = self.ask(f"send {text!r}", leaf, "send", socket=join.end, data=text.hex())
        self.answer(f"send {text!r}", leaf, asked, result={"octets": len(text)})
        data = self.data(text, join.member_id, join.next_leaf, join.root_tag)
        self.send(f"DATA {text!r} root", leaf, "root", data)
        join.last["leaf"] = join.next_leaf
        join.next_leaf += 1
        self.event(f"FD_READ {text!r} root", "root", root, "FD_READ")
        self.barrier("root", leaf)
        self.call(f"recv {text!r} root", "root", "recv", {"data": text.hex()}, socket=root)
        self.barrier("root", leaf)

    @staticmethod
    def data(text: bytes, origin: int, seq: int, tag: int) -> Data:
        """Build DATA."""
        return Data(
            origin=origin,
            dflags=0,
            hop=0,
            payload=text,
            seq=seq,
            sender_id=origin,
            session_id=SESSION,
            destination_tag=tag,
        )

    def closing(self, join: Join, reason: CloseReason) -> tuple[Close, CloseAck]:
        """Build CLOSE and its answer."""
        final_root = join.last.get("root", join.next_root - 1)
        final_leaf = join.last.get("leaf", LEAF_DATA - 1)
        leaves = reason is CloseReason.LEAVE
        mine, theirs = (final_leaf, final_root) if leaves else (final_root, final_leaf)
        close = Close(
            reason=int(reason),
            cflags=2 if reason is CloseReason.DISMANTLE else 0,
            final_seq=mine,
            side_final_seq=0,
            session_id=SESSION,
            seq=20,
            destination_tag=join.root_tag if leaves else join.leaf_tag,
            sender_id=join.member_id if leaves else 1,
        )
        ack = CloseAck(
            ack_flags=0,
            rcv_next=mine + 1,
            final_seq=theirs,
            session_id=SESSION,
            seq=20,
            destination_tag=join.leaf_tag if leaves else join.root_tag,
            sender_id=1 if leaves else join.member_id,
        )
        return close, ack

    def leave(self, join: Join) -> None:
        """Let a leaf close its end."""
        leaf = join.leaf
        close, ack = self.closing(join, CloseReason.LEAVE)
        self.call(f"{leaf} close", leaf, "close", {}, socket=join.end)
        self.send(f"{leaf} CLOSE", leaf, "root", close)
        self.send(f"{leaf} CLOSE_ACK", "root", leaf, ack)
        self.event(f"{leaf} FD_CLOSE P", "root", join.handle, "FD_CLOSE")
        self.barrier()

    def expel(self, join: Join) -> None:
        """Let the root close a handle."""
        leaf = join.leaf
        close, ack = self.closing(join, CloseReason.EXPEL)
        self.call(f"{leaf} close P", "root", "close", {}, socket=join.handle)
        self.send(f"{leaf} CLOSE", "root", leaf, close)
        self.event(f"{leaf} FD_CLOSE", leaf, join.end, "FD_CLOSE")
        self.send(f"{leaf} CLOSE_ACK", leaf, "root", ack)
        self.barrier()

    def dismantle(self, joins: list[Join], root: int = 1) -> None:
        """Let the root close R."""
        self.call("dismantle", "root", "close", {}, socket=root)
        for join in joins:
            leaf = join.leaf
            close, ack = self.closing(join, CloseReason.DISMANTLE)
            self.send(f"{leaf} CLOSE", "root", leaf, close)
            self.event(f"{leaf} FD_CLOSE", leaf, join.end, "FD_CLOSE")
            self.send(f"{leaf} CLOSE_ACK", leaf, "root", ack)
            self.event(f"{leaf} FD_CLOSE P", "root", join.handle, "FD_CLOSE")
        self.barrier()


def tour() -> list[Move]:
    """Tell the tour: every way in, data both ways, every way out."""
    plot = Tale()
    plot.open("root", listening=True)
    for leaf in ("leaf1", "leaf2", "leaf3"):
        plot.open(leaf, listening=leaf == "leaf2")
    first = plot.join("leaf1", 1)
    second = plot.invite("leaf2", 1)
    refused = plot.ask_to_join("leaf3", 1)
    plot.refuse(refused)
    third = plot.join("leaf3", 1)
    plot.tell_all(b"hello", [first, second, third])
    plot.tell_root(b"thanks", first)
    plot.leave(first)
    plot.expel(second)
    plot.dismantle([third])
    return plot.moves


def three() -> list[Move]:
    """Tell a session of three leaves that is dismantled as a whole."""
    plot = Tale()
    plot.open("root", listening=True)
    joins = []
    for leaf in ("leaf1", "leaf2", "leaf3"):
        plot.open(leaf, listening=False)
        joins.append(plot.join(leaf, 1))
    plot.tell_all(b"last words", joins)
    plot.dismantle(joins)
    plot.moves.append(Wait("wait", 8))
    plot.barrier()
    plot.barrier()
    return plot.moves
