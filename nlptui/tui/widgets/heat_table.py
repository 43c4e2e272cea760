"""A matrix in the terminal: numbers or shade glyphs with colours, headers that stay, a cell cursor, a legend.

Draws one line at a time (Textual's Line API), formats only the cells in sight and repaints only what changed.
Knows nothing of models or traces: it gets a `HeatTable` and posts `CellMoved` and `CellOpened`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, repeat

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.reactive import reactive

from nlptui.lazy import numpy as np
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.colours import SIDE, STEPS
from nlptui.tui.widgets.cells import NumberFormat, fit, number_format
from nlptui.tui.widgets.heat_cells import (
    CURSOR,
    Grid,
    Show,
    cell_styles,
    cells_near,
    decimals_of,
    glyph,
    grid_for,
    headers_with,
    levels_of,
    reads_as_number,
    shade,
)
from nlptui.tui.widgets.keys import CURSOR_KEYS
from nlptui.tui.widgets.line_view import WHEEL_LINES, LineView
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.views.figure import Array, HeatTable

WHEEL_COLS = 2
LONGEST_TEXT = 12
"""Cells of a text that stands in the place of a number."""


class HeatTableView(LineView):
    """One `HeatTable`, scrolled by whole rows and columns.

    The first line holds the column headers, the last one the legend. `search` and `search_again` move the
    cursor to what `find` finds.
    """

    BINDINGS = CURSOR_KEYS
    CellMoved = CellMoved
    CellOpened = CellOpened

    part: reactive[HeatTable | None] = reactive(None, repaint=False, always_update=True)
    row: reactive[int] = reactive(0, repaint=False)
    col: reactive[int] = reactive(0, repaint=False)
    show: reactive[Show] = reactive("numbers", repaint=False)

    def __init__(
        self,
        part: HeatTable | None = None,
        *,
        show: Show = "numbers",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._grid = Grid(0, 1, 1, 1)
        self._levels: Array | None = None
        self._format = NumberFormat("z.2f", 1)
        self._query = ""
        self._clicked = False
        self.set_reactive(HeatTableView.show, show)
        self.part = part

    # What is shown

    @property
    def empty(self) -> bool:
        """Whether there is no cell to show."""
        return self.part is None or not self.part.values.size

    def validate_row(self, row: int) -> int:
        """Keep the cursor inside the table."""
        return max(0, min(row, len(self.part.rows) - 1)) if self.part else 0

    def validate_col(self, col: int) -> int:
        """Keep the cursor inside the table."""
        return max(0, min(col, len(self.part.cols) - 1)) if self.part else 0

    def watch_part(self, old: HeatTable | None, new: HeatTable | None) -> None:
        """Measure the new table; repaint all of it, or only the lines that differ from the old one."""
        old_levels, old_format, old_grid = self._levels, self._format, self._grid
        self._levels = None
        self._format = NumberFormat("z.2f", 1)
        if new is not None:
            self._format = number_format(new.values, new.digits, new.differences)
            if new.texts:
                widest = max((cell_len(text) for row in new.texts for text in row), default=1)
                self._format = replace(self._format, width=min(LONGEST_TEXT, widest))
        before = self.row, self.col
        self.set_reactive(HeatTableView.row, self.validate_row(self.row))
        self.set_reactive(HeatTableView.col, self.validate_col(self.col))
        self.measure()
        if not self.is_mounted:
            return
        if before != (self.row, self.col) and not self.empty:
            self.post_message(CellMoved(self.row, self.col, self))
        same = old_grid == self._grid and old_format == self._format and self.is_on_screen
        if old is None or new is None or old_levels is None or old.texts != new.texts or not same:
            self.refresh()
        else:
            self._refresh_changes(old, new, old_levels)

    @property
    def levels(self) -> Array:
        """The level of every cell, worked out when the table is drawn."""
        if self._levels is None:
            self._levels = levels_of(self.part) if self.part is not None else np.empty((0, 0), np.int8)
        return self._levels

    def watch_show(self) -> None:
        """Switch between numbers and shade glyphs."""
        self.measure()
        self.refresh()

    def measure(self) -> None:
        """Compute the grid for the present size, and the distance that can be scrolled."""
        if self.part is None or not self.size:
            return
        width, height = self.size
        rows, cols = self.part.values.shape
        grid = grid_for(self.part, self._format.width if self.show == "numbers" else 2, width, height)
        first_row, first_col = self.first_row, self.first_col
        self._grid = grid
        self.set_extent(width + max(0, cols - grid.cols) * grid.cell, height + max(0, rows - grid.rows))
        self._look_at(first_row, first_col)
        self._follow()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """The width of the whole table."""
        if self.part is None:
            return container.width
        grid = grid_for(self.part, self._format.width, container.width, container.height)
        return grid.header + grid.cell * len(self.part.cols)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The height of the whole table, headers and legend included."""
        return len(self.part.rows) + 2 if self.part else 3

    @property
    def first_row(self) -> int:
        """The uppermost row in sight."""
        return round(self.scroll_y)

    @property
    def first_col(self) -> int:
        """The leftmost column in sight."""
        return round(self.scroll_x) // self._grid.cell

    # Lines

    def segments(self, y: int) -> list[Segment]:
        """The column headers, a row, the legend, or nothing."""
        width, height = self.size
        part = self.part
        if part is None or self.empty:
            return [Segment(fit(_("Nothing to show here."), width))] if y == 0 else []
        if y == height - 1:
            return self._legend(part, width)
        if y == 0:
            return self._column_headers(part)
        row = self.first_row + y - 1
        return self._row_line(part, row) if y - 1 < self._grid.rows and row < len(part.rows) else []

    def _columns_in_sight(self, part: HeatTable) -> range:
        first = self.first_col
        return range(first, min(first + self._grid.cols, len(part.cols)))

    def _column_headers(self, part: HeatTable) -> list[Segment]:
        header, cell = self._grid.header, self._grid.cell
        faint = self.palette.word("faint")
        segments = [Segment(fit(f"{part.row_axis}\\{part.col_axis}", header - 1) + " ", faint)]
        columns = self._columns_in_sight(part)
        for here, group in groupby(columns, lambda col: col == self.col):
            text = "".join(" " + fit(part.cols[col], cell - 1, right=True) for col in group)
            if here:
                segments += [Segment(" "), Segment(text[1:], self.palette.parked)]
            else:
                segments.append(Segment(text))
        return segments

    def _row_line(self, part: HeatTable, row: int) -> list[Segment]:
        label = fit(part.rows[row], self._grid.header - 1)
        columns = self._columns_in_sight(part)
        values = part.values[row, columns.start : columns.stop].tolist()
        levels = self.levels[row, columns.start : columns.stop].tolist()
        if self.show == "numbers" and part.texts:
            shown = part.texts[row][columns.start : columns.stop]
            texts = [f" {fit(text, self._grid.cell - 1, right=True)}" for text in shown]
        elif self.show == "numbers":
            texts = [self._format(value).rjust(self._grid.cell) for value in values]
        else:
            texts = list(map(shade, levels, values, repeat(part.scale), repeat(self._grid.cell)))
        if row == self.row and self.col in columns:
            levels[self.col - columns.start] = CURSOR
        styles = cell_styles(self.palette, part.scale, self.show, self.has_focus)
        here = row == self.row
        segments = [Segment(label, self.palette.parked), Segment(" ")] if here else [Segment(label + " ")]
        position = 0
        for level, group in groupby(levels):
            count = sum(1 for _level in group)
            segments.append(Segment("".join(texts[position : position + count]), styles[level]))
            position += count
        return segments

    # The legend

    def _legend(self, part: HeatTable, width: int) -> list[Segment]:
        """What colours mean; after it, as there is room: what they compare, and what is in sight."""
        low, high = self._limits(part)
        spec = number_format(np.array([low, high]), max(2, part.digits))
        segments = [Segment(f"{spec(low)} "), *self._ramp(part), Segment(f" {spec(high)}")]
        if part.by_name:
            segments = [Segment(_("names, each with a shade of its own"))]
        taken = sum(cell_len(segment.text) for segment in segments)
        faint = self.palette.word("faint")
        scaling = _("by row") if part.by == "row" else _("whole table")
        for words in (scaling, *self._sight(part)):
            if words and taken + 3 + cell_len(words) <= width:
                segments.append(Segment(f" · {words}", faint))
                taken += 3 + cell_len(words)
        return segments

    def _limits(self, part: HeatTable) -> tuple[float, float]:
        """The values at the ends of the ramp, of the cursor's row where colours go by row."""
        if part.by != "row" or part.scale == "probability":
            return part.limits
        row = part.values[self.row]
        largest = float(np.max(np.abs(row), where=np.isfinite(row), initial=0.0))
        return (-largest if part.scale == "diverging" else 0.0, largest)

    def _ramp(self, part: HeatTable) -> list[Segment]:
        count = 2 * SIDE + 1 if part.scale == "diverging" else STEPS
        palette = self.palette
        if self.show == "shades":
            glyphs = [glyph(level, part.scale) for level in range(count)]
            return [
                Segment(glyph, style) for glyph, style in zip(glyphs, palette.inks(part.scale), strict=True)
            ]
        if not palette.colour:
            return [Segment("…")]
        middle = SIDE if part.scale == "diverging" else -1
        styles = palette.levels(part.scale)
        ramp = [Segment("0" if level == middle else " ", style) for level, style in enumerate(styles)]
        return list(Segment.simplify(ramp))

    def _sight(self, part: HeatTable) -> list[str]:
        """Which rows and columns of how many are in sight."""
        rows, cols = part.values.shape
        first_row, first_col = self.first_row, self.first_col
        last_row, last_col = min(rows, first_row + self._grid.rows), min(cols, first_col + self._grid.cols)
        words = []
        if last_row - first_row < rows:
            words.append(_("rows {first}–{last} of {n}").format(first=first_row + 1, last=last_row, n=rows))
        if last_col - first_col < cols:
            words.append(
                _("columns {first}–{last} of {n}").format(first=first_col + 1, last=last_col, n=cols)
            )
        return words or [f"{rows}×{cols}"]

    # Regions: what has to be sent again

    def _cell_region(self, row: int, col: int) -> Region:
        header, cell = self._grid.header, self._grid.cell
        return Region(header + (col - self.first_col) * cell, 1 + row - self.first_row, cell, 1)

    def _refresh_cursor(self, row: int, col: int) -> None:
        """Repaint the cell at (row, col), its row header and its column header, where they are in sight."""
        if not (0 <= row - self.first_row < self._grid.rows and 0 <= col - self.first_col < self._grid.cols):
            return
        region = self._cell_region(row, col)
        self.refresh(region, Region(0, region.y, self._grid.header, 1), Region(region.x, 0, region.width, 1))

    def _refresh_legend(self) -> None:
        self.refresh(Region(0, self.size.height - 1, self.size.width, 1))

    def _refresh_changes(self, old: HeatTable, new: HeatTable, old_levels: Array) -> None:
        """Repaint the rows in sight whose numbers, colours or label differ, and the legend."""
        first = self.first_row
        columns = self._columns_in_sight(new)
        sight = slice(columns.start, columns.stop)
        if old.cols[sight] != new.cols[sight] or old.scale != new.scale:
            self.refresh()
            return
        for row in range(first, min(first + self._grid.rows, max(len(old.rows), len(new.rows)))):
            same = (
                row < min(len(old.rows), len(new.rows))
                and old.rows[row] == new.rows[row]
                and np.array_equal(old_levels[row, sight], self.levels[row, sight])
                and np.array_equal(old.values[row, sight], new.values[row, sight], equal_nan=True)
            )
            if not same:
                self.refresh(Region(0, 1 + row - first, self.size.width, 1))
        self._refresh_legend()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint everything below the column headers."""
        if round(old_value) != round(new_value):
            self.refresh(Region(0, 1, self.size.width, self.size.height - 1))

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Repaint everything beside the row headers."""
        if round(old_value) != round(new_value):
            self.refresh(self.size.region)

    # The cursor

    def watch_row(self, old: int, new: int) -> None:
        """Repaint the row left and the row entered."""
        self._moved(old, self.col)

    def watch_col(self, old: int, new: int) -> None:
        """Repaint the column left and the column entered."""
        self._moved(self.row, old)

    def _moved(self, old_row: int, old_col: int) -> None:
        if not self.is_mounted or self.empty:
            return
        self._refresh_cursor(old_row, old_col)
        self._refresh_cursor(self.row, self.col)
        if self.part is not None and self.part.by == "row" and old_row != self.row:
            self._refresh_legend()
        self._follow()
        self.post_message(CellMoved(self.row, self.col, self))

    def _follow(self) -> None:
        """Scroll as little as it takes to have the cursor in sight."""
        grid = self._grid
        first_row = min(max(self.first_row, self.row - grid.rows + 1), self.row)
        first_col = min(max(self.first_col, self.col - grid.cols + 1), self.col)
        if (first_row, first_col) != (self.first_row, self.first_col):
            self._look_at(first_row, first_col)

    def _look_at(self, first_row: int, first_col: int) -> None:
        """Scroll so that this row and column come first, or as near as the table allows."""
        self.look_at(first_row, first_col * self._grid.cell)

    def move_to(self, row: int, col: int) -> None:
        """Put the cursor on (row, col), or as near as the table allows; one message, however far."""
        old_row, old_col = self.row, self.col
        row, col = self.validate_row(row), self.validate_col(col)
        if (row, col) == (old_row, old_col):
            return
        self.set_reactive(HeatTableView.row, row)
        self.set_reactive(HeatTableView.col, col)
        self._moved(old_row, old_col)

    def action_cursor_left(self) -> None:
        self.move_to(self.row, self.col - 1)

    def action_cursor_right(self) -> None:
        self.move_to(self.row, self.col + 1)

    def action_cursor_up(self) -> None:
        self.move_to(self.row - 1, self.col)

    def action_cursor_down(self) -> None:
        self.move_to(self.row + 1, self.col)

    def action_cursor_top(self) -> None:
        self.move_to(0, self.col)

    def action_cursor_bottom(self) -> None:
        self.move_to(len(self.part.rows) if self.part else 0, self.col)

    def action_cursor_start(self) -> None:
        self.move_to(self.row, 0)

    def action_cursor_end(self) -> None:
        self.move_to(self.row, len(self.part.cols) if self.part else 0)

    def action_cursor_page_up(self) -> None:
        self._page(-1, 0)

    def action_cursor_page_down(self) -> None:
        self._page(1, 0)

    def action_cursor_page_left(self) -> None:
        self._page(0, -1)

    def action_cursor_page_right(self) -> None:
        self._page(0, 1)

    def action_cursor_open(self) -> None:
        """Ask for the number under the cursor."""
        if not self.empty:
            self.post_message(CellOpened(self.row, self.col, self))

    def _page(self, down: int, right: int) -> None:
        """Turn one page: what is in sight moves by a page, and the cursor with it."""
        down, right = down * self._grid.rows, right * self._grid.cols
        self._look_at(self.first_row + down, self.first_col + right)
        self.move_to(self.row + down, self.col + right)

    # The mouse

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The cell drawn at content offset (x, y); None on headers, legend and empty space."""
        if self.part is None or self.empty:
            return None
        row, col = self.first_row + y - 1, self.first_col + (x - self._grid.header) // self._grid.cell
        inside = 0 <= y - 1 < self._grid.rows and x >= self._grid.header
        if inside and row < len(self.part.rows) and col in self._columns_in_sight(self.part):
            return row, col
        return None

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor, or a double click, opens the number."""
        offset = event.get_content_offset(self)
        cell = None if offset is None else self.cell_at(*offset)
        if cell is None:
            return
        event.stop()
        if cell == (self.row, self.col) and self._clicked:
            self.action_cursor_open()
        else:
            self.move_to(*cell)
        self._clicked = True

    def wheel(self, direction: int, *, sideways: bool) -> None:
        """Scroll by whole rows, or by whole columns."""
        rows, cols = (0, WHEEL_COLS) if sideways else (WHEEL_LINES, 0)
        self._look_at(self.first_row + direction * rows, self.first_col + direction * cols)

    def repaint_cursor(self) -> None:
        """Draw one cell again."""
        self._refresh_cursor(self.row, self.col)

    # Search

    def find(
        self, query: str | float, start: tuple[int, int] | None = None, *, backwards: bool = False
    ) -> tuple[int, int] | None:
        """The next cell after `start` (default: the cursor) that fits `query`, going round at the end.

        Text is looked for in row and column headers, capitals aside; a hit keeps the other coordinate of
        `start`. A number, or text that no header holds and that reads as one, is looked for among the values,
        to as many decimals as it has.
        """
        if self.part is None or self.empty:
            return None
        row, col = start or (self.row, self.col)
        if isinstance(query, str):
            hits = headers_with(self.part, visible(query), row, col)
            if not hits.size and reads_as_number(query):
                hits = cells_near(self.part, float(query), decimals_of(query))
        else:
            hits = cells_near(self.part, query, decimals_of(repr(query)))
        if not hits.size:
            return None
        here = row * len(self.part.cols) + col
        beside = hits[hits < here] if backwards else hits[hits > here]
        chosen = (beside if beside.size else hits)[-1 if backwards else 0]
        return divmod(int(chosen), len(self.part.cols))

    def search(self, query: str) -> bool:
        """Move the cursor to the next cell that fits `query`, and keep the query; False if there is none."""
        self._query = query
        return self.search_again()

    def search_again(self, *, backwards: bool = False) -> bool:
        """Move to the next (or previous) cell that fits the last query; False if there is none."""
        found = self.find(self._query, backwards=backwards) if self._query else None
        if found is None:
            return False
        self.move_to(*found)
        return True
