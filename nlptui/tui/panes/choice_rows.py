"""A form's choices, one a row: ↑ ↓ walk the rows, ← → go through what a row can be.

Knows nothing of what the choices mean; says `CellMoved` when one has changed.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events

from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView
from nlptui.tui.widgets.messages import CellMoved


@dataclass
class Choice:
    """One row: what it is about, what it can be, and what it is."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    """Keys, and their words."""
    at: int = 0

    @property
    def key(self) -> str:
        """The key of what is chosen."""
        return self.options[self.at][0] if self.options else ""


class ChoiceRows(RowsView):
    """Rows of label and value."""

    DEFAULT_CSS = """
    ChoiceRows { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.choices: list[Choice] = []

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.choices)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return self.choices[row].label

    def key(self, name: str) -> str:
        """What is chosen in the row called `name`; empty where there is no such row."""
        return next((choice.key for choice in self.choices if choice.name == name), "")

    def show(self, choices: list[Choice], fresh: Container[str] = ()) -> None:
        """Other rows; the cursor and what was chosen stay where they can, but in the rows called `fresh`."""
        before = {choice.name: choice.key for choice in self.choices if choice.name not in fresh}
        for choice in choices:
            keys = [key for key, _words in choice.options]
            if before.get(choice.name) in keys:
                choice.at = keys.index(before[choice.name])
        rows, self.choices = len(self.choices), choices
        self.set_reactive(ChoiceRows.row, self.validate_row(self.row))
        self.measure()
        if len(choices) != rows:
            self.refresh(layout=True)
        self.repaint()

    def turn(self, step: int) -> None:
        """What comes `step` further in the row under the cursor; the last is followed by the first."""
        if not self.choices:
            return
        choice = self.choices[self.row]
        if len(choice.options) > 1:
            choice.at = (choice.at + step) % len(choice.options)
            self.repaint()
            self.post_message(CellMoved(self.row, 0, self))

    def action_cursor_left(self) -> None:
        """What comes before."""
        self.turn(-1)

    def action_cursor_right(self) -> None:
        """What comes next."""
        self.turn(1)

    def on_key(self, event: events.Key) -> None:
        """Space goes on as → does."""
        if event.key == "space":
            event.stop()
            self.turn(1)

    def row_segments(self, row: int) -> list[Segment]:
        """`family     ‹ LSTM ›`."""
        choice, here = self.choices[row], row == self.row
        width = max(cell_len(one.label) for one in self.choices)
        words = choice.options[choice.at][1] if choice.options else ""
        front = f"{'▍' if here else ' '}{choice.label}{' ' * (width - cell_len(choice.label))}  "
        room = max(0, self.size.width - cell_len(front))
        many = len(choice.options) > 1
        value = fit(f"‹ {words} ›" if many else f"  {words}", room)
        return [
            Segment(front, self.palette.word("accent" if here else "faint")),
            Segment(value, self.cursor_style if here else None),
        ]

    def on_click(self, event: events.Click) -> None:
        """A click chooses the row; on the row under the cursor it goes on."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.row_at(offset.y)
        if row is None:
            return
        event.stop()
        if row == self.row:
            self.turn(1)
        else:
            self.move_to(row)
