"""The protocol machines, without I/O: bytes, calls and the time in; datagrams and reports out.

- `table`: the states of one end of a membership and every legal step (start here)
- `membership`: the machine that walks it; `asking`, `answering`, `crossing`, `restarting`,
  `member`: its actions
- `session`: the root's books; `listener`: the queue of requests; `admission`: who gets into it
- `endpoint`: one UDP address, its memberships and timers; `replies`: answers to strangers
- `profile`: what an endpoint offers; `events`: inputs, effects, reports
- `sending`, `receiving`: data, repair, flow control; `relay`, `casting`: to many; `chatting`: side
  chat
- `address`, `timers`, `cookie`, `entropy`, `inflow`, `outflow`, `sidechat`, `serial`: tools
"""

from mpwire.core.endpoint import Endpoint
from mpwire.core.entropy import Entropy
from mpwire.core.membership import Membership, SessionFacts
from mpwire.core.profile import Profile
from mpwire.core.session import Session
from mpwire.core.timers import TimerPlan

__all__ = ["Endpoint", "Entropy", "Membership", "Profile", "Session", "SessionFacts", "TimerPlan"]
