"""A figure as plain text: aligned columns, no escape sequences, nothing wider than asked.

Shades stand beside the numbers, so that a table has a shape without colour. Knows nothing of terminals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len

from nlptui.locale import _
from nlptui.views.cells import bar, cell_texts, clip, fit, number_format, shade, standing, width_of
from nlptui.views.figure import (
    Bars,
    Figure,
    HeatTable,
    Lines,
    Part,
    Points,
    Thumbnails,
    Tokens,
    Tree,
    thumbnail,
)
from nlptui.views.point_layout import placed

LIMIT = 64
"""Rows and columns of a table, tokens and tree lines that are written out; what is left out is counted."""
_LABEL_WIDTH = 16
_COLUMN_WIDTH = 10
_MAP_LINES = 20
THUMB_WIDTH, THUMB_HEIGHT = 16, 8
_SPARKS = "▁▂▃▄▅▆▇█"


def to_text(figure: Figure, width: int = 80, limit: int | None = LIMIT, *, tokens: int | None = None) -> str:
    """The figure in lines of at most `width` cells; `limit` None writes every row and column.

    `tokens` is how many tokens of a row are written, where that is another number than `limit`.
    """
    width = max(20, width)
    most = limit if limit is not None else 10**9
    lines = [clip(figure.title, width), ""]
    for part in figure.parts:
        room = most if tokens is None or not isinstance(part, Tokens) else tokens
        lines += [line.rstrip() for line in part_lines(part, width, room)]
        lines.append("")
    lines += wrapped(figure.caption, width)
    return "\n".join(lines).rstrip() + "\n"


def part_lines(part: Part, width: int, most: int) -> Iterator[str]:
    """One part, its title first."""
    if isinstance(part, HeatTable):
        yield from _table(part, width, most)
    elif isinstance(part, Bars):
        yield from _bars(part, width, most)
    elif isinstance(part, Lines):
        yield from _chart(part, width)
    elif isinstance(part, Thumbnails):
        yield from _thumbnails(part, width)
    elif isinstance(part, Points):
        yield from _points(part, width, most)
    elif isinstance(part, Tokens):
        yield from _tokens(part, width, most)
    else:
        yield from _tree(part, width, most)


def _table(table: HeatTable, width: int, most: int) -> Iterator[str]:
    yield clip(f"{table.title}   {legend(table)}", width)
    rows, columns = min(len(table.rows), most), min(len(table.cols), most)
    numbers = cell_texts(table, rows, columns)
    shares = table.shares[:rows, :columns]
    across = [standing(label) for label in table.cols[:columns]]
    cell = 2 + max(
        max((cell_len(n) for row in numbers for n in row), default=1) + 1, width_of(across, _COLUMN_WIDTH)
    )
    head = width_of(list(table.rows[:rows]), min(_LABEL_WIDTH, width // 3))
    step = max(1, (width - head) // cell)
    axes = f"{table.row_axis}\\{table.col_axis}" if table.row_axis else ""
    corner = axes if cell_len(axes) <= head else ""
    for first in range(0, columns, step):
        block = range(first, min(columns, first + step))
        yield fit(corner, head) + "".join("  " + fit(across[c], cell - 2, right=True) for c in block)
        for r in range(rows):
            cells = ("  " + fit(shade(shares[r, c]) + numbers[r][c], cell - 2, right=True) for c in block)
            yield fit(table.rows[r], head) + "".join(cells)
    yield from _left_out(len(table.rows) - rows, len(table.cols) - columns, width)


def legend(table: HeatTable) -> str:
    """What the shades mean."""
    if table.by_name:
        return _("names, each with a shade of its own")
    if table.by == "row" and table.scale != "probability":
        return _("shades: |value|, by row")
    low, high = table.limits
    write = number_format(np.array([low, high]), table.digits)
    if table.scale == "diverging":
        return _("shades: |value|, up to {high}").format(high=write(high))
    return _("shades: {low} to {high}").format(low=write(low), high=write(high))


def _left_out(rows: int, columns: int, width: int) -> Iterator[str]:
    if rows > 0:
        yield clip(_("… and {n} more rows").format(n=rows), width)
    if columns > 0:
        yield clip(_("… and {n} more columns").format(n=columns), width)


def _bars(bars: Bars, width: int, most: int) -> Iterator[str]:
    yield clip(f"{bars.title}   ({bars.unit})" if bars.unit else bars.title, width)
    write = number_format(bars.values, bars.digits)
    count = min(len(bars.labels), most)
    numbers = [write(value) for value in bars.values[:count].tolist()]
    head = width_of(list(bars.labels[:count]), width // 3)
    tail = max((cell_len(number) for number in numbers), default=0)
    room = max(1, min(40, width - head - tail - 4))
    largest = scale_of(bars)
    for label, number, value in zip(bars.labels, numbers, bars.values.tolist(), strict=False):
        yield f"{fit(label, head)}  {fit(number, tail, right=True)}  {bar(abs(value) / largest, room)}"
    yield from _left_out(len(bars.labels) - count, 0, width)


def scale_of(bars: Bars) -> float:
    """The value of a full bar: 1 for probabilities, otherwise the largest."""
    finite = np.abs(bars.values[np.isfinite(bars.values)])
    largest = float(finite.max()) if finite.size else 0.0
    return 1.0 if bars.scale == "probability" or not largest else largest


def _chart(chart: Lines, width: int) -> Iterator[str]:
    yield clip(f"{chart.title} ({_('log')})" if chart.log else chart.title, width)
    head = width_of([series.name for series in chart.series], width // 4)
    for series in chart.series:
        y = series.y[np.isfinite(series.y)]
        if not y.size:
            yield clip(_("{name}: no values yet").format(name=series.name), width)
            continue
        ends = _("last {last}, from {low} to {high}").format(
            last=f"{y[-1]:.4g}", low=f"{y.min():.4g}", high=f"{y.max():.4g}"
        )
        room = max(8, width - head - cell_len(ends) - 4)
        yield clip(f"{fit(series.name, head)}  {spark(y, room, chart.log)}  {ends}", width)
    x = [float(value) for series in chart.series for value in series.x[[0, -1] if len(series.x) else []]]
    if x:
        yield clip(f"{chart.x_label} {min(x):g} … {max(x):g}", width)


def _points(part: Points, width: int, most: int) -> Iterator[str]:
    """The map in cells, then what its axes are, then each point's numbers."""
    yield clip(part.title, width)
    room = min(width, 100)
    lines = [""] * _MAP_LINES
    for place in sorted(placed(part, room, _MAP_LINES), key=lambda place: place.x):
        lines[place.y] += " " * (place.x - cell_len(lines[place.y])) + place.text
    yield from lines
    yield clip(
        " · ".join(f"{sign} {axis}" for sign, axis in zip("→↑", part.axes, strict=True) if axis), width
    )
    head = width_of(list(part.labels[:most]), width // 3)
    write = number_format(part.values, 3)
    for label, row in zip(part.labels[:most], part.values.tolist(), strict=False):
        yield f"{fit(label, head)}  {'  '.join(fit(write(value), 9, right=True) for value in row)}"
    yield from _left_out(len(part.labels) - most, 0, width)


def _thumbnails(part: Thumbnails, width: int) -> Iterator[str]:
    """The pictures in shades, as many beside each other as there is room for."""
    yield clip(part.title, width)
    beside = max(1, min(part.columns, (width + 2) // (THUMB_WIDTH + 2)))
    for start in range(0, len(part.labels), part.columns):
        row = range(start, min(start + part.columns, len(part.labels)))
        for first in range(row.start, row.stop, beside):
            shown = range(first, min(first + beside, row.stop))
            yield ""
            yield "  ".join(fit(part.labels[i], THUMB_WIDTH) for i in shown).rstrip()
            images = [thumbnail(part.images[i], THUMB_HEIGHT, THUMB_WIDTH) for i in shown]
            for y in range(THUMB_HEIGHT):
                yield "  ".join("".join(shade(float(v)) for v in image[y]) for image in images).rstrip()
            if part.notes:
                yield "  ".join(fit(part.notes[i], THUMB_WIDTH) for i in shown).rstrip()


def spark(y: np.ndarray[tuple[int, ...], np.dtype[np.floating]], width: int, log: bool = False) -> str:
    """A curve in one line of at most `width` blocks: the mean of each stretch."""
    if log:
        y = np.log(np.maximum(y, np.finfo(float).tiny))
    means = np.array([part.mean() for part in np.array_split(y, min(width, len(y)))])
    span = means.max() - means.min()
    levels = (means - means.min()) / span if span else np.full(len(means), 0.5)
    return "".join(_SPARKS[int(round(float(level) * (len(_SPARKS) - 1)))] for level in levels)


def _tokens(part: Tokens, width: int, most: int) -> Iterator[str]:
    yield clip(part.title, width)
    names, columns = token_grid(part, most)
    head = width_of(names, width // 4)
    widths = [width_of(column, width - head - 2) for column in columns]
    first = 0
    while first < len(columns):
        last, room = first, width - head
        while last < len(columns) and (last == first or room >= widths[last] + 2):
            room -= widths[last] + 2
            last += 1
        for line, name in enumerate(names):
            cells = "".join("  " + fit(columns[c][line], widths[c], right=True) for c in range(first, last))
            yield fit(name, head) + cells
        if last < len(columns):
            yield ""
        first = last
    left = len(part.tokens) - len(columns)
    if left > 0:
        yield clip(_("… and {n} more tokens").format(n=left), width)


def token_grid(part: Tokens, most: int) -> tuple[list[str], list[list[str]]]:
    """The names of the lines, and a column of cells for each token; lines that say nothing are left out."""
    tokens = part.tokens[:most]
    lines: list[tuple[str, list[str]]] = [(_("token"), [token.text for token in tokens])]
    if any(token.id is not None for token in tokens):
        lines.append((_("id"), ["–" if token.id is None else str(token.id) for token in tokens]))
    if any(token.start is not None for token in tokens):
        lines.append((_("characters"), ["–" if t.start is None else f"{t.start}–{t.end}" for t in tokens]))
    if any(token.segment for token in tokens):
        lines.append((_("segment"), [str(token.segment) for token in tokens]))
    if any(token.tag is not None for token in tokens):
        lines.append((_("tag"), [token.tag or "–" for token in tokens]))
    if any(token.prob is not None for token in tokens):
        lines.append((_("probability"), ["–" if t.prob is None else f"{t.prob:.2f}" for t in tokens]))
    return [name for name, _cells in lines], [
        list(column) for column in zip(*(c for _n, c in lines), strict=True)
    ]


def _tree(tree: Tree, width: int, most: int) -> Iterator[str]:
    yield clip(tree.title, width)
    rows = tree.rows[:most]
    labels = ["  " * row.depth + row.label for row in rows]
    shapes = ["" if row.shape is None else "×".join(map(str, row.shape)) for row in rows]
    head, middle = width_of(labels, width // 2), width_of(shapes, width // 4)
    for row, label, shape in zip(rows, labels, shapes, strict=True):
        yield clip(f"{fit(label, head)}  {fit(shape, middle)}  {row.formula}", width)
    left = len(tree.rows) - len(rows)
    if left > 0:
        yield clip(_("… and {n} more lines").format(n=left), width)


def wrapped(text: str, width: int) -> Sequence[str]:
    """`text` broken at spaces, and inside words that are wider than a line; 中文 breaks anywhere."""
    lines, line = [], ""
    for word in text.split(" "):
        while cell_len(word) > width:
            room = width - cell_len(line) - (1 if line else 0)
            cut = _head(word, room)
            lines.append(f"{line} {cut}" if line else cut)
            line, word = "", word[len(cut) :]
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def _head(text: str, width: int) -> str:
    """The longest beginning of `text` that takes at most `width` cells."""
    taken = 0
    for count, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:count]
    return text
