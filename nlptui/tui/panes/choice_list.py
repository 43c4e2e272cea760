"""A short list of which one line is chosen: what to edit, what to do, what to write.

Knows nothing of what the lines mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment

from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView


class ChoiceList(RowsView):
    """Lines of (key, words); `key` is the chosen one's."""

    DEFAULT_CSS = """
    ChoiceList { height: auto; }
    """

    def __init__(self, choices: Sequence[tuple[str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.choices = list(choices)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.choices)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return self.choices[row][1]

    @property
    def key(self) -> str:
        """The key of the chosen line; empty if there is none."""
        return self.choices[self.row][0] if self.choices else ""

    def show(self, choices: Sequence[tuple[str, str]]) -> None:
        """Other lines."""
        self.choices = list(choices)
        self.row = 0
        self.measure()
        self.refresh(layout=True)

    def row_segments(self, row: int) -> list[Segment]:
        """A mark, and the words."""
        words = f"{'●' if row == self.row else '○'} {self.choices[row][1]}"
        style = (self.palette.cursor if self.has_focus else self.palette.parked) if row == self.row else None
        return [Segment(fit(words, self.size.width), style)]
