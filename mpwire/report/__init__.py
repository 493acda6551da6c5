"""A judged run as people and programs read it.

In reading order:
    telling     a frame in a few words
    cast        who takes part: lifelines, addresses, names of sockets
    canvas      one line of a ladder, drawn cell by cell
    ladder      the session as a ladder: frames as arrows, socket events as flags
    recorded    the ladder of a run file, or an excerpt of it
    assessment  the judgement and the script's own outcome, taken together
    verdict     the assessment as text
    agreement   where runs of one testbed on several fabrics part
    document    the assessment as JSON, and as packet comments
    glyphs      the same without Unicode
    matrix      roles, implementations and testbeds: many runs as one table
    matrix_page the same as one HTML file
"""

from mpwire.report.assessment import Assessment, FailedStep, assess
from mpwire.report.cast import Cast, cast_of
from mpwire.report.ladder import Ladder, Marks, Row
from mpwire.report.recorded import ladder_rows

__all__ = [
    "Assessment",
    "Cast",
    "FailedStep",
    "Ladder",
    "Marks",
    "Row",
    "assess",
    "cast_of",
    "ladder_rows",
]
