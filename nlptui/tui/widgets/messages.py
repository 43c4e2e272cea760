"""What the widgets say to the screen: a cursor moved, or the number under it was asked for.

Row and column are those of the figure part (`part.origin(row, col)` says what stands there); widgets with one
dimension use `row` and leave `col` at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message
from textual.widget import Widget


@dataclass
class CellMoved(Message):
    """The cursor stands on another cell now."""

    row: int
    col: int
    widget: Widget | None = None

    @property
    def control(self) -> Widget | None:
        """The widget whose cursor moved, for `@on(CellMoved, "#selector")`."""
        return self.widget


@dataclass
class CellOpened(Message):
    """Enter, or a click on the cell under the cursor: show how this number was made."""

    row: int
    col: int
    widget: Widget | None = None

    @property
    def control(self) -> Widget | None:
        """The widget whose cell was opened, for `@on(CellOpened, "#selector")`."""
        return self.widget
