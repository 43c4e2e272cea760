"""The edits in force, those switched off for a while, and those that do not fit the text at hand: switch
each, take it back, or see what it changes.

Knows nothing of the engine: an edit is a line of text, and whoever opens this is told of every change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.actions.binding import bindings
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.messages import CellMoved, CellOpened

Edits = tuple[str, ...]


class EditList(ChoiceList):
    """Each edit with a mark that says whether it is in force."""

    off: frozenset[str] = frozenset()
    unfit: frozenset[str] = frozenset()

    def row_segments(self, row: int) -> list[Segment]:
        """The mark, and the edit."""
        edit = self.choices[row][0]
        mark, look = ("!", "warning") if edit in self.unfit else ("x", "")
        mark, look = (" ", "faint") if edit in self.off else (mark, look)
        words = fit(f"[{mark}] {visible(edit)}", self.size.width)
        if row == self.row:
            return [Segment(words, self.cursor_style)]
        return [Segment(words, self.palette.word(look) if look else None)]


class EditsScreen(Dialog):
    """The list. Answers with the name of what an edit changes, where Enter asked to see it."""

    CSS_PATH = "edits.tcss"
    BINDINGS = bindings("edits")

    def __init__(
        self,
        edits: Sequence[str],
        off: Sequence[str],
        changed: Callable[[Edits, Edits], None],
        unfit: Mapping[str, str],
    ) -> None:
        super().__init__()
        self.unfit = unfit
        self.edits, self.off = list(dict.fromkeys((*edits, *off))), set(off)
        self.changed = changed

    def compose(self) -> ComposeResult:
        """Title, list, keys."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="edits-title")
            yield EditList((), id="edits-list")
            yield Static(id="edits-said", markup=False)
            yield Words(id="edits-keys")

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one("#edits-title", Words).left = (Word(_("Edits"), "bold"),)
        self.query_one("#edits-keys", Words).left = (
            Word("Space", "accent"), Word(f" {_('on or off')}   "),
            Word("d", "accent"), Word(f" {_('take back')}   "),
            Word("Enter", "accent"), Word(f" {_('show it')}   "),
            Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.fill()
        self.query_one(EditList).focus()

    def fill(self) -> None:
        """The list as it stands; the cursor keeps its line."""
        listing = self.query_one(EditList)
        row = listing.row
        listing.off, listing.unfit = frozenset(self.off), frozenset(self.unfit)
        listing.show([(edit, edit) for edit in self.edits])
        listing.move_to(min(row, len(self.edits) - 1))
        self.draw()

    def note_unfit(self, unfit: Mapping[str, str]) -> None:
        """The run with the edits as they are now is there: these fit nothing of it."""
        if unfit != self.unfit:
            self.unfit = unfit
            self.fill()

    @on(CellMoved)
    def draw(self) -> None:
        """Why the edit under the cursor is out of force, where it is without being switched off."""
        listing = self.query_one(EditList)
        edit = listing.key if self.edits else ""
        reason = "" if edit in self.off else self.unfit.get(edit, "")
        said = self.query_one("#edits-said", Static)
        said.update(f"[!] {reason}" if reason else "")
        said.display = bool(reason)

    def tell(self) -> None:
        """What is in force now, in the order in which the edits were made."""
        self.fill()
        self.changed(
            tuple(edit for edit in self.edits if edit not in self.off),
            tuple(edit for edit in self.edits if edit in self.off),
        )

    def action_toggle_edit(self) -> None:
        """Off where it is in force, in force where it is off."""
        self.off ^= {self.query_one(EditList).key}
        self.tell()

    def action_remove_edit(self) -> None:
        """For good; after the last one the dialog closes."""
        edit = self.query_one(EditList).key
        self.edits.remove(edit)
        self.off.discard(edit)
        self.tell()
        if not self.edits:
            self.dismiss(None)

    @on(CellOpened)
    def opened(self, event: CellOpened) -> None:
        """The activation that the edit changes."""
        event.stop()
        self.dismiss(self.query_one(EditList).key.partition("=")[0].partition("[")[0])
