"""Ask what to look for in the current table: a token, a word, or a value."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog


class FindScreen(Dialog):
    """One field at the bottom; answers with what was typed."""

    CSS_PATH = "find.tcss"

    def __init__(self, last: str) -> None:
        super().__init__()
        self.last = last

    def compose(self) -> ComposeResult:
        """The field, and what can be typed."""
        with Vertical(classes="window"):
            query = Input(
                self.last, placeholder=_("a token, a word, or a number such as 0.25"), select_on_focus=True
            )
            query.cursor_blink = False
            yield query
            yield Words(id="find-keys")

    def on_mount(self) -> None:
        """To the field."""
        self.query_one("#find-keys", Words).left = (
            Word("Enter", "accent"), Word(f" {_('find')}   "),
            Word("n N", "accent"), Word(f" {_('next, before')}   "),
            Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value.strip() or None)
