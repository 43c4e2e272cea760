"""A figure on screen: one widget for each part, as many parts at once as there is room for, and one of them
current.

Passes `CellMoved` and `CellOpened` of its widgets on. Knows nothing of where a figure comes from.
"""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.widgets.bar_list import BarList
from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.tui.widgets.line_chart import LineChart
from nlptui.tui.widgets.point_map import PointMap
from nlptui.tui.widgets.thumbnail_grid import ThumbnailGrid
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views.figure import Bars, Figure, HeatTable, Lines, Part, Points, Thumbnails, Tokens, Tree

WIDGETS: dict[type, type[Widget]] = {
    HeatTable: HeatTableView,
    Bars: BarList,
    Lines: LineChart,
    Points: PointMap,
    Thumbnails: ThumbnailGrid,
    Tokens: TokenRow,
    Tree: TraceTree,
}
SMALLEST = {HeatTable: 6, Bars: 5, Lines: 8, Points: 8, Thumbnails: 9, Tokens: 3, Tree: 5}
"""Lines that a part needs to be worth showing beside others, its title aside."""


class PartBox(Vertical):
    """One part: its title, and the widget that draws it."""

    def __init__(self, part: Part, shades: bool = False) -> None:
        super().__init__()
        self.kind = type(part)
        self.heading = Words()
        self.body = WIDGETS[self.kind]()
        self.most = 0
        """The height that it is kept below."""
        self.draw_as(shades)
        self.take(part)

    def draw_as(self, shades: bool) -> None:
        """Tables as shades, or as numbers."""
        if isinstance(self.body, HeatTableView):
            self.body.show = "shades" if shades else "numbers"

    def compose(self) -> ComposeResult:
        """The title over the widget."""
        yield self.heading
        yield self.body

    def take(self, part: Part) -> None:
        """Show another part of the same kind; the cursor of a tree stays on its name."""
        before = getattr(self.body, "part", None)
        if before is part or (isinstance(part, Tokens | Tree) and before == part):
            return
        if isinstance(part, Tree) and isinstance(before, Tree) and isinstance(self.body, TraceTree):
            keep_name(self.body, part)
        else:
            self.body.part = part  # type: ignore[attr-defined]

    @property
    def part(self) -> Part:
        """What it shows."""
        part: Part = self.body.part  # type: ignore[attr-defined]
        return part

    @property
    def lines(self) -> int:
        """Lines that it would take at most, its title included."""
        part = self.part
        if isinstance(part, HeatTable):
            return len(part.rows) + 3
        if isinstance(part, Bars):
            return len(part.labels) + 2
        return 1 + SMALLEST[self.kind] if isinstance(part, Tokens) else 200

    @property
    def needed(self) -> int:
        """Lines that it must have, its title included."""
        return min(self.lines, 1 + SMALLEST[self.kind])


def keep_name(tree: TraceTree, part: Tree) -> None:
    """Show `part` with the cursor on the name that it was on, if that is still there."""
    before = tree.part
    name = before.rows[tree.row].path if before is not None and before.rows else ""
    tree.part = part
    at = next((n for n, row in enumerate(part.rows) if row.path == name), None)
    if at is not None and at != tree.row:
        tree.move_to(at)


class FigurePane(Vertical):
    """Shows `figure`; the current part has the cursor."""

    DEFAULT_CSS = """
    FigurePane { height: 1fr; overflow: hidden; }
    FigurePane PartBox { height: 1fr; }
    FigurePane PartBox > Words { height: 1; }
    FigurePane > #nothing { height: auto; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.figure: Figure | None = None
        self.current = 0
        self.shades = False
        """Whether tables are drawn as shades."""
        self._boxes: list[PartBox] = []

    # the figure

    async def show(self, figure: Figure, keep: bool = True) -> None:
        """Draw `figure`: widgets are kept where a part is of the same kind, so that only what changed is
        repainted.
        """
        kinds = [type(part) for part in figure.parts]
        had_focus = self.has_focus_within
        if kinds != [box.kind for box in self._boxes]:
            await self.remove_children()
            self._boxes = [PartBox(part, self.shades) for part in figure.parts]
            await self.mount(*self._boxes)
            keep = False
        else:
            for box, part in zip(self._boxes, figure.parts, strict=True):
                box.take(part)
        await self.say_why_nothing("" if figure.parts else figure.caption)
        self.figure = figure
        self.current = min(self.current, max(0, len(self._boxes) - 1)) if keep else 0
        self.fit_parts()
        if had_focus:
            self.take_focus()

    async def say_why_nothing(self, why: str) -> None:
        """In place of a figure without parts, the sentence that says why there are none."""
        shown = self.query("#nothing")
        if why and not shown:
            await self.mount(Static(Text(why), id="nothing", markup=False))
        elif why:
            shown.first(Static).update(Text(why))
        elif shown:
            await shown.remove()

    @property
    def box(self) -> PartBox | None:
        """The current part's box."""
        return self._boxes[self.current] if self._boxes else None

    @property
    def widget(self) -> Widget | None:
        """The current part's widget."""
        return self.box.body if self.box else None

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column of the cursor in the current part."""
        return getattr(self.widget, "row", 0), getattr(self.widget, "col", 0)

    def part_of(self, widget: Widget | None) -> int | None:
        """Which part `widget` draws."""
        return next((n for n, box in enumerate(self._boxes) if box.body is widget), None)

    def draw_as(self, shades: bool) -> None:
        """All tables as shades, or as numbers, those of later figures too."""
        self.shades = shades
        for box in self._boxes:
            box.draw_as(shades)

    # moving

    def take_focus(self) -> None:
        """Give the keyboard to the current part."""
        target = self.widget if self.widget is not None and self.widget.focusable else self
        if not target.has_focus:
            target.focus(scroll_visible=False)

    def choose(self, number: int, focus: bool = True) -> None:
        """Make part `number` current (round at the ends)."""
        if self._boxes:
            self.current = number % len(self._boxes)
            self.fit_parts()
            if focus:
                self.take_focus()

    def move_to(self, row: int, col: int) -> None:
        """Put the cursor of the current part on a cell."""
        move = getattr(self.widget, "move_to", None)
        if move is not None:
            move(row, col)

    # layout

    def on_resize(self, event: events.Resize) -> None:
        """Show more or fewer parts."""
        self.fit_parts()

    def fit_parts(self) -> None:
        """Show the current part, then those after it, then those before it, as long as each gets what it
        needs.
        """
        room = self.size.height
        order = [*range(self.current, len(self._boxes)), *range(self.current - 1, -1, -1)]
        sight: list[int] = []
        for number in order:
            room -= self._boxes[number].needed
            if sight and room < 0:
                break
            sight.append(number)
        for number, box in enumerate(self._boxes):
            if box.display != (number in sight):
                box.display = number in sight
            if box.most != box.lines:
                box.most = box.lines
                box.styles.max_height = box.most
            box.set_class(number == self.current, "current")
            box.heading.left, box.heading.right = self._heading(number, box.part)

    def _heading(self, number: int, part: Part) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
        current = number == self.current
        left = (
            Word("▍" if current and len(self._boxes) > 1 else " ", "accent"),
            Word(part.title, "bold" if current else "faint", f"part:{number}"),
        )
        if len(self._boxes) < 2 or not current or self.size.width < 40:
            return left, ()
        return left, (
            Word(
                _("{n} of {count}  w next").format(n=number + 1, count=len(self._boxes)), "faint", "next_part"
            ),
        )

    def on_words_clicked(self, event: Words.Clicked) -> None:
        """A click on a part's title makes it current."""
        kind, _colon, number = event.action.partition(":")
        if kind == "part":
            event.stop()
            self.choose(int(number))
