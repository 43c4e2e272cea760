"""What the explorer's keys do about numbers: edit, undo, compare, copy, export.

A mixin of `ExplorerScreen`. An edit is a line of text as on the command line; the engine makes it while the
network runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui import walk
from nlptui.tui.panes.figure_pane import FigurePane
from nlptui.views.figure import HeatTable, Origin
from nlptui.views.names import UNEDITED

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer
    from nlptui.tui.screens.explorer import ExplorerScreen


class EditActions:
    """Edits, comparison, copying, exporting."""

    def action_edit_number(self: ExplorerScreen) -> None:
        """Ask what to do with the number under the cursor, or with more around it."""
        origin = self.origin() or self.origin_of_difference()
        if origin is None or self.shown is None:
            self.say(_("This number is no element of the run, so it cannot be edited."))
            return
        if origin.trace > 1:
            self.say(_("This number is another model's; open that model (m) to edit it."))
            return
        origin = replace(origin, name=origin.name.removesuffix(UNEDITED))
        if self.axes_of(origin.name) is None:
            self.edit_behind(origin)
        else:
            self.choose_edit(origin, self.source_of_cursor())

    def origin_of_difference(self: ExplorerScreen) -> Origin | None:
        """Of a difference under the cursor, the number that belongs to the run on screen."""
        pane = self.active_pane()
        part = pane.box.part if pane.box else None
        pair = part.difference(*pane.cell) if isinstance(part, HeatTable) else None
        return next((origin for origin in pair or () if origin.trace == 1), None)

    def axes_of(self: ExplorerScreen, name: str) -> tuple[str, ...] | None:
        """The axes of a parameter, or of what this run computed, as `name`; None where it is neither."""
        if self.shown is None:
            return None
        rows = self.shown.tree.rows
        found = (row.axes for row in rows if row.path == name and row.leaf and not row.given)
        return next(found, self.shown.editable.get(name))

    def edit_behind(self: ExplorerScreen, number: Origin) -> None:
        """Edit what a number of an analysis was made of: its first term that the network computes, or one
        behind its first term; where there is none of these, its first parameter.
        """
        from nlptui.tui.requests import Explain

        def explained(answer: Answer) -> None:
            terms = () if answer.error or answer.cancelled else answer.result.derivation.terms
            editable = [term for term in terms if self.axes_of(term.name) is not None]
            computed = [term for term in editable if term.kind != "parameter"]
            if self.app.screen is not self:
                return
            if not computed and terms and terms[0].name.startswith("analysis."):
                asked(Origin(terms[0].name, tuple(terms[0].index), number.trace))
            elif behind := [*computed, *editable]:
                self.choose_edit(Origin(behind[0].name, tuple(behind[0].index), number.trace), ())
            else:
                words = _("{name} is no parameter and not computed in this run, so it cannot be edited.")
                self.say(words.format(name=visible(number.name)))

        def asked(origin: Origin) -> None:
            self.nlptui.engine.ask(Explain(self.place, origin), explained)

        asked(number)

    def edit_opened(self: ExplorerScreen, origin: Origin, then: Callable[[], None]) -> str:
        """Ask what to do with a number that was opened from here, and do `then` when it is edited; why not,
        where it cannot be.
        """
        origin = replace(origin, name=origin.name.removesuffix(UNEDITED))
        if origin.trace != (0 if self.place.pinned is None else 1):
            return _("This number is another run's; only those of the run on screen can be edited.")
        if self.axes_of(origin.name) is None:
            words = _("{name} is no parameter and not computed in this run, so it cannot be edited.")
            return words.format(name=visible(origin.name))
        self.choose_edit(origin, (), then)
        return ""

    def choose_edit(
        self: ExplorerScreen,
        origin: Origin,
        source: tuple[int | str, ...],
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """The dialog about one element, and the edit that it answers with."""
        from nlptui.tui.screens.edit import EditScreen, scopes

        def edited(edit: str | None) -> None:
            if edit:
                self.go(walk.with_edit(self.place, edit))
                then()

        places = scopes(origin.index, self.axes_of(origin.name) or (), source)
        learned = self.shown is not None and origin.name in self.shown.editable
        pinned = self.place.pinned is not None
        self.app.push_screen(EditScreen(origin.name, places, pinned, learned), edited)

    def source_of_cursor(self: ExplorerScreen) -> tuple[int | str, ...]:
        """The index of the current table's source, with "row" and "col" where its rows and columns stand."""
        pane = self.active_pane()
        part = pane.box.part if pane.box else None
        source = getattr(part, "source", None)
        if isinstance(source, tuple):
            source = source[pane.cell[0]]
        return source.index if source is not None else ()

    def action_list_edits(self: ExplorerScreen) -> None:
        """The list of edits; every change in it shows at once."""
        from nlptui.tui.screens.edits import EditsScreen

        if not (self.place.edits or self.place.off):
            self.say(_("Nothing is edited: x on a number changes it."))
            return

        def changed(edits: tuple[str, ...], off: tuple[str, ...]) -> None:
            self.go(replace(self.place, edits=edits, off=off))

        def closed(name: str | None) -> None:
            if name:
                self.open_activation(name)

        unfit = self.shown.unfit if self.shown is not None else {}
        self.app.push_screen(EditsScreen(self.place.edits, self.place.off, changed, unfit), closed)

    def note_unfit(self: ExplorerScreen) -> None:
        """Tell the list of edits, where it is open, which of them fit nothing of the run that has come."""
        from nlptui.tui.screens.edits import EditsScreen

        if isinstance(self.app.screen, EditsScreen) and self.shown is not None:
            self.app.screen.note_unfit(self.shown.unfit)

    def action_clear_edits(self: ExplorerScreen) -> None:
        """Take back all edits."""
        if self.place.edits or self.place.off:
            self.go(replace(self.place, edits=(), off=()))
            self.say(_("All edits are taken back."))
        else:
            self.say(_("There are no edits."))

    def action_undo_edit(self: ExplorerScreen) -> None:
        """Take back the last edit."""
        if self.place.edits:
            last = self.place.edits[-1]
            self.go(walk.undone(self.place))
            self.say(_("Taken back: {edit}").format(edit=visible(last)))
        else:
            self.say(_("There is no edit to take back."))

    def action_compare(self: ExplorerScreen) -> None:
        """Pin this run, or unpin it."""
        if self.shown is None:
            self.say(_("There is no run yet that could be pinned."))
            return
        self.go(walk.pinned(self.place))

    def action_copy_cell(self: ExplorerScreen) -> None:
        """Copy the number under the cursor at full precision."""
        text = self.cell_text()
        if text:
            self.nlptui.copy(text)
            self.say(_("Copied: {text}").format(text=visible(text)))

    def cell_text(self: ExplorerScreen) -> str:
        """The number (or the word) under the cursor."""
        from nlptui.views.figure import Bars, Lines, Points, Thumbnails, Tokens, Tree

        pane: FigurePane = self.active_pane()
        row, col = pane.cell
        part = pane.box.part if pane.box else None
        if part is None or getattr(pane.widget, "empty", False):
            return ""
        match part:
            case HeatTable():
                return str(part.values[row, col])
            case Bars():
                return str(part.values[row])
            case Lines():
                return str(part.series[row].y[col])
            case Thumbnails():
                return part.labels[row]
            case Points():
                return ", ".join(map(str, part.values[row].tolist()))
            case Tokens():
                return part.tokens[row].text
            case Tree():
                return part.rows[row].path

    def action_copy_command(self: ExplorerScreen) -> None:
        """Copy the command line that opens this place."""
        command = self.place.command()
        self.nlptui.copy(command)
        self.say(_("Copied: {text}").format(text=visible(command)))

    def action_export(self: ExplorerScreen) -> None:
        """Ask for a file, and write the view to it."""
        from nlptui.tui.requests import Write
        from nlptui.tui.screens.export import ExportScreen

        figure = self.active_pane().figure
        if figure is None or not figure.parts:
            self.say(_("There is nothing to export."))
            return

        def written(answer: Answer) -> None:
            self.say(answer.error or _("Written: {path}").format(path=visible(str(answer.result))))

        def asked(request: Write | None) -> None:
            if request is not None:
                self.nlptui.clerk.ask(request, written)

        self.app.push_screen(ExportScreen(figure), asked)
