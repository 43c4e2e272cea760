"""Text in terminal cells: labels cut and padded by display width, numbers in a width that fits a whole table.

Knows nothing of widgets and colours. Labels are expected to be `visible` already.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from nlptui.lazy import numpy as np
from nlptui.text import power_of_ten

if TYPE_CHECKING:
    from numpy.typing import NDArray

ELLIPSIS = "…"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells: cut with "…" where it is too long, padded where it is too short."""
    if width <= 0:
        return ""
    text = standing(text)
    taken = cell_len(text)
    if taken > width:
        text = set_cell_size(text, width - 1).rstrip(" ") + ELLIPSIS
        taken = cell_len(text)
    padding = " " * (width - taken)
    return padding + text if right else text + padding


def standing(text: str) -> str:
    """`text`, on a dotted circle where it opens with a combining mark that would land on its neighbour."""
    return f"◌{text}" if text and unicodedata.combining(text[0]) else text


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one table are written, so that all have the same width."""

    spec: str
    width: int
    least: float = 0.0
    """What is no larger, and not 0, is written as a power of ten."""

    def __call__(self, value: float) -> str:
        """`value` in at most `width` characters: never "-0.00", and inf, -inf and nan as words."""
        return power_of_ten(value) if 0 < abs(value) <= self.least else format(value, self.spec)


def number_format(values: NDArray[Any], digits: int, differences: bool = False) -> NumberFormat:
    """One format for all of `values`: `digits` decimals, fewer for large ones, an exponent for extreme ones;
    large whole numbers in groups of three digits.

    Looks at the smallest and the largest only; nothing else is turned into text. Of `differences`, what the
    digits would round to 0 is written as a power of ten.
    """
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    finite = np.isfinite(values)
    everything = bool(finite.all())
    low = float(np.min(values, where=finite, initial=np.inf)) if values.size else 0.0
    high = float(np.max(values, where=finite, initial=-np.inf)) if values.size else 0.0
    if low > high:
        low = high = 0.0
    size = max(abs(low), abs(high))
    if 1e6 <= size < 1e12 and not digits:
        spec = "z,.0f"
    elif size and (size >= 1e6 or size < 0.5 * 10.0**-digits):
        spec = f"z.{max(digits - 1, 1)}e"
    else:
        digits = max(0, digits - max(0, len(str(int(size))) - 2))
        spec = f"z.{digits}f"
    # The longest text is that of an end of the range; an exponent of three digits may also lie between them.
    width = max(len(format(low, spec)), len(format(high, spec)), 0 if everything else 4)
    if spec.endswith("e") and values.dtype.itemsize > 4:
        width += 1
    if not differences or not spec.endswith("f"):
        return NumberFormat(spec, width)
    least = 0.5 * 10.0**-digits
    sizes = np.abs(values)
    smallest = float(np.min(sizes, where=(sizes > 0) & (sizes <= least), initial=np.inf))
    if smallest <= least:
        width = max(width, len(power_of_ten(-smallest)))
    return NumberFormat(spec, width, least)
