"""A verdict in the run file that it was drawn from."""

from mpwire.capture import annotate
from mpwire.report.assessment import Assessment
from mpwire.report.document import comments_of, document_of


def store(assessment: Assessment) -> str:
    """Store an assessment in the run file that it judges; return why it could not be, if so.

    It holds whether or not the disk has room for it.
    """
    try:
        annotate(assessment.run.path, document_of(assessment), comments_of(assessment))
    except OSError as error:
        return f"the verdict is not in the run file: {error.strerror or error}"
    return ""
