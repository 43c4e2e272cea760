"""The form of a run of one's own: family, task, corpus or text, size, time, what to start from.

What was chosen is tried out in a process of its own, and what it will take stands below before it starts.
Reads no files: the clerk and the keeper do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input

from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.tui.once import once
from nlptui.tui.panes.choice_rows import Choice, ChoiceRows
from nlptui.tui.panes.run_panel import clock
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import ListStarts, PlanRun, StartRun
from nlptui.tui.screens.base import Dialog, TooSmall, wrapped
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.wording import ARCHS, TASKS, busy_words

if TYPE_CHECKING:
    from nlptui.train.client import Plan
    from nlptui.tui.answers import Starts
    from nlptui.tui.backend import Answer

OWN = "own"
"""The choice of a corpus that is a text of one's own."""
REST = 0.5
"""Seconds without a change after which it is tried out."""
LONGEST_PATH = 1000
"""Characters of the longest line that is taken for a path where it was pasted; nobody's paths are longer."""
SIZES = {"tiny": N_("tiny"), "small": N_("small"), "medium": N_("medium")}


class TextField(Input):
    """A line for a path, into which a text of many lines may be pasted."""

    pasted: str = ""
    """The text, where one was pasted."""

    def _on_paste(self, event: events.Paste) -> None:
        """More than a line, or longer than any path, is a text; else it is a path. Terminals send line ends
        as CR.
        """
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        if "\n" in text.strip() or len(text) > LONGEST_PATH:
            event.stop()
            event.prevent_default()
            self.pasted = text
            self.value = pasted_words(text)


def pasted_words(text: str) -> str:
    """What stands in the place of a text that was pasted."""
    return _("(a pasted text of {n} characters)").format(n=len(text))


class ComposeScreen(Dialog):
    """Answers with the name of the run that was started."""

    CSS_PATH = "compose.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.starts: Starts | None = None
        self.wished: PlanRun | None = None
        """What was tried out, or is on its way."""
        self.plan: Plan | None = None
        self.busy = ""
        """That the machine had no core left when it was tried out."""
        self.problem = ""
        self.eager = False
        """Whether it starts as soon as it has been tried out."""
        self.starting = False
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        """Choices, a text, name, settings; what it takes; keys."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="compose-title")
            yield ChoiceRows(id="compose-rows")
            yield TextField(
                placeholder=_("path of a text file, or paste the text itself here"), id="compose-text"
            )
            yield Input(placeholder=_("name of the run (empty: after what it is)"), id="compose-name")
            yield Input(
                placeholder=_("other settings: train.learning_rate=0.001 model.dropout=0.2"),
                id="compose-settings",
            )
            yield Words(id="compose-said")
            yield Words(id="compose-more")
            yield Words(id="compose-busy")
            yield Words(id="compose-keys")

    def on_mount(self) -> None:
        """Ask what there is to choose from."""
        self.query_one("#compose-title", Words).left = (
            Word(_("Train a model of your own in the background"), "bold"),
        )
        self.query_one("#compose-keys", Words).left = (
            Word("↑ ↓", "accent"), Word(f" {_('row')}  "), Word("← →", "accent"), Word(f" {_('choose')}  "),
            Word("Tab", "accent"), Word(f" {_('fields')}  "), Word("Enter", "accent"),
            Word(f" {_('start')}  "), Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#compose-text").display = False
        self.query_one(ChoiceRows).focus()
        self.nlptui.keeper.backend.start()
        self.nlptui.clerk.ask(ListStarts(), self.listed)

    def on_unmount(self) -> None:
        """Nobody waits for what is still tried out."""
        self.nlptui.keeper.cancel(PlanRun.lane)

    def listed(self, answer: Answer) -> None:
        """What there is to choose from is known."""
        if not self.stands:
            return
        if answer.error:
            self.problem = answer.error
            self.draw()
            return
        self.starts = answer.result
        self.choose()

    # what was chosen

    def choose(self) -> None:
        """The rows that follow from what is chosen, and try that out."""
        if self.starts is None:
            return
        rows = self.query_one(ChoiceRows)
        starts = self.starts
        family = rows.key("family") or next(iter(starts.tasks))
        tasks = starts.tasks[family]
        task = rows.key("task") if rows.key("task") in tasks else tasks[0]
        models = starts.models.get(family, ())
        start_from = rows.key("from") if rows.key("from") in [key for key, _words in models] else ""
        choices = [
            Choice("family", _("family"), [(one, _(ARCHS.get(one, one.upper()))) for one in starts.tasks]),
            Choice("task", _("task"), [(one, _(TASKS[one])) for one in tasks]),
            Choice("corpus", _("learns from"), self._corpora(task)),
        ]
        if family not in starts.counted:
            sizes = [(one, f"{_(SIZES[one])}   {large}") for one, large in starts.sizes[family]]
            told = [("", _("the model's"))] if start_from else sizes
            choices += [
                Choice("from", _("starts from"), [("", _("random weights")), *models]),
                Choice("size", _("size"), told),
                Choice("seconds", _("time"), [(f"{one}", clock(one)) for one in starts.budgets]),
            ]
        rows.show(choices, fresh=() if task == rows.key("task") else ("corpus",))
        self.query_one("#compose-text").display = rows.key("corpus") == OWN
        self.try_out()

    def _corpora(self, task: str) -> list[tuple[str, str]]:
        assert self.starts is not None
        found = [
            (name, name if here else _("{corpus} (not here)").format(corpus=name))
            for name, here in self.starts.corpora[task]
        ]
        return [*found, (OWN, _("a text of your own"))] if task in self.starts.own else found

    def wish(self) -> PlanRun | None:
        """What the form asks for; None while something is missing, which `problem` then names."""
        from nlptui.train.client import Wish

        rows = self.query_one(ChoiceRows)
        self.problem = ""
        if self.starts is None or not rows.choices:
            return None
        corpus, text = rows.key("corpus"), ""
        if corpus == OWN:
            field = self.query_one("#compose-text", TextField)
            words = field.value.strip()
            if not words:
                self.problem = _("Name a text file, or paste a text.")
                return None
            corpus = str(Path(words).expanduser().absolute())
            if field.pasted and words == pasted_words(field.pasted):
                text = field.pasted
        wish = Wish(
            family=rows.key("family"),
            task=rows.key("task"),
            corpus=corpus,
            size=rows.key("size") or next(iter(SIZES)),
            seconds=float(rows.key("seconds") or self.starts.budgets[0]),
            start_from=rows.key("from"),
            settings=tuple(self.query_one("#compose-settings", Input).value.split()),
        )
        return PlanRun(wish, text)

    @on(CellMoved)
    def moved(self) -> None:
        """Another row, or another choice."""
        self.choose()

    @on(Input.Changed)
    def typed(self) -> None:
        """Another text or other settings; of another name nothing has to be tried out."""
        self.try_out()

    def try_out(self) -> None:
        """What is chosen rests a moment, and is then tried out."""
        wish = self.wish()
        if wish != self.wished:
            self.wished, self.plan, self.eager = wish, None, False
            if self._rest is not None:
                self._rest.stop()
            self.nlptui.keeper.cancel(PlanRun.lane)
            if wish is not None:
                self._rest = once(self, REST, self.ask)
        self.draw()

    def ask(self) -> None:
        """Try it out."""
        if self.wished is not None:
            self.nlptui.keeper.ask(self.wished, self.planned)

    def planned(self, answer: Answer) -> None:
        """What it takes is known, or why it cannot be."""
        if not self.stands or answer.request != self.wished or answer.cancelled:
            return
        if answer.error:
            self.problem, self.eager = answer.error, False
        else:
            self.plan, self.busy = answer.result, busy_words()
        self.draw()
        if self.eager:
            self.start()

    # what is said

    def draw(self) -> None:
        """What it takes; that this is found out; or what is missing."""
        first: tuple[Word, ...] = ()
        second: tuple[Word, ...] = ()
        if self.problem:
            lines = wrapped(f"✗ {self.problem}", max(20, self.query_one("#compose-said").size.width))
            first = (Word(lines[0], "warning"),)
            second = (Word(" ".join(lines[1:]), "warning"),)
        elif self.plan is not None:
            first, second = plan_words(self.plan)
        elif self.wished is not None:
            words = _("It is tried out, which takes some seconds…")
            if self.eager:
                words = _("It starts as soon as it has been tried out…")
            first = (Word(words, "special"),)
        self.query_one("#compose-said", Words).left = first
        self.query_one("#compose-more", Words).left = second
        busy = self.query_one("#compose-busy", Words)
        busy.left = (Word(self.busy, "special"),)
        busy.display = bool(self.busy and self.plan and self.plan.estimate and not self.problem)
        self.set_class(busy.display, "-busy")

    # starting

    @on(CellOpened)
    @on(Input.Submitted)
    def start(self) -> None:
        """Enter starts it, at once or when it has been tried out."""
        if self.starting or self.problem or self.wished is None:
            return
        if self.plan is None:
            self.eager = True
            self.draw()
            return
        self.starting = True
        name = self.query_one("#compose-name", Input).value.strip()
        self.nlptui.clerk.ask(StartRun(self.plan.recipe, name, {}), self.started)

    def started(self, answer: Answer) -> None:
        """It runs, or here is why not."""
        self.starting = False
        if not self.stands:
            return
        if answer.error:
            self.problem, self.eager = answer.error, False
            self.draw()
        else:
            self.dismiss(answer.result)


def plan_words(plan: Plan) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Two lines: parameters, memory and time; steps, and what each sees."""
    found, train = plan.estimate, plan.recipe.train
    if found is None:
        words = _("Counted, not trained: it takes seconds to a few minutes.")
        if plan.recipe.model.get("arch") == "crf":
            words = _("Trained on all sentences at once, by L-BFGS: it takes some minutes.")
        return (Word(words, "accent"),), ()
    words = _("{parameters} parameters, {memory} MB of memory, {time} in all")
    said = words.format(
        parameters=f"{found.parameters:,}", memory=f"{found.memory / 1e6:,.0f}", time=clock(found.seconds)
    )
    more = _("{steps} steps of {size} examples, {ms} ms each; measured every {every}")
    told = more.format(
        steps=f"{found.steps:,}", size=train.batch_size, ms=f"{1e3 * found.seconds_a_step:.1f}",
        every=train.evaluate_every,
    )  # fmt: skip
    return (Word(visible(said), "accent"),), (Word(visible(told), "faint"),)
