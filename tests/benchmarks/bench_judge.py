"""Print how fast captures are judged, and how much memory that takes.

    PYTHONPATH=. python tests/benchmarks/bench_judge.py [--frames N ...] [--live N ...] [--mix MIX]

Captures are made by the wire codec and the capture writer, frame by frame, so that they may be
far larger than memory: one root, a number of leaves that are members at the same time, and new
ones in their place when they leave. In the mix `data` 95 % of the frames are DATA and DATA_ACK, in
the mix `control` 80 % are joins and ends, in the mix `steady` nobody leaves; the mix `run` is a run
file with agents' lines, in which three leaves take turns whatever --live says. Each is judged
by a process of its own, whose peak of resident memory is what the kernel says. Speed is that of
`check` in CPU time with all that it starts with, as other programs may be busy meanwhile; and so is
that of `tcpdump -n -r` and `tshark -n -r`, which print the same file where they are installed: what
follows is how many times as fast as these `check` is. With TZ=UTC0, since without it tcpdump looks
for the time zone file at every frame.
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np

from mpwire.capture.writer import Writer
from mpwire.wire.codec import encode, pad_join_request
from mpwire.wire.messages import (
    Accept,
    Challenge,
    Close,
    CloseAck,
    Confirm,
    Data,
    DataAck,
    JoinReq,
    Message,
    Pending,
    SessionDesc,
    Timers,
)
from tests.oracle.oracle_churn import churn
from tests.oracle.oracle_story import record

START_NS = 1_800_000_000_000_000_000
STEP_NS = 10_000
ROOT = 0x0A00_0001
PORT = 61717
SESSION = 0x0123_4567_89AB_CDEF
ROUNDS = {"data": 19, "control": 1}
"""How often a member is sent eight messages, before it leaves."""
MIXES = ("data", "control", "steady", "run")
FRAMES_A_ROUND = 24
"""What one leaf that comes and goes makes in a run."""
BURST = {"data": 8, "control": 1}
PAYLOAD = bytes(64)
BLOCK_AT = 28
"""Where a frame begins in an enhanced packet block."""
SEQ_AT = 14 + 20 + 8 + 24
"""Where Seq stands in a frame."""
TIMERS = Timers(
    rto_initial_ms=1000,
    rto_maximum_ms=16000,
    keepalive_ms=20000,
    dead_ms=45000,
    pend_ms=180000,
    linger_ms=40000,
    drain_ms=6000,
    mrc=5,
    tflags=0,
)
DESCRIPTION = SessionDesc(
    planes=3,
    family=0,
    data_port=0,
    group_tag=0xCAFE_BABE_00C0_FFEE,
    max_rate=0,
    max_payload=1156,
    hop_limit=1,
    repair=1,
    group=b"",
)
CHILD = """
import json, sys
from mpwire.capture import open_run
from mpwire.oracle import judge
judgement = judge(open_run(sys.argv[1]))
print(json.dumps({
    "peak_kib": int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]),
    "checks": sum(rule.count for rule in judgement.rules),
    "failed": [rule.id for rule in judgement.rules if rule.failed],
    "open": [rule.id for rule in judgement.rules if rule.undecided],
}))
"""


@dataclass
class Figures:
    """What one capture cost."""

    seconds: float
    """CPU time."""
    peak_kib: int
    checks: int
    failed: list[str]
    open: list[str]


class Member:
    """One leaf: its join, its data, its end, message by message."""

    def __init__(self, number: int, random: Random) -> None:
        """Draw what a join draws."""
        self.address = 0x0A01_0000 + number % 0x00F0_0000
        self.leaf_id = 2 + number % 0xFFFF_0000
        self.init_tag = random.getrandbits(63) + 1
        self.resp_tag = random.getrandbits(63) + 1
        self.cookie = random.randbytes(24)
        self.first = random.getrandbits(30)
        self.seq = number & 0xFFFF_FFFF
        self.sample: bytes | None = None

    def messages(self, mix: str, rounds: int | None) -> Iterator[tuple[bool, Message]]:
        """Yield what is sent, and whether the root sends it; for ever if rounds is None."""
        yield from self.joining()
        seq = self.first
        acks = 0
        place = 0
        while rounds is None or place < rounds:
            place += 1
            for _ in range(BURST[mix]):
                yield True, self.data(seq)
                seq = (seq + 1) & 0xFFFF_FFFF
            acks += 1
            ack = DataAck(origin=1, rcv_next=seq, window=256)
            yield False, self._to_root(ack, acks)
        yield from self._leave(seq)

    def framed(self, from_root: bool, message: Message) -> bytes:
        """Return the frame of a message; of DATA only Seq and checksum are made anew."""
        if not isinstance(message, Data) or self.sample is None:
            frame = ethernet(self.address, from_root, message)
            if isinstance(message, Data):
                self.sample = frame[:SEQ_AT] + bytes(4) + frame[SEQ_AT + 4 :]
            return frame
        frame = self.sample[:SEQ_AT] + message.seq.to_bytes(4, "big") + self.sample[SEQ_AT + 4 :]
        total = summed(frame[26:34] + b"\0\x11" + frame[38:40] + frame[34:40] + frame[42:])
        return frame[:40] + ((0xFFFF - total) or 0xFFFF).to_bytes(2, "big") + frame[42:]

    def joining(self) -> Iterator[tuple[bool, Message]]:
        """Yield the messages of a join."""
        request = JoinReq(
            init_tag=self.init_tag,
            role=2,
            jl=4,
            leaf_dir=3,
            planes=3,
            next_data_seq=500,
            max_payload=1156,
            timers=TIMERS,
            caps=2,
            versions=(1, 0x0A),
            seq=self.seq,
        )
        for attempt, cookie in ((1, None), (2, self.cookie)):
            request.attempt, request.cookie = attempt, cookie
            pad_join_request(request)
            yield False, request
            if cookie is None:
                yield True, self._answer(Challenge(cookie_life_ms=30000, cookie=self.cookie), 1)
        pending = Pending(resp_tag=self.resp_tag, state=1, queue_pos=0, poll_ms=3000)
        yield True, self._answer(pending, 2)
        accept = Accept(
            resp_tag=self.resp_tag,
            assigned_id=self.leaf_id,
            leaf_dir=3,
            max_payload=1156,
            next_data_seq=self.first,
            timers=TIMERS,
            caps=2,
            versions=(1, 0x0A),
            session_desc=DESCRIPTION,
            session_id=SESSION,
        )
        yield True, self._answer(accept, 1)
        yield False, self._to_root(Confirm(assigned_id=0, next_data_seq=500, leaf_dir=3), self.seq)

    def _leave(self, following: int) -> Iterator[tuple[bool, Message]]:
        close = Close(reason=1, cflags=0, final_seq=499, side_final_seq=0)
        yield False, self._to_root(close, self.seq + 1)
        final = (following - 1) & 0xFFFF_FFFF
        yield (
            True,
            self._to_leaf(CloseAck(ack_flags=0, rcv_next=500, final_seq=final), self.seq + 1),
        )

    def _answer(self, message: Message, attempt: int) -> Message:
        message.destination_tag, message.seq, message.attempt = self.init_tag, self.seq, attempt
        message.sender_id = 0 if isinstance(message, Challenge) else 1
        return message

    def _to_leaf(self, message: Message, seq: int) -> Message:
        message.destination_tag, message.seq, message.session_id = self.init_tag, seq, SESSION
        message.sender_id = 1
        return message

    def _to_root(self, message: Message, seq: int) -> Message:
        message.destination_tag, message.seq, message.session_id = self.resp_tag, seq, SESSION
        message.sender_id = self.leaf_id
        return message

    def data(self, seq: int) -> Message:
        """Return the DATA of one Seq."""
        return self._to_leaf(Data(origin=1, dflags=0, hop=0, payload=PAYLOAD), seq)


def made(path: Path, frames: int, live: int, mix: str) -> None:
    """Write a capture in which `live` members take turns; they stay if there are many."""
    random = Random(live)
    stay = live * 16 > frames or live > 1000
    rounds = None if stay and mix == "data" else ROUNDS[mix]
    number = live
    members = [Member(place, random) for place in range(live)]
    flows = [member.messages(mix, rounds) for member in members]
    with path.open("wb", buffering=1 << 20) as stream:
        writer = Writer(stream, application="bench")
        interface = writer.interface("bench")
        for count in range(frames):
            place = count % live
            step = next(flows[place], None)
            if step is None:
                members[place] = Member(number, random)
                number += 1
                flows[place] = members[place].messages(mix, rounds)
                step = next(flows[place])
            data = members[place].framed(*step)
            writer.packet(interface, data, START_NS + count * STEP_NS)


def steadied(path: Path, frames: int, live: int) -> None:
    """Write a capture in which members join, and are sent data for ever, many at a time.

    Blocks are those of the writer; of each further one stamp, Seq and checksum are made anew.
    """
    random = Random(live)
    members = [Member(place, random) for place in range(live)]
    stream = BytesIO()
    writer = Writer(stream, application="bench")
    interface = writer.interface("bench")
    count = 0
    for member in members:
        for from_root, message in member.joining():
            count += 1
            data = ethernet(member.address, from_root, message)
            writer.packet(interface, data, START_NS + count * STEP_NS)
    with path.open("wb") as file:
        file.write(stream.getvalue())
        start = stream.tell()
        for member in members:
            data = ethernet(member.address, True, member.data(0))
            writer.packet(interface, data, 0)
        blocks = np.frombuffer(stream.getvalue()[start:], dtype=np.uint8).reshape(live, -1).copy()
        first = np.array([member.first for member in members], dtype=np.int64)
        frame = blocks[:, BLOCK_AT:]
        spare = 0xFFFF - (frame[:, 40].astype(np.int64) * 256 + frame[:, 41])
        for turn in range((frames - count) // live):
            seqs = (first + turn) & 0xFFFF_FFFF
            frame[:, SEQ_AT : SEQ_AT + 4] = seqs.astype(">u4").view(np.uint8).reshape(live, 4)
            total = (spare + (seqs >> 16) + (seqs & 0xFFFF)) % 0xFFFF
            total = (0xFFFF - total).astype(">u2")
            frame[:, 40:42] = total.view(np.uint8).reshape(live, 2)
            stamps = START_NS + (count + turn * live + np.arange(live, dtype=np.int64)) * STEP_NS
            blocks[:, 12:16] = (stamps >> 32).astype("<u4").view(np.uint8).reshape(live, 4)
            low = (stamps & 0xFFFF_FFFF).astype("<u4")
            blocks[:, 16:20] = low.view(np.uint8).reshape(live, 4)
            file.write(blocks.tobytes())


def ethernet(leaf: int, from_root: bool, message: Message) -> bytes:
    """Wrap a message in UDP, IPv4 and Ethernet."""
    payload = encode(message)
    source, target = (ROOT, leaf) if from_root else (leaf, ROOT)
    length = 8 + len(payload)
    addresses = struct.pack("!II", source, target)
    ports = struct.pack("!HHH", PORT, PORT, length)
    total = summed(addresses + struct.pack("!HH", 17, length) + ports + payload)
    header = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, 17)
    header += struct.pack("!H", 0xFFFF - summed(header + addresses)) + addresses
    link = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0"
    return link + header + ports + struct.pack("!H", (0xFFFF - total) or 0xFFFF) + payload


def summed(octets: bytes) -> int:
    """Return the ones' complement sum of 16-bit words; the octets are an even number."""
    return int.from_bytes(octets, "big") % 0xFFFF


def judged(path: Path) -> Figures:
    """Judge a capture in a process of its own."""
    seconds, said = spent([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
    return Figures(seconds=seconds, **json.loads(said))


def dumped(path: Path, name: str) -> float | None:
    """Return how long tcpdump or tshark takes for the same file; None without it."""
    tool = shutil.which(name)
    if tool is None:
        return None
    return spent([tool, "-n", "-r", str(path)], stdout=subprocess.DEVNULL)[0]


def spent(command: list[str], stdout: int) -> tuple[float, bytes]:
    """Run a program; return its CPU time, and what it says."""
    before = getrusage(RUSAGE_CHILDREN)
    env = {**os.environ, "TZ": "UTC0"}
    done = subprocess.run(command, check=True, stdout=stdout, stderr=subprocess.PIPE, env=env)
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, done.stdout


def made_of(mix: str, path: Path, frames: int, live: int) -> None:
    """Write a file of a mix."""
    path.unlink(missing_ok=True)
    if mix == "steady":
        steadied(path, frames, live)
    elif mix == "run":
        folder = path.parent / "run"
        folder.mkdir(exist_ok=True)
        record(churn(frames // FRAMES_A_ROUND), folder).replace(path)
    else:
        made(path, frames, live, mix)


def main() -> None:
    """Make captures, judge them, print a line each."""
    parser = argparse.ArgumentParser(description="how fast captures are judged")
    parser.add_argument("--frames", type=float, nargs="+", default=[1e5])
    parser.add_argument("--live", type=float, nargs="+", default=[100])
    parser.add_argument("--mix", choices=MIXES, nargs="+", default=["data"])
    parser.add_argument("--folder", type=Path, help="where captures are written for the time")
    chosen = parser.parse_args()
    sys.stdout.write(
        "mix       frames     live    frames/s  peak MiB  checks/frame"
        "  x tcpdump  x tshark  B/membership\n"
    )
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path = Path(folder) / "bench.pcapng"
        for mix in chosen.mix:
            for frames in map(int, chosen.frames):
                few: tuple[int, int] | None = None
                for live in map(int, chosen.live):
                    made_of(mix, path, frames, live)
                    figures = judged(path)
                    peers = (dumped(path, "tcpdump"), dumped(path, "tshark"))
                    ratio = "".join(
                        f"{peer / figures.seconds:10.3f}" if peer else f"{'-':>10}"
                        for peer in peers
                    )
                    each = "-"
                    if few is None:
                        few = (live, figures.peak_kib)
                    elif live > few[0]:
                        each = f"{1024 * (figures.peak_kib - few[1]) / (live - few[0]):.0f}"
                    sys.stdout.write(
                        f"{mix:8}{frames:9}{live:9}{frames / figures.seconds:12.0f}"
                        f"{figures.peak_kib / 1024:10.0f}{figures.checks / frames:14.1f} {ratio}"
                        f"{each:>14}  {' '.join(figures.failed)}\n"
                    )
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
