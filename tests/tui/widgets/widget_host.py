"""A bare app around one widget, with what the widget posted."""

from __future__ import annotations

from typing import Any

from textual.app import App, ComposeResult
from textual.message import Message
from textual.widget import Widget


class Host(App[None]):
    """Shows one widget and keeps every `CellMoved` and `CellOpened` (and what else `kinds` names)."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, widget: Widget, theme: str = "textual-dark") -> None:
        super().__init__()
        self.widget = widget
        self.messages: list[Message] = []
        self._start_theme = theme

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.theme = self._start_theme
        self.widget.focus()

    def on_cell_moved(self, message: Any) -> None:
        self.messages.append(message)

    def on_cell_opened(self, message: Any) -> None:
        self.messages.append(message)

    def seen(self) -> list[tuple[Any, ...]]:
        """Kind, row and column of each message so far."""
        return [(type(m).__name__, m.row, m.col) for m in self.messages]

    def lines(self) -> list[str]:
        """The screen as text."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]

    def styles_on(self, y: int) -> list[tuple[str, Any]]:
        """Text and style of the segments on line `y`."""
        return [(segment.text, segment.style) for segment in self.screen._compositor.render_strips()[y]]
