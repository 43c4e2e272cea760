"""The studio's list of runs: sign, name, progress, what is left, the last measurements.

Knows nothing of run files; the keyboard stays with the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from textual import events

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.panes.run_panel import SIGNS, clock, last_numbers, state_words
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView
from nlptui.wording import metric_words

BAR = 4
MARK = "◆"
NAME = 18
"""Cells that a name has at least, where it is as long; numbers give way to it."""


class RunList(RowsView, can_focus=False):
    """One row a run; `runs` are RunStatus, `marked` the names of those drawn over the chosen one."""

    DEFAULT_CSS = """
    RunList { height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.runs: tuple[Any, ...] = ()
        self.marked: Sequence[str] = ()
        self.kinds: Mapping[str, str] = {}

    @property
    def count(self) -> int:
        """How many runs there are."""
        return len(self.runs)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return str(self.runs[row].name)

    @property
    def chosen(self) -> str:
        """The name of the run under the cursor; empty if there is none."""
        return str(self.runs[self.row].name) if self.runs else ""

    def show(self, runs: tuple[Any, ...], chosen: str) -> None:
        """Other rows, or the same with other numbers; the cursor stays on the run called `chosen`."""
        self.runs = runs
        names = [run.name for run in runs]
        at = names.index(chosen) if chosen in names else min(self.row, max(0, len(names) - 1))
        self.set_reactive(RunList.row, at)
        self.measure()
        self.repaint()

    def row_segments(self, row: int) -> list[Segment]:
        """`◆● pos-lstm ███░░░ 50% 1:20 loss 1.23`."""
        run = self.runs[row]
        look = {"failed": "warning", "lost": "warning", "done": "tag"}.get(run.state, "accent")
        here = row == self.row
        cursor = self.palette.cursor if here else None
        width = self.size.width
        mark = MARK if run.name in self.marked else " "
        front = f"{'▍' if here else ' '}{mark}{SIGNS.get(run.state, '·')} "
        behind = _fitting(_numbers(run), width - cell_len(front) - 1 - min(NAME, cell_len(visible(run.name))))
        room = max(8, width - cell_len(front) - 1 - cell_len(behind))
        name = fit(visible(run.name), min(room, max(8, width - cell_len(front))))
        tail = fit(f" {behind}", max(0, width - cell_len(front) - cell_len(name)))
        return [
            Segment(front, cursor or self.palette.word(look)),
            Segment(name, cursor),
            Segment(tail, cursor or self.palette.word("faint")),
        ]

    def segments(self, y: int) -> list[Segment]:
        """The run on line `y`; where there is none, what begins one."""
        if not self.empty:
            return super().segments(y)
        keys = (("", _("No runs yet.")), ("t", _("train a model")), ("E", _("start an experiment")))
        if y >= len(keys):
            return []
        key, words = keys[y]
        front = f" {key} " if key else " "
        return [
            Segment(front, self.palette.word("accent")),
            Segment(fit(words, max(0, self.size.width - len(front)))),
        ]

    def on_click(self, event: events.Click) -> None:
        """A click chooses, a double click opens; on the column of marks it marks."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.row_at(offset.y)
        super().on_click(event)
        if offset is not None and row is not None and offset.x <= 1 and event.chain == 1:
            self.screen.call_next(self.screen.action_studio_mark)  # type: ignore[attr-defined]


def _fitting(words: list[str], room: int) -> str:
    """The first of `words`, as many as there is room for."""
    said = ""
    for word in words:
        longer = f"{said} {word}" if said else word
        if said and cell_len(longer) > room:
            break
        said = longer
    return said


def _numbers(run: Any) -> list[str]:
    """Progress, the loss, what is left, and the other measurements."""
    words = []
    if run.steps and run.state != "done":
        share = min(1.0, run.step / run.steps)
        full = round(share * BAR)
        words.append("█" * full + "░" * (BAR - full) + f" {share:4.0%}")
    numbers = [f"{metric_words(name)} {value:.3g}" for name, value in last_numbers(run)]
    words += numbers[:1]
    if run.state == "running" and run.left is not None:
        words.append(_("{time} left").format(time=clock(run.left)))
    elif run.state != "done":
        words.append(state_words(run))
    return words + numbers[1:]
