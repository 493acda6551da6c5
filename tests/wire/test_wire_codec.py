"""Hold the codec to each rule that one datagram decides: rule, octet offset, reason."""

import struct
import subprocess
import sys
from typing import Any

import pytest

from mpwire.wire import messages as m
from mpwire.wire.codec import (
    decode_untrusted,
    encode,
    is_mpw,
    pad_join_request,
    unknown_mandatory,
)
from mpwire.wire.errors import DecodeError, EncodeError, GreaseMessage, UnsupportedVersion
from mpwire.wire.numbers import HeaderFlag, MessageType

TAG = 0x1122334455667788


def timers(**changes: object) -> m.Timers:
    """Return default timers."""
    fields: dict[str, Any] = {
        "rto_initial_ms": 1000,
        "rto_maximum_ms": 16000,
        "keepalive_ms": 20000,
        "dead_ms": 45000,
        "pend_ms": 180000,
        "linger_ms": 40000,
        "drain_ms": 6000,
        "mrc": 5,
        "tflags": 0,
    }
    return m.Timers(**(fields | changes))


def join_req(**changes: object) -> m.JoinReq:
    """Return a valid join request of 128 octets."""
    fields: dict[str, Any] = {
        "init_tag": TAG,
        "role": 2,
        "jl": 4,
        "leaf_dir": 3,
        "planes": 3,
        "next_data_seq": 1,
        "max_payload": 1156,
        "timers": timers(),
        "caps": 3,
        "versions": (1, 0x2A),
        "pad_octets": 28,
    }
    return m.JoinReq(**(fields | changes))


def abort(**changes: object) -> m.Abort:
    """Return a valid abort of 40 octets."""
    fields: dict[str, Any] = {"destination_tag": TAG, "reason": 1, "echo_seq": 0}
    return m.Abort(**(fields | changes))


def nack(*ranges: tuple[int, int]) -> m.Nack:
    """Return a negative acknowledgement."""
    return m.Nack(destination_tag=TAG, origin=1, ranges=ranges)


def auth() -> m.Auth:
    """Return an AUTH value."""
    return m.Auth(key_id=1, alg=1, counter=1, icv=bytes(16))


def patched(data: bytes, offset: int, octets: bytes) -> bytes:
    """Overwrite octets."""
    return data[:offset] + octets + data[offset + len(octets) :]


def with_tlvs(message: m.Message, *tlvs: bytes) -> bytes:
    """Append raw TLVs and repair Length."""
    data = encode(message) + b"".join(tlvs)
    return patched(data, 6, struct.pack("!H", len(data)))


def tlv(code: int, value: bytes = b"", length: int | None = None) -> bytes:
    """Assemble one TLV; a given length is written as it is."""
    octets = len(value) if length is None else length
    return struct.pack("!HH", code, octets) + value + bytes(-len(value) % 4)


def error_of(data: bytes) -> DecodeError:
    """Return the error that these octets raise."""
    with pytest.raises(DecodeError) as caught:
        decode_untrusted(data)
    assert str(caught.value) == (
        f"{caught.value.rule} at octet {caught.value.offset_octets}: {caught.value.reason}"
    )
    return caught.value


JOIN = encode(join_req())
ABORT = encode(abort())
NACK = encode(nack((1, 2)))

BROKEN = [
    ("no octets", b"", "R1", 0),
    ("foreign magic", patched(ABORT, 0, b"MP"), "R1", 0),
    ("half a header", ABORT[:20], "R3", 20),
    ("Length too small", patched(ABORT, 6, b"\x00\x27"), "R2", 6),
    ("trailing octets", ABORT + bytes(4), "R2", 6),
    ("version 0 with a type", patched(ABORT, 2, b"\x00"), "R1", 2),
    ("version 1 without", patched(ABORT, 3, b"\x00"), "R1", 2),
    ("type not assigned", patched(ABORT, 3, b"\x18"), "R13", 3),
    ("no room for the body", patched(ABORT[:36], 6, b"\x00\x24"), "R3", 36),
    ("small JOIN_REQ", patched(JOIN[:-4], 6, b"\x00\x7c"), "R32", 6),
    ("reserved flag", patched(ABORT, 4, b"\x02"), "R12", 4),
    ("JOIN_REQ with a tag", patched(JOIN, 23, b"\x01"), "R21", 16),
    ("no destination tag", patched(ABORT, 16, bytes(8)), "R22", 16),
    ("reserved sender", patched(ABORT, 28, b"\xff\xff\xff\xf0"), "R18", 28),
    ("reserved octet", patched(ABORT, 34, b"\x01"), "R12", 33),
    ("reason not assigned", patched(ABORT, 32, b"\x19"), "R13", 32),
    ("InitTag 0", patched(JOIN, 32, bytes(8)), "R19", 32),
    ("role 4", patched(JOIN, 40, b"\x04"), "R18", 40),
    ("JL 3", patched(JOIN, 41, b"\x03"), "R18", 41),
    ("LeafDir 4", patched(JOIN, 42, b"\x04"), "R18", 42),
    ("LeafDir 8", patched(JOIN, 42, b"\x0b"), "R18", 42),
    ("planes", patched(JOIN, 43, b"\x13"), "R18", 43),
    ("stub of a TLV", with_tlvs(abort(), b"\x00\x0e"), "R7", 40),
    ("TLV overruns", with_tlvs(abort(), tlv(0x000E, b"abcd", 5)), "R7", 42),
    ("padding", with_tlvs(abort(), tlv(0x000E, b"abc", 2)), "R8", 46),
    ("PAD not zero", patched(JOIN, 127, b"\x01"), "R8", 100),
    ("twice", with_tlvs(abort(), tlv(0x7001), tlv(0x7001)), "R9", 44),
    ("descending", with_tlvs(abort(), tlv(0x7002), tlv(0x7001)), "R9", 44),
    ("33 TLVs", with_tlvs(abort(), *[tlv(0x7100 + one) for one in range(33)]), "R9", 40 + 32 * 4),
    ("AUTH not last", with_tlvs(abort(), tlv(0x8010, bytes(28)), tlv(0x9000)), "R14", 72),
    ("not here", with_tlvs(abort(), tlv(0x0008, b"x")), "R10", 40),
    ("PAYLOAD missing", patched(ABORT, 3, b"\x10\x00\x01\x00\x28"), "R10", 40),
    ("ranges missing", patched(NACK[:40], 6, b"\x00\x28"), "R10", 40),
    ("count", patched(NACK, 36, b"\x02"), "R11", 36),
    ("range descends", patched(NACK, 48, b"\x00\x00\x00\x00"), "R11", 44),
    ("too long a text", with_tlvs(abort(), tlv(0x000E, bytes(129))), "R11", 42),
    ("no text", with_tlvs(abort(), tlv(0x000E)), "R11", 42),
    ("not UTF-8", with_tlvs(abort(), tlv(0x000E, b"a\xff")), "R11", 45),
    ("TIMERS of 23", patched(JOIN, 54, b"\x00\x17"), "R11", 54),
    ("TFlags", patched(JOIN, 79, b"\x02"), "R18", 79),
    ("flag A alone", patched(ABORT, 4, b"\x40"), "R14", 4),
    ("AUTH alone", with_tlvs(abort(), tlv(0x8010, bytes(28))), "R14", 4),
]


@pytest.mark.parametrize(
    ("data", "rule", "offset"), [pytest.param(*one[1:], id=one[0]) for one in BROKEN]
)
def test_each_broken_datagram_names_rule_and_offset(data: bytes, rule: str, offset: int) -> None:
    error = error_of(data)
    assert (error.rule, error.offset_octets) == (rule, offset), error


def version_neg(*octets: int, count: int | None = None) -> bytes:
    """Assemble a VERSION_NEG by hand."""
    body = bytes([len(octets) if count is None else count, 0, 0, 0, *octets])
    header = b"mp\x00\x00\x00\x01" + struct.pack("!HQQII", 32 + len(body), 0, TAG, 7, 0)
    return header + body


@pytest.mark.parametrize(
    ("data", "rule", "offset"),
    [
        (version_neg(count=0), "R11", 32),
        (version_neg(*[1] * 20, count=17), "R11", 32),
        (version_neg(1, 0, 0, 0, count=5), "R7", 40),
        (version_neg(1, 0, 0, 0, 0, 0, 0, 0, count=1), "R7", 37),
        (version_neg(1, 0, 1, 0, count=1), "R8", 37),
    ],
)
def test_version_lists_fill_their_message(data: bytes, rule: str, offset: int) -> None:
    error = error_of(data)
    assert (error.rule, error.offset_octets) == (rule, offset), error


def test_a_version_nobody_speaks_keeps_what_all_versions_share() -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        decode_untrusted(patched(JOIN, 2, b"\x3a"))
    shared = caught.value.invariant
    assert (shared.version, shared.length, shared.init_tag) == (0x3A, 128, TAG)
    assert (shared.session_id, shared.destination_tag) == (0, 0)
    with pytest.raises(UnsupportedVersion) as caught:
        decode_untrusted(patched(ABORT[:36], 2, b"\x02\x0c\x00\x01\x00\x24"))
    assert caught.value.invariant.init_tag == 0
    assert caught.value.invariant.destination_tag == TAG


def test_a_grease_type_is_told_from_garbage() -> None:
    with pytest.raises(GreaseMessage) as caught:
        decode_untrusted(patched(ABORT, 3, b"\x5a"))
    assert (caught.value.rule, caught.value.message_type) == ("R107", 0x5A)


def test_unknown_tlvs_are_kept_and_the_mandatory_ones_are_found() -> None:
    data = with_tlvs(abort(), tlv(0x1A2A, b"g"), tlv(0x9001, b"abc"), tlv(0xFAFA))
    message = decode_untrusted(data)
    assert message.extra == ((0x1A2A, b"g"), (0x9001, b"abc"), (0xFAFA, b""))
    assert unknown_mandatory(message) == (0x9001, 0xFAFA)
    assert encode(message) == data


def test_grease_reasons_are_admitted() -> None:
    message = decode_untrusted(patched(ABORT, 32, b"\x7a"))
    assert isinstance(message, m.Abort)
    assert message.reason == 0x7A


def test_a_cancel_needs_no_destination_tag() -> None:
    cancel = m.Cancel(init_tag=TAG, reason=2)
    assert decode_untrusted(encode(cancel)) == cancel


def test_ranges_may_wrap_but_not_overlap() -> None:
    wrapping = nack((0xFFFFFFF0, 2), (4, 4), (5, 9))
    assert decode_untrusted(encode(wrapping)) == wrapping
    for ranges in (((5, 4),), ((1, 5), (5, 6)), ((5, 6), (1, 2)), ((0, 0x80000000),)):
        with pytest.raises(EncodeError, match=r"^R11: .*ascending"):
            encode(nack(*ranges))


@pytest.mark.parametrize("octets", [0, 97, 128, 129, 130, 131, 132, 133, 600])
def test_padding_a_join_request_reaches_the_size(octets: int) -> None:
    request = join_req(caller_data=b"hello")
    pad_join_request(request, max(octets, 128))
    size = len(encode(request))
    assert max(octets, 128) <= size < max(octets, 128) + 4
    bare = join_req(caller_data=bytes(200), pad_octets=99)
    pad_join_request(bare)
    assert bare.pad_octets is None


REFUSED: list[tuple[m.Message, str]] = [
    (abort(flags=0x02), "R12"),
    (abort(flags=HeaderFlag.A), "R14"),
    (abort(auth=auth()), "R14"),
    (abort(destination_tag=0), "R22"),
    (join_req(destination_tag=1), "R21"),
    (abort(sender_id=0xFFFFFFF0), "R18"),
    (abort(reason=25), "R13"),
    (abort(reason=256), "R13"),
    (abort(echo_seq=2**32), "R18"),
    (abort(attempt=-1), "R18"),
    (abort(seq=2**32), "R18"),
    (join_req(init_tag=0), "R19"),
    (join_req(pad_octets=24), "R32"),
    (join_req(caps=2**32), "R18"),
    (join_req(versions=(1,)), "R11"),
    (join_req(versions=(1, 256)), "R18"),
    (join_req(timers=timers(tflags=2)), "R18"),
    (join_req(timers=timers(mrc=256)), "R18"),
    (join_req(cookie=b"short"), "R11"),
    (join_req(extra=((0x0008, b"x"),)), "R10"),
    (join_req(extra=((0x7002, b""), (0x7001, b""))), "R9"),
    (join_req(extra=((0x7001, b""), (0x7001, b""))), "R9"),
    (join_req(extra=tuple((0x7000 + one, b"") for one in range(33))), "R9"),
    (join_req(extra=((0x7001, bytes(65536)),)), "R18"),
    (join_req(timers=None), "R10"),
    (abort(reason_text=""), "R11"),
    (abort(reason_text="\udc80"), "R11"),
    (abort(reason_text="é" * 65), "R11"),
    (m.Data(destination_tag=TAG, origin=1, dflags=0, hop=0), "R10"),
    (m.Data(destination_tag=TAG, origin=1, dflags=0, hop=0, payload=b"", sealed=bytes(20)), "R10"),
    (m.Data(destination_tag=TAG, origin=1, dflags=0, hop=0, payload=bytes(65510)), "R18"),
    (join_req(pad_octets=-1), "R11"),
    (join_req(pad_octets=65536), "R11"),
    (abort(flags=0x40, auth=m.Auth(key_id=1, alg=1, counter=1, icv=bytes(15))), "R11"),
    (abort(flags=0x40, auth=m.Auth(key_id=1, alg=1, counter=1, icv=bytes(17))), "R11"),
    (nack(), "R11"),
    (nack(*[(2 * one, 2 * one) for one in range(33)]), "R11"),
    (m.VersionNeg(destination_tag=TAG, versions=()), "R11"),
    (m.VersionNeg(destination_tag=TAG, versions=(1,), extra=((0x7001, b""),)), "R10"),
    (m.VersionNeg(destination_tag=TAG, versions=(1,), flags=0x40, auth=auth()), "R10"),
    (m.VersionNeg(destination_tag=TAG, versions=(256,)), "R18"),
]


@pytest.mark.parametrize(("message", "rule"), REFUSED, ids=range(len(REFUSED)))
def test_encode_refuses_what_decode_would_refuse(message: m.Message, rule: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(message)
    assert caught.value.rule == rule
    assert str(caught.value) == f"{rule}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("family", "group", "accepted"),
    [(0, b"", True), (0, bytes(4), False), (4, bytes(4), True), (4, b"", False), (6, b"", False)],
)
def test_the_group_is_as_long_as_its_family_says(family: int, group: bytes, accepted: bool) -> None:
    session = m.SessionDesc(
        planes=3,
        family=family,
        data_port=0,
        group_tag=TAG,
        max_rate=0,
        max_payload=1156,
        hop_limit=0,
        repair=1,
        group=group,
    )
    confirm = m.Confirm(
        destination_tag=TAG, assigned_id=2, next_data_seq=1, leaf_dir=3, session_desc=session
    )
    if accepted:
        assert decode_untrusted(encode(confirm)) == confirm
    else:
        with pytest.raises(EncodeError, match="R11"):
            encode(confirm)


def test_the_magic_alone_recognises_mpw() -> None:
    assert is_mpw(b"mp")
    assert not is_mpw(b"m")
    assert not is_mpw(b"\x6d\x71rest")


def test_every_type_has_its_class() -> None:
    assert {one.TYPE for one in m.Message.__args__} == set(MessageType)


def test_the_codec_starts_without_scapy() -> None:
    program = "import sys, mpwire.wire.codec; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
