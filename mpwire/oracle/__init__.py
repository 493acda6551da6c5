"""What a capture proves about the socket events that were reported.

In reading order:
    judgement     what the judge says: verdicts, findings, judged events
    registry      rules as registered functions, and their outcomes
    trace         a run file as packets, deliveries and agents' lines in one order
    calls         agents' lines as calls, answers and reported events
    shelf, membership, history    attempts and memberships, from packets alone
    streams, opening, aims    data by origin, joins of groups, and whom data is for
    sockets, bind     descriptors, and which attempt each call began or decided
    case          all of that together, what every rule looks at
    expectations, expect_*, inbox    which events must and may be reported, and why
    events        reported events matched with expected ones
    obligations, anchors      what was due by the next barrier, and what came too early
    gate          whether the record is complete
    rules         the rules, by family
    tally         what the rules say, counted over one case or many
    cutting       long captures cut into cases, by way of dossier, digest and remains
    folding       what is repeated, many frames at a time: columns, learning
    ledger        long runs in parts, by way of audit, units, settling and carried
    judge         the verdict; `judge(open_run(path))` is all that others need
    table         the rule table of docs/oracle.md

Nothing here shares code with the endpoints it judges.
"""

from mpwire.oracle.judge import judge
from mpwire.oracle.judgement import Finding, JudgedEvent, Judgement, Level, RuleResult

__all__ = ["Finding", "JudgedEvent", "Judgement", "Level", "RuleResult", "judge"]
