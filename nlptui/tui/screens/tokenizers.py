"""The tokenizer bench: one text, all tokenizers beside one another, and how the chosen one cuts it.

Keeps what was asked for and draws what the clerk answers; computes nothing. Below the table stand the steps
of the chosen tokenizer, its vocabulary, or BPE as it is learnt on the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.actions.binding import bindings
from nlptui.tui.once import once
from nlptui.tui.panes.bench_lists import StepList, TokenizerTable, VocabularyList
from nlptui.tui.panes.key_bar import KeyBar
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import (
    CompareTokenizers,
    LearnBpe,
    ListVocabulary,
    LookAtTokenizer,
    Nearest,
    TokenizerSteps,
    TrainTokenizer,
)
from nlptui.tui.screens.base import AppScreen, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer

SORTS = ("id", "token", "length", "score")
KEYS = ("text", "next", "vocabulary", "learn", "draw", "train", "leave")
"""What the last line names, as far as there is room, in this order."""
LOOK = 0.5
"""Seconds between two looks at a training."""
DRAWN = 8
ALPHA_STEP = 0.1


class TokenizersScreen(AppScreen):
    """The screen; `chosen` is the name of the tokenizer that the lower half is about."""

    SCOPE = "tokenizers"
    BINDINGS = bindings("tokenizers")
    CSS_PATH = "tokenizers.tcss"

    def __init__(self, text: str, chosen: str) -> None:
        super().__init__()
        self.text = text
        self.chosen = chosen
        self.mode = "steps"
        """steps, vocabulary or learn."""
        self.alpha = 1.0
        self.draws = 0
        """How often was drawn: the seed; 0: nothing is."""
        self.query_text, self.sort, self.descending = "", "id", False
        self.problem = ""
        self.trained = ""
        """The tokenizer that has just been trained."""
        self._found = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Text, table, what is below it, keys."""
        yield TooSmall()
        yield Words(id="bench-title")
        yield Prompt(self.text, id="bench-prompt")
        yield Words(id="bench-heads")
        yield TokenizerTable(id="bench-table")
        yield Words(id="bench-below")
        yield Words(id="bench-columns")
        yield StepList(id="bench-steps")
        yield VocabularyList(id="bench-vocabulary")
        yield Words(id="bench-chips")
        yield Words(id="bench-said")
        yield KeyBar(id="bench-keys")

    def on_mount(self) -> None:
        """Ask for everything."""
        self.name_parts()
        self.query_one(TokenizerTable).focus()
        self.compare()

    def redrawn(self) -> None:
        """All is new (another language)."""
        self._found = False
        self.on_mount()

    def name_parts(self) -> None:
        """What does not change with the text."""
        self.query_one("#bench-title", Words).left = (Word(_("Tokenizer bench"), "bold"),)
        self.query_one("#bench-heads", Words).left = (Word(self.query_one(TokenizerTable).heads(), "faint"),)
        scope = [action for action in self.nlptui.actions if action.scope in (self.SCOPE, "app")]
        order = {f"bench_{key}": place for place, key in enumerate(KEYS)}
        scope.sort(key=lambda action: order.get(action.id, len(order)))
        self.query_one("#bench-keys", KeyBar).show(scope)
        heads = self.query_one(VocabularyList).heads()
        self.query_one("#bench-columns", Words).left = (Word(heads, "faint"),)
        self.show_mode()

    # asking

    def compare(self) -> None:
        """All tokenizers on the text, and the lower half with them."""
        self.nlptui.clerk.ask(CompareTokenizers(self.text), self.compared)

    def compared(self, answer: Answer) -> None:
        """The rows are there."""
        if not self.is_mounted:
            return
        self.take_problem(answer)
        if answer.error:
            return
        table = self.query_one(TokenizerTable)
        names = [{row.name, *row.others} for row in answer.result]
        at = None
        if not self._found:
            self._found = True
            at = next((n for n, among in enumerate(names) if self.chosen in among), 0)
        with table.prevent(CellMoved):
            table.show(answer.result, at)
        self.take_row()

    def take_row(self) -> None:
        """The tokenizer under the cursor is the chosen one."""
        table = self.query_one(TokenizerTable)
        if table.rows:
            self.chosen = table.rows[table.row].name
            self.ask()

    def ask(self) -> None:
        """What the lower half shows."""
        request: Any
        if self.mode == "vocabulary":
            request = ListVocabulary(self.chosen, self.query_text, self.sort, self.descending)
        elif self.mode == "learn":
            request = LearnBpe(self.text)
        else:
            drawn = DRAWN if self.draws else 0
            request = TokenizerSteps(self.chosen, self.text, self.alpha, drawn, self.draws)
        self.nlptui.clerk.ask(request, self.answered)

    def answered(self, answer: Answer) -> None:
        """Steps or tokens are there."""
        if not self.is_mounted:
            return
        self.take_problem(answer)
        if answer.error:
            if not self.draws:  # what cannot be drawn leaves the steps as they are
                self.query_one(StepList).show(())
            self.draws = 0
            return
        below = self.query_one("#bench-below", Words)
        if isinstance(answer.request, ListVocabulary):
            self.query_one(VocabularyList).show(answer.result, 0)
            words = _("vocabulary of {name}: {n} tokens, by {sort}").format(
                name=visible(self.chosen), n=len(answer.result), sort=_sort_name(self.sort)
            )
            words += f"  “{visible(self.query_text)}”" if self.query_text else ""
            below.left = (Word(words, "bold"),)
        else:
            self.query_one(StepList).show(answer.result.steps)
            below.left = (Word(answer.result.title, "bold"),)
        self.draw_chips()

    def take_problem(self, answer: Answer) -> None:
        """Say what went wrong, or what is new, or nothing."""
        self.problem = answer.error
        if answer.error:
            self.say(f"✗ {answer.error}", "warning")
        elif self.trained:
            words = _('{name} is trained; a recipe takes it with [tokenizer] from = "{name}"')
            self.say(words.format(name=visible(self.trained)), "special")
        else:
            self.say("")

    def say(self, words: str, look: str = "") -> None:
        """One line about the last action."""
        self.query_one("#bench-said", Words).left = (Word(words, look),) if words else ()

    def draw_chips(self) -> None:
        """The pieces after the step under the cursor, in full width."""
        steps = self.query_one(StepList)
        line = self.query_one("#bench-chips", Words)
        shown = steps.rows[steps.row].shown if self.mode != "vocabulary" and steps.rows else ""
        line.left = (Word(shown, "accent"),) if shown else ()

    # what changes on the screen

    @on(Prompt.Changed)
    def typed(self, event: Prompt.Changed) -> None:
        """The text is another one."""
        event.stop()
        self.text, self.draws, self.trained = event.text, 0, ""
        self.compare()

    @on(Prompt.Submitted)
    def submitted(self, event: Prompt.Submitted) -> None:
        """Enter in the text goes to the table."""
        event.stop()
        self.query_one(TokenizerTable).focus()

    @on(CellMoved)
    def moved(self, event: CellMoved) -> None:
        """Another tokenizer, or another step."""
        event.stop()
        if event.widget is self.query_one(TokenizerTable):
            self.draws, self.trained = 0, ""
            self.take_row()
        else:
            self.draw_chips()

    @on(CellOpened)
    def opened(self, event: CellOpened) -> None:
        """Enter on a tokenizer goes to its steps; on a token of the vocabulary, to what is near it."""
        event.stop()
        if event.widget is self.query_one(TokenizerTable):
            self.action_bench_next()
        elif event.widget is self.query_one(VocabularyList) and self.nlptui.models:
            token = self.query_one(VocabularyList).rows[event.row].token
            if any(entry.name == self.chosen for entry in self.nlptui.models):
                self.nlptui.engine.ask(Nearest(self.chosen, token), self.neighbours_found)
            else:
                self.say(_("The vocabulary of this tokenizer belongs to no model with embeddings."))

    def neighbours_found(self, answer: Answer) -> None:
        """The tokens near one, with their cosines."""
        if not self.is_mounted:
            return
        self.take_problem(answer)
        if not answer.error and self.mode == "vocabulary":
            near = [f"{visible(one['text'])} {one['similarity']:.3f}" for one in answer.result]
            words = _("nearest to {token} in {model}: {words}").format(
                token=visible(answer.request.token),
                model=visible(answer.request.model),
                words="  ".join(near),
            )
            self.query_one("#bench-chips", Words).left = (Word(words, "accent"),)

    @on(Words.Clicked)
    async def word_clicked(self, event: Words.Clicked) -> None:
        """A click on a key does what the key does."""
        event.stop()
        await self.nlptui.run_by_id(event.action)

    def show_mode(self) -> None:
        """Which list stands below, and whether its columns have names."""
        self.query_one("#bench-columns", Words).display = self.mode == "vocabulary"
        self.query_one(StepList).display = self.mode != "vocabulary"
        self.query_one(VocabularyList).display = self.mode == "vocabulary"

    def go(self, mode: str) -> None:
        """To another mode; from it, back to the steps."""
        self.mode = "steps" if self.mode == mode else mode
        self.show_mode()
        self.query_one("#bench-chips", Words).left = ()
        self.query_one(VocabularyList if self.mode == "vocabulary" else StepList).focus()
        self.ask()

    # what the keys do

    def action_bench_text(self) -> None:
        """To the text."""
        self.query_one(Prompt).focus()

    def action_bench_leave(self) -> None:
        """Out of the text, or back to the explorer."""
        if self.query_one(Prompt).has_focus:
            self.query_one(TokenizerTable).focus()
        else:
            self.dismiss(None)

    def action_bench_next(self) -> None:
        """The other table."""
        table = self.query_one(TokenizerTable)
        below = self.query_one(VocabularyList if self.mode == "vocabulary" else StepList)
        (below if table.has_focus else table).focus()

    def action_bench_vocabulary(self) -> None:
        """The vocabulary, or the steps."""
        self.go("vocabulary")

    def action_bench_learn(self) -> None:
        """BPE learnt on the text, or the steps."""
        self.go("learn")

    def action_bench_find(self) -> None:
        """Ask which tokens to keep."""
        from nlptui.tui.screens.find import FindScreen

        def asked(query: str | None) -> None:
            if query is not None:
                self.query_text = query
                self.ask_vocabulary()

        self.app.push_screen(FindScreen(self.query_text), asked)

    def action_bench_sort(self) -> None:
        """The next order; by score where there are scores."""
        table = self.query_one(TokenizerTable)
        scored = bool(table.rows) and table.rows[table.row].kind in ("bpe", "unigram")
        sorts = SORTS if scored else SORTS[:-1]
        at = sorts.index(self.sort) if self.sort in sorts else -1
        self.sort = sorts[(at + 1) % len(sorts)]
        self.ask_vocabulary()

    def action_bench_turn(self) -> None:
        """The other way round."""
        self.descending = not self.descending
        self.ask_vocabulary()

    def ask_vocabulary(self) -> None:
        """Show the vocabulary in its present order."""
        if self.mode != "vocabulary":
            self.go("vocabulary")
        else:
            self.ask()

    def action_bench_draw(self) -> None:
        """Other segmentations."""
        self.mode, self.draws = "steps", self.draws + 1
        self.show_mode()
        self.ask()

    def action_bench_less(self) -> None:
        """A lower alpha."""
        self.turn_alpha(-ALPHA_STEP)

    def action_bench_more(self) -> None:
        """A higher alpha."""
        self.turn_alpha(ALPHA_STEP)

    def turn_alpha(self, step: float) -> None:
        """Another exponent of the probabilities."""
        self.alpha = round(min(10.0, max(0.0, self.alpha + step)), 1)
        if self.mode == "steps":
            self.ask()

    # training

    def action_bench_train(self) -> None:
        """Ask what to train."""
        from nlptui.tui.screens.train_tokenizer import TrainTokenizerScreen

        def asked(request: TrainTokenizer | None) -> None:
            if request is not None:
                self.nlptui.clerk.ask(request, self.looked_at)

        self.app.push_screen(TrainTokenizerScreen(), asked)

    def looked_at(self, answer: Answer) -> None:
        """How far the training is; look again while it runs, and take the tokenizer in when it is done."""
        if not self.is_mounted:
            return
        if answer.error:
            self.take_problem(answer)
            return
        name, progress = answer.result
        if progress.state == "running":
            self.say(
                _("training {name}: {share}").format(name=name, share=f"{progress.share:.0%}"), "special"
            )
            self._timer = once(self, LOOK, self.look)
        elif progress.state == "failed":
            self.say(f"✗ {visible(progress.said)}", "warning")
        elif name:
            self.chosen, self._found, self.trained = name, False, name
            self.compare()

    def look(self) -> None:
        """How far is the training?"""
        self.nlptui.clerk.ask(LookAtTokenizer(), self.looked_at)


def _sort_name(sort: str) -> str:
    return {"id": _("id"), "token": _("token"), "length": _("length"), "score": _("score")}[sort]
