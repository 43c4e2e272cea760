"""The groups of views with their keys, the view at hand, and where it stands: layer and head.

Knows nothing of what views show.
"""

from __future__ import annotations

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import Shown
from nlptui.tui.walk import WALKED_CHOICES, group_of, in_group


class ViewTabs(Words):
    """One line over the view."""

    DEFAULT_CSS = """
    ViewTabs { height: 1; padding: 0 1; background: $panel; }
    """

    def show(self, shown: Shown) -> None:
        """Draw the groups that the model has, the present one open."""
        here = group_of(shown)
        words: list[Word] = []
        for group in sorted({view.group for view in shown.model.views}):
            words += self._group(shown, group, group == here)
        self.left = tuple(words)
        self.right = tuple(_stands(shown))

    def _group(self, shown: Shown, group: int, open_: bool) -> list[Word]:
        views = in_group(shown, group)
        chosen = next((view for view in views if view.name == shown.place.view), views[0])
        action = f"group_{group}"
        words = [
            Word(str(group), "accent" if open_ else "faint", action),
            Word(f" {_(chosen.title)}", "bold underline" if open_ else "", action),
        ]
        stops = shown.choices if open_ and len(shown.choices) <= WALKED_CHOICES else ()
        if open_ and len(stops) > 1:
            name = shown.place.name if shown.place.name in stops else stops[0]
            words.append(Word(f" ‹{_(name)}›", "accent", "next_view"))
        return [*words, Word("  ")]


def _stands(shown: Shown) -> list[Word]:
    """`layer 1/4 [ ]  head 2/4 , .`, each only where there are several."""
    words: list[Word] = []
    if shown.layers > 1:
        words += [
            Word("[", "accent", "layer_down"),
            Word(f" {_('layer')} {shown.place.layer}/{shown.layers - 1} "),
            Word("]", "accent", "layer_up"),
        ]
    if shown.heads > 1:
        words += [
            Word("  ,", "accent", "head_before"),
            Word(f" {_('head')} {shown.place.head}/{shown.heads - 1} "),
            Word(".", "accent", "head_after"),
        ]
    return words
