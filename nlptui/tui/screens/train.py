"""Start a training run: which recipe, under which name, how many steps. The clerk starts it; it runs in a
process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from nlptui.locale import _
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.title_line import ARCHS, TASKS
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import ListRecipes, StartRun
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened

if TYPE_CHECKING:
    from nlptui.tui.answers import Recipe
    from nlptui.tui.backend import Answer


class TrainScreen(Dialog):
    """Answers with the name of the run that was started."""

    CSS_PATH = "train.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.recipes: tuple[Recipe, ...] = ()
        self.problem = ""
        self.starting = False

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
        if not self.is_mounted:
            return
        self.recipes = answer.result if not answer.error else ()
        self.query_one(ChoiceList).show([(recipe.name, _line(recipe)) for recipe in self.recipes])
        if not self.recipes:
            from nlptui.tui.clerk import no_recipes

            self.problem = answer.error or str(no_recipes())
        self.draw()

    @property
    def recipe(self) -> Recipe | None:
        """The chosen recipe."""
        return self.recipes[self.query_one(ChoiceList).row] if self.recipes else None

    @on(CellMoved)
    @on(Input.Changed)
    def changed(self) -> None:
        """What was wrong may be right now."""
        if self.recipes:
            self.problem = self._wrong_steps()
        self.draw()

    def draw(self) -> None:
        """What will be trained, or why it cannot be."""
        recipe = self.recipe
        words = Word(f"✗ {self.problem}", "warning") if self.problem else None
        if words is None and recipe is not None:
            words = Word(_("{recipe} on {corpus}").format(recipe=recipe.name, corpus=recipe.corpus), "faint")
        self.query_one("#train-said", Words).left = (words,) if words else ()

    def _wrong_steps(self) -> str:
        steps = self.query_one("#train-steps", Input).value.strip()
        if not steps or (steps.isascii() and steps.isdigit() and int(steps) > 0):
            return ""
        return _("The number of steps must be a whole number above 0.")

    @on(CellOpened)
    @on(Input.Submitted)
    def start(self) -> None:
        """Enter starts the run."""
        self.problem = self._wrong_steps() if self.recipes else self.problem
        self.draw()
        if self.recipe is None or self.problem or self.starting:
            return
        self.starting = True
        steps = self.query_one("#train-steps", Input).value.strip()
        overrides = {"train.steps": steps} if steps else {}
        name = self.query_one("#train-name", Input).value.strip()
        self.nlptui.clerk.ask(StartRun(self.recipe.path, name, overrides), self.started)

    def started(self, answer: Answer) -> None:
        """It runs, or here is why not."""
        self.starting = False
        if not self.is_mounted:
            return
        if answer.error:
            self.problem = answer.error
            self.draw()
        else:
            self.dismiss(answer.result)


def _line(recipe: Recipe) -> str:
    """`pos-lstm-en   LSTM · tagging · en_ewt · 3000 steps`."""
    facts = [ARCHS.get(recipe.arch, recipe.arch), _(TASKS.get(recipe.task, recipe.task)), recipe.corpus]
    if recipe.steps:
        facts.append(_("{n} steps").format(n=recipe.steps))
    elif recipe.epochs:
        facts.append(_("{n} epochs").format(n=f"{recipe.epochs:g}"))
    return f"{recipe.name}   {' · '.join(facts)}"
