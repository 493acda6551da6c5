"""Numbers that applications know from winsock2.h, put together here from their parts."""

import pytest

from mpwire.testing.actor import fails
from mpwire.vocabulary import WsaError
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.parameters import check_address_room
from mpwire.winsock.protocols import Protocol, ServiceFlag
from mpwire.winsock.scope import MultipointIoctl

VOID, OUT, IN, BOTH = 0x2000_0000, 0x4000_0000, 0x8000_0000, 0xC000_0000
"""Whether the caller gives or takes."""
UNIX, WS2, VENDOR = 0, 0x0800_0000, 0x1800_0000
"""Whose numbers they are."""
INT = 4 << 16
"""Octets of the argument of a Unix code."""


def test_control_codes_are_those_of_the_header() -> None:
    unix = {"FIONREAD": OUT | INT | ord("f") << 8 | 127, "FIONBIO": IN | INT | ord("f") << 8 | 126}
    unix |= {"SIOCATMARK": OUT | INT | ord("s") << 8 | 7}
    windows = {
        "SIO_ASSOCIATE_HANDLE": (IN, 1),
        "SIO_ENABLE_CIRCULAR_QUEUEING": (VOID, 2),
        "SIO_FIND_ROUTE": (OUT, 3),
        "SIO_FLUSH": (VOID, 4),
        "SIO_GET_BROADCAST_ADDRESS": (OUT, 5),
        "SIO_GET_EXTENSION_FUNCTION_POINTER": (BOTH, 6),
        "SIO_GET_QOS": (BOTH, 7),
        "SIO_GET_GROUP_QOS": (BOTH, 8),
        "SIO_SET_QOS": (IN, 11),
        "SIO_SET_GROUP_QOS": (IN, 12),
        "SIO_TRANSLATE_HANDLE": (BOTH, 13),
        "SIO_ROUTING_INTERFACE_QUERY": (BOTH, 20),
        "SIO_ROUTING_INTERFACE_CHANGE": (IN, 21),
        "SIO_ADDRESS_LIST_QUERY": (OUT, 22),
        "SIO_ADDRESS_LIST_CHANGE": (VOID, 23),
    }
    expected = {**unix, **{name: way | WS2 | number for name, (way, number) in windows.items()}}
    assert {one.name: one.value for one in Ioctl} == expected


def test_multipoint_codes_are_those_of_the_header_or_of_a_vendor() -> None:
    assert {one.name: one.value for one in MultipointIoctl} == {
        "SIO_MULTIPOINT_LOOPBACK": IN | WS2 | 9,
        "SIO_MULTICAST_SCOPE": IN | WS2 | 10,
        "SIO_MPW_ORIGINS": IN | VENDOR | 1,
        "SIO_MPW_SESSION_NAME": IN | VENDOR | 2,
        "SIO_MPW_GROUP": IN | VENDOR | 3,
    }


def test_options_are_those_of_the_header() -> None:
    linger = 0x80
    assert {one.name: one.value for one in Option} == {
        "SO_ACCEPTCONN": 2,
        "SO_LINGER": linger,
        "SO_DONTLINGER": ~linger & 0xFFFF,
        "SO_ERROR": 0x1007,
        "SO_TYPE": 0x1008,
        "SO_MAX_MSG_SIZE": 0x2003,
        "SO_PROTOCOL_INFO": 0x2005,
        "SO_CONDITIONAL_ACCEPT": 0x3002,
    }


def test_service_flags_are_single_bits_of_the_header() -> None:
    assert {one.name: one.value for one in ServiceFlag} == {
        "CONNECTIONLESS": 1 << 0,
        "GUARANTEED_DELIVERY": 1 << 1,
        "GUARANTEED_ORDER": 1 << 2,
        "MESSAGE_ORIENTED": 1 << 3,
        "GRACEFUL_CLOSE": 1 << 5,
        "CONNECT_DATA": 1 << 7,
        "DISCONNECT_DATA": 1 << 8,
        "SUPPORT_MULTIPOINT": 1 << 10,
        "MULTIPOINT_CONTROL_PLANE": 1 << 11,
        "MULTIPOINT_DATA_PLANE": 1 << 12,
    }


def test_protocols_have_numbers_of_their_own() -> None:
    names = ("ROOTED", "CONFERENCE", "ROOTED_ASM", "ROOTED_SSM", "CONFERENCE_ASM")
    more = ("OPEN", "COLLECT", "ATM", "DIALOGUE")
    expected = {f"MPW_{name}": number for number, name in enumerate((*names, *more), 1)}
    assert {name: one.value for name, one in Protocol.__members__.items()} == expected


@pytest.mark.parametrize(("family", "octets"), [(4, 2 + 2 + 4 + 8), (6, 2 + 2 + 4 + 16 + 4)])
def test_an_address_has_as_many_octets_as_in_the_header(family: int, octets: int) -> None:
    check_address_room(octets, family)
    with fails(WsaError.WSAEFAULT):
        check_address_room(octets - 1, family)
