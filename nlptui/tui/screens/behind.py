"""What stands behind a dialog, under a veil: drawn once, for as long as it stays the same.

Textual would draw the whole screen below again, and mix every colour anew, whenever anything changes in the
dialog. Knows nothing of what either screen shows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.screen import Screen
from textual.strip import Strip

PLAIN = Style.null()


class Behind:
    """The lines of the screen below, as they were drawn last."""

    def __init__(self) -> None:
        self._state: tuple[Any, ...] = ()
        self._lines: list[Strip] = []

    def line(self, y: int, below: Screen[Any], veil: Color, base: Style) -> Strip | None:
        """Line `y` of what is below, in `base` where it has no style; None if that has no such line."""
        state = (below, getattr(below, "pictures", None), below.size, below.app.theme, veil, base)
        if state != self._state:
            self._state = state
            self._lines = [veiled(strip, veil, base) for strip in below._compositor.render_strips()]
        return self._lines[y] if y < len(self._lines) else None


def veiled(strip: Strip, veil: Color, base: Style) -> Strip:
    """A line under the veil."""
    seen = [Segment(text, under(style or PLAIN, veil, base)) for text, style, _control in strip]
    return Strip(seen, strip.cell_length)


@lru_cache(maxsize=4096)
def under(style: Style, veil: Color, base: Style) -> Style:
    """A style as it looks through `veil`; nothing in it can be clicked."""
    seen = [
        (Color.from_rich_color(colour) + veil).rich_color if colour is not None else None
        for colour in (style.color, style.bgcolor)
    ]
    return base + style.clear_meta_and_links() + Style.from_color(*seen)
