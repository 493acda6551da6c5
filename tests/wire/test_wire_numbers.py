"""Hold the numbers to what the format says about their bits."""

from mpwire.wire.numbers import (
    DATA_OVERHEAD_OCTETS,
    HEADER_OCTETS,
    MAX_PAYLOAD_OCTETS,
    TLV_HEADER_OCTETS,
    AbortReason,
    AckedType,
    CancelReason,
    CloseReason,
    HeaderFlag,
    MessageType,
    RejectReason,
    TlvType,
    is_grease,
    is_grease_tlv,
    is_mandatory_tlv,
)


def test_no_assigned_code_is_a_grease_code() -> None:
    for registry in (MessageType, RejectReason, CancelReason, CloseReason, AbortReason):
        assert not [code for code in registry if is_grease(code)]
    assert not [code for code in TlvType if is_grease_tlv(code)]
    assert [code for code in range(256) if is_grease(code)] == list(range(0x0A, 256, 16))


def test_grease_tlvs_have_a_in_both_low_nibbles() -> None:
    codes = (0x0A0A, 0x1A2A, 0xFAFA, 0x0A0B, 0xA0A0)
    assert [code for code in codes if is_grease_tlv(code)] == [0x0A0A, 0x1A2A, 0xFAFA]


def test_mandatory_tlvs_have_the_highest_bit() -> None:
    assert is_mandatory_tlv(TlvType.COOKIE)
    assert not is_mandatory_tlv(TlvType.TIMERS)


def test_ack_acknowledges_request_types_only() -> None:
    assert {MessageType(code).name for code in AckedType} == {code.name for code in AckedType}


def test_the_largest_payload_fills_the_largest_datagram() -> None:
    assert DATA_OVERHEAD_OCTETS == HEADER_OCTETS + 8 + TLV_HEADER_OCTETS
    assert MAX_PAYLOAD_OCTETS == 1156


def test_and_takes_plain_numbers_out_of_flags() -> None:
    """Whoever asks for a bit of every message does without an object; flags stay flags else."""
    both = HeaderFlag.R | HeaderFlag.M
    for asked in (0xFF & HeaderFlag.R, HeaderFlag.R & 0xFF, both & HeaderFlag.R):
        assert type(asked) is int
        assert asked == HeaderFlag.R
    assert set(both) == {HeaderFlag.R, HeaderFlag.M}
    assert HeaderFlag.R in both
