"""What every line of a testbed becomes: a typed value that knows where it stands."""

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """One line of the script, and where it stands."""

    line: int
    column: int
    text: str
