"""The same rows without Unicode."""

from rich.text import Text

from mpwire.report.glyphs import ASCII, plain_ascii


def test_every_glyph_has_a_character_of_its_own_width() -> None:
    assert all(len(str(stands_for)) == 1 for stands_for in ASCII.values())
    assert "".join(map(str, ASCII.values())).isascii()


def test_styles_stay_where_they_are() -> None:
    made = plain_ascii(Text.assemble("├─►│ ", ("✗ R1", "red"), " é"))
    assert made.plain == "|->| x R1 é"
    assert [(span.start, span.end) for span in made.spans] == [(5, 9)]
