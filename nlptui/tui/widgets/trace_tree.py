"""Everything a trace holds as a tree of names, with shapes and formulas; branches fold.

Knows nothing of traces: it gets a `Tree`, whose rows stand in order with their depth. Thousands of rows are
no matter, only those in sight are drawn.
"""

from __future__ import annotations

from bisect import bisect_left

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.reactive import reactive

from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView
from nlptui.views.figure import Tree

INDENT = 2


class TraceTree(RowsView):
    """Draws `part`; `h` folds a branch or goes to the one above, `l` unfolds, Enter opens an activation."""

    part: reactive[Tree | None] = reactive(None, repaint=False, always_update=True)

    def __init__(
        self,
        part: Tree | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._folded: set[str] = set()
        self._sight: list[int] = []
        self._parents: list[int] = []
        self._names = 0
        self.part = part

    @property
    def count(self) -> int:
        """How many rows the tree has, folded ones included."""
        return len(self.part.rows) if self.part else 0

    @property
    def shown(self) -> int:
        """Rows that no fold hides."""
        return len(self._sight)

    def row_text(self, row: int) -> str:
        """The full name."""
        return self.part.rows[row].path if self.part else ""

    def row_of(self, place: int) -> int:
        """The row of the tree at this place among the unfolded ones."""
        return self._sight[place]

    def place_of(self, row: int) -> int:
        """The place of `row`, or of the branch that hides it."""
        return max(0, min(bisect_left(self._sight, row), len(self._sight) - 1))

    def watch_part(self, part: Tree | None) -> None:
        """Take another tree; what was folded stays folded, by name."""
        self._parents = parents(part) if part else []
        self._list()
        self.take_rows()

    def validate_row(self, row: int) -> int:
        """Keep the cursor on a row that no fold hides: else on the branch that hides it."""
        row = super().validate_row(row)
        hidden = [above for above in self._branches(row) if self.is_folded(above)]
        return hidden[-1] if hidden else row

    def _branches(self, row: int) -> list[int]:
        """The branches above `row`, the nearest first."""
        found = []
        while 0 <= row < len(self._parents) and (row := self._parents[row]) >= 0:
            found.append(row)
        return found

    def _list(self) -> None:
        """List the rows that no fold hides."""
        part = self.part
        if part is None:
            self._sight = []
        else:
            hidden = [False] * len(part.rows)
            for row, parent in enumerate(self._parents):
                hidden[row] = parent >= 0 and (hidden[parent] or part.rows[parent].path in self._folded)
            self._sight = [row for row, away in enumerate(hidden) if not away]
            ends = (
                INDENT * line.depth + 2 + cell_len(self.name_of(row)) for row, line in enumerate(part.rows)
            )
            self._names = max(ends, default=0)

    def name_of(self, row: int) -> str:
        """The name of `row` without that of its branch."""
        assert self.part is not None
        path, parent = self.part.rows[row].path, self._parents[row]
        return path.removeprefix(self.part.rows[parent].path + ".") if parent >= 0 else path

    def is_branch(self, row: int) -> bool:
        """Whether other rows stand below `row`."""
        return row + 1 < self.count and self._parents[row + 1] == row

    def row_segments(self, row: int) -> list[Segment]:
        """`▾ attn`, or `  weights  1×4×7×7  softmax(scores)`."""
        assert self.part is not None
        line, width = self.part.rows[row], self.size.width
        folded = line.path in self._folded
        mark = ("▸ " if folded else "▾ ") if self.is_branch(row) else "  "
        named = max(8, min(self._names, width * 2 // 5 if width > 40 else width))
        name = fit(" " * (INDENT * line.depth) + mark + self.name_of(row), named)
        styles = (Style.null() if line.leaf else self.palette.word("accent"), self.cursor_style)
        segments = [Segment(name, styles[row == self.row])]
        room = width - named
        if line.shape is not None and room > 8:
            shape = "×".join(map(str, line.shape)) or "1"
            segments.append(Segment(fit(" " + shape, min(14, room)), self.palette.word("tag")))
            if room > 20 and line.formula:
                segments.append(Segment(fit(" " + line.formula, room - 14), self.palette.word("faint")))
        return segments

    # Folding

    def fold(self, row: int, folded: bool) -> None:
        """Fold or unfold the branch at `row`."""
        if self.part is None or not self.is_branch(row):
            return
        (self._folded.add if folded else self._folded.discard)(self.part.rows[row].path)
        self._list()
        self.take_rows()

    def is_folded(self, row: int) -> bool:
        """Whether the branch at `row` is folded."""
        return self.part is not None and self.part.rows[row].path in self._folded

    def move_to(self, row: int, col: int = 0) -> None:
        """Put the cursor on `row`, unfolding what hides it."""
        row = super().validate_row(row)
        folded = [above for above in self._branches(row) if self.is_folded(above)]
        if folded and self.part is not None:
            self._folded -= {self.part.rows[above].path for above in folded}
            self._list()
            self.take_rows()
        self.row = row

    def action_cursor_left(self) -> None:
        """Fold the branch; on a leaf or a folded branch, go to the branch above."""
        if self.empty:
            return
        if self.is_branch(self.row) and not self.is_folded(self.row):
            self.fold(self.row, True)
        elif self._parents[self.row] >= 0:
            self.move_to(self._parents[self.row])

    def action_cursor_right(self) -> None:
        """Unfold the branch, or go to its first row."""
        if self.empty or not self.is_branch(self.row):
            return
        if self.is_folded(self.row):
            self.fold(self.row, False)
        else:
            self.move_to(self.row + 1)

    def action_cursor_open(self) -> None:
        """Open the activation; fold or unfold where the row only groups others."""
        if self.part is None or self.empty:
            return
        if self.part.rows[self.row].leaf:
            super().action_cursor_open()
        else:
            self.fold(self.row, not self.is_folded(self.row))

    def on_click(self, event: events.Click) -> None:
        """A click on a branch's mark folds or unfolds it; elsewhere it moves the cursor, twice it opens."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.row_at(offset.y)
        if row is None or offset is None or self.part is None:
            return
        mark = INDENT * self.part.rows[row].depth
        if self.is_branch(row) and mark <= offset.x < mark + 2:
            event.stop()
            event.prevent_default()
            self.fold(row, not self.is_folded(row))


def parents(tree: Tree) -> list[int]:
    """For each row the row of its branch, -1 at the top."""
    above: list[int] = []
    found = []
    for row, line in enumerate(tree.rows):
        del above[line.depth :]
        found.append(above[-1] if above else -1)
        above.append(row)
    return found
