"""Text in columns: labels cut and padded by display width, numbers in one format for a whole table.

Knows nothing of figures. A width is what a terminal takes (`cell_len`): 中 takes two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from rich.cells import cell_len, set_cell_size

from nlptui.lazy import numpy as np
from nlptui.text import power_of_ten
from nlptui.views.figure import Array, HeatTable

SHADES = " ·░▒▓█"
"""From nothing to most."""
BLOCKS = " ▏▎▍▌▋▊▉█"
"""Eighths of a cell, for bars."""


def standing(text: str) -> str:
    """`text`, on a dotted circle where it opens with a combining mark that would land on its neighbour."""
    return f"◌{text}" if text and unicodedata.combining(text[0]) else text


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells: cut with "…" where it is too long, padded where it is too short."""
    text = standing(text)
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - 1)).rstrip(" ") + "…"
    padding = " " * (width - cell_len(text))
    return padding + text if right else text + padding


def clip(text: str, width: int) -> str:
    """`text` in at most `width` cells."""
    return text if cell_len(text) <= width else fit(text, width)


def width_of(texts: tuple[str, ...] | list[str], most: int) -> int:
    """The widest of `texts`, up to `most` cells."""
    return min(most, max((cell_len(standing(text)) for text in texts), default=0))


def number_format(values: Array, digits: int, differences: bool = False) -> Callable[[float], str]:
    """How all numbers of one table are written: `digits` decimals, an exponent where they would not do; large
    whole numbers in groups of three digits.

    Never "-0.00"; infinities are −∞ and ∞, and what is not a number is blank. Of `differences`, what the
    digits would round to 0 is written as a power of ten.
    """
    finite = values[np.isfinite(values)]
    size = float(np.abs(finite).max()) if finite.size else 0.0
    spec = f"z.{digits}f"
    if 1e6 <= size < 1e12 and not digits:
        spec = "z,.0f"
    elif size and (size >= 1e6 or size < 0.5 * 10.0**-digits):
        spec = f"z.{max(1, digits - 1)}e"
    least = 0.5 * 10.0**-digits if differences and spec.endswith("f") else 0.0

    def write(value: float) -> str:
        if np.isfinite(value):
            return power_of_ten(value) if 0 < abs(value) <= least else format(float(value), spec)
        return "" if np.isnan(value) else "∞" if value > 0 else "−∞"

    return write


def cell_texts(table: HeatTable, rows: int, columns: int) -> list[list[str]]:
    """What stands in the first rows and columns of a table: numbers in one format, or texts."""
    if table.texts:
        return [list(row[:columns]) for row in table.texts[:rows]]
    values = table.values[:rows, :columns]
    write = number_format(values, table.digits, table.differences)
    return [[write(value) for value in row] for row in values.tolist()]


def shade(share: float) -> str:
    """The glyph for a share of the scale: its size, not its sign; a space for what is not a number."""
    if np.isnan(share):
        return " "
    return SHADES[min(len(SHADES) - 1, int(np.ceil(abs(share) * (len(SHADES) - 1) - 1e-9)))]


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, filled by `share` in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8) if np.isfinite(share) else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (BLOCKS[rest] if rest else "")).ljust(width)
