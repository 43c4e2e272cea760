"""Ask for the file that a figure is written to. The clerk checks the path and writes."""

from __future__ import annotations

import re
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.exports import KINDS, checked
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import Write
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.views.figure import Figure


def suggested(figure: Figure) -> str:
    """A name for the file: the view and what it shows."""
    words = re.findall(r"[\w]+", figure.title.casefold()) or [figure.view or "figure"]
    return "-".join(words)[:60] + ".svg"


class ExportScreen(Dialog):
    """A path; its ending says whether SVG, HTML, text or CSV."""

    CSS_PATH = "export.tcss"

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self.figure = figure

    def compose(self) -> ComposeResult:
        """Path, replace, what will happen."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="export-title")
            path = Input(suggested(self.figure), id="export-path")
            path.cursor_blink = False
            yield path
            yield ChoiceList(
                [("", _("keep a file that exists")), ("replace", _("replace it"))], id="export-replace"
            )
            yield Words(id="export-said")
            yield Words(id="export-keys")

    def on_mount(self) -> None:
        """To the path."""
        self.query_one("#export-title", Words).left = (
            Word(_("Write this view to a file"), "bold"), Word(f"   {' '.join(KINDS)}", "faint"),
        )  # fmt: skip
        self.query_one("#export-keys", Words).left = (
            Word("Enter", "accent"), Word(f" {_('write')}   "),
            Word("Tab", "accent"), Word(f" {_('next field')}   "),
            Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one(Input).focus()
        self.draw()

    @on(Input.Changed)
    @on(CellMoved)
    def draw(self) -> str:
        """Say where the file will be, or what is wrong with the path. Returns what is wrong."""
        said = self.query_one("#export-said", Words)
        try:
            path = checked(Path(self.query_one(Input).value.strip()), self.replaces)
        except UserError as error:
            said.left = (Word(visible(str(error)), "warning"),)
            return str(error)
        said.left = (Word(f"→ {visible(str(path))}", "faint"),)
        return ""

    @property
    def replaces(self) -> bool:
        """Whether a file in the way is replaced."""
        return bool(self.query_one(ChoiceList).key)

    @on(Input.Submitted)
    @on(CellOpened)
    def entered(self) -> None:
        """Answer, if the path will do."""
        if not self.draw():
            self.dismiss(Write(self.figure, Path(self.query_one(Input).value.strip()), self.replaces))
