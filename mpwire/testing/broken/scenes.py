"""Small testbeds in which broken endpoints show, where the library has none that fits."""

from collections.abc import Iterable, Sequence
from typing import Final

SCENES: Final[dict[str, str]] = {}
"""Testbeds as text, by name."""


def _scene(
    name: str,
    about: str,
    *script: str,
    hosts: Sequence[str] = ("root", "leaf1"),
    timers: str = "scale: 0.05",
    faults: Iterable[str] = (),
) -> None:
    lines = [
        f"about: {about}",
        f"hosts: [{', '.join(hosts)}]",
        "seed: 1",
        f"timers: {{{timers}}}",
    ]
    said = [*faults]
    if said:
        lines += ["faults:", *(f"  - {one}" for one in said)]
    SCENES[name] = "\n".join([*lines, "script:", *(f"  - {step}" for step in script)]) + "\n"


OPENED: Final = (
    "root opens R as c_root/d_root",
    "root listens on R",
    "leaf1 opens L1 as c_leaf/d_leaf",
)
JOINED: Final = (
    *OPENED,
    "leaf1 joins R with L1",
    "root accepts leaf1 on R as P1",
    "L1 sees FD_CONNECT",
    "everything settles",
)
ACKNOWLEDGED_TOGETHER: Final = 8
"""So many messages are acknowledged at once, without waiting for more."""
PARTED: Final = ("root closes R", "L1 sees FD_CLOSE", "everything settles")

_scene(
    "closed-socket",
    "A descriptor is used after it was closed.",
    *JOINED,
    "leaf1 closes L1",
    'leaf1 sends "still there?" on L1 and gets WSAENOTSOCK',
    "P1 sees FD_CLOSE",
    "root closes R",
    "everything settles",
)
_scene(
    "many-messages",
    "A root has much to say at once.",
    *JOINED,
    *(f'root sends "{number}" on R' for number in range(48)),
    "everything settles",
    *(f'leaf1 receives "{number}" on L1' for number in range(48)),
    *PARTED,
)
_scene(
    "full-window",
    "A leaf does not read until there is no room for another message, then it does.",
    *JOINED,
    "R sees FD_WRITE",
    *(
        step
        for first in range(0, 256, 16)
        for step in (
            *(f'root sends "{number}" on R' for number in range(first, first + 16)),
            "everything settles",
        )
    ),
    'root sends "one too many" on R and gets WSAEWOULDBLOCK',
    *(f'leaf1 receives "{number}" on L1' for number in range(256)),
    "R sees FD_WRITE",
    'root sends "one more" on R',
    'leaf1 receives "one more" on L1',
    *PARTED,
)
_scene(
    "put-off",
    "A leaf waits for a decision while another one dies.",
    *JOINED,
    "leaf2 opens L2 as c_leaf/d_leaf",
    "leaf2 joins R with L2",
    "root defers leaf2 on R",
    "leaf1 crashes",
    "P1 sees FD_CLOSE WSAECONNABORTED",
    "root accepts leaf2 on R as P2",
    "L2 sees FD_CONNECT",
    "root closes R",
    "L2 sees FD_CLOSE",
    "everything settles",
    hosts=("root", "leaf1", "leaf2"),
    timers="scale: 0.05, poll_s: 3",
)
_scene(
    "unheard",
    "What a leaf asks is never heard.",
    *OPENED,
    "leaf1 joins R with L1",
    "L1 sees FD_CONNECT WSAETIMEDOUT",
    "everything settles",
    "root closes R",
    "everything settles",
    timers="scale: 0.05, pend_s: 2",
    faults=("drop every JOIN_REQ from leaf1 to root",),
)
_scene(
    "lost-confirm",
    "The first CONFIRM is lost.",
    *JOINED,
    "R sees FD_WRITE",
    *PARTED,
    faults=("drop the first CONFIRM from leaf1 to root",),
)
_scene(
    "lost-reject",
    "The first REJECT is lost.",
    *OPENED,
    "leaf1 joins R with L1",
    "root rejects leaf1 on R",
    "L1 sees FD_CONNECT WSAECONNREFUSED",
    "root closes R",
    "everything settles",
    faults=("drop the first REJECT from root to leaf1",),
)
_scene(
    "lost-one",
    "One of three messages is lost, and repaired.",
    *JOINED,
    'root sends "one" on R',
    'root sends "two" on R',
    'root sends "three" on R',
    'leaf1 receives "one" on L1',
    'leaf1 receives "two" on L1',
    'leaf1 receives "three" on L1',
    "everything settles",
    *PARTED,
    faults=("drop the 2nd DATA from root to leaf1",),
)
_scene(
    "lost-between",
    "One of three messages is lost, and repaired before anything but the first is received.",
    *JOINED,
    'root sends "one" on R',
    'root sends "two" on R',
    'root sends "three" on R',
    'leaf1 receives "one" on L1',
    "root closes R",
    "P1 sees FD_CLOSE",
    'leaf1 receives "two" on L1',
    'leaf1 receives "three" on L1',
    "L1 sees FD_CLOSE",
    "everything settles",
    faults=("drop the 2nd DATA from root to leaf1",),
)
_scene(
    "lost-last",
    "The last message before the end is lost, and repaired.",
    *JOINED,
    'root sends "the last word" on R',
    "root closes R",
    'leaf1 receives "the last word" on L1',
    "L1 sees FD_CLOSE",
    "P1 sees FD_CLOSE",
    "everything settles",
    faults=("drop the first DATA from root to leaf1",),
)
_scene(
    "lost-for-good",
    "The last message before the end is lost as often as it is sent.",
    *JOINED,
    'root sends "the last word" on R',
    "root closes R",
    "L1 sees FD_CLOSE WSAECONNABORTED",
    "everything settles",
    faults=("drop every DATA from root to leaf1",),
)
_scene(
    "lost-by-promise",
    "A message is lost as often as it is sent, and what says that it was sent is not.",
    *JOINED,
    'root sends "never heard" on R',
    "L1 sees FD_CLOSE WSAECONNABORTED",
    "P1 sees FD_CLOSE WSAECONNRESET",
    "root closes R",
    "everything settles",
    faults=("drop every DATA from root to leaf1",),
)
_scene(
    "two-sessions",
    "A root dismantles its session and begins another one.",
    *JOINED,
    *PARTED,
    "root opens S as c_root/d_root on port 61718",
    "root listens on S",
    "leaf1 opens M1 as c_leaf/d_leaf on port 61718",
    "leaf1 joins S with M1",
    "root accepts leaf1 on S as Q1",
    "M1 sees FD_CONNECT",
    "everything settles",
    "root closes S",
    "M1 sees FD_CLOSE",
    "everything settles",
)
_scene(
    "parting-whispers",
    "A leaf leaves while more private messages wait than the root has room for.",
    "root opens R as c_root/d_root of protocol MPW_DIALOGUE",
    "root listens on R",
    "leaf1 opens L1 as c_leaf/d_leaf of protocol MPW_DIALOGUE",
    *JOINED[3:],
    *(f'leaf1 sends "{number}" on L1 in private' for number in range(18)),
    "everything settles",
    "leaf1 closes L1",
    "everything settles",
    *(f'root receives "{number}" on P1 in private' for number in range(18)),
    "P1 sees FD_CLOSE",
    "root closes R",
    "everything settles",
)
_scene(
    "death-watch",
    "Three processes die one after the other, and who was with them finds out.",
    *JOINED,
    "other opens O as c_root/d_root",
    "other listens on O",
    "leaf2 opens W as c_leaf/d_leaf",
    "leaf2 joins O with W",
    "other accepts leaf2 on O as OW",
    "W sees FD_CONNECT",
    "third opens T as c_root/d_root",
    "third listens on T",
    "leaf2 opens V as c_leaf/d_leaf on port 61718",
    "leaf2 joins T with V",
    "third accepts leaf2 on T as TV",
    "V sees FD_CONNECT",
    "everything settles",
    "leaf1 crashes",
    "other crashes",
    "W sees FD_CLOSE WSAECONNABORTED",
    "third crashes",
    "V sees FD_CLOSE WSAECONNABORTED",
    "everything settles",
    "root reads no error on R",
    'root sends "anybody?" on R and gets WSAENOTCONN',
    "P1 sees FD_CLOSE WSAECONNABORTED",
    "root closes R",
    "everything settles",
    hosts=("root", "leaf1", "leaf2", "other", "third"),
)
for _name, _protocol in (("group-for-long", "MPW_ROOTED_ASM"), ("group-of-one", "MPW_ROOTED_SSM")):
    _scene(
        _name,
        "A group is heard while somebody is missed.",
        f"root opens R as c_root/d_root of protocol {_protocol}",
        "root listens on R",
        f"leaf1 opens L1 as c_leaf/d_leaf of protocol {_protocol}",
        f"leaf2 opens L2 as c_leaf/d_leaf of protocol {_protocol}",
        *JOINED[3:],
        "leaf2 joins R with L2",
        "root accepts leaf2 on R as P2",
        "L2 sees FD_CONNECT",
        "everything settles",
        "leaf2 crashes",
        "P2 sees FD_CLOSE WSAECONNABORTED",
        'root sends "who is there?" on R',
        'leaf1 receives "who is there?" on L1',
        "everything settles",
        *PARTED,
        hosts=("root", "leaf1", "leaf2"),
    )
_scene(
    "strangers",
    "A leaf has aborted, and the root has not heard of it.",
    *JOINED,
    "leaf1 sets linger of L1 to 0 seconds",
    "leaf1 closes L1",
    "leaf1 opens M1 as c_leaf/d_leaf",
    *(f'root sends "{number}" on R' for number in range(8)),
    "everything settles",
    "root closes R",
    "P1 sees FD_CLOSE WSAECONNABORTED",
    "everything settles",
    faults=("drop every ABORT from leaf1 to root",),
)
_scene(
    "expelled",
    "One of two leaves is expelled, and the other one stays.",
    *JOINED,
    "leaf2 opens L2 as c_leaf/d_leaf",
    "leaf2 joins R with L2",
    "root accepts leaf2 on R as P2",
    "L2 sees FD_CONNECT",
    "root closes P1",
    "L1 sees FD_CLOSE",
    "everything settles",
    "everything settles",
    'root sends "without leaf1" on R',
    'leaf2 receives "without leaf1" on L2',
    "root closes R",
    "L2 sees FD_CLOSE",
    "everything settles",
    hosts=("root", "leaf1", "leaf2"),
)
_scene(
    "late-comer",
    "A leaf comes when something has been said already.",
    *JOINED,
    'root sends "old" on R',
    'leaf1 receives "old" on L1',
    "leaf2 opens L2 as c_leaf/d_leaf",
    "leaf2 joins R with L2",
    "root accepts leaf2 on R as P2",
    "L2 sees FD_CONNECT",
    "everything settles",
    'root sends "new" on R',
    'leaf2 receives "new" on L2',
    'leaf1 receives "new" on L1',
    "root closes R",
    "L2 sees FD_CLOSE",
    "everything settles",
    hosts=("root", "leaf1", "leaf2"),
)
_scene(
    "late-thanks",
    "Acknowledgements take their time.",
    *JOINED,
    *(f'root sends "{number}" on R' for number in range(ACKNOWLEDGED_TOGETHER)),
    *(f'leaf1 receives "{number}" on L1' for number in range(ACKNOWLEDGED_TOGETHER)),
    "everything settles",
    *PARTED,
    faults=("hold every DATA_ACK from leaf1 to root for 100 ms",),
)
_scene(
    "held-up",
    "A leaf leaves, and another one is refused after a while.",
    *JOINED,
    "leaf1 closes L1",
    "everything settles",
    "leaf2 opens L2 as c_leaf/d_leaf",
    "everything settles",
    "leaf2 joins R with L2",
    "root rejects leaf2 on R",
    "L2 sees FD_CONNECT WSAECONNREFUSED",
    "everything settles",
    "leaf1 opens M1 as c_leaf/d_leaf on port 61718",
    "P1 sees FD_CLOSE",
    "root closes R",
    "everything settles",
    hosts=("root", "leaf1", "leaf2"),
    faults=("hold every REJECT from root to leaf2 for 600 ms",),
)
_scene(
    "called-off",
    "A leaf calls its request off, and another one is refused after a while.",
    *OPENED,
    "leaf1 joins R with L1",
    "R sees FD_ACCEPT",
    "leaf1 closes L1",
    "everything settles",
    "root accepts leaf1 on R and gets WSAECONNRESET",
    "leaf2 opens L2 as c_leaf/d_leaf",
    "everything settles",
    "leaf2 joins R with L2",
    "root rejects leaf2 on R",
    "L2 sees FD_CONNECT WSAECONNREFUSED",
    "root closes R",
    "everything settles",
    hosts=("root", "leaf1", "leaf2"),
    faults=("hold every REJECT from root to leaf2 for 600 ms",),
)
