"""A counterexample as people read it: who did what, what was sent, what the sockets were told."""

from mpwire.core.events import SendDatagram
from mpwire.core.groups import is_group_host
from mpwire.testing.exploration.moves import Move
from mpwire.testing.exploration.party import Party
from mpwire.testing.exploration.search import Tally
from mpwire.testing.exploration.walk import Walk
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.messages import Accept, JoinReq, Message, Pending
from mpwire.wire.numbers import HeaderFlag, MessageType
from mpwire.wire.registries import (
    AbortReason,
    CancelReason,
    CancelResult,
    CloseReason,
    RejectReason,
)

REASONS = {
    MessageType.REJECT: RejectReason,
    MessageType.CANCEL: CancelReason,
    MessageType.CLOSE: CloseReason,
    MessageType.ABORT: AbortReason,
}


def describe(message: Message) -> str:
    """Name a message, the number of its copy, its reason or result, and the tags it carries."""
    kind = MessageType(message.TYPE)
    words = [f"#{message.attempt}"]
    reason = getattr(message, "reason", None)
    if kind in REASONS and reason is not None:
        words.append(REASONS[kind](reason).name)
    result = getattr(message, "result", None)
    if result is not None:
        words.append(CancelResult(result).name)
    if isinstance(message, JoinReq):
        words.append(f"of {message.init_tag:x}")
        words += ["with cookie"] if message.cookie else []
    else:
        words.append(f"to {message.destination_tag:x}")
    if isinstance(message, Pending | Accept):
        words.append(f"from {message.resp_tag:x}")
    words += [flag.name or "" for flag in (HeaderFlag.R, HeaderFlag.X) if message.flags & flag]
    payload = getattr(message, "payload", None)
    words += [payload.decode()] if payload else []
    return f"{kind.name}({', '.join(words)})"


def name_of(number: int) -> str:
    """Return what a party is called: the root, or a leaf by the number of its host."""
    return "root" if number == 1 else f"leaf {number}"


def tell(walker: Walk, tally: Tally) -> list[str]:
    """Tell the way to the offence of a walk, one line per step, and the offence."""
    lines = []
    state = walker.first
    for count, move in enumerate(tally.path, 1):
        lines.append(f"{count:4}  {_tell_move(walker, state, move)}")
        state = move[-1]
    if tally.offence is not None:
        lines.append(f"      refuted: {tally.offence.invariant.value}")
        lines.append(f"      {tally.offence.what}")
    return lines


def _tell_move(walker: Walk, state: int, move: Move) -> str:
    """Tell one step, running the product once more to see what it does."""
    kind, index, subject, _ = move
    number = walker.unpack(state)[0][index]
    party: Party = walker.archive.thaw(walker.known[index][number].frozen).root
    actor = f"{name_of(party.number):8}"
    if isinstance(subject, int):
        message = describe(decode_untrusted(walker.datagrams[subject][0]))
        if kind == "is lost":
            return f"{'network':8}loses {message} to {actor.strip()}"
        kept = " (and it stays in flight)" if kind == "is duplicated" else ""
        what = f"hears {message}{kept}"
    elif isinstance(subject, str):
        what = f"calls {subject}"
    else:
        what = f"timer {subject[1].value} of {subject[0]:x} expires"
    step = walker.feed(party, subject)
    assert step is not None
    effects = [f"{_to(datagram)}" for datagram in step.datagrams] + step.notes
    return f"{actor}{what}" + "".join(f"\n{'':14}  {effect}" for effect in effects)


def _to(datagram: SendDatagram) -> str:
    host = datagram.destination[0]
    to = "group" if is_group_host(host) else name_of(int(host.rsplit(".", 1)[1]))
    return f"-> {to}: {describe(decode_untrusted(datagram.data))}"
