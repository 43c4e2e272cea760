"""The explorer: a sentence on top, the view in the middle, the answer beside it, training runs at the bottom.

Holds the place where the person is and the last answer of the workbench, and keeps the panes in step with
both. What the
keys do stands in the mixins beside this file; what they mean, in `walk`. Computes nothing: figures come from
the backend.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui import walk
from nlptui.tui.actions.binding import bindings
from nlptui.tui.backend import Answer, Phase, Progress
from nlptui.tui.colours import palette_of
from nlptui.tui.once import once
from nlptui.tui.panes.figure_pane import FigurePane, keep_name
from nlptui.tui.panes.key_bar import KeyBar
from nlptui.tui.panes.reading_line import ReadingLine
from nlptui.tui.panes.run_panel import RunPanel
from nlptui.tui.panes.term_list import element
from nlptui.tui.panes.title_line import TitleLine
from nlptui.tui.panes.view_tabs import RECURRENT, ViewTabs
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.place import Place
from nlptui.tui.requests import Show
from nlptui.tui.screens.base import AppScreen, TooSmall, size_classes
from nlptui.tui.screens.explorer_edits import EditActions
from nlptui.tui.screens.explorer_runs import RunActions
from nlptui.tui.screens.explorer_snapshots import SnapshotActions
from nlptui.tui.screens.explorer_views import ViewActions
from nlptui.tui.screens.explorer_writing import WritingActions
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.tui.widgets.prompt import Prompt
from nlptui.tui.widgets.readout import Readout
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views import describe
from nlptui.views.figure import Figure, HeatTable, Origin, Thumbnails, Tokens

if TYPE_CHECKING:
    from nlptui.tui.answers import Shown
    from nlptui.views.figure import Part

PAUSE = 0.002
"""Seconds that the cursor rests on a token before what depends on the token is drawn again."""
LATE = 0.2
"""Seconds after which an answer that is not there yet is worth a word in the title."""
SLOW_PAUSE = 0.3
"""Seconds without a key before the sentence is run, where bytes are dear."""
FLAT = 20
"""Lines of the screen below which the tokens' ids and most of the panel of runs are left out."""
TOKEN_AXES = ("pos", "query", "key", "src", "tgt")


class ExplorerScreen(ViewActions, EditActions, WritingActions, RunActions, SnapshotActions, AppScreen):
    """The screen that the program opens with."""

    BINDINGS = bindings("explorer")
    AUTO_FOCUS = ""

    def __init__(self, place: Place) -> None:
        super().__init__(classes=size_classes(*shutil.get_terminal_size()))
        self.place = place
        self.asked = place
        """The place as it was when the workbench was last asked."""
        self.furnished = False
        """Whether all panes are there; keys wait for it."""
        self.shown: Shown | None = None
        self.problem = ""
        """Why the place asked for is not the one shown; empty if it is."""
        self.note = ""
        """One sentence about the last action."""
        self.back: list[Place] = []
        """Views left by Enter or by a key, for Backspace."""
        self.shades: bool = False
        """Whether tables are drawn as shades, not numbers."""
        self.runs_open: bool = False
        self.working = False
        self._newest: Shown | None = None
        """The answer that is to be drawn next."""
        self._drawing = False
        self.progress: Progress | None = None
        """How far a long answer is."""
        self.sought = ""
        """What was looked for last."""
        self._said: list[Word] | None = None
        self._look: Timer | None = None
        self._late: Timer | None = None
        self._pause: Timer | None = None
        self._opening: Place | None = place
        """The place that a cell cursor has still to be put on, at the start and after going back."""

    def compose(self) -> ComposeResult:
        """The panes from top to bottom; before the first paint, only what there is something to say in."""
        yield TooSmall()
        yield TitleLine(id="title")
        pause: dict[str, Any] = {"pause": SLOW_PAUSE} if self.nlptui.low_bandwidth else {}
        yield Prompt(self.place.text, history=self.nlptui.settings.history, id="prompt", **pause)
        yield from self.upper_panes() if self.furnished else ()
        yield Words(id="waiting")
        yield from self.lower_panes() if self.furnished else ()
        yield KeyBar(id="keys")

    def upper_panes(self) -> list[Widget]:
        """What stands between the prompt and the view."""
        return [TokenRow(id="tokens"), ReadingLine(id="reading"), ViewTabs(id="tabs")]

    def lower_panes(self) -> list[Widget]:
        """The view with all that stands beside and below it."""
        view = Vertical(FigurePane(id="figure"), Static(id="caption", markup=False), id="view")
        answer = Vertical(Words(id="answer-title"), FigurePane(id="output"), id="answer")
        return [
            Horizontal(TraceTree(id="tree"), view, answer, id="middle"),
            Static(id="notice", markup=False),
            Words(id="exact"),
            Readout(id="readout"),
            RunPanel(id="runs"),
        ]

    def on_resize(self, event: events.Resize) -> None:
        """Leave things out where there are few lines."""
        self.set_class(event.size.height < FLAT, "-flat")

    def on_mount(self) -> None:
        """Show what is known before anything is loaded; the backends start after this is painted."""
        self.query_one(KeyBar).show(self.nlptui.actions)
        self.draw_title()
        self.query_one("#waiting", Words).left = (
            Word(_("The engine is loading. You can type already; the numbers follow."), "faint"),
        )

    async def furnish(self) -> None:
        """Put the other panes in, after the first paint."""
        with self.app.batch_update():
            await self.mount(*self.upper_panes(), after="#prompt")
            await self.mount(*self.lower_panes(), before="#keys")
            self.furnished = True
            self.fill_panes()

    def fill_panes(self) -> None:
        """What the panes say before there is a run."""
        self.draw_notice()
        self.draw_readout()
        self.query_one("#answer-title", Words).left = (Word(_("output"), "bold"),)
        panel = self.query_one(RunPanel)
        panel.draw()
        if self.runs_open:
            panel.toggle()
        for pane in self.query(FigurePane):
            pane.shades = self.shades
        pane = self.query_one("#figure", FigurePane)
        pane.can_focus = True
        pane.focus()

    # asking and showing

    def go(self, place: Place, *, remember: bool = False) -> None:
        """Ask for another place; it shows when the answer is there."""
        if remember and self.place.view:
            self.back = [*self.back[-20:], self.place]
        self.place = place
        prompt = self.query_one(Prompt)
        if prompt.text != place.text:
            prompt.text = place.text
        self.ask()

    @property
    def pending(self) -> bool:
        """Whether something was typed, moved or asked for that is not on screen yet."""
        prompt = self.query_one(Prompt)
        return self.working or self._pause is not None or prompt.text != self.place.text

    def ask(self) -> None:
        """Ask for the present place (again)."""
        self.working, self.progress = True, None
        if self._late is None:
            self._late = once(self, LATE, self.draw_title)
        self.asked = self.place
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        self.nlptui.engine.ask(Show(self.place), self.answered)

    def answered(self, answer: Answer) -> None:
        """The workbench's answer to the newest request."""
        self.working, self.progress = False, None
        if self._late is not None:
            self._late.stop()
            self._late = None
        if answer.cancelled:
            if self.shown is not None:  # what is on screen is what is asked for again
                self.place = replace(self.shown.place, row=self.place.row, col=self.place.col)
            self.say(_("Cancelled."))
            self.draw_title()
            return
        if answer.error:
            self.problem = answer.error
            last = self.nlptui.settings.last.get("model")
            if self.shown is None and self.place.model and self.place.model == last:
                # The model of the last session is gone: begin with another one.
                self.go(replace(self.place, model=""))
                self.say(answer.error)
                return
            self.draw_title()
            self.draw_notice()
            return
        self.problem = ""
        self._newest = answer.result
        if not self._drawing:
            self._drawing = True
            self.run_worker(self.take_newest(), group="take", exit_on_error=True)

    async def take_newest(self) -> None:
        """Draw the newest answer, and one that comes meanwhile after it, unless another is asked for by then.

        Nothing is broken off in the middle: Textual ends with it the widgets that are being removed.
        """
        try:
            while (shown := self._newest) is not None:
                self._newest = None
                if not self.working:
                    await self.take(shown)
        finally:
            self._drawing = False

    async def take(self, shown: Shown) -> None:
        """Draw everything of `shown` that differs from what is on screen."""
        before, self.shown = self.shown, shown
        self.add_class("-shown")
        # The cursor may have moved while the answer was made.
        here = self.place
        moved: dict[str, Any] = {}
        if here.position != self.asked.position:
            moved = {"position": here.position, "chosen": here.chosen}
        self.place = replace(shown.place, row=here.row, col=here.col, part=here.part, **moved)
        self.draw_title()
        self.notice_snapshots()
        self.draw_notice()
        self.note_unfit()
        self.query_one(ViewTabs).show(shown)
        self.draw_tokens(shown)
        self.query_one(ReadingLine).show(shown.reading, shown.place.reading)
        tree = self.query_one(TraceTree)
        if before is None or before.tree is not shown.tree:
            keep_name(tree, shown.tree)
        await self.draw_figure(before, shown)
        await self.query_one("#output", FigurePane).show(Figure("output", "", shown.output))
        self.draw_readout()

    async def draw_figure(self, before: Shown | None, shown: Shown) -> None:
        """The view itself; the cursor stays where it was as long as the view is the same."""
        pane = self.query_one("#figure", FigurePane)
        same = before is not None and (before.place.view, before.place.name) == (
            shown.place.view,
            shown.place.name,
        )
        if before is None or before.figure is not shown.figure:
            await pane.show(shown.figure, keep=same)
        opening, self._opening = self._opening, None
        if opening is not None and shown.place.view == (opening.view or shown.place.view):
            pane.choose(opening.part, focus=False)
            pane.move_to(opening.row, opening.col)
        elif not same:
            with pane.prevent(CellMoved):  # the cursor begins anew; the chosen token stays
                pane.move_to(0, 0)
        if before is None or before.figure.caption != shown.figure.caption:
            # A figure without parts says why in its own place.
            caption = shown.figure.caption if shown.figure.parts else ""
            self.query_one("#caption", Static).update(Text(caption))
        self.set_class(shown.place.view == "tree", "-tree")
        if self.focused is None or self.focused is pane:
            pane.take_focus()

    def draw_tokens(self, shown: Shown) -> None:
        """The tokens on top, with the chosen one marked."""
        row = self.query_one("#tokens", TokenRow)
        row.set_class(any(token.tag is not None for token in shown.tokens.tokens), "tagged")
        with row.prevent(CellMoved):  # nobody has chosen another token
            if row.part != shown.tokens:
                row.part = shown.tokens
            if row.row != shown.place.position:
                row.move_to(shown.place.position)

    def draw_title(self) -> None:
        """Model and state."""
        title = self.query_one(TitleLine)
        title.show_model(
            self.place.model,
            self.shown if self.shown and self.shown.place.model == self.place.model else None,
        )
        title.show_state(
            self.nlptui.engine.backend.state,
            self.shown.seconds if self.shown else None,
            self.working,
            (self.progress.done, self.progress.pieces) if self.progress else None,
        )

    def draw_notice(self) -> None:
        """What holds until something changes: a problem, or what is special about this run."""
        said = [Word(f"✗ {self.problem}", "warning")] if self.problem else []
        if self.problem and self.place.edits:
            said.append(Word(f"  {_('X takes back all edits.')}", "accent"))
        if not said and self.shown is not None:
            said = [Word("  ".join(self.shown.notices), "special")] if self.shown.notices else []
            if self.place.pinned is not None:
                said.insert(0, Word(f"A = {_pinned(self.place.pinned, self.shown)}  ", "accent"))
            said = [*self.snapshot_words(), *said]
        if said == self._said:
            return
        self._said = said
        line = self.query_one("#notice", Static)
        text = Text()
        for word in said:
            text.append(word.text, palette_of(self.app).word(word.look))
        line.update(text)
        line.set_class(bool(said), "-said")

    def say(self, sentence: str) -> None:
        """One sentence about the last action, in place of the read-out until the next key."""
        self.note = sentence
        self.draw_readout()

    def on_key(self) -> None:
        """The next key: the last sentence has been read."""
        if self.note:
            self.say("")

    def draw_readout(self) -> None:
        """The number under the cursor in full, and what it means, or a sentence about the last action."""
        readout, exact = self.query_one(Readout), self.query_one("#exact", Words)
        pane = self.active_pane()
        figure = pane.figure if self.shown is not None else None
        if figure is None or pane.box is None or getattr(pane.widget, "empty", False):
            figure, exact.left = None, ()
        else:
            self.draw_exact(pane)  # under a sentence, too, the number is that of the run on screen
        if self.note:
            readout.text = f"» {self.note}"
        elif figure is None:
            readout.clear()
        else:
            readout.show(figure, pane.current, *pane.cell)

    def draw_exact(self, pane: FigurePane) -> None:
        """The number under the cursor of `pane`, its name and shape."""
        assert self.shown is not None and pane.box is not None
        origin = self.origin()
        shape = shape_of(self.shown, origin.name) if origin else ""
        name = element(origin.name, origin.index) if origin and origin.index else ""
        name = name or ("" if origin else pane.box.part.title)
        compared = self.shown.place.pinned is not None and pane.id == "figure"
        run = "AB"[origin.trace] if origin is not None and origin.trace < 2 and compared else ""
        self.query_one("#exact", Words).left = (
            *((Word(f"{run}  ", "special"),) if run else ()),
            Word(f"{self.cell_text()}  ", "bold accent"),
            Word("   ".join(filter(None, (name, shape))), "faint"),
        )

    def about(self) -> tuple[tuple[str, str], ...]:
        """What the view shows and what the number under the cursor means, in full."""
        pane = self.active_pane()
        figure = pane.figure
        if self.shown is None or figure is None:
            return ()
        view = self.shown.figure
        told = [(view.title, view.caption)]
        if pane.box is not None and not getattr(pane.widget, "empty", False):
            told += [(pane.box.part.title, describe(figure, pane.current, *pane.cell))]
        return tuple((title, sentence) for title, sentence in told if sentence)

    def active_pane(self) -> FigurePane:
        """The pane that the keyboard is in: the output if it has the focus, the view otherwise."""
        output = self.query_one("#output", FigurePane)
        return output if output.has_focus_within else self.query_one("#figure", FigurePane)

    def origin(self) -> Origin | None:
        """What the number under the cursor is an element of."""
        pane = self.active_pane()
        if pane.box is None or getattr(pane.widget, "empty", False):
            return None
        return pane.box.part.origin(*pane.cell)

    # what the app asks of it

    def progressed(self, progress: Progress) -> None:
        """A long answer is so far; Esc ends it."""
        self.progress = progress
        self.draw_title()

    def phase_changed(self, phase: Phase) -> None:
        """The engine loads, is ready, or has failed."""
        if phase.state == "failed":
            self.working = False
            self.problem = phase.detail
            words = _("The engine has failed. What needs no model still works.")
            self.query_one("#waiting", Words).left = (Word(words, "warning"),)
        self.draw_title()
        if self.furnished:
            self.draw_notice()

    def redrawn(self) -> None:
        """All panes are new (another language): fill them."""
        shown, self.shown = self.shown, None
        self._said = None
        self._opening = self.place
        self.remove_class("-shown")
        self.on_mount()
        self.fill_panes()
        if shown is not None:
            self.ask()
        self.look_at_runs()

    def open_view(self, name: str) -> None:
        """A view by its name."""
        self.go(walk.to_view(self.place, name), remember=True)

    def open_activation(self, name: str) -> None:
        """One activation, input or parameter as a table."""
        self.go(walk.to_view(self.place, "activation", name), remember=True)

    def standing(self) -> Shown:
        """What is shown, seen from the place that was asked for last: keys pressed quickly add up."""
        assert self.shown is not None
        return replace(self.shown, place=self.place)

    # messages of the panes

    @on(Prompt.Changed)
    def text_changed(self, event: Prompt.Changed) -> None:
        """Run the sentence; the prompt says so once the typing pauses."""
        self.writing = False
        self.go(replace(self.place, text=event.text, written=None))

    @on(Prompt.Submitted)
    def text_submitted(self, event: Prompt.Submitted) -> None:
        """Enter in the prompt goes to the view."""
        self.nlptui.remember_text(event.text)
        self.focus_view()

    @on(CellMoved)
    def cell_moved(self, event: CellMoved) -> None:
        """Keep the place, the read-out and the chosen token in step with the cursor."""
        event.stop()
        if event.widget is self.query_one("#tokens"):
            self.token_chosen(event.row)
            return
        pane = self.query_one("#figure", FigurePane)
        number = pane.part_of(event.widget)
        if number is not None:
            if number != pane.current:
                pane.choose(number, focus=False)
            self.place = replace(self.place, part=number, row=event.row, col=event.col)
            self.follow_token(pane.box.part if pane.box else None, event.row, event.col)
        self.draw_readout()

    def follow_token(self, part: Part | None, row: int, col: int) -> None:
        """The token of the cursor's row or column becomes the chosen one; a table that is about the chosen
        one stays with it.
        """
        if about_one_token(part):
            return
        if isinstance(part, Tokens):
            self.token_chosen(row)
        axis = getattr(part, "row_axis", ""), getattr(part, "col_axis", "")
        if axis[0] in TOKEN_AXES:
            self.token_chosen(row)
        elif axis[1] in TOKEN_AXES:
            self.token_chosen(col)

    def token_chosen(self, position: int) -> None:
        """Another token is the chosen one; what depends on it is drawn again after a moment."""
        if self.shown is None or position == self.place.position:
            return
        self.place = replace(self.place, position=walk.to_token(self.shown, position).position, chosen=True)
        self.query_one("#tokens", TokenRow).move_to(self.place.position)
        if self._pause is not None:
            self._pause.stop()
        self._pause = once(self, PAUSE, self.ask)

    @on(CellOpened)
    def cell_opened(self, event: CellOpened) -> None:
        """Enter on a cell: how that number was made; on a line of the tree: that activation."""
        event.stop()
        widget = event.widget
        part = getattr(widget, "part", None)
        origin = part.origin(event.row, event.col) if part is not None else None
        if isinstance(widget, TraceTree):
            if origin is not None:
                self.go(walk.to_view(self.place, "activation", origin.name), remember=True)
        elif isinstance(part, Thumbnails):
            layer, head = divmod(event.row, part.columns)
            place = walk.to_view(self.place, "attention")
            self.go(replace(place, layer=layer, head=head), remember=True)
        elif isinstance(part, HeatTable) and (pair := part.difference(event.row, event.col)):
            self.nlptui.explain(self.place, *pair)
        elif origin is None:
            self.say(_("This number is no element of the run, so there is nothing to open."))
        else:
            self.nlptui.explain(self.place, origin)

    @on(Words.Clicked)
    async def word_clicked(self, event: Words.Clicked) -> None:
        """A click on a key, a tab or an offer does what the key does."""
        event.stop()
        await self.nlptui.run_by_id(event.action)


def about_one_token(part: Part | None) -> bool:
    """Whether a table is of one position, whatever tokens its rows or columns are: the keys of one query, or
    what an analysis `at_5` found.
    """
    source = getattr(part, "source", None)
    first = next(iter(source), None) if isinstance(source, tuple) else source
    held = {fixed.axis for fixed in getattr(part, "fixed", ())}
    return not held.isdisjoint(TOKEN_AXES) or (first is not None and ".at_" in first.name)


def shape_of(shown: Shown, name: str) -> str:
    """`head 4 × query 7 × key 7`, of an activation."""
    line = next((row for row in shown.tree.rows if row.path == name and row.shape is not None), None)
    if line is None or line.shape is None:
        return ""
    return " × ".join(
        f"{axis} {size}" for axis, size in zip(line.axes, line.shape, strict=False) if axis != "batch"
    )


def _pinned(pinned: Place, shown: Shown) -> str:
    """In what the pinned run differs from the one shown, and where it stays behind."""
    place = shown.place
    differs = [pinned.model] if pinned.model != place.model else []
    text = pinned.text if len(pinned.text) <= 60 else f"{pinned.text[:59]}…"
    differs += [f"“{text}”"] if pinned.text != place.text else []
    edits = tuple(edit for edit in place.edits if edit not in shown.unfit)
    differs += [_("edited") if pinned.edits else _("not edited")] if pinned.edits != edits else []
    if pinned.pooling != place.pooling:
        differs += [_("pooled by {name}").format(name=visible(pinned.pooling))]
    layer, head = place.a_stays or (place.layer, place.head)
    differs += [_("layer {n}").format(n=layer)] if layer != place.layer else []
    if head != place.head:
        words = _("direction {n}") if shown.model.arch in RECURRENT else _("head {n}")
        differs += [words.format(n=head)]
    return " ".join(differs) or _("this run: choose another model, sentence, edit, layer or head")
