"""The line that says in words what stands under the cursor, with the number in full.

Knows nothing of meanings: `views.describe` has the sentence.
"""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.reactive import reactive

from nlptui.text import visible
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import LineView
from nlptui.views import describe
from nlptui.views.figure import Figure, HeatTable, Lines, Tokens, Tree


class Readout(LineView, can_focus=False):
    """One line of text; it repaints only the stretch that differs."""

    DEFAULT_CSS = """
    Readout { height: 1; overflow: hidden hidden; }
    """

    text: reactive[str] = reactive("", repaint=False)

    def show(self, figure: Figure, part: int, row: int, col: int = 0) -> None:
        """Describe the cell (row, col) of the figure's part number `part`."""
        self.text = describe(figure, part, row, col) if _holds(figure, part, row, col) else ""

    def clear(self) -> None:
        """Say nothing."""
        self.text = ""

    def validate_text(self, text: str) -> str:
        """Nothing in it acts on the terminal."""
        return visible(text)

    def watch_text(self) -> None:
        """Show the new sentence."""
        self.repaint()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line."""
        return 1

    def segments(self, y: int) -> list[Segment]:
        """The sentence, cut where it is too long."""
        return [Segment(fit(shortened(self.text, self.size.width), self.size.width))] if y == 0 else []


VALUE = re.compile(r"(: |：)[-+−]?(\d[\d.e+-]*|inf|nan)$")
"""The number that a sentence ends in."""


def shortened(text: str, width: int) -> str:
    """The sentence without the number at its end, which stands in full on the line above, where both are too
    long for `width` cells.
    """
    return text if cell_len(text) <= width else VALUE.sub("", text)


def _holds(figure: Figure, part: int, row: int, col: int) -> bool:
    """Whether there is such a cell: while one figure replaces another, the cursor may be of the other."""
    if part >= len(figure.parts):
        return False
    shown = figure.parts[part]
    if isinstance(shown, HeatTable):
        return row < len(shown.rows) and col < len(shown.cols)
    if isinstance(shown, Lines):
        return row < len(shown.series) and col < len(shown.series[row].x)
    if isinstance(shown, Tokens):
        return row < len(shown.tokens)
    return row < len(shown.rows if isinstance(shown, Tree) else shown.labels)
