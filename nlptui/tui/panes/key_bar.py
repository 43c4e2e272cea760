"""The last line of a screen: the keys worth knowing there, made from the table of actions.

A click on a key runs its action.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual import events

from nlptui.tui.actions.action import Action, label_of
from nlptui.tui.actions.keys import key_name
from nlptui.tui.panes.words import Word, Words

LAST = ("palette", "help", "quit")
"""What even a narrow line names, at its right end."""
GAP = "   "


class KeyBar(Words):
    """Names the actions that it is given, as far as there is room for whole ones."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; padding: 0 1; background: $panel; }
    """

    _actions: tuple[Action, ...] = ()

    def show(self, actions: Iterable[Action]) -> None:
        """Draw the actions that are marked to be shown."""
        self._actions = tuple(action for action in actions if action.show)
        self._fill()

    def on_resize(self, event: events.Resize) -> None:
        """Name more or fewer."""
        self._fill()

    def _fill(self) -> None:
        last = [action for action in self._actions if action.id in LAST]
        self.right = tuple(word for action in last for word in _words(action))
        room = self.size.width - sum(cell_len(word.text) for word in self.right) - 1
        left: list[Word] = []
        for action in self._actions:
            if action.id in LAST:
                continue
            words = _words(action)
            room -= sum(cell_len(word.text) for word in words)
            if room < 0:
                break
            left += words
        self.left = tuple(left)


def _words(action: Action) -> tuple[Word, Word]:
    return (
        Word(key_name(action.keys[0]), "accent", action.id),
        Word(f" {label_of(action)}{GAP}", "", action.id),
    )
