"""Below the studio's chart: what the run is, what it makes of its pinned sentence, or its log.

Gets plain values and shows lines. Knows nothing of run files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.segment import Segment

from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.tui.panes.run_panel import ALIVE, clock, state_words
from nlptui.tui.screens.base import wrapped
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView

if TYPE_CHECKING:
    from nlptui.tui.studio_desk import Facts

PAGES = ("facts", "samples", "log")
Line = tuple[str, str]
"""Words, and their look."""


class FactLines(RowsView, can_focus=False):
    """Lines that are wrapped to the room there is; the wheel scrolls them."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[Line] = []
        self._wrapped: list[Line] = []

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._wrapped)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return self._wrapped[row][0]

    def show(self, lines: list[Line]) -> None:
        """Other lines."""
        if lines != self.lines:
            self.lines = lines
            self.measure()
            self.repaint()

    def measure(self) -> None:
        """Wrap for the present width."""
        if self.size:
            width = self.size.width
            self._wrapped = [
                (part, look) for words, look in self.lines for part in wrapped(words, max(8, width))
            ]
        super().measure()

    def follow(self) -> None:
        """There is no cursor to keep in sight."""

    def row_segments(self, row: int) -> list[Segment]:
        """The words."""
        words, look = self._wrapped[row]
        return [Segment(fit(words, self.size.width), self.palette.word(look) if look else None)]


def fact_lines(run: Any | None, facts: Facts | None, page: str) -> list[Line]:
    """The lines of one page about `run`."""
    if run is None or facts is None:
        return [(_("No training run yet: t trains a model, E starts an experiment."), "")]
    if page == "log":
        return [(line, "") for line in facts.log] or [(_("The log is empty."), "faint")]
    if page == "samples":
        if not facts.samples and run.state not in ALIVE:
            return [(_("This run keeps no samples."), "faint")]
        if not facts.samples:
            return [(_("Nothing yet: its model is asked as soon as it is loaded."), "faint")]
        return _samples(facts.samples)
    return [*_state(run, facts.trains), *_history(facts), *((line, "faint") for line in facts.recipe)]


_GOES_ON = N_("r goes on from its last checkpoint.")
_BEGINS = N_("r begins it again: it saved nothing.")


def _state(run: Any, trains: bool) -> list[Line]:
    """How far the run is; what went wrong, and the key that goes on."""
    look = "warning" if run.state in ("failed", "lost") else "accent"
    words = [visible(run.name), state_words(run)]
    words.append(_("step {step} of {steps}").format(step=run.step, steps=run.steps or "?"))
    words.append(_("{time} of training").format(time=clock(run.seconds)))
    if run.left is not None and run.state == "running":
        words.append(_("{time} left").format(time=clock(run.left)))
    pace = run.metrics.get("tokens_per_second")
    if pace:
        words.append(_("{n} tokens a second").format(n=f"{pace:.0f}"))
    lines = [(" · ".join(words), look)]
    if run.error:
        lines.append((f"✗ {visible(run.error)}", "warning"))
    if run.state == "paused":
        lines.append((_("r goes on; all is kept in memory."), "accent"))
    elif run.state in ("failed", "lost", "stopped"):
        saved = run.latest or not trains
        lines.append((_(_GOES_ON if saved else _BEGINS), "accent"))
    elif run.state == "done" and trains:
        lines.append((_("K makes it a model of the list, M opens it."), "accent"))
    return lines


def _samples(samples: Sequence[tuple[int, str, str]]) -> list[Line]:
    """The sentence whenever it is another, and below it what the model made of it, the newest first."""
    lines: list[Line] = []
    width = max(len(str(step)) for step, _text, _output in samples)
    before = None
    for step, text, output in samples:
        if text != before:
            lines.append((text, "accent"))
        lines.append((f"{step:>{width}}  {output}", ""))
        before = text
    return lines


def _history(facts: Facts) -> list[Line]:
    lines = [(facts.parent, "")] if facts.parent else []
    if facts.checkpoints:
        steps = " ".join(map(str, facts.checkpoints[-12:]))
        lines.append((_("f forks it at step {steps}").format(steps=steps), ""))
    if facts.snapshots:
        steps = " ".join(map(str, facts.snapshots))
        lines.append((_("F shows its weights of step {steps}").format(steps=steps), ""))
    return [*lines, *([(facts.folder, "faint")] if facts.folder else [])]
