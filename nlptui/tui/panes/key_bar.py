"""The last line of a screen: the keys worth knowing there, made from the table of actions. A click runs the action."""

from __future__ import annotations

from collections.abc import Iterable

from nlptui.tui.actions import Action, key_name, label_of
from nlptui.tui.panes.words import Word, Words

LAST = ("palette", "help", "quit")
"""What a narrow line keeps at its right end."""


class KeyBar(Words):
    """Names the actions that it is given, as far as there is room."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; padding: 0 1; background: $panel; }
    """

    def show(self, actions: Iterable[Action]) -> None:
        """Draw the actions that are marked to be shown."""
        shown = [action for action in actions if action.show]
        self.left = tuple(word for action in shown if action.id not in LAST for word in _words(action))
        named = {action.id: action for action in shown}
        self.right = tuple(word for name in LAST if name in named for word in _words(named[name]))


def _words(action: Action) -> tuple[Word, Word]:
    return (
        Word(key_name(action.keys[0]), "accent", action.id),
        Word(f" {label_of(action)}  ", "", action.id),
    )
