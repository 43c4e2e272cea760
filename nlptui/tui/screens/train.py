"""Start a training run: one's own, from a form, or a recipe that is here, under a name, for some steps.

What a recipe will take is found out while the cursor rests on it. The clerk starts it; it runs in a process
of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input

from nlptui.locale import _
from nlptui.tui.once import once
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.run_panel import clock
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import EstimateRun, ListRecipes, StartRun
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.wording import ARCHS, TASKS, busy_words

if TYPE_CHECKING:
    from nlptui.train.client import Estimate
    from nlptui.tui.answers import Recipe
    from nlptui.tui.backend import Answer


REST = 1.0
"""Seconds that the cursor rests before a recipe is tried out."""


class TrainScreen(Dialog):
    """Answers with the name of the run that was started."""

    CSS_PATH = "train.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.recipes: tuple[Recipe, ...] = ()
        self.problem = ""
        self.starting = False
        self.estimate: Estimate | None = None
        self.busy = ""
        """That the machine had no core left when it was tried out."""
        self.tried: EstimateRun | None = None
        """What was tried out, or is on its way."""
        self.unknown = ""
        """Why there is no estimate."""
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        """Recipes, name, steps."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="train-title")
            yield ChoiceList([], id="train-recipes")
            for name, words in (
                ("name", _("name of the run (empty: the recipe's)")),
                ("steps", _("steps (empty: the recipe's)")),
            ):
                field = Input(placeholder=words, id=f"train-{name}")
                field.cursor_blink = False
                yield field
            yield Words(id="train-said")
            yield Words(id="train-busy")
            yield Words(id="train-keys")

    def on_mount(self) -> None:
        """Ask for the recipes."""
        self.query_one("#train-title", Words).left = (Word(_("Train a model in the background"), "bold"),)
        self.query_one("#train-keys", Words).left = (
            Word("↑ ↓", "accent"), Word(f" {_('choose')}   "),
            Word("Tab", "accent"), Word(f" {_('next field')}   "),
            Word("Enter", "accent"), Word(f" {_('start')}   "), Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one(ChoiceList).focus()
        self.nlptui.clerk.ask(ListRecipes(), self.listed)

    def listed(self, answer: Answer) -> None:
        """The recipes are there."""
        if not self.stands:
            return
        self.recipes = answer.result if not answer.error else ()
        own = ("", _("Your own: family, task, corpus or text, size and time  …"))
        self.query_one(ChoiceList).show([own, *((recipe.name, _line(recipe)) for recipe in self.recipes)])
        if not self.recipes:
            from nlptui.tui.clerk import no_recipes

            self.problem = answer.error or str(no_recipes())
        self.draw()

    @property
    def recipe(self) -> Recipe | None:
        """The chosen recipe; None on the line above them."""
        row = self.query_one(ChoiceList).row
        return self.recipes[row - 1] if self.recipes and row else None

    @on(CellMoved)
    @on(Input.Changed)
    def changed(self) -> None:
        """What was wrong may be right now."""
        if self.recipes:
            self.problem = self._wrong_steps()
        self.try_out()
        self.draw()

    def on_unmount(self) -> None:
        """Nobody waits for what is still tried out."""
        self.nlptui.keeper.cancel(EstimateRun.lane)

    def try_out(self) -> None:
        """Find out what the chosen recipe takes, once the cursor rests on it."""
        recipe = self.recipe
        request = EstimateRun(recipe.path, self.overrides()) if recipe and not self.problem else None
        if request != self.tried:
            self.tried, self.estimate, self.unknown = request, None, ""
            if self._rest is not None:
                self._rest.stop()
            self.nlptui.keeper.cancel(EstimateRun.lane)
            if request is not None:
                self._rest = once(self, REST, self.ask)

    def ask(self) -> None:
        """Try it out."""
        if self.tried is not None:
            self.nlptui.keeper.backend.start()
            self.nlptui.keeper.ask(self.tried, self.estimated)

    def estimated(self, answer: Answer) -> None:
        """What it takes is known, or why it is not."""
        if self.stands and answer.request == self.tried and not answer.cancelled:
            self.estimate, self.unknown = answer.result, answer.error
            self.busy = busy_words()
            self.draw()

    def overrides(self) -> dict[str, str]:
        """What differs from the recipe."""
        steps = self.query_one("#train-steps", Input).value.strip()
        return {"train.steps": steps} if steps else {}

    def draw(self) -> None:
        """What will be trained, or why it cannot be."""
        recipe = self.recipe
        words = Word(f"✗ {self.problem}", "warning") if self.problem else None
        if words is None:
            words = self._known(recipe) if recipe else Word(_("Enter opens the form."), "faint")
        self.query_one("#train-said", Words).left = (words,)
        busy = self.query_one("#train-busy", Words)
        busy.left = (Word(self.busy, "special"),)
        busy.display = bool(self.busy and self.estimate and not self.problem)

    def _known(self, recipe: Recipe) -> Word:
        """What the recipe takes, as far as that is known."""
        found = self.estimate
        if found is not None:
            said = _("{parameters} parameters, {memory} MB, {time} in all; {steps} steps of {ms} ms")
            words = said.format(
                parameters=f"{found.parameters:,}", memory=f"{found.memory / 1e6:,.0f}",
                time=clock(found.seconds), steps=f"{found.steps:,}", ms=f"{1e3 * found.seconds_a_step:.1f}",
            )  # fmt: skip
            return Word(words, "accent")
        if self.unknown:
            return Word(self.unknown, "special")
        words = _("{recipe} on {corpus}; what it takes is tried out…")
        return Word(words.format(recipe=recipe.name, corpus=recipe.corpus), "faint")

    def _wrong_steps(self) -> str:
        steps = self.query_one("#train-steps", Input).value.strip()
        if not steps or (steps.isascii() and steps.isdigit() and int(steps) > 0):
            return ""
        return _("The number of steps must be a whole number above 0.")

    @on(CellOpened)
    @on(Input.Submitted)
    def start(self) -> None:
        """Enter starts the run; on the line above the recipes it opens the form."""
        self.problem = self._wrong_steps() if self.recipes else self.problem
        self.draw()
        if self.query_one(ChoiceList).choices and not self.query_one(ChoiceList).row:
            self.open_form()
        if self.recipe is None or self.problem or self.starting:
            return
        self.starting = True
        name = self.query_one("#train-name", Input).value.strip()
        self.nlptui.clerk.ask(StartRun(self.recipe.path, name, self.overrides()), self.started)

    def open_form(self) -> None:
        """A run of one's own; leaving the form leads back here."""
        from nlptui.tui.screens.compose import ComposeScreen

        def left(name: str | None) -> None:
            window.display = True
            if name:
                self.dismiss(name)

        window = self.query_one(".window")
        window.display = False  # one dialog at a time
        self.app.push_screen(ComposeScreen(), left)

    def started(self, answer: Answer) -> None:
        """It runs, or here is why not."""
        self.starting = False
        if not self.stands:
            return
        if answer.error:
            self.problem = answer.error
            self.draw()
        else:
            self.dismiss(answer.result)


def _line(recipe: Recipe) -> str:
    """`pos-lstm-en   LSTM · tagging · en_ewt · 3000 steps`."""
    facts = [_(ARCHS.get(recipe.arch, recipe.arch)), _(TASKS.get(recipe.task, recipe.task)), recipe.corpus]
    if recipe.steps:
        facts.append(_("{n} steps").format(n=recipe.steps))
    elif recipe.epochs:
        facts.append(_("{n} epochs").format(n=f"{recipe.epochs:g}"))
    return f"{recipe.name}   {' · '.join(facts)}"
