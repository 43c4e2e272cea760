"""Labelled numbers as horizontal bars below one another, with a cursor.

Knows nothing of what the numbers mean: it gets `Bars`. Numbers between 0 and 1 are drawn on a scale that ends
at 1, all others on one that ends at the largest; the bar of a negative number has its own glyph and colour.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.reactive import reactive

from nlptui.lazy import numpy as np
from nlptui.tui.colours import SIDE
from nlptui.tui.widgets.cells import NumberFormat, fit, number_format
from nlptui.tui.widgets.line_view import RowsView
from nlptui.views.figure import Bars

EIGHTHS = " ▏▎▍▌▋▊▉█"
NEGATIVE = "▒"


class BarList(RowsView):
    """Draws `part`, one bar a line: label, number, bar."""

    part: reactive[Bars | None] = reactive(None, repaint=False, always_update=True)

    def __init__(
        self,
        part: Bars | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._format = NumberFormat("z.3f", 1)
        self._scale = 1.0
        self._label = 0
        self.part = part

    @property
    def count(self) -> int:
        """How many bars there are."""
        return len(self.part.labels) if self.part else 0

    @property
    def shown(self) -> int:
        """All of them."""
        return self.count

    def row_text(self, row: int) -> str:
        """The label."""
        return self.part.labels[row] if self.part else ""

    def watch_part(self, part: Bars | None) -> None:
        """Measure labels and numbers, and repaint the lines that differ."""
        if part is not None and self.count:
            self._format = number_format(part.values, part.digits)
            size = np.abs(part.values)
            largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
            bounded = float(np.min(part.values, where=np.isfinite(size), initial=0.0)) >= 0 and largest <= 1
            self._scale = 1.0 if bounded else largest
            self._label = max(map(cell_len, part.labels))
        self.take_rows()

    def row_segments(self, row: int) -> list[Segment]:
        """` the   0.312 ██████▍`."""
        part = self.part
        assert part is not None
        width = self.size.width
        value = float(part.values[row])
        label = fit(part.labels[row], max(4, min(self._label, width * 2 // 5)))
        number = self._format(value).rjust(self._format.width)
        words = f" {label} {number} "
        style = self.cursor_style if row == self.row else None
        room = width - cell_len(words)
        scale = "diverging" if self._scale != 1.0 else "positive"
        inks = self.palette.inks(scale)
        share = value / self._scale if self._scale and np.isfinite(value) else 0.0
        ink = inks[0 if share < 0 else SIDE * 2 if scale == "diverging" else len(inks) * 2 // 3]
        return [Segment(words, style), Segment(bar(share, room), ink)]


def bar(share: float, width: int) -> str:
    """A bar that fills `share` of `width` cells, to an eighth of a cell; shaded if the share is negative."""
    if width <= 0:
        return ""
    if share < 0:
        return NEGATIVE * max(1, round(min(-share, 1.0) * width))
    eighths = round(min(share, 1.0) * width * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
