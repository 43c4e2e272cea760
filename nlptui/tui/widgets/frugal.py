"""Send fewer bytes to the terminal than Textual does, for the same picture.

Textual sends each touched line from the left edge of its widget up to the right end of the changed region;
here a line starts where the change starts. Textual resets all colours after each run of cells; here a run
says only what differs from the run before it. Textual sends the whole screen when the focus goes from one
widget to another; here the two widgets see to it themselves. And for a change at the top and another one at
the bottom Textual asks every widget between them for its lines; here only those asked are where it changed.

Knows nothing of what is drawn. `install` changes four places inside Textual, whose version pyproject.toml
pins for that reason too, and leaves alone what it does not find.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.control import Control
from rich.style import Style
from textual import _compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import SGR_STYLES, Strip

if TYPE_CHECKING:
    from rich.console import Console
    from textual._compositor import Compositor


class Pen(NamedTuple):
    """What a terminal draws with: SGR codes of attributes, foreground and background, "" for the default."""

    attributes: str = ""
    front: str = ""
    back: str = ""


PLAIN = Pen()
_render_strip = Strip.render


@lru_cache(maxsize=16384)
def pen(style: Style, colours: ColorSystem) -> Pen:
    """The pen for a style in a terminal with so many colours."""
    bits = style._attributes & style._set_attributes
    attributes = [SGR_STYLES[bit] for bit in range(bits.bit_length()) if bits & (1 << bit)]
    front = style.color.downgrade(colours).get_ansi_codes() if style.color else ()
    back = style.bgcolor.downgrade(colours).get_ansi_codes(foreground=False) if style.bgcolor else ()
    # "39" and "49" are the defaults.
    fronts, backs = ";".join(front), ";".join(back)
    return Pen(";".join(attributes), "" if fronts == "39" else fronts, "" if backs == "49" else backs)


@lru_cache(maxsize=16384)
def change(before: Pen, after: Pen) -> str:
    """The escape sequence that turns one pen into another."""
    if before == after:
        return ""
    if before.attributes not in ("", after.attributes) or after == PLAIN:
        return f"\x1b[{';'.join(part for part in ('0', *after) if part)}m"
    codes = [after.attributes] if after.attributes != before.attributes else []
    if before.front != after.front:
        codes.append(after.front or "39")
    if before.back != after.back:
        codes.append(after.back or "49")
    return f"\x1b[{';'.join(codes)}m"


def render_strip(strip: Strip, console: Console) -> str:
    """Text and escape sequences of a strip, from the plain pen and back to it."""
    if strip._render_cache is not None:
        return strip._render_cache
    colours = console._color_system or ColorSystem.TRUECOLOR
    held = PLAIN
    pieces: list[str] = []
    for text, style, control in strip:
        if control or (style is not None and style.link):
            return _render_strip(strip, console)
        wanted = PLAIN if style is None else pen(style, colours)
        if wanted is not held:
            pieces.append(change(held, wanted))
            held = wanted
        pieces.append(text)
    pieces.append(change(held, PLAIN))
    strip._render_cache = "".join(pieces)
    return strip._render_cache


def render_update(update: _compositor.ChopsUpdate, console: Console) -> str:
    """Escape sequences for the changed stretches of lines, and for nothing beside them."""
    pieces: list[str] = []
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            start, stop = max(x, left), min(end, right)
            if strip is None or start >= stop:
                continue
            start, stop = whole(strip, start - x, stop - x)
            pieces.append(Control.move_to(x + start, y).segment.text)
            pieces.append(strip.crop(start, stop).render(console))
    return "".join(pieces)


def whole(strip: Strip, start: int, stop: int) -> tuple[int, int]:
    """A stretch of cells, made longer by one cell where an end of it would cut a character of two cells: the
    terminal would wipe out both of its cells.
    """
    at = 0
    for text, _style, _control in strip:
        if at >= stop:
            break
        size = cell_len(text)
        if size == len(text) or at + size <= start:
            at += size
            continue
        for letter in text:
            width = cell_len(letter)
            if width == 2 and at + 1 == start:
                start -= 1
            if width == 2 and at + 1 == stop:
                stop += 1
            at += width
    return start, stop


def render_changes(compositor: Compositor) -> _compositor.ChopsUpdate | None:
    """The changed lines of the widgets that have one, in place of `Compositor.render_partial_update`."""
    changed = compositor._dirty_regions.copy()
    compositor._dirty_regions.clear()
    if not changed:
        return None
    spans = list(compositor._regions_to_spans(changed))
    cuts = compositor.cuts
    chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in cuts]
    for area, y, strip in _changed_lines(compositor, spans):
        inside = [cut for cut in cuts[y] if area.x <= cut <= area.right]
        # From front to back: the first widget at a place is the one that is seen.
        for cut, piece in zip(inside, strip.divide([cut - area.x for cut in inside[1:]]), strict=False):
            if chops[y].get(cut) is None:
                chops[y][cut] = piece
    return _compositor.ChopsUpdate(chops, spans, [line[1:] for line in cuts])


def _changed_lines(
    compositor: Compositor, spans: list[tuple[int, int, int]]
) -> Iterator[tuple[Region, int, Strip]]:
    """Each widget's part of the screen with the lines of it that hold a change, the front widget first."""
    for widget, (region, clip) in compositor.visible_widgets.items():
        area = region.intersection(clip)
        lines = {
            y
            for y, left, right in spans
            if area.y <= y < area.bottom and left < area.right and right > area.x
        }
        if not lines or not area.width:
            continue
        first, last = min(lines), max(lines)
        wanted = Region(area.x - region.x, first - region.y, area.width, last - first + 1)
        for y, strip in enumerate(widget.render_lines(wanted), first):
            if y in lines:
                yield area, y, strip


def install() -> None:
    """Make every update of this process frugal; again does nothing more."""
    if hasattr(Strip, "_render_cache"):
        Strip.render = render_strip  # type: ignore[assignment,method-assign]
    update = getattr(_compositor, "ChopsUpdate", None)
    if update is not None and hasattr(update, "render_segments"):
        update.render_segments = render_update
    compositor = getattr(_compositor, "Compositor", None)
    if compositor is not None and hasattr(compositor, "render_partial_update"):
        compositor.render_partial_update = render_changes
    focused = vars(Screen).get("focused")
    if focused is not None and hasattr(focused, "_repaint"):
        focused._repaint = False
