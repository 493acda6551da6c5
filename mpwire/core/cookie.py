"""Stateless proof that a JOIN_REQ came from where it says (protocol.md 9.2).

Layout: version(8) key generation(8) time in ms(32) HMAC-SHA-256(128): 22 octets. Only its issuer
ever looks inside. The HMAC covers both addresses, the issue time and everything in the request
that does not differ between its copies.
"""

import hmac
import math
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from mpwire.core.address import Address
from mpwire.core.entropy import Entropy
from mpwire.wire.messages import JoinReq
from mpwire.wire.numbers import is_grease_tlv

COOKIE_VERSION: Final = 1
KEY_LIFE_S: Final = 3600.0
MAC_OCTETS: Final = 16
COOKIE_OCTETS: Final = 6 + MAC_OCTETS


@dataclass(slots=True)
class CookieJar:
    """Issue and check cookies; remembers two keys and nothing else."""

    entropy: Entropy
    life_s: float
    keys: dict[int, bytes] = field(default_factory=dict)
    """Key by generation: the current one and the one before."""
    void_until_s: float | None = None
    """Cookies issued up to this time are no good any more, however young they are."""

    def issue(self, request: JoinReq, source: Address, destination: Address, now_s: float) -> bytes:
        """Return a cookie for this request, from this source to this destination."""
        generation = int(now_s // KEY_LIFE_S)
        if generation not in self.keys:
            self.keys = {old: key for old, key in self.keys.items() if old == generation - 1} | {
                generation: self.entropy.octets(32)
            }
        head = bytes((COOKIE_VERSION, generation % 256)) + _milliseconds(now_s).to_bytes(4)
        return head + self._mac(self.keys[generation], head, request, source, destination)

    def proves(self, request: JoinReq, source: Address, destination: Address, now_s: float) -> bool:
        """Tell whether the request carries a cookie of ours that fits and has not aged out."""
        cookie = request.cookie
        if cookie is None or len(cookie) != COOKIE_OCTETS or cookie[0] != COOKIE_VERSION:
            return False
        age_ms = (_milliseconds(now_s) - int.from_bytes(cookie[2:6])) % (1 << 32)
        if age_ms > self.life_s * 1000 or age_ms >= self._void_from_ms(now_s):
            return False
        head, mac = cookie[:6], cookie[6:]
        return any(
            hmac.compare_digest(mac, self._mac(key, head, request, source, destination))
            for generation, key in self.keys.items()
            if generation % 256 == cookie[1]
        )

    def _void_from_ms(self, now_s: float) -> float:
        """Return the age from which on no cookie is taken, for it was issued too long ago."""
        if self.void_until_s is None:
            return math.inf
        return int(now_s * 1000) - int(self.void_until_s * 1000)

    @staticmethod
    def _mac(
        key: bytes, head: bytes, request: JoinReq, source: Address, destination: Address
    ) -> bytes:
        covered = msgspec.msgpack.encode(
            [head, source, destination, sha256(_constant_part(request)).digest()]
        )
        return hmac.digest(key, covered, "sha256")[:MAC_OCTETS]


def _constant_part(request: JoinReq) -> bytes:
    """Return what is the same in every copy: all but Attempt, Flags, COOKIE, PAD, AUTH, GREASE."""
    constant = msgspec.structs.replace(
        request,
        attempt=0,
        flags=0,
        cookie=None,
        pad_octets=None,
        auth=None,
        extra=tuple(tlv for tlv in request.extra if not is_grease_tlv(tlv[0])),
    )
    return msgspec.msgpack.encode(constant)


def _milliseconds(now_s: float) -> int:
    return int(now_s * 1000) % (1 << 32)
