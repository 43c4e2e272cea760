"""Series as lines of braille dots, with axes, a legend and a cursor that walks the points.

Knows nothing of what is measured: it gets `Lines`. Of points that share a column of dots the smallest and
the largest are drawn, so a peak among a million points is seen. Series differ by colour and by their dashes.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive

from nlptui.lazy import numpy as np
from nlptui.locale import _
from nlptui.tui.widgets.cells import fit, number_format
from nlptui.tui.widgets.keys import CURSOR_KEYS
from nlptui.tui.widgets.line_view import LineView
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.views.figure import Array, Lines, Series

BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot in a cell, by row and column."""
DASHES = ((1, 1), (3, 6), (1, 4), (5, 8), (2, 10), (1, 8))
"""For each series how many columns of dots of how many are drawn."""
MARKS = ("──", "╌╌", "··", "━╸", "╴ ", "· ")


class Frame(NamedTuple):
    """The ranges that the plot covers; y on a logarithmic scale is given as its logarithm."""

    left: float
    right: float
    low: float
    high: float


class LineChart(LineView):
    """Draws `part`; `row` is the series and `col` the point under the cursor."""

    BINDINGS = CURSOR_KEYS
    CellMoved = CellMoved
    CellOpened = CellOpened

    part: reactive[Lines | None] = reactive(None, repaint=False, always_update=True)
    row: reactive[int] = reactive(0, repaint=False)
    col: reactive[int] = reactive(0, repaint=False)

    def __init__(
        self,
        part: Lines | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._frame: Frame | None = None
        self._labels: tuple[str, str, str] = ("", "", "")
        self._plot: list[list[tuple[int, int]]] = []
        self.part = part

    @property
    def empty(self) -> bool:
        """Whether there is no point to draw."""
        return self._frame is None

    def validate_row(self, row: int) -> int:
        """Keep the cursor on a series."""
        return max(0, min(row, len(self.part.series) - 1)) if self.part else 0

    def validate_col(self, col: int) -> int:
        """Keep the cursor on a point of the series."""
        if self.part is None or not self.part.series:
            return 0
        return max(0, min(col, len(self.part.series[self.validate_row(self.row)].x) - 1))

    def watch_part(self, part: Lines | None) -> None:
        """Draw the dots anew, and repaint the stretches that differ."""
        self._frame = frame(part) if part else None
        self.set_reactive(LineChart.row, self.validate_row(self.row))
        self.set_reactive(LineChart.col, self.validate_col(self.col))
        self.measure()
        self.repaint()

    @property
    def _rows(self) -> int:
        """Lines of the plot: all but the legend, the axis and its labels."""
        return max(1, self.size.height - 3)

    @property
    def _gutter(self) -> int:
        """Width of the labels on the left."""
        return max(map(len, self._labels)) + 1

    def measure(self) -> None:
        """Put the dots where the present size wants them."""
        self._plot = []
        if self.part is None or self._frame is None or not self.size:
            return
        ends = np.array([self._frame.high, (self._frame.low + self._frame.high) / 2, self._frame.low])
        if self.part.log:
            high, middle, low = (format(10.0**end, ".3g") for end in ends.tolist())
        else:
            high, middle, low = map(number_format(ends, _digits(ends)), ends.tolist())
        self._labels = (high, middle, low)
        width = max(1, self.size.width - self._gutter - 1)
        self._plot = plot(self.part, self._frame, width, self._rows)

    # Lines

    def segments(self, y: int) -> list[Segment]:
        """The legend, a line of the plot, the axis, or the labels below it."""
        part, width = self.part, self.size.width
        if part is None or self._frame is None:
            return [Segment(fit(_("No points yet."), width), self.palette.word("faint"))] if y == 0 else []
        if self.size.height < 4:
            return self._plot_line(y) if y < len(self._plot) else []
        if y == 0:
            return self._legend(part)
        if y <= self._rows:
            return self._plot_line(y - 1)
        return self._axis() if y == self._rows + 1 else self._below(part)

    def _legend(self, part: Lines) -> list[Segment]:
        """What is measured, and the mark, name and last value of each line; where there is no room for all
        of it, the names first of all.
        """
        label = f"{part.y_label} ({_('log')})" if part.log else part.y_label
        named = [f"{MARKS[number % len(MARKS)]} {series.name}" for number, series in enumerate(part.series)]
        told = [f"{words}{_last(series)}  " for words, series in zip(named, part.series, strict=True)]
        names, close = [f"{words}  " for words in named], [f"{words} " for words in named]
        ways = ((label, told), (label, names), ("", names), ("", close))
        for shown, words in ways:
            head = f"{shown}  " if shown else ""
            if cell_len(head) + sum(map(cell_len, words)) - 1 <= self.size.width:
                break
        segments = [Segment(head, self.palette.word("faint"))] if head else []
        taken = cell_len(head)
        for number, text in enumerate(words):
            taken += cell_len(text)
            if taken - 1 > self.size.width:
                break
            segments.append(
                Segment(text if taken <= self.size.width else text[:-1], self.palette.series(number))
            )
        return segments

    def _plot_line(self, y: int) -> list[Segment]:
        if len(self._plot) != self._rows:
            self.measure()  # it had no size, or another one, when its points came
        if y >= len(self._plot):
            return []
        at = {0: 0, self._rows // 2: 1, self._rows - 1: 2}
        label = self._labels[at[y]] if y in at else ""
        faint = self.palette.word("faint")
        segments = [Segment(label.rjust(self._gutter - 1) + (" ┤" if label else " │"), faint)]
        for number, cells in groupby(self._plot[y], lambda cell: cell[1]):
            text = "".join(chr(BRAILLE + mask) if mask else " " for mask, _number in cells)
            segments.append(Segment(text, self.palette.series(number) if number >= 0 else Style.null()))
        return segments

    def _axis(self) -> list[Segment]:
        """The x axis, with a mark below the point of the cursor."""
        faint = self.palette.word("faint")
        width = max(1, self.size.width - self._gutter - 1)
        left = Segment(" " * self._gutter + "└", faint)
        at = self._cursor_column(width)
        if at is None:
            return [left, Segment("─" * width, faint)]
        return [
            left,
            Segment("─" * at, faint),
            Segment("▲", self.cursor_style),
            Segment("─" * (width - at - 1), faint),
        ]

    def _cursor_column(self, width: int) -> int | None:
        if self.part is None or self._frame is None or not len(self.part.series[self.row].x):
            return None
        x = float(self.part.series[self.row].x[self.col])
        if not np.isfinite(x):
            return None
        span = self._frame.right - self._frame.left
        return min(width - 1, int((x - self._frame.left) / span * (2 * width - 1)) // 2) if span else 0

    def _below(self, part: Lines) -> list[Segment]:
        """The ends of the x axis, and between them its name."""
        assert self._frame is not None
        ends = np.array([self._frame.left, self._frame.right])
        digits = 0 if np.all(ends == np.rint(ends)) else _digits(ends)
        left, right = (format(end, f"z.{digits}f") for end in ends.tolist())
        room = self.size.width - self._gutter - 1 - len(left) - len(right)
        name = part.x_label if cell_len(part.x_label) + 2 <= room else ""
        before = max(0, room - cell_len(name)) // 2
        after = max(0, room - cell_len(name) - before)
        words = " " * (self._gutter + 1) + left + " " * before + name + " " * after + right
        return [Segment(words, self.palette.word("faint"))]

    # The cursor

    def watch_row(self) -> None:
        """Show the cursor on the other series, at the nearest point."""
        self._moved()

    def watch_col(self) -> None:
        """Show the cursor on the other point."""
        self._moved()

    def _moved(self) -> None:
        if self.is_mounted and not self.empty:
            self.repaint()
            self.post_message(CellMoved(self.row, self.col, self))

    def move_to(self, row: int, col: int) -> None:
        """Put the cursor on point `col` of series `row`, or as near as there is one."""
        before = (self.row, self.col)
        self.set_reactive(LineChart.row, self.validate_row(row))
        self.set_reactive(LineChart.col, self.validate_col(col))
        if before != (self.row, self.col):
            self._moved()

    def _other_series(self, step: int) -> None:
        if self.part is None or self.empty:
            return
        row = self.validate_row(self.row + step)
        x = self.part.series[self.row].x
        others = self.part.series[row].x
        if row != self.row and len(others) and len(x):
            self.move_to(row, int(np.argmin(np.abs(others - x[self.col]))))

    def action_cursor_left(self) -> None:
        self.col -= 1

    def action_cursor_right(self) -> None:
        self.col += 1

    def action_cursor_up(self) -> None:
        self._other_series(-1)

    def action_cursor_down(self) -> None:
        self._other_series(1)

    def action_cursor_start(self) -> None:
        self.col = 0

    def action_cursor_end(self) -> None:
        self.col = len(self.part.series[self.row].x) if self.part and self.part.series else 0

    def action_cursor_page_left(self) -> None:
        self.col -= max(1, self._tenth())

    def action_cursor_page_right(self) -> None:
        self.col += max(1, self._tenth())

    def _tenth(self) -> int:
        return len(self.part.series[self.row].x) // 10 if self.part and self.part.series else 0

    def action_cursor_open(self) -> None:
        """Ask for the point under the cursor."""
        if not self.empty:
            self.post_message(CellOpened(self.row, self.col, self))


def frame(part: Lines) -> Frame | None:
    """The ranges of all finite points, None if there is none; a range of nothing is widened a little."""
    points = [_finite(series, part.log) for series in part.series]
    xs = np.concatenate([x for x, _y, _gap in points]) if points else np.empty(0)
    ys = np.concatenate([y for _x, y, _gap in points]) if points else np.empty(0)
    if not xs.size:
        return None
    low, high = float(ys.min()), float(ys.max())
    if low == high:
        margin = abs(low) * 0.1 or 0.5
        low, high = low - margin, high + margin
    return Frame(float(xs.min()), float(xs.max()), low, high)


def _finite(series: Series, log: bool) -> tuple[Array, Array, Array]:
    """The points that can be drawn, in the order of x, and for each how many gaps come before it."""
    x, y = np.asarray(series.x, np.float64), np.asarray(series.y, np.float64)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if log:
        y = np.log10(y, where=y > 0, out=np.full_like(y, np.nan))
    usable = np.isfinite(x) & np.isfinite(y)
    return x[usable], y[usable], np.cumsum(~usable)[usable]


def plot(part: Lines, area: Frame, width: int, height: int) -> list[list[tuple[int, int]]]:
    """For each cell of the plot its dots and the series they belong to (-1: none); the first is on top."""
    masks = np.zeros((height, width), np.int64)
    owners = np.full((height, width), -1, np.int64)
    for number in reversed(range(len(part.series))):
        low, high = columns(*_finite(part.series[number], part.log), area, 2 * width, 4 * height)
        drawn, period = DASHES[number % len(DASHES)]
        for column in np.flatnonzero(low <= high).tolist():
            if column % period >= drawn:
                continue
            for dot in range(int(low[column]), int(high[column]) + 1):
                masks[dot // 4, column // 2] |= DOTS[dot % 4][column % 2]
                owners[dot // 4, column // 2] = number
    return [list(zip(*pair, strict=True)) for pair in zip(masks.tolist(), owners.tolist(), strict=True)]


def columns(x: Array, y: Array, gaps: Array, area: Frame, width: int, height: int) -> tuple[Array, Array]:
    """The uppermost and the lowest dot of a line in each column of dots; -1 as the lowest if there is none.

    Within a column from the smallest to the largest point, between columns straight from point to point,
    except across a gap.
    """
    low, high = np.full(width, height), np.full(width, -1)
    if not x.size:
        return low, high
    span = area.right - area.left
    at = np.rint((x - area.left) / span * (width - 1)).astype(int) if span else np.full(x.size, width // 2)
    dots = np.rint((area.high - y) / (area.high - area.low) * (height - 1)).astype(int)
    np.minimum.at(low, at, dots)
    np.maximum.at(high, at, dots)
    # Only steps from one column to another are left to draw: at most as many as there are columns.
    for step in np.flatnonzero((at[1:] != at[:-1]) & (gaps[1:] == gaps[:-1])).tolist():
        start, stop = int(at[step]), int(at[step + 1])
        heights = np.rint(np.linspace(dots[step], dots[step + 1], stop - start + 1)).astype(int)
        for column in range(start, stop):
            ends = heights[column - start], heights[column - start + 1]
            # Half of the rise belongs to each of the two columns.
            middle = (ends[0] + ends[1]) // 2
            low[column], high[column] = min(low[column], ends[0], middle), max(high[column], ends[0], middle)
            low[column + 1] = min(low[column + 1], ends[1], middle)
            high[column + 1] = max(high[column + 1], ends[1], middle)
    return low, high


def _digits(values: Array) -> int:
    """Decimals that tell `values` apart."""
    span = float(np.max(values) - np.min(values))
    return int(max(0, min(6, 2 - np.floor(np.log10(span))))) if span > 0 else 2


def _last(series: Series) -> str:
    """The newest value, for the legend."""
    finite = series.y[np.isfinite(series.y)]
    return f" {finite[-1]:.4g}" if finite.size else ""
