"""Labelled points on a plane: labels stand where the points are; the cursor walks from point to point.

Knows nothing of what the points are: it gets `Points`. Labels that would cover others are left out.
"""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.reactive import reactive

from nlptui.locale import _
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import ItemsView
from nlptui.views.figure import Points
from nlptui.views.point_layout import Placed, placed


class PointMap(ItemsView):
    """Draws `part`; `row` is the chosen point, `col` the coordinate that the read-out names."""

    part: reactive[Points | None] = reactive(None, repaint=False, always_update=True)

    def __init__(
        self,
        part: Points | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._places: list[Placed] = []
        self.part = part

    @property
    def count(self) -> int:
        """How many points there are."""
        return len(self.part.labels) if self.part else 0

    def row_text(self, row: int) -> str:
        """The label."""
        return self.part.labels[row] if self.part else ""

    def watch_part(self, part: Points | None) -> None:
        """Place the labels anew."""
        self.set_reactive(PointMap.row, self.validate_row(self.row))
        self.measure()
        self.repaint()

    def measure(self) -> None:
        """Where the labels go at this size."""
        self._places = placed(self.part, *self.size) if self.part is not None and self.size else []

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As much as there is."""
        return 200

    def segments(self, y: int) -> list[Segment]:
        """The labels of one line."""
        if self.empty:
            return [Segment(fit(_("Nothing to show here."), self.size.width))] if y == 0 else []
        here = sorted((place for place in self._places if place.y == y), key=lambda place: place.x)
        line: list[Segment] = []
        end = 0
        for place in here:
            line.append(Segment(" " * (place.x - end)))
            line.append(Segment(place.text, self.cursor_style if place.point == self.row else None))
            end = place.x + place.width
        return [*line, Segment(" " * max(0, self.size.width - end))]

    def _go(self, dx: int, dy: int) -> None:
        """To the nearest label in a direction: along it counts once, across it three times."""
        here = next((place for place in self._places if place.point == self.row), None)
        if here is None:
            self.move_to(self._places[0].point if self._places else 0)
            return
        best = min(
            (place for place in self._places if (place.x - here.x) * dx + (place.y - here.y) * dy > 0),
            key=lambda place: _distance(place.x - here.x, 2 * (place.y - here.y), dx, dy),
            default=None,
        )
        if best is not None:
            self.move_to(best.point)

    def action_cursor_up(self) -> None:
        self._go(0, -1)

    def action_cursor_down(self) -> None:
        self._go(0, 1)

    def action_cursor_left(self) -> None:
        self._go(-1, 0)

    def action_cursor_right(self) -> None:
        self._go(1, 0)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens."""
        at = event.get_content_offset(self)
        if at is None:
            return
        hit = next((p for p in self._places if p.y == at.y and p.x <= at.x < p.x + p.width), None)
        if hit is not None:
            event.stop()
            self.move_to(hit.point)
            if event.chain == 2:
                self.action_cursor_open()


def _distance(x: int, y: int, dx: int, dy: int) -> int:
    along, across = (abs(x), abs(y)) if dx else (abs(y), abs(x))
    return along + 3 * across
