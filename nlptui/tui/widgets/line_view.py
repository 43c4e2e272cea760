"""What the widgets of figures share: lines drawn from a palette, scrolled at once, repainted in part.

Knows nothing of what a line holds; `RowsView` adds a cursor that walks whole rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Any, Self
from weakref import WeakKeyDictionary, WeakSet

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nlptui.locale import _
from nlptui.tui.colours import Palette, line_filters, palette_of
from nlptui.tui.widgets import frugal
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.keys import CURSOR_KEYS
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.tui.widgets.search import Search

WHEEL_LINES = 3
_standing: WeakKeyDictionary[App[Any], WeakSet[LineView]] = WeakKeyDictionary()
"""The views of each app, which take its theme. An app would keep whoever watches it, and all around that,
alive until the theme changes.
"""


def _retheme(views: WeakSet[LineView]) -> None:
    for view in list(views):
        if view.is_attached:
            view._take_theme()


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """A widget drawn line by line by `segments`; `repaint` it after a change, `refresh` it if all changed."""

    DEFAULT_CSS = """
    LineView {
        height: 1fr;
        overflow: hidden hidden;
        scrollbar-size: 0 0;
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.palette = Palette("256", True)
        self._measured = Size(0, 0)
        self._painted: dict[int, Strip] = {}
        self._fresh: dict[int, Strip] = {}
        """Lines that `repaint` has drawn and the screen has not asked for yet."""
        self._base = Style.null()
        self._styled: tuple[int, ...] = ()
        self._mixed: dict[Style | None, Style] = {}

    @abstractmethod
    def segments(self, y: int) -> list[Segment]:
        """What stands on line `y` of the widget; missing parts of styles come from the widget's own."""

    def measure(self) -> None:
        """Measure again, after another size or another part; nothing by default."""

    @property
    def size(self) -> Size:
        """The room for lines, as of the last layout; Textual looks it up in the layout each time."""
        return self._measured

    def on_mount(self) -> None:
        """Take the theme's colours, and take them again when it changes."""
        frugal.install()
        self.palette = palette_of(self.app)
        views = _standing.get(self.app)
        if views is None:
            views = _standing[self.app] = WeakSet()
            self.app.watch(self.app, "theme", partial(_retheme, views), init=False)
        views.add(self)
        self.measure()

    def _take_theme(self) -> None:
        self.palette = palette_of(self.app)
        self.refresh()

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        """Measure for the new size before anything is drawn in it."""
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        room = self.content_region.size
        if room != self._measured:
            self._measured = room
            self._painted.clear()
            self._fresh.clear()
            self.measure()
        return changed

    def get_line_filters(self) -> tuple[LineFilter, ...]:
        """Palette colours go out as they are."""
        return line_filters(self.app)

    def render_line(self, y: int) -> Strip:
        """Line `y`, kept to compare the next one with."""
        fresh = self._fresh.pop(y, None)
        strip = self._painted[y] = self._strip(y) if fresh is None else fresh
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines of one picture have the same background; it is worked out once."""
        self._take_base()
        return super().render_lines(crop)

    def _take_base(self) -> None:
        """Work out the style of the widget, if a style has changed of it or of what it stands in."""
        styled = tuple(node.styles._cache_key for node in self.ancestors_with_self)
        if styled == self._styled:
            return
        self._styled = styled
        base = self.rich_style
        if base != self._base:
            self._base, self._mixed = base, {None: base}
            self._fresh.clear()

    def _strip(self, y: int) -> Strip:
        width, base, mixed = self.size.width, self._base, self._mixed
        segments = []
        for text, style, _control in self.segments(y):
            full = mixed.get(style)
            if full is None:
                full = mixed[style] = base if style is None else base + style
            segments.append(Segment(text, full))
        strip = Strip(segments)
        mark = self._mark(y)
        if not mark or width < 2:
            return strip.adjust_cell_length(width, base)
        shown = strip.adjust_cell_length(width - 1, base)
        return Strip([*shown, Segment(mark, base + self.palette.word("accent"))], width)

    def _mark(self, y: int) -> str:
        """The sign at the right end of the first and the last line where more lies above or below."""
        above, below = self.beyond
        above, below = above and y == 0, below and y == self.size.height - 1
        return "↕" if above and below else "▴" if above else "▾" if below else ""

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether there is more above, and below, that is to be pointed at."""
        return False, False

    def repaint(self, *lines: int) -> None:
        """Draw all lines anew, or only these, and send the stretches that differ from what was sent."""
        if not self.is_mounted or not self.is_attached:
            return
        self._take_base()
        fresh = {y: strip for y, strip in self._fresh.items() if lines and y not in lines}
        for y in dict.fromkeys(lines or self._painted):
            before = self._painted.get(y)
            if before is None:  # out of sight, or not drawn yet
                continue
            strip = self._strip(y)
            left, right = difference(before, strip)
            if left < right:
                fresh[y] = strip
                self.refresh(Region(left, y, right - left, 1))
        self._fresh = fresh

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Draw again; lines that were drawn before may have changed once more.

        Out of sight it is enough to forget them: at a change there Textual works out the whole layout again.
        """
        self._fresh.clear()
        if self.is_mounted and not options and not self.is_on_screen:
            self._set_dirty(*regions)
            return self
        return super().refresh(*regions, **options)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint what differs; fixed lines stay."""
        if round(old_value) != round(new_value):
            self.repaint()

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Repaint what differs; fixed columns stay."""
        if round(old_value) != round(new_value):
            self.repaint()

    def on_focus(self, event: events.Focus) -> None:
        """Show the cursor as active, and leave the rest alone: Textual would send the whole widget again."""
        event.prevent_default()
        self.has_focus = True
        self.repaint_cursor()
        if self.parent is not None:
            self.parent.post_message(events.DescendantFocus(self))

    def on_blur(self, event: events.Blur) -> None:
        """Show the cursor as parked."""
        event.prevent_default()
        self.has_focus = False
        self.repaint_cursor()
        if self.parent is not None:
            self.parent.post_message(events.DescendantBlur(self))

    @property
    def cursor_style(self) -> Style:
        """How the cursor looks, with the focus or without."""
        return self.palette.cursor if self.has_focus else self.palette.parked

    def repaint_cursor(self) -> None:
        """Draw the cursor again, where the focus came or went."""
        self.repaint()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down; the cursor stays where it is."""
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up; the cursor stays where it is."""
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, direction: int) -> None:
        event.stop()
        event.prevent_default()
        self.wheel(direction, sideways=event.shift or event.ctrl)

    def wheel(self, direction: int, *, sideways: bool) -> None:
        """Scroll by some lines, down (1) or up (-1)."""
        self.look_at(round(self.scroll_y) + direction * WHEEL_LINES)

    def set_extent(self, width: int, height: int) -> None:
        """Say how large all is that can be scrolled; without the repaint that Textual makes of it."""
        self.set_reactive(LineView.virtual_size, Size(width, height))

    def look_at(self, y: int, x: int | None = None) -> None:
        """Scroll there, as far as there is something to see."""
        self.scroll_to(x, y, animate=False, force=True)


class ItemsView(Search, LineView):
    """Things that a cursor walks from one to the next; `row` is the number of the one that it is on."""

    BINDINGS = CURSOR_KEYS
    CellMoved = CellMoved
    CellOpened = CellOpened

    row: reactive[int] = reactive(0, repaint=False)
    col = 0

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.count

    def validate_row(self, row: int) -> int:
        """Keep the cursor on one of them."""
        return max(0, min(row, self.count - 1))

    def watch_row(self, old: int, new: int) -> None:
        """Show the cursor where it is now, and say so."""
        if self.is_mounted and not self.empty:
            before = round(self.scroll_y)
            self.follow()
            if round(self.scroll_y) == before:
                self.repaint(*self.lines_of(old), *self.lines_of(new))
            self.post_message(CellMoved(self.row, 0, self))

    def lines_of(self, row: int) -> Iterable[int]:
        """The lines that look different while the cursor is on `row`: any, for all that is known here."""
        return range(self.size.height)

    def follow(self) -> None:
        """Have the cursor in sight; where all is in sight there is nothing to do."""

    def move_to(self, row: int, col: int = 0) -> None:
        """Put the cursor on number `row`, or as near as there is one."""
        self.row = row

    def action_cursor_top(self) -> None:
        self.move_to(0)

    def action_cursor_bottom(self) -> None:
        self.move_to(self.count - 1)

    def action_cursor_open(self) -> None:
        """Ask for what stands under the cursor."""
        if not self.empty:
            self.post_message(CellOpened(self.row, 0, self))


class RowsView(ItemsView):
    """Rows below one another with a cursor, each drawn by `row_segments`.

    `row` is the row of the part; `row_of` and `place_of` say where it stands, where not all rows are shown.
    """

    @property
    @abstractmethod
    def shown(self) -> int:
        """How many rows are shown (some may be folded away)."""

    def row_of(self, place: int) -> int:
        """The row shown at `place`, counted from the top of what can be scrolled."""
        return place

    def place_of(self, row: int) -> int:
        """Where `row` is shown."""
        return row

    @abstractmethod
    def row_segments(self, row: int) -> list[Segment]:
        """Row `row` as drawn."""

    def lines_of(self, row: int) -> Iterable[int]:
        """The line of that row."""
        return (self.place_of(row) - round(self.scroll_y),)

    def segments(self, y: int) -> list[Segment]:
        """The row on line `y`; on the first line of an empty widget, that it is empty."""
        row = self.row_at(y)
        if row is not None:
            return self.row_segments(row)
        return [Segment(fit(_("Nothing to show here."), self.size.width))] if self.empty and y == 0 else []

    @property
    def empty(self) -> bool:
        """Whether there is no row to show."""
        return not self.shown

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether rows are out of sight above, and below."""
        first = round(self.scroll_y)
        return first > 0, first + self.page < self.shown

    @property
    def page(self) -> int:
        """Rows in sight."""
        return max(1, self.size.height)

    def row_at(self, y: int) -> int | None:
        """The row drawn on line `y` of the widget."""
        place = round(self.scroll_y) + y
        return self.row_of(place) if 0 <= place < self.shown else None

    def measure(self) -> None:
        """Set how far the rows can be scrolled, and keep the cursor in sight."""
        if self.size:
            width, height = self.size
            self.set_extent(width, height + max(0, self.shown - self.page))
            self.look_at(round(self.scroll_y))
            self.follow()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """All rows."""
        return max(1, self.shown)

    def take_rows(self) -> None:
        """Another part: put the cursor back on a row, measure, and repaint what differs."""
        before = self.row
        self.set_reactive(type(self).row, self.validate_row(before))
        self.measure()
        self.repaint()
        if self.row != before and not self.empty:
            self.post_message(CellMoved(self.row, 0, self))

    def follow(self) -> None:
        """Scroll as little as it takes to have the cursor in sight."""
        first = round(self.scroll_y)
        place = self.place_of(self.row)
        wanted = min(max(first, place - self.page + 1), place)
        if wanted != first:
            self.look_at(wanted)

    def _step(self, rows: int) -> None:
        if not self.empty:
            self.move_to(self.row_of(max(0, min(self.place_of(self.row) + rows, self.shown - 1))))

    def action_cursor_up(self) -> None:
        self._step(-1)

    def action_cursor_down(self) -> None:
        self._step(1)

    def action_cursor_top(self) -> None:
        self._step(-self.count)

    def action_cursor_bottom(self) -> None:
        self._step(self.count)

    def action_cursor_page_up(self) -> None:
        self.look_at(round(self.scroll_y) - self.page)
        self._step(-self.page)

    def action_cursor_page_down(self) -> None:
        self.look_at(round(self.scroll_y) + self.page)
        self._step(self.page)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.row_at(offset.y)
        if row is None:
            return
        event.stop()
        self.move_to(row)
        if event.chain == 2:
            self.action_cursor_open()


def difference(before: Strip, after: Strip) -> tuple[int, int]:
    """The stretch of cells, from and up to, outside which two lines are the same; (0, 0) if all are."""
    if before.cell_length != after.cell_length:
        return 0, max(before.cell_length, after.cell_length)
    old, new = list(before), list(after)
    if old == new:
        return 0, 0
    left, first = 0, 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        left += cell_len(new[first].text)
        first += 1
    right, last = after.cell_length, 1
    while last <= min(len(old), len(new)) - first and old[-last] == new[-last]:
        right -= cell_len(new[-last].text)
        last += 1
    return left, right
