"""The studio: all training runs, the charts of the chosen one with others over it, and what the run is.

Holds what is chosen and how it is drawn; asks the clerk, twice a second at most, and repaints what differs.
What its keys do to runs stands in `studio_control`. Reads no files itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widgets import Input

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.actions.binding import bindings
from nlptui.tui.once import once
from nlptui.tui.panes.key_bar import KeyBar
from nlptui.tui.panes.run_panel import ALIVE, state_words
from nlptui.tui.panes.studio_chart import StudioChart, Values
from nlptui.tui.panes.studio_facts import PAGES, FactLines, fact_lines
from nlptui.tui.panes.studio_list import RunList
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import AppScreen, TooSmall
from nlptui.tui.screens.explorer_runs import BUSY, IDLE, SLOW
from nlptui.tui.screens.studio_control import StudioControl
from nlptui.tui.studio_desk import LookAtStudio, Studio
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.views.run_charts import AXES, SMOOTHING

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer


class StudioScreen(StudioControl, AppScreen):
    """Answers with what the explorer is to show next, `ModelOf` or `Follow`, or None."""

    SCOPE = "studio"
    BINDINGS = bindings("studio")
    CSS_PATH = "studio.tcss"
    AUTO_FOCUS = ""

    def __init__(self, chosen: str = "") -> None:
        super().__init__()
        self.chosen = chosen
        self.marked: list[str] = []
        self.chart = ""
        self.smooth = SMOOTHING[0]
        self.log_scale = False
        self.by = AXES[0]
        self.page = PAGES[0]
        self.filter = ""
        self.note = ""
        """One sentence about the last action."""
        self.studio: Studio | None = None
        self._states: dict[str, str] = {}
        self._look: Timer | None = None

    def compose(self) -> ComposeResult:
        """Runs, chart, values, facts, message, keys."""
        yield TooSmall()
        yield Words(id="studio-title")
        with Container(id="studio-body"):
            with Vertical(id="studio-runs"):
                field = Input(self.filter, placeholder=_("letters of a run's name"), id="studio-filter")
                field.cursor_blink = False
                yield field
                yield RunList(id="studio-list")
            with Vertical(id="studio-right"):
                yield Words(id="studio-tabs")
                yield StudioChart(id="studio-chart")
                yield Values(id="studio-values")
                yield Words(id="studio-page")
                yield FactLines(id="studio-facts")
        yield Words(id="studio-said")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Name the keys, and ask for the runs."""
        scope = [action for action in self.nlptui.actions if action.scope in ("studio", "app")]
        self.query_one(KeyBar).show(scope)
        self.query_one("#studio-filter").display = bool(self.filter)
        self.look()

    def redrawn(self) -> None:
        """All panes are new (another language): fill them."""
        self.studio = None
        self.on_mount()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that come before there is anything do nothing."""
        return self.stands or not action.startswith("studio_")

    # asking and showing

    def look(self) -> None:
        """Ask for the runs and the chart."""
        names = (self.chosen, *(name for name in self.marked if name != self.chosen))
        request = LookAtStudio(names, self.chart, self.smooth, self.log_scale, self.by)
        self.nlptui.clerk.ask(request, self.seen)

    def seen(self, answer: Answer) -> None:
        """Draw what changed, and look again later."""
        if not self.stands:
            return
        if answer.error:
            self.say(f"✗ {answer.error}")
        else:
            self.take(answer.result)
        alive = self.studio is not None and any(run.state in ALIVE for run in self.studio.runs)
        pause = (SLOW if self.nlptui.low_bandwidth else BUSY) if alive else IDLE
        if self._look is not None:
            self._look.stop()
        self._look = once(self, pause, self.look)

    def take(self, studio: Studio) -> None:
        """Draw everything of `studio` that differs from what is on screen."""
        before, self.studio = self.studio, studio
        names = {run.name for run in studio.runs}
        self.marked = [name for name in self.marked if name in names]
        self.chosen, self.chart = studio.name, studio.chart
        self.tell_failures(studio)
        self.draw_list()
        self.draw_title()
        self.draw_tabs()
        chart = self.query_one(StudioChart)
        if before is None or before.lines is not studio.lines:
            chart.show(studio.lines)
        self.draw_values()
        if before is None or (before.facts, before.runs, before.name) != (
            studio.facts, studio.runs, studio.name,
        ):  # fmt: skip
            self.draw_facts()

    def tell_failures(self, studio: Studio) -> None:
        """A run that failed since the last look is said, with its reason and the key that resumes it."""
        for run in studio.runs:
            before = self._states.get(run.name)
            if before in ALIVE and run.state in ("failed", "lost"):
                words = _("{name} {state}: {error}  r resumes it.")
                self.say(
                    "✗ "
                    + words.format(name=visible(run.name), state=state_words(run), error=visible(run.error))
                )
        self._states = {run.name: run.state for run in studio.runs}

    @property
    def run(self) -> Any | None:
        """The chosen run's status, if there is a run."""
        runs = self.studio.runs if self.studio else ()
        return next((run for run in runs if run.name == self.chosen), None)

    @property
    def listed(self) -> tuple[Any, ...]:
        """The runs that the filter lets through."""
        runs = self.studio.runs if self.studio else ()
        words = self.filter.casefold().split()

        def said(run: Any) -> str:
            return f"{run.name} {run.state} {state_words(run)} {run.error}".casefold()

        return tuple(run for run in runs if all(word in said(run) for word in words))

    def draw_list(self) -> None:
        """The runs in sight."""
        rows = self.query_one(RunList)
        rows.marked = tuple(self.marked)
        rows.show(self.listed, self.chosen)

    def draw_title(self) -> None:
        """How many runs there are, and how many go on."""
        runs = self.studio.runs if self.studio else ()
        alive = sum(run.state in ALIVE for run in runs)
        words = _("{n} runs, {alive} going on").format(n=len(runs), alive=alive)
        if self.filter:
            words += "  " + _("filter: {words}").format(words=visible(self.filter))
        self.query_one("#studio-title", Words).left = (
            Word(_("Studio"), "bold accent"), Word(f"  {words}", "faint"),
        )  # fmt: skip
        self.query_one("#studio-title", Words).right = (
            Word("/", "accent", "studio_find"), Word(f" {_('filter')}  ", "", "studio_find"),
            Word("Esc", "accent", "studio_close"), Word(f" {_('to the explorer')}", "", "studio_close"),
        )  # fmt: skip

    def draw_tabs(self) -> None:
        """The chart in sight among all there are, and how it is drawn."""
        charts = self.studio.charts if self.studio else ()
        at = next((n for n, (name, _words) in enumerate(charts) if name == self.chart), 0)
        words: list[Word] = []
        if charts:
            words.append(Word(f"{at + 1}/{len(charts)} ", "faint"))
            words.append(Word(charts[at][1], "bold accent"))
            if len(charts) > 1:
                words.append(Word("  Tab ", "accent", "studio_chart"))
                words.append(Word(charts[(at + 1) % len(charts)][1], "faint", "studio_chart"))
        tabs = self.query_one("#studio-tabs", Words)
        tabs.left = tuple(words)
        tabs.right = (
            Word("s", "accent", "studio_smooth"), Word(f" {self.smooth:g}  ", "", "studio_smooth"),
            Word("o", "accent", "studio_log"),
            Word(f" {_('log') if self.log_scale else _('plain')}  ", "", "studio_log"),
            Word("x", "accent", "studio_axis"),
            Word(f" {_('seconds') if self.by == 'time' else _('step')}", "", "studio_axis"),
        )  # fmt: skip

    def draw_values(self) -> None:
        """The exact values at the chart's cursor."""
        chart = self.query_one(StudioChart)
        self.query_one(Values).show(chart.part, chart.x)

    def draw_facts(self) -> None:
        """What the run is, what it makes of its sentence, or its log."""
        run, facts = self.run, self.studio.facts if self.studio else None
        names = {"facts": _("run"), "samples": _("samples"), "log": _("log file")}
        words: list[Word] = []
        for page in PAGES:
            words.append(Word(names[page], "bold accent" if page == self.page else "faint", "studio_page"))
            words.append(Word("  "))
        line = self.query_one("#studio-page", Words)
        line.left = (Word("i ", "accent", "studio_page"), *words)
        self.query_one(FactLines).show(fact_lines(run, facts, self.page))

    def say(self, sentence: str) -> None:
        """One sentence about the last action, until the next key."""
        self.note = sentence
        look = "warning" if sentence.startswith("✗") else "accent"
        self.query_one("#studio-said", Words).left = (Word(sentence, look),) if sentence else ()

    def on_key(self, event: events.Key) -> None:
        """The next key: the last sentence has been read."""
        if self.note:
            self.say("")

    # the list and the chart

    @on(CellMoved)
    def moved(self, event: CellMoved) -> None:
        """The cursor stands on another run, or on another point."""
        event.stop()
        if isinstance(event.widget, RunList):
            self.choose(event.widget.chosen)
        elif isinstance(event.widget, StudioChart):
            self.draw_values()

    @on(CellOpened)
    def opened(self, event: CellOpened) -> None:
        """A double click on a run."""
        event.stop()
        if isinstance(event.widget, RunList):
            self.action_studio_open()

    def choose(self, name: str) -> None:
        """Another run is the chosen one."""
        if name != self.chosen:
            self.chosen = name
            self.query_one(StudioChart).follows = True
            self.draw_list()
            self.look()

    def action_studio_down(self) -> None:
        """The run below."""
        self.query_one(RunList).action_cursor_down()

    def action_studio_up(self) -> None:
        """The run above."""
        self.query_one(RunList).action_cursor_up()

    def action_studio_top(self) -> None:
        """The newest run."""
        self.query_one(RunList).action_cursor_top()

    def action_studio_bottom(self) -> None:
        """The oldest run."""
        self.query_one(RunList).action_cursor_bottom()

    def action_studio_mark(self) -> None:
        """Draw the run over the others, or no more."""
        if self.chosen in self.marked:
            self.marked.remove(self.chosen)
        elif self.chosen:
            self.marked.append(self.chosen)
        self.draw_list()
        self.look()

    def action_studio_chart(self, step: int = 1) -> None:
        """The next chart."""
        names = [name for name, _words in self.studio.charts] if self.studio else []
        if names:
            at = names.index(self.chart) if self.chart in names else 0
            self.chart = names[(at + step) % len(names)]
            self.look()

    def action_studio_chart_before(self) -> None:
        """The chart before."""
        self.action_studio_chart(-1)

    def action_studio_left(self) -> None:
        """The point before."""
        self.query_one(StudioChart).walk("left")

    def action_studio_right(self) -> None:
        """The next point."""
        self.query_one(StudioChart).walk("right")

    def action_studio_far_left(self) -> None:
        """A tenth of the chart to the left."""
        self.query_one(StudioChart).walk("page_left")

    def action_studio_far_right(self) -> None:
        """A tenth of the chart to the right."""
        self.query_one(StudioChart).walk("page_right")

    def action_studio_start(self) -> None:
        """The first point."""
        self.query_one(StudioChart).walk("start")

    def action_studio_end(self) -> None:
        """The newest point."""
        self.query_one(StudioChart).walk("end")

    def action_studio_smooth(self) -> None:
        """Smoother, or as it was measured."""
        self.smooth = SMOOTHING[(SMOOTHING.index(self.smooth) + 1) % len(SMOOTHING)]
        self.draw_tabs()
        self.look()

    def action_studio_log(self) -> None:
        """Logarithmic or plain."""
        self.log_scale = not self.log_scale
        self.draw_tabs()
        self.look()

    def action_studio_axis(self) -> None:
        """Steps or seconds."""
        self.by = AXES[(AXES.index(self.by) + 1) % len(AXES)]
        self.query_one(StudioChart).follows = True
        self.draw_tabs()
        self.look()

    def action_studio_page(self) -> None:
        """Facts, samples or the log."""
        self.page = PAGES[(PAGES.index(self.page) + 1) % len(PAGES)]
        self.draw_facts()

    # the filter

    def action_studio_find(self) -> None:
        """To the filter."""
        field = self.query_one("#studio-filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#studio-filter")
    def filtered(self, event: Input.Changed) -> None:
        """Other letters: the list follows at once."""
        if event.value == self.filter:
            return
        self.filter = event.value
        self.draw_title()
        if self.studio is not None:
            self.draw_list()
            if self.listed and self.chosen not in {run.name for run in self.listed}:
                self.choose(self.listed[0].name)

    @on(Input.Submitted, "#studio-filter")
    def filter_done(self) -> None:
        """Enter goes back to the list."""
        self.set_focus(None)
        self.query_one("#studio-filter").display = bool(self.filter)

    def action_studio_close(self) -> None:
        """Out of the filter, taking it back; otherwise out of the studio."""
        field = self.query_one("#studio-filter", Input)
        if field.has_focus or self.filter:
            self.end_filter()
        else:
            self.dismiss(None)

    def end_filter(self) -> None:
        """All runs again, and no field."""
        field = self.query_one("#studio-filter", Input)
        self.filter = field.value = ""
        self.filter_done()
        self.draw_title()
        if self.studio is not None:
            self.draw_list()

    @on(Words.Clicked)
    async def word_clicked(self, event: Words.Clicked) -> None:
        """A click on a key does what the key does."""
        event.stop()
        await self.nlptui.run_by_id(event.action)
