"""What came too early is shown by its cause, and by causes only that had provably been heard."""

from pathlib import Path

import msgspec

from mpwire.oracle import judge
from mpwire.wire.messages import Probe, ProbeAck
from tests.oracle.oracle_asides import alive
from tests.oracle.oracle_story import Move, Send, after, barriers, before, message_of, play


def probed_back(*between: Move) -> list[Move]:
    """Let the leaf ask as well, just before the root does; what stands between is given."""
    moves = alive()
    probe, answer = message_of(moves, "PROBE 2"), message_of(moves, "PROBE_ACK 2")
    assert isinstance(probe, Probe)
    assert isinstance(answer, ProbeAck)
    to_root = {"destination_tag": answer.destination_tag, "sender_id": answer.sender_id}
    to_leaf = {"destination_tag": probe.destination_tag, "sender_id": probe.sender_id}
    asked = msgspec.structs.replace(
        probe, nonce=7, seq=answer.seq + 500, next_data_seq=0, **to_root
    )
    told = msgspec.structs.replace(answer, nonce=7, seq=asked.seq, rcv_next=0, **to_leaf)
    moves = before(moves, "PROBE 2", Send("asked back", "leaf1", "root", asked), *between)
    return after(moves, "PROBE 2", Send("told back", "root", "leaf1", told))


def test_what_arrives_as_a_probe_leaves_does_not_make_it_early(tmp_path: Path) -> None:
    judgement = judge(play(probed_back(), tmp_path))
    assert "R76" not in {finding.rule for finding in judgement.findings}


def test_what_was_provably_heard_before_does(tmp_path: Path) -> None:
    judgement = judge(play(probed_back(*barriers("root", 1)), tmp_path))
    (finding,) = [one for one in judgement.findings if one.rule == "R76"]
    assert finding.expected == "copy 1 not before 0.00 s were over"
