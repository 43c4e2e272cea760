"""The sentence being typed: one line with a history; it shows the stretch around the cursor, however long.

Knows nothing of what is done with the sentence. `Changed` comes when the typing pauses, `Submitted` on Enter.
The cursor does not blink, and characters that would act on the terminal stand as signs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from nlptui.locale import N_, _
from nlptui.text import visible_character
from nlptui.tui.once import once
from nlptui.tui.widgets.cells import ELLIPSIS, fit
from nlptui.tui.widgets.line_view import LineView

SIGN = "›"
"""What stands before the sentence."""
HISTORY = 200
"""Sentences kept."""
PAUSE = 0.02
"""Seconds without a key after which `Changed` is posted."""


class Prompt(LineView, inherit_bindings=False):
    """An input line for `text`; setting `text` from outside posts nothing."""

    DEFAULT_CSS = """
    Prompt { height: 1; overflow: hidden hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "left", N_("Left"), show=False),
        Binding("right", "right", N_("Right"), show=False),
        Binding("ctrl+left,alt+b", "word_left", N_("Word left"), show=False),
        Binding("ctrl+right,alt+f", "word_right", N_("Word right"), show=False),
        Binding("home,ctrl+a", "start", N_("Start"), show=False),
        Binding("end,ctrl+e", "end", N_("End"), show=False),
        Binding("backspace,ctrl+h", "delete_left", N_("Delete left"), show=False),
        Binding("delete,ctrl+d", "delete_right", N_("Delete right"), show=False),
        Binding("ctrl+w,alt+backspace", "delete_word", N_("Delete word"), show=False),
        Binding("ctrl+u", "delete_to_start", N_("Delete to the start"), show=False),
        Binding("ctrl+k", "delete_to_end", N_("Delete to the end"), show=False),
        Binding("up", "earlier", N_("Sentence before"), show=False),
        Binding("down", "later", N_("Sentence after"), show=False),
        Binding("enter", "submit", N_("Go to the view"), show=False),
    ]

    @dataclass
    class Changed(Message):
        """The sentence is another one, and the typing has paused."""

        text: str
        widget: Widget

        @property
        def control(self) -> Widget:
            """The prompt."""
            return self.widget

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        text: str
        widget: Widget

        @property
        def control(self) -> Widget:
            """The prompt."""
            return self.widget

    takes_text = True
    """Characters that come in one piece mean the same as one after the other."""
    text: reactive[str] = reactive("", repaint=False)
    cursor: reactive[int] = reactive(0, repaint=False)
    """The code point before which the next one is put."""

    def __init__(
        self,
        text: str = "",
        *,
        history: Iterable[str] = (),
        pause: float = PAUSE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.pause = pause
        self.history = list(history)
        """Earlier sentences, the latest last."""
        self._recalled: int | None = None
        self._draft = ""
        self._first = 0
        self._timer: Timer | None = None
        self._said = text
        self.set_reactive(Prompt.text, text)
        self.set_reactive(Prompt.cursor, len(text))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line."""
        return 1

    def watch_text(self, text: str) -> None:
        """A text set from outside: the cursor goes to its end, and nothing is posted."""
        self._said = text
        if self._timer is not None:
            self._timer.stop()
        self.set_reactive(Prompt.cursor, len(text))
        self._draw()

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor inside the text."""
        return max(0, min(cursor, len(self.text)))

    def watch_cursor(self) -> None:
        """Show the cursor where it is now."""
        self._draw()

    # Drawing: the stretch of the text around the cursor

    def measure(self) -> None:
        """Choose again what is in sight."""
        self._place()

    def _draw(self) -> None:
        if self.is_mounted:
            self._place()
            self.repaint()

    def repaint_cursor(self) -> None:
        """Show or park the cursor, and tell the terminal (an input method opens there)."""
        self._place()
        self.repaint()

    @property
    def _room(self) -> int:
        """Cells for text, between the signs that there is more on the left and on the right."""
        return max(1, self.size.width - cell_len(SIGN) - 2)

    def _place(self) -> None:
        """Scroll the text so that the cursor is in sight; looks at no more of it than fits on the line."""
        room = self._room
        # Never far from the cursor, so that no step below walks over a long text.
        first = min(max(self._first, self.cursor - room), self.cursor)
        under = _width(self.text[self.cursor]) if self.cursor < len(self.text) else 1
        while first < self.cursor and self._cells(first, self.cursor) + under > room:
            first += 1
        if first and self._cells(first, min(len(self.text), first + room)) < room - 1:
            first = self.cursor
            while first and self._cells(first - 1, self.cursor) < room * 2 // 3:
                first -= 1
        self._first = first
        if self.has_focus:
            left = cell_len(SIGN) + 1 + self._cells(first, self.cursor)
            self.app.cursor_position = self.content_region.offset + Offset(left, 0)

    def _cells(self, start: int, stop: int) -> int:
        return sum(_width(character) for character in self.text[start:stop])

    def segments(self, y: int) -> list[Segment]:
        """The sign, the stretch of the text that is in sight, and the cursor in it."""
        if y:
            return []
        palette = self.palette
        segments = [Segment(SIGN, palette.word("accent"))]
        if not self.text:
            words, faint = fit(_("Type a sentence."), self._room), palette.word("faint")
            first = self.cursor_style if self.has_focus else faint
            return [*segments, Segment(" "), Segment(words[:1], first), Segment(words[1:], faint)]
        segments.append(Segment(ELLIPSIS if self._first else " ", palette.word("faint")))
        shown, taken = self._first, 0
        while shown < len(self.text) and taken + _width(self.text[shown]) <= self._room:
            taken += _width(self.text[shown])
            segments.append(self._character(shown))
            shown += 1
        if shown < len(self.text):
            segments.append(Segment(ELLIPSIS, palette.word("faint")))
        elif self.cursor == len(self.text) and self.has_focus:
            segments.append(Segment(" ", self.cursor_style))
        return list(Segment.simplify(segments))

    def _character(self, at: int) -> Segment:
        character = self.text[at]
        sign = _sign(character)
        if at == self.cursor and self.has_focus:
            return Segment(sign, self.cursor_style)
        return Segment(sign, self.palette.word("special") if sign != character else None)

    # Editing

    def _edit(self, text: str, cursor: int) -> None:
        """Take another text from the keyboard: show it at once, say it when the typing pauses."""
        self.set_reactive(Prompt.text, text)
        self.set_reactive(Prompt.cursor, max(0, min(cursor, len(text))))
        self._draw()
        if self._timer is not None:
            self._timer.stop()
        self._timer = once(self, self.pause, self._say)

    def _say(self) -> None:
        """Post `Changed` if the text is another one than was said last."""
        if self._timer is not None:
            self._timer.stop()
        if self.text != self._said:
            self._said = self.text
            self.post_message(self.Changed(self.text, self))

    def on_blur(self, event: events.Blur) -> None:
        """Who leaves the line has typed what was to be typed: the next key is about the new sentence."""
        super().on_blur(event)
        self._say()

    def insert(self, text: str) -> None:
        """Put `text` before the cursor."""
        self._recalled = None
        self._edit(self.text[: self.cursor] + text + self.text[self.cursor :], self.cursor + len(text))

    def _delete(self, start: int, stop: int) -> None:
        start, stop = max(0, start), min(stop, len(self.text))
        if start < stop:
            self._recalled = None
            self._edit(self.text[:start] + self.text[stop:], start)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Printable keys are text here, whatever they are bound to elsewhere."""
        return character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Type a character."""
        if event.is_printable and event.character:
            event.stop()
            event.prevent_default()
            self.insert(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Put the pasted text in whole; line ends stay, one sign each."""
        event.stop()
        event.prevent_default()
        self.insert(event.text.replace("\r\n", "\n").replace("\r", "\n"))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        left, at = cell_len(SIGN) + 1, self._first
        while at < len(self.text) and left + _width(self.text[at]) <= offset.x:
            left += _width(self.text[at])
            at += 1
        self.cursor = at

    def action_left(self) -> None:
        self.cursor -= 1

    def action_right(self) -> None:
        self.cursor += 1

    def action_start(self) -> None:
        self.cursor = 0

    def action_end(self) -> None:
        self.cursor = len(self.text)

    def action_word_left(self) -> None:
        self.cursor = self._word_start(self.cursor)

    def action_word_right(self) -> None:
        """Past the word that follows."""
        at = self.cursor
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        while at < len(self.text) and not self.text[at].isspace():
            at += 1
        self.cursor = at

    def _word_start(self, at: int) -> int:
        while at and self.text[at - 1].isspace():
            at -= 1
        while at and not self.text[at - 1].isspace():
            at -= 1
        return at

    def action_delete_left(self) -> None:
        """Delete one character, with the marks that combine with it."""
        start = self.cursor - 1
        while start > 0 and unicodedata.combining(self.text[start]):
            start -= 1
        self._delete(start, self.cursor)

    def action_delete_right(self) -> None:
        self._delete(self.cursor, self.cursor + 1)

    def action_delete_word(self) -> None:
        self._delete(self._word_start(self.cursor), self.cursor)

    def action_delete_to_start(self) -> None:
        self._delete(0, self.cursor)

    def action_delete_to_end(self) -> None:
        self._delete(self.cursor, len(self.text))

    # History

    def action_earlier(self) -> None:
        """The sentence before, in the history."""
        at = len(self.history) if self._recalled is None else self._recalled
        if self._recalled is None:
            self._draft = self.text
        while at and self.history[at - 1] == self.text:
            at -= 1
        if at:
            self._recall(at - 1)

    def action_later(self) -> None:
        """The sentence after; after the last one what was being typed."""
        if self._recalled is None:
            return
        if self._recalled + 1 < len(self.history):
            self._recall(self._recalled + 1)
        else:
            self._recalled = None
            self._edit(self._draft, len(self._draft))

    def _recall(self, at: int) -> None:
        self._recalled = at
        self._edit(self.history[at], len(self.history[at]))

    def remember(self, text: str) -> None:
        """Put `text` at the end of the history."""
        if text.strip():
            self.history = [*(kept for kept in self.history if kept != text), text][-HISTORY:]
        self._recalled = None

    def action_submit(self) -> None:
        """Say the sentence at once, and that it is meant."""
        self.remember(self.text)
        self._say()
        self.post_message(self.Submitted(self.text, self))


def _sign(character: str) -> str:
    """The character, or a short sign for one that cannot be shown as it is."""
    sign = visible_character(character)
    return sign if sign == character or len(sign) == 1 else "�"


def _width(character: str) -> int:
    return cell_len(_sign(character))
