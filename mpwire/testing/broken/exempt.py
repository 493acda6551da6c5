"""The rules that no broken endpoint can break in a lab, with the reason of each."""

from typing import Final

EXEMPT: Final[dict[str, str]] = {
    "R16": (
        "A UDP socket cannot send from port 0 or from an address that is not its host's, nor to "
        "port 0: the kernel refuses. Only raw sockets can, which an endpoint does not have."
    ),
}
