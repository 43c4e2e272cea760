"""Training runs at the bottom of the explorer: one line when closed; a list and the loss curve when open.

Gets the state of the runs as plain values; repaints a line only when its words change. Knows nothing of run
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.widgets.line_chart import LineChart
from nlptui.views.figure import Lines
from nlptui.views.runs import loss_curve
from nlptui.wording import metric_words

if TYPE_CHECKING:
    from nlptui.tui.answers import Runs

LISTED = 7
"""Runs in sight when the panel is open."""
STATES = {
    "queued": N_("queued"),
    "running": N_("running"),
    "paused": N_("paused"),
    "stopped": N_("stopped"),
    "done": N_("done"),
    "failed": N_("failed"),
    "lost": N_("lost"),
}
PHASES = {
    "loading": N_("loading"),
    "training": N_("training"),
    "evaluating": N_("measuring"),
    "saving": N_("saving"),
}
SIGNS = {
    "queued": "…",
    "running": "●",
    "paused": "‖",
    "stopped": "■",
    "done": "✓",
    "failed": "✗",
    "lost": "?",
}
ALIVE = ("queued", "running", "paused")
BAR = 10


class RunPanel(Vertical):
    """Progress, loss curve, and what can be done with the chosen run."""

    DEFAULT_CSS = """
    RunPanel { height: auto; background: $panel; padding: 0 1; }
    RunPanel > #run-body { height: 8; display: none; }
    RunPanel.open > #run-body { display: block; }
    RunPanel #run-list { width: 2fr; height: 8; }
    RunPanel #run-chart { width: 3fr; height: 8; }
    Screen.-low RunPanel > #run-body, .-low RunPanel #run-list, .-low RunPanel #run-chart { height: 6; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.chosen = ""
        self.runs: tuple[Any, ...] = ()
        self._rows: list[Mapping[str, Any]] = []

    def compose(self) -> ComposeResult:
        """The line; the list and the curve come when the panel is opened first."""
        yield Words(id="run-line")
        self.list = [Words() for _number in range(LISTED)]
        self.chart = LineChart(id="run-chart")

    @property
    def lines_seen(self) -> int:
        """Lines of the chosen run's log that are here already."""
        return len(self._rows)

    @property
    def status(self) -> Any | None:
        """The chosen run's status, if there is a run."""
        return next((run for run in self.runs if run.name == self.chosen), None)

    @property
    def any_alive(self) -> bool:
        """Whether any run still goes on."""
        return any(run.state in ALIVE for run in self.runs)

    def show(self, news: Runs) -> None:
        """Take the latest state of all runs and the new lines of the chosen one."""
        self.runs = news.runs
        if news.name != self.chosen or news.since != len(self._rows):
            self._rows = self._rows[: news.since] if news.name == self.chosen else []
        self.chosen = news.name
        changed = bool(news.lines) or not self._rows
        self._rows += news.lines
        self.draw()
        if changed and self.has_class("open"):
            self.chart.part = self.curve()

    def choose(self, step: int) -> str:
        """Another run: the one `step` further down the list. Returns its name."""
        names = [run.name for run in self.runs]
        if names:
            at = names.index(self.chosen) if self.chosen in names else 0
            self.turn_to(names[max(0, min(at + step, len(names) - 1))])
            self.draw()
        return self.chosen

    def turn_to(self, name: str) -> None:
        """Show the run called `name`; what is here of another one's curve goes."""
        if name != self.chosen:
            self.chosen = name
            self._rows = []

    def toggle(self) -> bool:
        """Open or close. Returns whether it is open now."""
        self.toggle_class("open")
        if self.has_class("open"):
            self.chart.part = self.curve()
            if not self.chart.is_attached:
                self.mount(Horizontal(Vertical(*self.list, id="run-list"), self.chart, id="run-body"))
        return self.has_class("open")

    def curve(self) -> Lines:
        """The loss of the chosen run, in training and on the dev split."""
        return loss_curve(self._rows)

    def draw(self) -> None:
        """Put the words of every line in place."""
        line = self.query_one("#run-line", Words)
        status = self.status
        if status is None:
            line.left = (
                Word(_("No training runs. "), "faint"),
                Word("t", "accent", "train"),
                Word(f" {_('train a model')}", "faint", "train"),
            )
            line.right = ()
        else:
            line.left = tuple(run_words(status))
            line.right = tuple(self._offers(status))
        names = [run.name for run in self.runs]
        at = names.index(self.chosen) if self.chosen in names else 0
        first = max(0, min(at - LISTED // 2, len(names) - LISTED))
        for number, row in enumerate(self.list):
            run = self.runs[first + number] if first + number < len(self.runs) else None
            row.left = () if run is None else _listed(run, run.name == self.chosen)

    def _offers(self, status: Any) -> list[Word]:
        offers = [("M", N_("open"), "open_run")] if status.latest else []
        if status.state in ("queued", "running"):
            offers.append(("S", N_("stop"), "stop_run"))
        if status.state in ("stopped", "failed", "lost", "paused"):
            offers.append(("R", N_("resume"), "resume_run"))
        offers.append(("r", N_("close") if self.has_class("open") else N_("runs"), "show_runs"))
        return [
            word
            for key, label, action in offers
            for word in (Word(f"  {key}", "accent", action), Word(f" {_(label)}", "", action))
        ]


def run_words(status: Any) -> list[Word]:
    """`● pos-lstm  running  ████░░░░ 320/3000  loss 1.23`."""
    look = {"failed": "warning", "lost": "warning", "done": "tag"}.get(status.state, "accent")
    words = [
        Word(f"{SIGNS.get(status.state, '·')} ", look),
        Word(visible(status.name), "bold"),
        Word(f"  {state_words(status)}  ", look),
    ]
    if status.steps:
        share = min(1.0, status.step / status.steps)
        full = round(share * BAR)
        words.append(Word("█" * full + "░" * (BAR - full), look))
    words.append(Word(f" {status.step}/{status.steps or '?'} ", ""))
    words += [Word(f" {metric_words(name)} {value:.3g} ", "faint") for name, value in last_numbers(status)]
    if status.left is not None and status.state == "running":
        words.append(Word(_(" {time} left").format(time=clock(status.left)), "faint"))
    if status.error and status.state in ("failed", "lost"):
        words.append(Word(f" {visible(status.error)}", "warning"))
    return words


def state_words(status: Any) -> str:
    """The state; of a running one, what it is at."""
    known = PHASES.get(status.phase) if status.state == "running" else None
    return _(known or STATES.get(status.state, status.state))


def _listed(run: Any, chosen: bool) -> tuple[Word, ...]:
    action = f"run:{run.name}"
    return (
        Word("▍" if chosen else " ", "accent"),
        Word(f"{SIGNS.get(run.state, '·')} ", "accent", action),
        Word(visible(run.name), "bold" if chosen else "", action),
        Word(f"  {state_words(run)} {run.step}/{run.steps or '?'}", "faint", action),
    )


def last_numbers(status: Any) -> list[tuple[str, float]]:
    """The few numbers worth a line: the loss, and what was measured on the dev split."""
    numbers = {k: v for k, v in status.metrics.items() if isinstance(v, int | float)}
    names = [
        name
        for name in ("loss", *(n for n in numbers if n.startswith("dev_") and n != "dev_loss"))
        if name in numbers
    ]
    return [(name, float(numbers[name])) for name in names[:3]]


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
