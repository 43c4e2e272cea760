"""The groups of views with their keys, the view at hand, and where it stands: layer and head.

Knows nothing of what views show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.place import WALKED_CHOICES
from nlptui.tui.walk import group_of, in_group
from nlptui.views import GROUPS, beam
from nlptui.views.choices import choice_word

if TYPE_CHECKING:
    from nlptui.tui.answers import Shown


RECURRENT = ("rnn", "lstm", "gru")
"""Architectures that have directions where others have heads."""


class ViewTabs(Words):
    """One line over the view."""

    DEFAULT_CSS = """
    ViewTabs { height: 1; padding: 0 1; background: $panel; }
    """

    _shown: Shown | None = None

    def show(self, shown: Shown) -> None:
        """Draw the groups that the model has, the present one open."""
        self._shown = shown
        self.right = tuple(_stands(shown))
        self.left = tuple(self._groups(shown))

    def on_resize(self, event: events.Resize) -> None:
        """Write titles out, or numbers only: the last key must have room."""
        if self._shown is not None:
            self.show(self._shown)

    def _groups(self, shown: Shown) -> list[Word]:
        here = group_of(shown)
        groups = sorted({view.group for view in shown.model.views})
        room = self.size.width - _width(self.right) - 2
        words: list[Word] = []
        for titles, choices in ((True, True), (False, True), (False, False)):
            words = [
                word for group in groups for word in _group(shown, group, group == here, titles, choices)
            ]
            if _width(words) <= room:
                break
        return words


def _width(words: list[Word] | tuple[Word, ...]) -> int:
    return sum(cell_len(word.text) for word in words)


def _group(shown: Shown, group: int, open_: bool, titles: bool, choices: bool) -> list[Word]:
    """`5 Attention ‹weights 1/2›`; without titles, a closed group is its key alone, without choices, the one
    taken its number: `‹1/2›`.
    """
    action = f"group_{group}"
    if not open_:
        words = [Word(str(group), "accent", action)]
        return [*words, Word(f" {_(GROUPS.get(group, ''))}  " if titles else " ", "", action)]
    views = in_group(shown, group)
    chosen = next((view for view in views if view.name == shown.place.view), views[0])
    words = [Word(f"▌{group} {_(chosen.title)}", "bold accent", action)]
    stops = shown.choices if len(shown.choices) <= WALKED_CHOICES else ()
    if len(stops) > 1:
        at = stops.index(shown.place.name) if shown.place.name in stops else 0
        name = f"{choice_word(stops[at])} " if choices else ""
        words.append(Word(f" ‹{name}{at + 1}/{len(stops)}›", "", "next_view"))
    return [*words, Word("▐ ", "bold accent")]


def _stands(shown: Shown) -> list[Word]:
    """`[ layer 1 (0–3) ]  , head 2 (0–3) .`, each only where there are several."""
    words: list[Word] = []
    layer, head = _walked(shown)
    if shown.layers > 1:
        words += [
            Word("[", "accent", "layer_down"), Word(f" {layer} "), Word("]", "accent", "layer_up"),
        ]  # fmt: skip
    if shown.heads > 1:
        words += [
            Word("  ,", "accent", "head_before"), Word(f" {head} "), Word(".", "accent", "head_after"),
        ]  # fmt: skip
    return words


def _walked(shown: Shown) -> tuple[str, str]:
    """Where the view stands on what its brackets and on what comma and full stop walk."""
    place = shown.place
    if place.view == "beam":
        return (
            _("{n} tokens").format(n=beam.DEPTHS[place.layer]),
            _("{n} beams").format(n=beam.WIDTHS[place.head]),
        )
    which = _("direction {n} (0–{last})") if shown.model.arch in RECURRENT else _("head {n} (0–{last})")
    return (
        _("layer {n} (0–{last})").format(n=place.layer, last=shown.layers - 1),
        which.format(n=place.head, last=shown.heads - 1),
    )
