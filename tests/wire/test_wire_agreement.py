"""Hold the codec and the strict gate over Scapy together on every octet string.

For each message type Hypothesis draws valid messages from the generated tables and then breaks
their octets. Whatever comes out, both readers accept it with equal fields, or both refuse it and
the codec names a rule, an octet offset and a reason.
"""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpwire.wire.bridge import message_from_packet, packet_from_message
from mpwire.wire.codec import decode_untrusted, encode, pad_join_request
from mpwire.wire.errors import DecodeError, EncodeError
from mpwire.wire.formats import Record, TlvFormat
from mpwire.wire.messages import JoinReq, Message
from mpwire.wire.numbers import MessageType, TlvType
from mpwire.wire.strict import StrictError, dissect_strict
from mpwire.wire.tables import MESSAGE_FORMATS, TLV_FORMATS

RULES = {"R1", "R2", "R3", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R18", "R19"}
RULES |= {"R21", "R22", "R32", "R107"}
WIDTHS = {"B": 8, "H": 16, "I": 32, "Q": 64}

each_type = pytest.mark.parametrize("code", sorted(MESSAGE_FORMATS), ids=hex)
examples = settings(max_examples=30, deadline=None)


def numbers(bits: int) -> st.SearchStrategy[int]:
    """Draw unsigned numbers, edges often."""
    return st.one_of(st.sampled_from([0, 1, 2**bits - 1]), st.integers(0, 2**bits - 1))


def records(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    """Draw admitted values for the fields of a record."""
    domains = {record.names[check.index]: check.domain for check in record.checks}
    letters = [one for one in record.packing.format.strip("!").replace("1x", "") if one in WIDTHS]
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, letter in zip(record.names, [*letters, "?"], strict=False):
        domain = domains.get(name)
        if domain is None:
            is_octets = letter == "?"
            fields[name] = (
                st.binary(min_size=16, max_size=16) if is_octets else numbers(WIDTHS[letter])
            )
        elif domain.allowed is not None:
            fields[name] = st.sampled_from(sorted(domain.allowed))
        else:
            fields[name] = st.integers(domain.lowest, domain.highest)
    return st.fixed_dictionaries(fields)


@st.composite
def range_lists(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Draw ascending disjoint ranges that may wrap."""
    origin = draw(numbers(32))
    edges = sorted(draw(st.sets(st.integers(1, 2**31 - 1), max_size=20)))
    edges = [0, *edges[: len(edges) // 2 * 2], 2**31 - 1][: len(edges) // 2 * 2 + 2]
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    return tuple(((a + origin) % 2**32, (b + origin) % 2**32) for a, b in pairs)


def addresses(tlv: TlvFormat) -> st.SearchStrategy[Any]:
    """Draw values that end with an address of their family."""
    assert tlv.record is not None
    assert tlv.make is not None
    make, name = tlv.make, "group" if tlv.name == "SESSION_DESC" else "address"
    families = {0: 0, 4: 4, 6: 16} if tlv.name == "SESSION_DESC" else {4: 4, 6: 16}
    return st.sampled_from(sorted(families)).flatmap(
        lambda family: st.tuples(
            records(tlv.record),  # type: ignore[arg-type]  # asserted above, outside the lambda
            st.binary(min_size=families[family], max_size=families[family]),
        ).map(lambda drawn: make(**{**drawn[0], "family": family, name: drawn[1]}))
    )


def tlv_values(tlv: TlvFormat) -> st.SearchStrategy[Any]:
    """Draw admitted values of a TLV."""
    lowest, highest = tlv.lowest_octets, min(tlv.highest_octets, 80)
    if tlv.kind == "octets":
        return st.binary(min_size=lowest, max_size=highest)
    if tlv.kind == "text":
        return st.text(min_size=1, max_size=32, alphabet=st.characters(codec="utf-8"))
    if tlv.kind == "pad":
        return st.integers(0, 40)
    if tlv.kind == "number":
        return numbers(32)
    if tlv.kind == "numbers":
        item, size = numbers(8 * tlv.item_octets), tlv.item_octets
        return st.lists(item, min_size=lowest // size, max_size=highest // size).map(tuple)
    if tlv.kind == "address":
        return addresses(tlv)
    if tlv.make is None:
        return range_lists()
    assert tlv.record is not None
    make = tlv.make
    one = records(tlv.record).map(lambda fields: make(**fields))
    if tlv.kind == "records":
        return st.lists(one, min_size=1, max_size=8).map(tuple)
    return one


unknown_tlvs = st.dictionaries(
    st.one_of(st.integers(0, 0xFFFF), st.just(0x0A0A), st.just(0x8A8A)).filter(
        lambda code: code not in TLV_FORMATS
    ),
    st.binary(max_size=9),
    max_size=3,
).map(lambda drawn: tuple(sorted(drawn.items())))


@st.composite
def messages(draw: st.DrawFn, code: int) -> Message:
    """Draw a valid message of one type."""
    fmt = MESSAGE_FORMATS[code]
    fields = draw(records(fmt.body))
    fields |= draw(
        st.fixed_dictionaries(
            {
                "flags": st.sampled_from([0, 0x01, 0x80, 0xB1]),
                "attempt": numbers(8),
                "session_id": numbers(64),
                "destination_tag": st.integers(1, 2**64 - 1),
                "seq": numbers(32),
                "sender_id": st.integers(0, 0xFFFFFFEF),
            }
        )
    )
    fields.pop("count", None)
    if code == MessageType.JOIN_REQ or (code == MessageType.CANCEL and draw(st.booleans())):
        fields["destination_tag"] = 0
    if code == MessageType.VERSION_NEG:
        fields["versions"] = tuple(draw(st.lists(numbers(8), min_size=1, max_size=16)))
        return fmt.make(**fields)  # type: ignore[no-any-return]  # the tables hold plain types
    chosen = {*fmt.required, *draw(st.sets(st.sampled_from(fmt.optional)))}
    if fmt.either:
        chosen.add(draw(st.sampled_from(fmt.either)))
    for tlv_code in sorted(chosen):
        tlv = TLV_FORMATS[tlv_code]
        fields[tlv.attribute] = draw(tlv_values(tlv))
    fields["flags"] |= 0x40 if TlvType.AUTH in chosen else 0
    fields["extra"] = draw(unknown_tlvs)
    message = fmt.make(**fields)
    if isinstance(message, JoinReq):
        pad_join_request(message, draw(st.sampled_from([128, 200])))
    return message  # type: ignore[no-any-return]  # the tables hold plain types


def tlv_pieces(data: bytes, start: int) -> list[bytes]:
    """Cut valid TLVs apart."""
    pieces = []
    while start < len(data):
        (length,) = struct.unpack_from("!H", data, start + 2)
        end = start + 4 + length + -length % 4
        pieces.append(data[start:end])
        start = end
    return pieces


def with_true_length(data: bytes) -> bytes:
    """Repair the header's Length."""
    return data[:6] + struct.pack("!H", len(data)) + data[8:] if len(data) >= 8 else data


@st.composite
def broken(draw: st.DrawFn, data: bytes) -> bytes:
    """Break valid octets once or twice: single octets, cuts, and whole TLVs."""
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["octet", "bit", "cut", "insert", "length"]))
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if kind == "octet":
            data = data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
        elif kind == "bit" and data:
            data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 8)) :]
        elif kind == "insert":
            data = data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
        elif kind == "length":
            data = with_true_length(data)
    return data


@st.composite
def rearranged(draw: st.DrawFn, data: bytes, body_end: int) -> bytes:
    """Keep TLVs whole but drop, repeat, reorder, retype or add some."""
    pieces = tlv_pieces(data, body_end)
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["drop", "repeat", "shuffle", "retype", "add", "many"]))
        if kind == "drop" and pieces:
            pieces.pop(draw(st.integers(0, len(pieces) - 1)))
        elif kind == "repeat" and pieces:
            pieces.append(draw(st.sampled_from(pieces)))
        elif kind == "shuffle":
            pieces = draw(st.permutations(pieces))
        elif kind == "retype" and pieces:
            index = draw(st.integers(0, len(pieces) - 1))
            code = draw(st.sampled_from([*TLV_FORMATS, 0x0A0A, 0x1234]))
            pieces[index] = struct.pack("!H", code) + pieces[index][2:]
        elif kind == "add":
            code = draw(st.sampled_from([*TLV_FORMATS, 0x0A0A, 0x9234]))
            value = draw(st.binary(max_size=44))
            piece = struct.pack("!HH", code, len(value)) + value + bytes(-len(value) % 4)
            pieces = sorted([*pieces, piece])
        elif kind == "many":
            pieces += [struct.pack("!HH", 0xF000 + one, 0) for one in range(32)]
    return with_true_length(data[:body_end] + b"".join(pieces))


def reading(data: bytes) -> Message | DecodeError:
    """Return the message in these octets, or the error they raise; nothing else may be raised."""
    try:
        return decode_untrusted(data)
    except DecodeError as error:
        return error


def assert_agreement(data: bytes) -> None:
    """Check that both readers say the same of these octets."""
    read = reading(data)
    if isinstance(read, DecodeError):
        assert read.rule in RULES
        assert 0 <= read.offset_octets <= len(data)
        assert read.reason
        with pytest.raises(StrictError):
            dissect_strict(data)
    else:
        assert encode(read) == data
        assert message_from_packet(dissect_strict(data)) == read


@each_type
@examples
@given(data=st.data())
def test_valid_messages_mean_the_same_to_both(code: int, data: st.DataObject) -> None:
    message = data.draw(messages(code))
    octets = encode(message)
    assert decode_untrusted(octets) == message
    assert message_from_packet(dissect_strict(octets)) == message
    assert bytes(packet_from_message(message)) == octets


@each_type
@examples
@given(data=st.data())
def test_broken_octets_are_refused_by_both_or_mean_the_same(code: int, data: st.DataObject) -> None:
    octets = encode(data.draw(messages(code)))
    assert_agreement(data.draw(broken(octets)))


@pytest.mark.parametrize("code", sorted(set(MESSAGE_FORMATS) - {0}), ids=hex)
@examples
@given(data=st.data())
def test_rearranged_tlvs_are_refused_by_both_or_mean_the_same(
    code: int, data: st.DataObject
) -> None:
    octets = encode(data.draw(messages(code)))
    body_end = 32 + MESSAGE_FORMATS[code].body.packing.size
    assert_agreement(data.draw(rearranged(octets, body_end)))


@settings(max_examples=400, deadline=None)
@given(octets=st.binary(max_size=200), header=st.integers(0, 0x1F), lead=st.booleans())
def test_random_octets_raise_nothing_but_decode_errors(
    octets: bytes, header: int, lead: bool
) -> None:
    if lead:
        octets = with_true_length(b"mp\x01" + bytes([header]) + octets)
    assert_agreement(octets)


@each_type
@examples
@given(data=st.data())
def test_encode_refuses_a_careless_message_or_means_what_it_says(
    code: int, data: st.DataObject
) -> None:
    message = data.draw(messages(code))
    name = data.draw(st.sampled_from(message.__struct_fields__))
    careless = st.integers(-1, 2**65)
    if isinstance(getattr(message, name), bytes):
        setattr(message, name, data.draw(st.binary(max_size=600)))
    elif isinstance(getattr(message, name), int):
        setattr(message, name, data.draw(careless))
    elif name in {"versions", "unknown_tlvs"}:
        setattr(message, name, tuple(data.draw(st.lists(careless, max_size=20))))
    elif name == "ranges":
        pairs = st.lists(st.tuples(numbers(32), numbers(32)), max_size=34)
        setattr(message, name, tuple(data.draw(pairs)))
    elif getattr(message, name) is not None and name != "extra":
        setattr(message, name, None)
    try:
        octets = encode(message)
    except EncodeError:
        return
    assert decode_untrusted(octets) == message
