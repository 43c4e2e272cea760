"""What every screen has: sizes, and one clear sentence where the terminal is too small.

Knows nothing of what a screen shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rich.segment import Segment
from textual._styles_cache import StylesCache
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

from nlptui.locale import _
from nlptui.tui.actions.binding import bindings
from nlptui.tui.screens.behind import Behind
from nlptui.tui.type_ahead import OnePicture
from nlptui.tui.widgets.cells import fit

if TYPE_CHECKING:
    from nlptui.tui.program import NlptuiApp

SMALLEST = (60, 16)
RICH = (120, 30)
HORIZONTAL = [(0, "-too-narrow"), (SMALLEST[0], "-narrow"), (RICH[0], "-wide")]
VERTICAL = [(0, "-too-low"), (SMALLEST[1], "-low"), (RICH[1], "-high")]


def size_classes(width: int, height: int) -> str:
    """The classes of a screen of that size:

    known from the start, they need not be found out by a second layout.
    """
    across = next(name for least, name in reversed(HORIZONTAL) if width >= least)
    return f"{across} {next(name for least, name in reversed(VERTICAL) if height >= least)}"


class TooSmall(Widget):
    """The sentence, wrapped to whatever room there is."""

    DEFAULT_CSS = """
    TooSmall { display: none; width: 1fr; height: 1fr; }
    """

    def render_line(self, y: int) -> Strip:
        """A line of the sentence."""
        width, height = self.size
        words = _(
            "nlptui needs {w}×{h} characters; here are {width}×{height}. "
            "Make the window larger, or press Ctrl+C."
        ).format(w=SMALLEST[0], h=SMALLEST[1], width=self.screen.size.width, height=self.screen.size.height)
        lines = wrapped(words, width)
        return Strip([Segment(fit(lines[y] if y < len(lines) else "", width), self.rich_style)], width)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces, or inside a word that is longer (Chinese
    has no spaces).
    """
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        pieces = chop_cells(word, max(2, width)) if cell_len(word) > width else [word]
        lines += pieces
    return [line for line in lines if line] or [""]


class Leaving(OnePicture):
    """A screen that is nobody's any more once it is closed."""

    def on_unmount(self) -> None:
        """Textual keeps what the last thousand widgets have drawn, in a cache of colours: forget that."""
        StylesCache.get_inner_outer.cache_clear()


class AppScreen(Leaving, Screen[None]):
    """A whole screen of the app."""

    HORIZONTAL_BREAKPOINTS = HORIZONTAL
    VERTICAL_BREAKPOINTS = VERTICAL

    @property
    def stands(self) -> bool:
        """Whether all of the screen is there: not before it is mounted, nor once it is on its way out."""
        return self.is_mounted and self in self.app.screen_stack

    @property
    def nlptui(self) -> NlptuiApp:
        """The app, with its type."""
        return cast("NlptuiApp", self.app)


class Dialog(Leaving, ModalScreen[Any]):
    """A screen over another one; Esc closes it with None."""

    HORIZONTAL_BREAKPOINTS = HORIZONTAL
    VERTICAL_BREAKPOINTS = VERTICAL
    BINDINGS = bindings("dialog")
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .window { background: $surface; border: round $primary; padding: 0 1; width: 76; max-width:
    100%; height: auto; max-height: 100%; }
    Dialog.-too-narrow > .window, Dialog.-too-low > .window { display: none; }
    """

    def __init__(self) -> None:
        try:
            classes = size_classes(*self.app.size)
        except (AttributeError, RuntimeError):  # made outside an app, which sets them once it shows it
            classes = None
        super().__init__(classes=classes)
        self._behind = Behind()

    @property
    def stands(self) -> bool:
        """Whether all of the screen is there: not before it is mounted, nor once it is on its way out."""
        return self.is_mounted and self in self.app.screen_stack

    def render_line(self, y: int) -> Strip:
        """A line of the screen below, in place of what Textual would make of all of it."""
        stack = self.app.screen_stack
        place = stack.index(self) if self in stack else 0
        if not place:
            return super().render_line(y)
        line = self._behind.line(y, stack[place - 1], self.styles.background, self.visual_style.rich_style)
        return line or super().render_line(y)

    @property
    def nlptui(self) -> NlptuiApp:
        """The app, with its type."""
        return cast("NlptuiApp", self.app)

    def action_close_dialog(self) -> None:
        """Leave without a result."""
        self.dismiss(None)

    def on_click(self, event: Any) -> None:
        """A click beside the window closes it."""
        if event.widget is self:
            self.dismiss(None)
