"""The assessment as JUnit XML, for CI servers: a suite per run, a case per rule that looked."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from mpwire.oracle import Judgement, RuleResult
from mpwire.oracle.registry import RULES
from mpwire.report.assessment import Assessment
from mpwire.report.telling import printable
from mpwire.report.verdict import GROUPS, texts, violation_lines
from mpwire.vocabulary import Verdict

WIDTH = 100


def suite_of(assessment: Assessment) -> ET.Element:
    """Make the suite of one run: its rules, its script, its completeness.

    PASS is a case, FAIL a case with a failure that spells the violation out; what stayed open or
    is not supported is a case that was skipped, with the reason.
    """
    judgement = assessment.judgement
    name = Path(assessment.testbed or judgement.run_file).stem
    suite = ET.Element("testsuite", name=printable(name))
    properties = ET.SubElement(suite, "properties")
    _add_property(properties, "verdict", assessment.verdict.value)
    _add_property(properties, "run_file", judgement.run_file)
    for kind, count in judgement.counts().items():
        _add_property(properties, f"events.{kind}", str(count))
    for fault in assessment.idle_faults:
        _add_property(properties, "idle_fault", fault)
    for result in judgement.rules:
        if result.exercised:
            _add_rule(suite, name, result, assessment)
    _add_script(suite, name, assessment)
    _add_completeness(suite, name, judgement)
    return _counted(suite)


def erroneous(path: str, error: str) -> ET.Element:
    """Make the suite of a file that could not be judged."""
    suite = ET.Element("testsuite", name=printable(path))
    case = ET.SubElement(suite, "testcase", classname=printable(path), name="can be read")
    ET.SubElement(case, "error", message=printable(error))
    return _counted(suite)


def agreement_suite(name: str, verdicts: Mapping[str, str], difference: str) -> ET.Element:
    """Make the suite that says whether a testbed went the same way on all fabrics.

    Args: verdicts: by fabric; difference: the first one; empty where there is none.
    """
    suite = ET.Element("testsuite", name=printable(f"{name} on all fabrics"))
    properties = ET.SubElement(suite, "properties")
    for fabric, verdict in verdicts.items():
        _add_property(properties, f"verdict.{fabric}", verdict)
    case = ET.SubElement(suite, "testcase", classname=printable(name), name="the fabrics agree")
    if difference:
        ET.SubElement(case, "failure", message=printable(difference))
    return _counted(suite)


def sweep_suite(name: str, every: str, labs: Iterable[tuple[str, Verdict, str]]) -> ET.Element:
    """Make the suite of one lab for each message, a case each.

    Args: labs: the faults of each, what came of it, and why it is no PASS.
    """
    suite = ET.Element("testsuite", name=printable(f"{name} --every {every}"))
    for faults, verdict, reason in labs:
        case = ET.SubElement(
            suite, "testcase", classname=printable(f"{name}.{every}"), name=printable(faults)
        )
        if verdict is not Verdict.PASS:
            tag = "failure" if verdict is Verdict.FAIL else "skipped"
            ET.SubElement(case, tag, message=printable(f"{verdict.value}: {reason}"))
    return _counted(suite)


def junit_document(suites: Sequence[ET.Element]) -> bytes:
    """Put suites into one document."""
    root = ET.Element("testsuites", name="mpwire")
    root.extend(suites)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ET.indent(root)
    encoded: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded + b"\n"


def _add_property(properties: ET.Element, name: str, value: str) -> None:
    ET.SubElement(properties, "property", name=name, value=printable(value))


def _add_rule(suite: ET.Element, name: str, result: RuleResult, assessment: Assessment) -> None:
    sentence = RULES[result.id].sentence
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{printable(name)}.{GROUPS[result.group]}",
        name=f"{result.id} {sentence}",
        assertions=str(result.count),
    )
    if result.verdict is Verdict.FAIL:
        failure = ET.SubElement(
            case, "failure", message=printable(result.reason), type=RULES[result.id].id
        )
        told = texts(violation_lines(assessment, result, WIDTH)).rstrip("\n")
        again = f"\n  again        {printable(assessment.command)}" if assessment.command else ""
        failure.text = f"\n{told}{again}\n"
    elif result.verdict is not Verdict.PASS:
        ET.SubElement(case, "skipped", message=printable(f"undecided: {result.reason}"))


def _add_script(suite: ET.Element, name: str, assessment: Assessment) -> None:
    if not assessment.judgement.counts()["reported"] and assessment.testbed is None:
        return
    case = ET.SubElement(suite, "testcase", classname=printable(name), name="the script succeeds")
    for step in assessment.failed_steps[:1]:
        told = printable(f"line {step.line}: {step.text}: {step.reason}")
        ET.SubElement(case, "failure" if step.kind == "failed" else "skipped", message=told)


def _add_completeness(suite: ET.Element, name: str, judgement: Judgement) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=printable(name), name="nothing is missing from the record"
    )
    if judgement.incomplete:
        ET.SubElement(case, "skipped", message=printable("; ".join(judgement.incomplete)))


def _counted(suite: ET.Element) -> ET.Element:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    return suite
