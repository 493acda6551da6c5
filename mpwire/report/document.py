"""The assessment for programs: the JSON document, and comments for the packets of a run file."""

from typing import Final

import msgspec

from mpwire.oracle import Level, RuleResult
from mpwire.oracle.registry import RULES
from mpwire.report.assessment import Assessment
from mpwire.report.nearest import nearest
from mpwire.report.recorded import excerpt, marks_of
from mpwire.report.verdict import FINDINGS_PER_RULE
from mpwire.vocabulary import Verdict

WIDTH: Final = 100
"""Columns of a ladder."""


def document_of(assessment: Assessment) -> dict[str, object]:
    """Give the JSON document of one run, as docs/cli-schema.json describes it."""
    document = assessment.judgement.to_json()
    document["rules"] = [_rule(assessment, result) for result in assessment.judgement.rules]
    document["inferred"] = [msgspec.to_builtins(socket) for socket in assessment.inferred]
    document["inferred_frames"] = assessment.inferred_frames
    document["idle_faults"] = assessment.idle_faults
    document["command"] = assessment.command
    document["verdict"] = assessment.verdict.value
    document["testbed"] = assessment.testbed
    document["failed_steps"] = [
        {"line": step.line, "text": step.text, "reason": step.reason, "kind": step.kind}
        for step in assessment.failed_steps
    ]
    return document


def _rule(assessment: Assessment, result: RuleResult) -> dict[str, object]:
    """Give what one rule says; the first violations are spelled out as in the text."""
    findings = [msgspec.to_builtins(finding) for finding in result.findings]
    broken = [
        (finding, entry)
        for finding, entry in zip(result.findings, findings, strict=True)
        if finding.verdict is Verdict.FAIL
    ]
    marks = marks_of(assessment.judgement)
    for finding, entry in broken[:FINDINGS_PER_RULE]:
        rows = excerpt(assessment.run, WIDTH, finding.frames, cast=assessment.cast, marks=marks)
        entry["nearest"] = nearest(assessment.run, finding)
        entry["ladder"] = [row.text.plain for row in rows]
    sentence = RULES[result.id].sentence
    return {**result.to_json(), "sentence": sentence, "findings": findings}


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
