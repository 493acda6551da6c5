"""Compare octets of a script with what an agent said they were, and show what it said."""

from mpwire.lab.links import Report
from mpwire.lab.stage import StepFailed, name


def compare(what: str, expected: bytes | None, seen: object) -> None:
    """Compare octets with their hexadecimal text; no octets and none at all are the same."""
    if seen != (expected or b"").hex() and not (seen is None and not expected):
        told = octets_shown(expected)
        raise StepFailed(f"expected {what} {told}, seen {octets_shown(seen)}")


def octets_shown(octets: object) -> str:
    """Write octets, or what stands in their place, for people."""
    if isinstance(octets, str):
        try:
            octets = bytes.fromhex(octets)
        except ValueError:
            return f"no hexadecimal text: {octets[:80]!r}"
    if not isinstance(octets, bytes):
        return "none" if octets is None else f"{octets!r}"
    text = octets.decode("ascii", "backslashreplace")
    return f'"{text}"' if text.isprintable() else f"octets {octets.hex()}"


def sight_shown(one: object) -> str:
    """Write one event of a record as the script would."""
    if isinstance(one, dict) and isinstance(one.get("code"), int):
        return name(Report(0, str(one.get("event")), one["code"], 0))
    return f"{one!r}"
