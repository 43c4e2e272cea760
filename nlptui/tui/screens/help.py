"""The help page: every action with its keys, made from the table of actions, the user's own keys included."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Vertical

from nlptui.locale import _
from nlptui.tui.actions.action import GROUPS, Action, help_of
from nlptui.tui.actions.binding import bindings
from nlptui.tui.actions.keys import key_name
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall, wrapped
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView

KEYS_WIDTH = 22


def help_lines(
    actions: tuple[Action, ...], width: int, about: tuple[tuple[str, str], ...] = ()
) -> list[tuple[str, str]]:
    """Lines of the page as (keys, words); a heading has keys and no words, an empty line neither.

    `about` says of what is on screen what it is called and what it means; it stands on top.
    """
    lines: list[tuple[str, str]] = []
    for title, sentence in about:
        lines += [("", ""), (title, "")] if lines else [(title, "")]
        lines += [(" ", words) for words in wrapped(sentence, max(20, width - 3))]
    for group in GROUPS:
        listed = [action for action in actions if action.group == group]
        if not listed:
            continue
        lines += [("", ""), (_(group), "")] if lines else [(_(group), "")]
        for action in merged(listed):
            keys = "  ".join(map(key_name, action.keys))
            first, *rest = wrapped(help_of(action), max(20, width - KEYS_WIDTH - 3))
            lines += [(keys, first), *((" ", more) for more in rest)]
    return lines


def merged(actions: list[Action]) -> list[Action]:
    """The nine keys of view groups as one line, `1 … 9`, unless they were rebound."""
    groups = [a for a in actions if a.call.startswith("group(")]
    if [a.keys for a in groups] != [(str(n),) for n in range(1, 10)]:
        return actions
    from dataclasses import replace

    from nlptui.locale import N_

    one = replace(
        groups[0], keys=("1", "…", "9"), help=N_("Open a group of views; again: the next view of it.")
    )
    return [one, *(a for a in actions if a not in groups)]


class HelpList(RowsView):
    """The lines, with a cursor to walk them."""

    def __init__(self, actions: tuple[Action, ...], about: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__()
        self.actions = actions
        self.about = about
        self.lines: list[tuple[str, str]] = []
        self.told = 0
        """How many lines tell of what is on screen."""

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.lines)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return " ".join(self.lines[row])

    def measure(self) -> None:
        """Wrap for the present width."""
        if self.size:
            self.lines = help_lines(self.actions, self.size.width, self.about)
            self.told = len(help_lines((), self.size.width, self.about))
        super().measure()

    def row_segments(self, row: int) -> list[Segment]:
        """A heading, or keys and words."""
        keys, words = self.lines[row]
        if not words:
            return [Segment(keys, self.palette.word("accent"))]
        here = self.palette.parked if row == self.row else None
        if keys == " " and row < self.told:
            return [Segment(f"  {words}", here)]
        width = max(KEYS_WIDTH, cell_len(keys))
        return [Segment(f"  {fit(keys, width)}", self.palette.word("special")), Segment(f" {words}", here)]


class HelpScreen(Dialog):
    """The page in a window."""

    BINDINGS = bindings("help")
    CSS_PATH = "help.tcss"

    def __init__(self, actions: tuple[Action, ...], about: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__()
        self.actions = actions
        self.about = about
        """What is on screen: title and sentence of each thing."""

    def compose(self) -> ComposeResult:
        """Title, lines, and where the settings are."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="help-title")
            yield HelpList(self.actions, self.about)
            yield Words(id="help-foot")

    def on_mount(self) -> None:
        """The keyboard scrolls."""
        from nlptui.text import visible
        from nlptui.tui.settings import settings_path

        self.query_one("#help-title", Words).left = (Word(_("Keys"), "bold"),)
        self.query_one("#help-title", Words).right = (
            Word("Esc", "accent", "close"),
            Word(f" {_('close')}", "", "close"),
        )
        self.query_one("#help-foot", Words).left = (
            Word(
                _('Bind other keys by name under "keys" in {path}').format(
                    path=visible(str(settings_path()))
                ),
                "faint",
            ),
        )
        self.query_one(HelpList).focus()

    def on_words_clicked(self, event: Words.Clicked) -> None:
        """A click on Esc closes."""
        event.stop()
        self.dismiss(None)

    def action_close_help(self) -> None:
        """Back to where one was."""
        self.dismiss(None)
