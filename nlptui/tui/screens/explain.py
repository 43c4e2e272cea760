"""How a number was made: formula, terms, what they add up to, and what the run recorded. Every term can be
opened in turn.

Keeps the trail of numbers opened; asks the workbench for each. Computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from nlptui.locale import _
from nlptui.tui.actions.binding import bindings
from nlptui.tui.panes.key_bar import KeyBar
from nlptui.tui.panes.term_list import TermList, element
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.place import Place
from nlptui.tui.requests import Explain
from nlptui.tui.screens.base import AppScreen, TooSmall
from nlptui.tui.widgets.messages import CellOpened
from nlptui.views.figure import Origin

if TYPE_CHECKING:
    from nlptui.tui.answers import Explained
    from nlptui.tui.backend import Answer

TOLERANCE = 1e-5
"""How far, relative to max(1, |value|), the explained value may be from the recorded one."""


@dataclass
class Stop:
    """A number on the trail, and the term that was under the cursor there."""

    explained: Explained
    term: int = 0


class ExplainScreen(AppScreen):
    """One number and its terms."""

    BINDINGS = bindings("explain")
    CSS_PATH = "explain.tcss"

    def __init__(self, place: Place, origin: Origin, minus: Origin | None = None) -> None:
        super().__init__()
        self.place = place
        self.first = origin
        self.minus = minus
        """The number of B, where the first question is about A − B."""
        self.trail: list[Stop] = []
        self.by_size = False
        """Whether the terms stand by the size of what they add, not in the order of the formula."""
        self.problem = ""

    def compose(self) -> ComposeResult:
        """Trail, number, formula, terms, sum, keys."""
        yield TooSmall()
        yield Words(id="trail")
        with Vertical(id="number"):
            yield Words(id="value")
            yield Static(id="notation", markup=False)
            yield Words(id="formula")
        yield Words(id="heads")
        yield TermList(id="terms")
        yield Words(id="total")
        yield Words(id="said")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Ask for the first number."""
        self.name_keys()
        self.query_one(TermList).focus()
        self.ask(self.first, self.minus)

    def redrawn(self) -> None:
        """All lines are new (another language): fill them."""
        self.name_keys()
        self.query_one(TermList).focus()
        self.draw()

    def name_keys(self) -> None:
        """The keys that hold here."""
        scope = [a for a in self.nlptui.actions if a.scope in ("explain", "app") or a.id == "cursor.open"]
        self.query_one(KeyBar).show(scope)

    def ask(self, origin: Origin, minus: Origin | None = None) -> None:
        """How was this one made?"""
        self.nlptui.engine.ask(Explain(self.place, origin, minus), self.answered)

    def run_of(self, term: int) -> int:
        """The run that a term of the number on screen belongs to."""
        explained = self.trail[-1].explained
        return explained.traces[term] if explained.traces else explained.origin.trace

    def answered(self, answer: Answer) -> None:
        """Put the number at the end of the trail."""
        if not self.is_mounted:
            return
        self.problem = answer.error
        if not answer.error:
            self.leave_mark()
            self.trail.append(Stop(answer.result))
        self.draw()

    def on_resize(self) -> None:
        """The columns have another width."""
        if self.is_mounted:
            self.leave_mark()
            self.call_after_refresh(self.draw)

    def leave_mark(self) -> None:
        """Remember the term under the cursor, for the way back."""
        if self.trail:
            self.trail[-1].term = self.query_one(TermList).term or 0

    def draw(self) -> None:
        """Draw the number at the end of the trail."""
        said = self.query_one("#said", Words)
        said.left = (Word(f"✗ {self.problem}", "warning"),) if self.problem else ()
        said.set_class(bool(self.problem), "-said")
        if not self.trail:
            return
        stop = self.trail[-1]
        derivation = stop.explained.derivation
        self.query_one("#trail", Words).left = tuple(self._trail())
        self.query_one("#value", Words).left = (
            Word(element(derivation.name, derivation.index), "accent"),
            Word(f" = {precise(derivation.value)}", "bold"),
            Word(f"   {stop.explained.where}", "faint"),
        )
        self.query_one("#notation", Static).update(
            derivation.notation or made_by(stop.explained.kind, derivation.name)
        )
        formula = self.query_one("#formula", Words)
        formula.left = (
            (Word(f"{_('recorded as')} {derivation.formula}", "faint"),) if derivation.formula else ()
        )
        terms = self.query_one(TermList)
        terms.show(stop.explained, self.by_size, stop.term)
        self.query_one("#heads", Words).left = (Word(terms.heads(), "faint"),)
        self.query_one("#total", Words).left = tuple(sum_words(stop.explained))

    def _trail(self) -> list[Word]:
        words = [Word(_("How this number was made"), "bold"), Word("   ")]
        names = [stop.explained.derivation.name for stop in self.trail]
        shown = names[-4:]
        words += [Word("… ▸ ", "faint")] if len(names) > 4 else []
        for number, name in enumerate(shown, len(names) - len(shown)):
            last = number == len(names) - 1
            words += [
                Word(element(name, ()), "accent" if last else "faint", "" if last else f"stop:{number}")
            ]
            words += [] if last else [Word(" ▸ ", "faint")]
        return words

    # what the keys do

    @on(CellOpened)
    def term_opened(self, event: CellOpened) -> None:
        """Open the term under the cursor."""
        event.stop()
        number = self.query_one(TermList).term
        if number is not None:
            term = self.trail[-1].explained.derivation.terms[number]
            self.ask(Origin(term.name, tuple(term.index), self.run_of(number)))

    def action_open_factor(self) -> None:
        """Open the factor of the term under the cursor."""
        number = self.query_one(TermList).term
        term = self.trail[-1].explained.derivation.terms[number] if number is not None else None
        if number is not None and term is not None and term.factor_name and term.factor_index is not None:
            self.ask(Origin(term.factor_name, tuple(term.factor_index), self.run_of(number)))

    def action_term_back(self) -> None:
        """The number before; from the first one, the view."""
        self.problem = ""
        if len(self.trail) > 1:
            self.trail.pop()
            self.draw()
        else:
            self.action_close_explain()

    def action_close_explain(self) -> None:
        """The view."""
        self.dismiss(None)

    def action_sort_terms(self) -> None:
        """As computed, or by size."""
        self.by_size = not self.by_size
        self.leave_mark()
        self.draw()

    def action_locate_number(self) -> None:
        """The whole activation that this number is an element of."""
        if self.trail and not self.trail[-1].explained.traces:
            self.nlptui.show_activation(self.trail[-1].explained.derivation.name)
            self.dismiss(None)

    def action_edit_term(self) -> None:
        """Ask what to do with the term under the cursor, or with the number itself where it has no terms."""
        if not self.trail:
            return
        stop, number = self.trail[-1], self.query_one(TermList).term
        origin = stop.explained.origin
        if number is not None:
            term = stop.explained.derivation.terms[number]
            origin = Origin(term.name, tuple(term.index), self.run_of(number))
        self.problem = self.nlptui.explorer.edit_opened(origin, self.edited)
        self.draw()

    def edited(self) -> None:
        """The number on screen, of the run with the edit; those before it on the trail were of another."""
        self.place = self.nlptui.explorer.place
        last = self.trail[-1].explained
        self.trail = []
        self.ask(*((self.first, self.minus) if last.traces else (last.origin,)))

    def action_copy_term(self) -> None:
        """Copy name, index and value."""
        if self.trail:
            derivation = self.trail[-1].explained.derivation
            self.nlptui.copy(f"{element(derivation.name, derivation.index)} = {precise(derivation.value)}")

    @on(Words.Clicked)
    async def word_clicked(self, event: Words.Clicked) -> None:
        """A click on the trail goes back to there; on a key, it does what the key does."""
        event.stop()
        kind, _colon, number = event.action.partition(":")
        if kind == "stop":
            self.trail = self.trail[: int(number) + 1]
            self.draw()
        else:
            await self.nlptui.run_by_id(event.action)


def precise(value: float) -> str:
    """Nine digits: as many as tell any two float32 numbers apart."""
    return f"{value:.9g}"


FROM_THE_TOKENIZER = ("ids", "chars", "segments", "segment_ids")
"""Inputs that are what a tokenizer makes of a text; others hold what was found, edited or asked for."""


def made_by(kind: str, name: str) -> str:
    """Why a number has no terms."""
    if kind == "parameter":
        return _("A parameter: training found this number; it is the same for every text.")
    if kind == "input" and name.rsplit(".", 1)[-1] in FROM_THE_TOKENIZER:
        return _("An input: the tokenizer made it of the text.")
    if kind == "input":
        return _("given, not computed: nothing to open")
    return _("A constant.")


def sum_words(explained: Explained) -> list[Word]:
    """`Σ 0.4127   recorded 0.4127   |Δ| 3e-9`."""
    derivation = explained.derivation
    if not derivation.terms:
        return []
    gap = abs(derivation.total - derivation.value) if derivation.total != derivation.value else 0.0
    close = gap <= TOLERANCE * max(1.0, abs(derivation.value)) or (
        gap != gap and derivation.total != derivation.total
    )
    sign = _("Σ value × factor") if derivation.sums else _("comes to")
    return [
        Word(f"{sign} = {precise(derivation.total)}", "bold"),
        Word(f"   {_('recorded')} {precise(derivation.value)}"),
        Word(f"   |Δ| = {gap:.1e}", "tag" if close else "warning"),
        Word(f"   {_('terms: {n}').format(n=len(derivation.terms))}", "faint"),
    ]
