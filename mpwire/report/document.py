"""The assessment for programs: the JSON document, and comments for the packets of a run file."""

from mpwire.oracle import Level
from mpwire.report.assessment import Assessment
from mpwire.vocabulary import Verdict


def document_of(assessment: Assessment) -> dict[str, object]:
    """Give the JSON document of one run, as docs/cli-schema.json describes it."""
    document = assessment.judgement.to_json()
    document["verdict"] = assessment.verdict.value
    document["testbed"] = assessment.testbed
    document["failed_steps"] = [
        {"line": step.line, "text": step.text, "reason": step.reason, "kind": step.kind}
        for step in assessment.failed_steps
    ]
    return document


def comments_of(assessment: Assessment) -> dict[int, str]:
    """Say of each frame which rules it breaks and which events it caused, for Wireshark."""
    said: dict[int, list[str]] = {}
    for finding in assessment.judgement.findings:
        if finding.verdict is Verdict.FAIL:
            what = f"expected {finding.expected}; seen: {finding.seen}"
            told = f"breaks {finding.rule}: {finding.endpoint}: {what}"
            for number in finding.frames:
                said.setdefault(number, []).append(assessment.cast.retold(told))
    for event in assessment.judgement.events:
        if event.level is not Level.MUST_NOT and event.frames:
            socket = assessment.cast.socket(event.host, event.socket)
            code = f" {event.code}" if event.code else ""
            told = f"{event.host} {socket} {event.level.value} report {event.event}{code}, and did"
            said.setdefault(event.frames[-1], []).append(f"{told} ({event.rule})")
    return {number: "; ".join(dict.fromkeys(told)) for number, told in said.items()}
