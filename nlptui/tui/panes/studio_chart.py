"""The studio's chart: a line chart that the screen's keys and the mouse walk, and the exact values below it.

The cursor stays at its step while the run goes on; at the newest point it follows.
"""

from __future__ import annotations

from rich.segment import Segment
from textual import events

from nlptui.lazy import numpy as np
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_chart import MARKS, LineChart
from nlptui.tui.widgets.line_view import RowsView
from nlptui.views.figure import Lines
from nlptui.views.run_charts import values_at


class StudioChart(LineChart, can_focus=False):
    """A line chart without a keyboard of its own."""

    follows: bool = True
    """Whether the cursor stays at the newest point."""

    @property
    def x(self) -> float | None:
        """Where the cursor stands; None where there is no point."""
        if self.part is None or self.empty:
            return None
        series = self.part.series[self.row].x
        return float(series[self.col]) if len(series) else None

    def show(self, part: Lines | None) -> None:
        """Another chart, or the same with more points; the cursor stays at its x."""
        x = self.x
        self.part = part
        if part is None or not part.series:
            return
        longest = max(range(len(part.series)), key=lambda n: len(part.series[n].x))
        points = part.series[longest].x
        at = len(points) - 1 if self.follows or x is None else int(np.argmin(np.abs(points - x)))
        self.move_to(longest, at)

    def walk(self, to: str) -> None:
        """Move the cursor: left, right, page_left, page_right, start or end."""
        if self.part is None or self.empty:
            return
        getattr(self, f"action_cursor_{to}")()
        self.follows = self.col == len(self.part.series[self.row].x) - 1

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on the point nearest to it."""
        offset = event.get_content_offset(self)
        if offset is None or self.part is None or self._frame is None or not self.part.series:
            return
        event.stop()
        width = max(1, self.size.width - self._gutter - 2)
        share = min(1.0, max(0.0, (offset.x - self._gutter - 1) / width))
        x = self._frame.left + share * (self._frame.right - self._frame.left)
        points = self.part.series[self.row].x
        if len(points):
            self.move_to(self.row, int(np.argmin(np.abs(points - x))))
            self.follows = self.col == len(points) - 1


class Values(RowsView, can_focus=False):
    """The exact value of each line at the cursor: the chart's legend, always in sight."""

    DEFAULT_CSS = """
    Values { height: auto; max-height: 6; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[tuple[int, str]] = []

    @property
    def count(self) -> int:
        """How many lines the chart has."""
        return len(self.lines)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return self.lines[row][1]

    def show(self, part: Lines | None, x: float | None) -> None:
        """The values at `x`; where a line has no point there, at its nearest one, which is named."""
        lines: list[tuple[int, str]] = []
        if part is not None and x is not None:
            numbers = {series.name: number for number, series in enumerate(part.series)}
            for name, at, value in values_at(part, x):
                where = f"{part.x_label} {at:g}"
                lines.append((numbers[name], f"{name}  {value:.6g}  {where}"))
        before, self.lines = len(self.lines), lines
        if len(lines) != before:
            self.refresh(layout=True)
        self.measure()
        self.repaint()

    def segments(self, y: int) -> list[Segment]:
        """The line's value; nothing where there is none."""
        return [] if self.empty else super().segments(y)

    def row_segments(self, row: int) -> list[Segment]:
        """The line's dashes, its name, and the value."""
        number, words = self.lines[row]
        mark = f"{MARKS[number % len(MARKS)]} "
        return [
            Segment(mark, self.palette.series(number)),
            Segment(fit(words, max(0, self.size.width - len(mark))), self.palette.series(number)),
        ]
