"""One line of words, some of which can be clicked: the title, the tabs of views, the bar of keys.

Knows nothing of what the words mean. Words are `visible` already, and never markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import LineView


class Word(NamedTuple):
    """A stretch of text with one look and, perhaps, something that a click does."""

    text: str
    look: str = ""
    """Empty, or words of the palette and attributes: "accent", "faint", "special", "warning", "tag", "bold",
    "reverse".
    """
    action: str = ""
    """Id of the action, or whatever the listener understands; empty: not clickable."""


class Words(LineView, can_focus=False):
    """`left` words from the left edge, `right` words at the right edge; the left ones give way.

    Only the stretch that differs from what was drawn before is sent to the terminal.
    """

    DEFAULT_CSS = """
    Words { height: 1; width: 1fr; overflow: hidden hidden; }
    """

    @dataclass
    class Clicked(Message):
        """A word that can be clicked was clicked."""

        action: str
        widget: Widget

        @property
        def control(self) -> Widget:
            """The line, for `@on(Words.Clicked, "#selector")`."""
            return self.widget

    whole = False
    """Whether a word that does not fit is left out, with all after it, instead of being cut."""

    left: reactive[tuple[Word, ...]] = reactive((), repaint=False)
    right: reactive[tuple[Word, ...]] = reactive((), repaint=False)

    def watch_left(self) -> None:
        """Draw the new words."""
        self.repaint()

    def watch_right(self) -> None:
        """Draw the new words."""
        self.repaint()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line, always."""
        return 1

    def segments(self, y: int) -> list[Segment]:
        """The line."""
        segments: list[Segment] = []
        at = 0
        for start, word in self._placed() if y == 0 else ():
            segments += [Segment(" " * (start - at)), Segment(word.text, self._style(word.look))]
            at = start + cell_len(word.text)
        return segments

    def _placed(self) -> list[tuple[int, Word]]:
        """The words in sight with the column where each begins."""
        width = self.size.width
        room = width - sum(cell_len(word.text) for word in self.right) - (1 if self.right else 0)
        placed: list[tuple[int, Word]] = []
        at = 0
        for word in self.left:
            size = cell_len(word.text)
            if at + size > room:
                if room - at > 1 and not self.whole:
                    placed.append((at, word._replace(text=fit(word.text, room - at))))
                break
            placed.append((at, word))
            at += size
        at = width - sum(cell_len(word.text) for word in self.right)
        for word in self.right if at >= 0 else ():
            placed.append((at, word))
            at += cell_len(word.text)
        return placed

    def _style(self, look: str) -> Style:
        palette = self.palette
        style = Style.null()
        for name in look.split():
            if name in ("bold", "reverse", "underline"):
                style += Style(
                    bold=name == "bold" or None,
                    reverse=name == "reverse" or None,
                    underline=name == "underline" or None,
                )
            else:
                style += palette.word(name)
        return style

    def on_click(self, event: events.Click) -> None:
        """Tell the listener which word it was."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for start, word in self._placed():
            if word.action and start <= offset.x < start + cell_len(word.text):
                event.stop()
                self.post_message(self.Clicked(word.action, self))
                return
