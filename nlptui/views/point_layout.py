"""Where the labels of a map go in a grid of character cells, so that none covers another.

Knows nothing of how a cell is drawn. Text and terminal share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from nlptui.lazy import numpy as np
from nlptui.views.cells import clip, standing
from nlptui.views.figure import Array, Points

LABEL = 14
"""The widest label, in cells."""
_TRIES = (0, -1, 1)
"""Lines up or down that a label may move from its place."""


@dataclass(frozen=True)
class Placed:
    """One label on the grid."""

    point: int
    x: int
    y: int
    text: str
    width: int


def placed(part: Points, width: int, height: int) -> list[Placed]:
    """The labels that have room in `width` × `height` cells, the first points first; others are left out."""
    if width < 4 or height < 1 or not len(part.labels):
        return []
    texts = [clip(standing(label), min(LABEL, width)) or "·" for label in part.labels]
    widths = [max(1, cell_len(text)) for text in texts]
    room = max(1, width - max(widths))
    across = _cells(part.values[:, 0], room)
    down = height - 1 - _cells(part.values[:, 1], height)
    taken: set[tuple[int, int]] = set()
    found = []
    for point, (text, size) in enumerate(zip(texts, widths, strict=True)):
        for step in _TRIES:
            x, y = int(across[point]), int(down[point]) + step
            cells = {(x + dx, y) for dx in range(-1, size + 1)}
            if 0 <= y < height and not cells & taken:
                taken |= {(x + dx, y) for dx in range(size)}
                found.append(Placed(point, x, y, text, size))
                break
    return found


def _cells(values: Array, count: int) -> Array:
    """Each value's cell, of `count` between the smallest and the largest."""
    low, high = float(values.min()), float(values.max())
    shares = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    cells: Array = np.rint(shares * (count - 1)).astype(int)
    return cells
