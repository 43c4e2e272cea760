"""The arithmetic of a heat table: levels of colour, glyphs, the layout of cells, and where a search ends.

Knows nothing of widgets: plain functions of a `HeatTable`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.style import Style

from nlptui.lazy import numpy as np
from nlptui.tui.colours import SHADES, SIDE, STEPS, Palette
from nlptui.views.figure import Array, HeatTable

Show = Literal["numbers", "shades"]

WIDEST_HEADER = 12
"""Cells that a column is widened to for the sake of its header."""
NOT_FINITE = -1
"""The level of a cell without a finite value."""
CURSOR = -2
"""Stands for the level of the cell under the cursor."""


class Grid(NamedTuple):
    """Where the cells stand on the screen, in character cells."""

    header: int
    """Width of the row headers, the space after them included."""
    cell: int
    """Width of one column, the space before its text included."""
    rows: int
    """Rows in sight."""
    cols: int
    """Columns in sight."""


@cache
def cell_styles(palette: Palette, scale: str, show: Show, focused: bool) -> dict[int, Style]:
    """Style by level; the cursor and cells without a finite value have none of the scale's colours."""
    styles = dict(enumerate(palette.levels(scale) if show == "numbers" else palette.inks(scale)))
    styles[NOT_FINITE] = palette.word("faint")
    styles[CURSOR] = palette.cursor if focused else palette.parked
    return styles


def levels_of(part: HeatTable) -> Array:
    """The level of every cell: 0 to 14 on a diverging scale (7 is zero), 0 to 11 otherwise; -1: no number."""
    shares = part.shares
    finite = np.isfinite(shares)
    shares = np.where(finite, shares, 0)
    if part.scale == "diverging":
        levels = np.rint(shares * SIDE) + SIDE
    else:
        levels = np.minimum(np.floor(shares * STEPS), STEPS - 1)
    result: Array = np.where(finite, levels, NOT_FINITE).astype(np.int8)
    return result


def grid_for(part: HeatTable, text: int, width: int, height: int) -> Grid:
    """The layout of `part` in `width` × `height`: cells `text` wide or, with room, as the longest header."""
    rows, cols = part.values.shape
    corner = cell_len(f"{part.row_axis}\\{part.col_axis}")
    longest = max((cell_len(label) for label in part.rows), default=0)
    header = max(4, min(max(longest, corner), max(8, width // 3))) + 1
    room = max(1, width - header)
    widest = min(max((cell_len(label) for label in part.cols), default=0), WIDEST_HEADER)
    cell = max(text, min(widest, room // max(cols, 1) - 1)) + 1
    return Grid(header, cell, max(1, height - 2), max(1, room // cell))


def glyph(level: int, scale: str) -> str:
    """The shade for a level: denser for more, whatever the sign."""
    if level == NOT_FINITE:
        return "?"
    share = abs(level - SIDE) / SIDE if scale == "diverging" else level / (STEPS - 1)
    return SHADES[min(len(SHADES) - 1, round(share * (len(SHADES) - 1)))]


def shade(level: int, value: float, scale: str, width: int) -> str:
    """A cell filled with its shade, after the sign on a diverging scale; words if the value is not finite."""
    if level == NOT_FINITE:
        return ("?" if value != value else "+∞" if value > 0 else "-∞").rjust(width)
    filling = glyph(level, scale)
    if scale != "diverging":
        return filling * width
    return ("-" if level < SIDE else "+" if level > SIDE else " ") + filling * (width - 1)


def headers_with(part: HeatTable, text: str, row: int, col: int) -> Array:
    """Flat positions, in order: cells of column `col` whose row header holds `text`, and the same across."""
    wanted = text.casefold()
    count = len(part.cols)
    rows = [at * count + col for at, label in enumerate(part.rows) if wanted in label.casefold()]
    cols = [row * count + at for at, label in enumerate(part.cols) if wanted in label.casefold()]
    return np.unique(np.array(rows + cols, np.int64))


def cells_near(part: HeatTable, value: float, decimals: int) -> Array:
    """Flat positions of the cells that read as `value` when written with `decimals` decimals."""
    values = part.values.astype(np.float64, copy=False)
    if not np.isfinite(value):
        close = np.isnan(values) if np.isnan(value) else values == value
    else:
        close = np.abs(values - value) <= 0.5 * 10.0**-decimals
    return np.flatnonzero(close)


def reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def decimals_of(text: str) -> int:
    """Decimals in a number as typed: 2 in "-0.25", 0 in "3", 7 in "1.2e-6"."""
    match = re.search(r"\.(\d*)", text)
    exponent = re.search(r"[eE]([-+]?\d+)", text)
    return (len(match[1]) if match else 0) - (int(exponent[1]) if exponent else 0)
