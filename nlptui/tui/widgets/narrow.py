"""Send only the changed region of a line to the terminal.

Textual's partial updates send each touched line from the left edge of its widget up to the right end of
the changed region: a cursor in the last column of a heat table costs two whole lines. Here a line starts
where the change starts. Knows nothing of what is drawn. `install` replaces one method of a private class
of Textual, and does nothing where that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from textual import _compositor

if TYPE_CHECKING:
    from rich.console import Console


def render_narrow(update: _compositor.ChopsUpdate, console: Console) -> str:
    """Escape sequences for the changed spans of `update`, and for nothing beside them."""
    sequences: list[str] = []
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            start, stop = max(x, left), min(end, right)
            if strip is None or start >= stop:
                continue
            sequences.append(Control.move_to(start, y).segment.text)
            sequences.append(strip.crop(start - x, stop - x).render(console))
    return "".join(sequences)


def install() -> None:
    """Make every partial update narrow, once for the process."""
    update = getattr(_compositor, "ChopsUpdate", None)
    if update is not None and hasattr(update, "render_segments"):
        update.render_segments = render_narrow
