"""Hold the Scapy layers to what people use them for: build, show, pair, bind."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from mpwire.wire.layer_base import MPW, names_of
from mpwire.wire.layers import MESSAGE_LAYERS, TLV_LAYERS, bind
from mpwire.wire.layers_data import MPWData, MPWNack, MPWRekey, MPWSide
from mpwire.wire.layers_join import MPWAccept, MPWChallenge, MPWConfirm, MPWJoinReq, MPWVersionNeg
from mpwire.wire.layers_member import MPWAbort, MPWAck, MPWProbe, MPWProbeAck
from mpwire.wire.layers_tlv import MPWUnknownTlv
from mpwire.wire.layers_tlv_mandatory import MPWNackRange, MPWNackRanges, MPWPayload, MPWSealed
from mpwire.wire.layers_tlv_optional import MPWCaps, MPWReasonText, MPWTimers, MPWVersions
from mpwire.wire.numbers import DEFAULT_PORT, MessageType, TlvType


def test_every_type_and_every_tlv_has_a_layer_with_a_diagram_or_a_sentence() -> None:
    assert set(MESSAGE_LAYERS) == set(MessageType)
    assert set(TLV_LAYERS) == set(TlvType)
    for layer in MESSAGE_LAYERS.values():
        assert str(layer.__doc__).startswith(layer.message_type.name + ": ")
        assert len(layer.fields_desc) == 1 or "+---" in str(layer.__doc__)
    for tlv in TLV_LAYERS.values():
        assert str(tlv.__doc__).startswith(tlv.tlv_type.name + ": ")


@pytest.mark.parametrize("layer", MESSAGE_LAYERS.values(), ids=lambda layer: layer.__name__)
def test_dissecting_what_was_built_builds_the_same(layer: type) -> None:
    body = layer(tlvs=[MPWSealed(value=bytes(20))]) if layer is MPWRekey else layer()
    octets = bytes(MPW(destination_tag=5) / body)
    again = MPW(octets)
    assert isinstance(again.payload, layer)
    assert again.length == len(octets)
    again.clear_cache()
    assert bytes(again) == octets
    name = layer.__doc__.partition(":")[0] if layer.__doc__ else ""
    assert again.summary().startswith(f"MPW {name} #0 copy ")


def test_computed_fields_are_computed_and_given_ones_are_kept() -> None:
    tlvs = [MPWTimers(), MPWCaps(bits=3), MPWVersions(versions=[1, 0x2A])]
    octets = bytes(MPW() / MPWJoinReq(init_tag=7, tlvs=tlvs))
    assert octets[6:8] == (96).to_bytes(2, "big")
    assert octets[-8:] == bytes.fromhex("000c0002012a0000")
    assert bytes(MPW(length=7) / MPWAbort())[6:8] == b"\x00\x07"
    assert bytes(MPWReasonText(text=b"a", length=9, padding=b"z")) == bytes.fromhex("000e0009617a")
    assert bytes(MPWNack(count=9))[4] == 9
    ranges = [MPWNackRange(first=1, last=2), MPWNackRange(first=4, last=4)]
    assert bytes(MPWNack(tlvs=[MPWNackRanges(ranges=ranges)]))[4] == 2
    assert bytes(MPWVersionNeg(versions=[1, 2, 3])) == bytes.fromhex("0300000001020300")
    assert bytes(MPWVersionNeg(versions=[1], padding=b"")) == bytes.fromhex("0100000001")
    assert bytes(MPWUnknownTlv(type=0x7001, value=b"ab")) == bytes.fromhex("7001000261620000")


def test_version_negotiation_belongs_to_version_0() -> None:
    packet = MPW(destination_tag=1) / MPWVersionNeg(versions=[1])
    assert bytes(packet)[2:4] == b"\x00\x00"
    assert bytes(MPW() / MPWAbort())[2:4] == b"\x01\x0c"


def test_the_port_is_bound_once_in_both_directions() -> None:
    before = list(UDP.payload_guess)
    bind()
    assert sorted(map(str, UDP.payload_guess)) == sorted(map(str, before))
    packet = IP() / UDP() / MPW() / MPWAbort()
    assert (packet[UDP].sport, packet[UDP].dport) == (DEFAULT_PORT, DEFAULT_PORT)
    for ports in ({"sport": 40000, "dport": DEFAULT_PORT}, {"sport": DEFAULT_PORT, "dport": 40000}):
        octets = bytes(IP(src="10.77.0.1", dst="10.77.0.2") / UDP(**ports) / MPW() / MPWAbort())
        assert MPWAbort in IP(octets)
    elsewhere = bytes(IP(dst="10.77.0.2") / UDP(sport=40000, dport=40001) / MPW() / MPWAbort())
    assert Raw in IP(elsewhere)


def test_answers_pair_by_sequence_copy_and_tag() -> None:
    request = MPW(seq=7, attempt=2) / MPWJoinReq(init_tag=9)
    challenge = MPW(seq=7, attempt=2, destination_tag=9) / MPWChallenge()
    assert challenge.answers(request)
    assert challenge.hashret() == request.hashret()
    assert not (MPW(seq=7, attempt=1, destination_tag=9) / MPWChallenge()).answers(request)
    assert not (MPW(seq=8, attempt=2, destination_tag=9) / MPWChallenge()).answers(request)
    assert not (MPW(seq=7, attempt=2, destination_tag=8) / MPWChallenge()).answers(request)
    accept = MPW(seq=7, attempt=1, destination_tag=9) / MPWAccept()
    assert accept.answers(request), "ACCEPT counts its own copies"
    assert (MPW(seq=7, attempt=1, destination_tag=4) / MPWConfirm()).answers(accept)
    assert not (MPW(seq=7, destination_tag=9) / MPWConfirm()).answers(request)
    assert (MPW(seq=3) / MPWProbeAck()).answers(MPW(seq=3) / MPWProbe())
    assert (MPW(seq=3) / MPWAck()).answers(MPW(seq=3) / MPWSide())
    assert not (MPW(seq=7) / MPWProbeAck()).answers(MPW(seq=7) / Raw(b"x"))
    assert not (MPW(seq=7) / MPWProbeAck()).answers(IP())


def test_summaries_name_what_is_there() -> None:
    assert MPW(type=1, seq=4).summary() == "MPW JOIN_REQ #4 copy 0x1 flags "
    assert MPWData().summary() == "MPW DATA"
    packet = MPW(bytes(MPW() / MPWData(tlvs=[MPWPayload(value=b"abc")])))
    assert packet.payload.tlvs[0].summary() == "MPW PAYLOAD(3)"
    assert names_of(MessageType)[1] == "JOIN_REQ"
