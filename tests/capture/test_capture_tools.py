"""Other people's programs open our run files and see the same frames, stamps and comments."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mpwire.capture import annotate, open_run
from mpwire.capture.pcapng import Writer


def tool(name: str) -> str:
    """Return the path of a program, or skip the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"this machine cannot run it: {name} is not installed")
    return path


def output_of(*command: str, stdin: Path | None = None) -> str:
    """Run a program and return what it prints."""
    with (stdin or Path("/dev/null")).open("rb") as given:
        return subprocess.run(command, check=True, stdin=given, capture_output=True).stdout.decode()


def seconds(time_ns: int) -> str:
    """Write nanoseconds as seconds with nine decimals, as the tools do."""
    return f"{time_ns // 10**9}.{time_ns % 10**9:09}"


def test_tshark_sees_frames_stamps_interfaces_and_comments(
    small_file: Path, payloads: list[bytes], times_ns: list[int]
) -> None:
    tshark = tool("tshark")
    annotate(small_file, {"verdict": "FAIL"}, {3: "FAIL R1", 6: "FAIL R2"})
    fields = ("frame.number", "frame.time_epoch", "frame.interface_name", "udp.payload")
    options = [part for field in (*fields, "frame.comment") for part in ("-e", field)]
    shown = output_of(
        tshark, "-r", str(small_file), "-T", "fields", "-E", "separator=|", "-Y", "udp", *options
    )
    comments = ["", "", "the first,verdict: FAIL R1", "", "", "verdict: FAIL R2"]
    vantages = ["root", "leaf1"] * 3
    expected = [
        f"{number}|{seconds(time_ns)}|{vantage}|{payload.hex()}|{comment}"
        for number, (time_ns, vantage, payload, comment) in enumerate(
            zip(times_ns, vantages, payloads, comments, strict=True), 1
        )
    ]
    assert shown.splitlines() == expected


def test_tshark_sees_direction_and_number_of_every_frame(small_file: Path) -> None:
    shown = output_of(tool("tshark"), "-r", str(small_file), "-V", "-Y", "udp")
    lines = [line.strip() for line in shown.splitlines()]
    ids = [line for line in lines if line.startswith("Packet id: ")]
    assert ids == [f"Packet id: {number}" for number in range(1, 7)]
    directions = [line.rpartition("Direction: ")[2] for line in lines if "= Direction: " in line]
    out, into = "Outbound (0x2)", "Inbound (0x1)"
    assert directions == [out, into, out, into, out, out]


def test_tcpdump_sees_frames_and_stamps(
    small_file: Path, payloads: list[bytes], times_ns: list[int]
) -> None:
    # From standard input, because tcpdump gives up root's rights before it opens files.
    tcpdump = tool("tcpdump")
    options = ("-n", "-tt", "--time-stamp-precision=nano", "-r", "-")
    shown = output_of(tcpdump, *options, stdin=small_file)
    assert shown.splitlines() == [
        f"{seconds(time_ns)} IP 10.77.0.1.5 > 10.77.0.2.6: UDP, length {len(payload)}"
        for time_ns, payload in zip(times_ns, payloads, strict=True)
    ]


def test_scapy_sees_frames_stamps_and_comments(small_file: Path) -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    from scapy.utils import RawPcapNgReader

    run = open_run(small_file)
    with RawPcapNgReader(str(small_file)) as reader:
        packets = list(reader)
    assert [data for data, _ in packets] == [frame.data for frame in run.frames]
    stamps = [((about.tshigh << 32) + about.tslow, about.tsresol) for _, about in packets]
    assert stamps == [(frame.time_ns, 10**9) for frame in run.frames]
    assert [about.ifname for _, about in packets] == [f.vantage.encode() for f in run.frames]
    assert [about.direction for _, about in packets] == [
        {"in": 1, "out": 2}[frame.direction or "in"] for frame in run.frames
    ]
    assert packets[2][1].comments == [b"the first"]


def test_dpkt_sees_frames_and_stamps(small_file: Path) -> None:
    dpkt = pytest.importorskip("dpkt", reason="dpkt is not installed")
    run = open_run(small_file)
    with small_file.open("rb") as stream:
        packets = list(dpkt.pcapng.Reader(stream))
    assert [data for _, data in packets] == [frame.data for frame in run.frames]
    # dpkt's stamps are floating-point seconds
    differences = [
        abs(stamp * 10**9 - frame.time_ns)
        for (stamp, _), frame in zip(packets, run.frames, strict=True)
    ]
    assert max(differences) < 1000


def test_capinfos_counts_frames_and_interfaces(small_file: Path) -> None:
    shown = output_of(tool("capinfos"), str(small_file))
    assert "Capture application: mpwire run" in shown
    assert "Number of interfaces in file: 2" in shown
    assert "Time precision = nanoseconds (9)" in shown


def test_custom_blocks_survive_editcap(small_file: Path, tmp_path: Path) -> None:
    annotate(small_file, {"verdict": "PASS"}, {1: "x"})
    edited = tmp_path / "edited.pcapng"
    output_of(tool("editcap"), str(small_file), str(edited))
    before, after = open_run(small_file), open_run(edited)
    assert after.frames == before.frames
    assert after.records == before.records
    assert after.incomplete == []


def test_a_frame_deleted_with_editcap_is_missed(small_file: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.pcapng"
    output_of(tool("editcap"), str(small_file), str(edited), "4")
    run = open_run(edited)
    assert [frame.number for frame in run.frames] == [1, 2, 3, 5, 6]
    assert "missing frames: 4" in run.incomplete


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_other_programs_captures_are_read(
    tmp_path: Path, form: str, udp_frame: Callable[[bytes], bytes], times_ns: list[int]
) -> None:
    ours = tmp_path / "ours.pcapng"
    theirs = tmp_path / "theirs"
    with ours.open("wb") as stream:
        writer = Writer(stream)
        writer.interface("eth0")
        for number, time_ns in enumerate(times_ns):
            writer.packet(0, udp_frame(bytes([number])), time_ns)
    output_of(tool("editcap"), "-F", form, str(ours), str(theirs))
    run = open_run(theirs)
    unit = 1000 if form == "pcap" else 1
    assert [frame.time_ns for frame in run.frames] == [t // unit * unit for t in times_ns]
    assert [frame.data for frame in run.frames] == [f.data for f in open_run(ours).frames]
    assert (run.run, run.incomplete) == (None, [])


@pytest.mark.parametrize("order", ["<", ">"])
def test_tshark_reads_both_byte_orders(
    tmp_path: Path, order: str, udp_frame: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = Writer(stream, byte_order="<" if order == "<" else ">")
        number = writer.interface("eth0")
        writer.packet(number, udp_frame(b"hi"), 10**18 + 1, direction="in", packetid=5)
        writer.statistics(number, 10**18 + 2, received_count=1, dropped_count=0)
    fields = ("-T", "fields", "-e", "frame.time_epoch", "-e", "udp.payload")
    shown = output_of(tool("tshark"), "-r", str(path), *fields)
    assert shown == "1000000000.000000001\t6869\n"
