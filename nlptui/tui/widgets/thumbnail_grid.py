"""Small pictures of matrices in rows, two pixels to a character; the cursor walks from picture to picture.

Knows nothing of what the matrices are: it gets `Thumbnails`. Without colours, shades stand for two pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.reactive import reactive

from nlptui.lazy import numpy as np
from nlptui.locale import _
from nlptui.tui.colours import SHADES, STEPS, Palette
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import ItemsView
from nlptui.views.figure import Array, Thumbnails, thumbnail

WIDTH, HEIGHT = 14, 6
"""Characters of a picture; in height, two pixels each."""
NARROWEST = 10
"""Where a whole row of pictures then fits side by side, they are as narrow as this."""
BETWEEN = 2
BLOCK = HEIGHT + 3
"""Lines of a picture with its label, its note and an empty line."""


class ThumbnailGrid(ItemsView):
    """Draws `part`; `row` is the chosen picture."""

    part: reactive[Thumbnails | None] = reactive(None, repaint=False, always_update=True)

    def __init__(
        self,
        part: Thumbnails | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._levels: dict[int, Array] = {}
        self._width = WIDTH
        """Characters of the pictures in `_levels`."""
        self.part = part

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self.part.labels) if self.part else 0

    @property
    def across(self) -> int:
        """Pictures beside each other: a row of the part, or as many of it as there is room for."""
        width, between = self.measures
        room = max(1, (self.size.width + between) // (width + between))
        return max(1, min(self.part.columns, room)) if self.part else 1

    @property
    def measures(self) -> tuple[int, int]:
        """Characters of a picture, and between two: fewer, where a row of the part only then fits."""
        columns, room = max(1, self.part.columns if self.part else 1), self.size.width
        narrow = (room + 1) // columns - 1
        if columns * (WIDTH + BETWEEN) - BETWEEN <= room or narrow < NARROWEST:
            return WIDTH, BETWEEN
        return min(WIDTH, narrow), 1

    @property
    def lines(self) -> list[range]:
        """The pictures of each row on screen; a new row of the part begins a new one here."""
        found = []
        columns = max(1, self.part.columns) if self.part else 1
        for start in range(0, self.count, columns):
            end = min(start + columns, self.count)
            found += [range(at, min(at + self.across, end)) for at in range(start, end, self.across)]
        return found

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether pictures are out of sight above, and below."""
        first = round(self.scroll_y)
        return first > 0, first + self.size.height < len(self.lines) * BLOCK

    def row_text(self, row: int) -> str:
        """The label."""
        return self.part.labels[row] if self.part else ""

    def watch_part(self, part: Thumbnails | None) -> None:
        """Make the pictures anew."""
        self._levels.clear()
        self.set_reactive(ThumbnailGrid.row, self.validate_row(self.row))
        self.measure()
        self.repaint()

    def measure(self) -> None:
        """Set how far the pictures can be scrolled, and keep the cursor in sight."""
        if self.size:
            if self._width != self.measures[0]:
                self._width = self.measures[0]
                self._levels.clear()
            width, height = self.size
            self.set_extent(width, height + max(0, len(self.lines) * BLOCK - height))
            self.follow()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As much as there is."""
        return 200

    def levels(self, number: int) -> Array:
        """The pixels of a picture as levels of colour, twice as many lines as characters."""
        if number not in self._levels and self.part is not None:
            pixels = thumbnail(self.part.images[number], 2 * HEIGHT, self._width)
            found = np.minimum(np.floor(np.nan_to_num(pixels) * STEPS), STEPS - 1)
            self._levels[number] = found.astype(np.int8)
        return self._levels[number]

    def segments(self, y: int) -> list[Segment]:
        """One line through a row of pictures."""
        if self.empty:
            return [Segment(fit(_("Nothing to show here."), self.size.width))] if y == 0 else []
        block, line = divmod(round(self.scroll_y) + y, BLOCK)
        if block >= len(self.lines) or line == BLOCK - 1:
            return []
        found: list[Segment] = []
        for number in self.lines[block]:
            found += self._through(number, line)
            found.append(Segment(" " * self.measures[1]))
        return found

    def _through(self, number: int, line: int) -> list[Segment]:
        """A line through one picture: its label, its pixels, its note."""
        part = self.part
        assert part is not None
        if line == 0:
            style = self.cursor_style if number == self.row else None
            return [Segment(fit(part.labels[number], self._width), style)]
        if line == HEIGHT + 1:
            note = part.notes[number] if part.notes else ""
            return [Segment(_shortened(note, self._width), self.palette.word("faint"))]
        above, below = self.levels(number)[2 * (line - 1) : 2 * line]
        if not self.palette.colour:
            mean = np.maximum(above, below) / (STEPS - 1)
            return [Segment("".join(SHADES[round(float(v) * (len(SHADES) - 1))] for v in mean))]
        pixels = zip(above.tolist(), below.tolist(), strict=True)
        return [Segment("▀" * len(list(same)), _two(self.palette, *pair)) for pair, same in groupby(pixels)]

    def lines_of(self, row: int) -> Iterable[int]:
        """The line of its label."""
        block = next((n for n, line in enumerate(self.lines) if row in line), 0)
        return (block * BLOCK - round(self.scroll_y),)

    def repaint_cursor(self) -> None:
        """Draw one label again."""
        self.repaint(*self.lines_of(self.row))

    def follow(self) -> None:
        """Scroll as little as it takes to have the chosen picture in sight."""
        block = next((n for n, line in enumerate(self.lines) if self.row in line), 0)
        first, room = round(self.scroll_y), max(BLOCK, self.size.height)
        wanted = min(max(first, (block + 1) * BLOCK - 1 - room), block * BLOCK)
        if wanted != first:
            self.look_at(wanted)

    def _line_of_cursor(self) -> tuple[int, int]:
        """The row on screen that the cursor is in, and where in it."""
        block = next((n for n, line in enumerate(self.lines) if self.row in line), 0)
        return block, self.row - self.lines[block].start if self.lines else 0

    def _go(self, lines: int) -> None:
        """Up or down, in the same column as far as there is one."""
        if not self.empty:
            block, column = self._line_of_cursor()
            line = self.lines[max(0, min(block + lines, len(self.lines) - 1))]
            self.move_to(line.start + min(column, len(line) - 1))

    def action_cursor_up(self) -> None:
        self._go(-1)

    def action_cursor_down(self) -> None:
        self._go(1)

    def action_cursor_left(self) -> None:
        self.move_to(self.row - 1)

    def action_cursor_right(self) -> None:
        self.move_to(self.row + 1)

    def action_cursor_page_up(self) -> None:
        self._go(-max(1, self.size.height // BLOCK))

    def action_cursor_page_down(self) -> None:
        self._go(max(1, self.size.height // BLOCK))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens."""
        at = event.get_content_offset(self)
        if at is None or self.empty:
            return
        block = (round(self.scroll_y) + at.y) // BLOCK
        column = at.x // sum(self.measures)
        if block < len(self.lines) and column < len(self.lines[block]):
            event.stop()
            self.move_to(self.lines[block][column])
            if event.chain == 2:
                self.action_cursor_open()


def _shortened(note: str, width: int) -> str:
    """A note in `width` cells: where it is too long its word is cut, and not the number behind it."""
    word, _space, number = note.rpartition(" ")
    if cell_len(note) <= width or not word or cell_len(number) + 2 > width:
        return fit(note, width)
    return f"{fit(word, width - cell_len(number) - 1)} {number}"


@cache
def _two(palette: Palette, above: int, below: int) -> Style:
    """A pixel over another one."""
    levels = palette.levels("probability")
    return Style(color=levels[above].bgcolor, bgcolor=levels[below].bgcolor)
