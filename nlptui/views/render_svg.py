"""A figure as one SVG file that stands alone: no scripts, links or fonts of its own, light or dark by itself.

All text is escaped here. Cells of one level that lie side by side are one rectangle, so that large tables
make small files. Knows nothing of terminals and of HTML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape as _escape

import numpy as np
from rich.cells import cell_len

from nlptui.locale import _
from nlptui.views import palette
from nlptui.views.cells import cell_texts, clip, number_format, standing, width_of
from nlptui.views.figure import (
    Array,
    Bars,
    Figure,
    HeatTable,
    Lines,
    Part,
    Points,
    Series,
    Thumbnails,
    Tokens,
    Tree,
    thumbnail,
)
from nlptui.views.render_text import scale_of, token_grid, wrapped

LIMIT = 600
"""Rows and columns of a table that are drawn; what is left out is counted."""
_CHAR, _LINE, _MARGIN = 7.3, 18.0, 16.0
_LABEL_CELLS = 20
_CAPTION = 80
"""Characters of a line of the caption, where nothing above is wider."""
_PLOT_WIDTH, _PLOT_HEIGHT = 640.0, 200.0
_POINTS = 800
_PIXELS = 24
"""Rows and columns of a small picture."""


@dataclass
class Canvas:
    """Elements drawn so far, from top to bottom, and how far they reach."""

    y: float = _MARGIN
    width: float = 320.0
    elements: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, classes: str = "", size: int = 12) -> None:
        """A line of text whose baseline is at `y`."""
        kind = f' class="{classes}"' if classes else ""
        self.elements.append(f'<text x="{x:.4g}" y="{y:.5g}" font-size="{size}"{kind}>{escape(text)}</text>')
        if "right" not in classes and "middle" not in classes:
            self.reach(x + (cell_len(text) + 1) * _CHAR * size / 12)

    def rect(self, x: float, y: float, width: float, height: float, classes: str, more: str = "") -> None:
        """A rectangle."""
        box = f'x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" height="{height:.5g}"'
        self.elements.append(f'<rect {box} class="{classes}"{more}/>')
        self.reach(x + width)

    def path(self, d: str, classes: str) -> None:
        """A path."""
        self.elements.append(f'<path d="{d}" class="{classes}"/>')

    def reach(self, x: float) -> None:
        """Make sure that the drawing is at least as wide as `x`."""
        self.width = max(self.width, x + _MARGIN)


def escape(text: str) -> str:
    """Text for XML, without the few characters that no XML file may hold."""
    kept = "".join(character for character in text if character not in "\ufffe\uffff")
    return _escape(standing(kept), {'"': "&quot;"})


def to_svg(figure: Figure, theme: str = "auto") -> str:
    """The whole figure. `theme`: "light", "dark", or "auto" for what the reader's system asks for."""
    canvas = Canvas()
    canvas.y += 14
    canvas.text(_MARGIN, canvas.y, figure.title, "bold", size=15)
    canvas.y += 10
    for part in figure.parts:
        draw_part(canvas, part)
    room = max(_CAPTION, int((canvas.width - 2 * _MARGIN) / _CHAR))
    for line in wrapped(figure.caption, room) if figure.caption else ():
        canvas.y += _LINE
        canvas.text(_MARGIN, canvas.y, line, "faint")
    return document(canvas, figure.title, theme)


def document(canvas: Canvas, title: str, theme: str) -> str:
    """The file around the elements."""
    style = f"<style>{palette.style_sheet(theme)}</style>"
    paper = '<rect width="100%" height="100%" class="paper"/>'
    return f"{_open(canvas, title)}{style}{paper}{''.join(canvas.elements)}</svg>\n"


def part_svg(part: Part) -> str:
    """One part without its title as an <svg> element, to stand in a page that has the style sheet."""
    canvas = Canvas(y=0)
    draw_content(canvas, part)
    return f"{_open(canvas, part.title)}{''.join(canvas.elements)}</svg>"


def _open(canvas: Canvas, title: str) -> str:
    width, height = round(canvas.width), round(canvas.y + _MARGIN)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>'


def draw_part(canvas: Canvas, part: Part) -> None:
    """One part below what is there."""
    canvas.y += _LINE * 1.4
    canvas.text(_MARGIN, canvas.y, part.title, "bold")
    canvas.y += 8
    draw_content(canvas, part)


def draw_content(canvas: Canvas, part: Part) -> None:
    """What stands below a part's title."""
    if isinstance(part, HeatTable):
        _table(canvas, part)
    elif isinstance(part, Bars):
        _bars(canvas, part)
    elif isinstance(part, Lines):
        _chart(canvas, part)
    elif isinstance(part, Thumbnails):
        _thumbnails(canvas, part)
    elif isinstance(part, Points):
        _points(canvas, part)
    elif isinstance(part, Tokens):
        _tokens(canvas, part)
    else:
        _tree(canvas, part)


# -- heat tables


def _table(canvas: Canvas, table: HeatTable) -> None:
    rows, columns = min(len(table.rows), LIMIT), min(len(table.cols), LIMIT)
    if not table.by_name:
        _legend(canvas, table)
    numbers = columns <= 40 and rows <= 100
    texts = cell_texts(table, rows, columns) if numbers else []
    widest = max((cell_len(text) for row in texts for text in row), default=0)
    across = [clip(standing(label), 10) for label in table.cols[:columns]]
    wide = max(widest, width_of(across, 10)) * _CHAR + 6 if numbers else _small(columns)
    high = 20.0 if numbers else min(14.0, _small(rows))
    left = _MARGIN + (width_of(table.rows[:rows], _LABEL_CELLS) + 1) * _CHAR
    top = canvas.y + _LINE
    _column_labels(canvas, across, left, wide, top - 5)
    grid = palette.levels(table)[:rows, :columns]
    _cells(canvas, table, grid, left, top, wide, high)
    every = max(1, int(np.ceil(12 / high)))
    for r in range(0, rows, every):
        label = clip(standing(table.rows[r]), _LABEL_CELLS)
        canvas.text(left - _CHAR, top + (r + 0.5) * high + 4, label, "right", size=12 if numbers else 10)
    for r, row in enumerate(texts):
        for c, text in enumerate(row):
            classes = "right " + palette.level_class(table, int(grid[r, c])).upper()
            canvas.text(left + (c + 1) * wide - 3, top + r * high + 14, text, classes, size=11)
    canvas.y = top + rows * high + 4
    _left_out(canvas, len(table.rows) - rows, len(table.cols) - columns)


def _small(count: int) -> float:
    """The side of a cell without a number, so that many fit on a page."""
    return 14.0 if count <= 64 else 8.0 if count <= 150 else 4.0 if count <= 320 else 2.0


def _column_labels(canvas: Canvas, labels: list[str], left: float, wide: float, y: float) -> None:
    """As many labels as there is room for, each centred over its column; numbers at even distances."""
    next_free, step = 0.0, 1
    if labels and all(label.isdigit() for label in labels):
        widest = max(map(cell_len, labels)) * _CHAR + 8
        step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if s * wide >= widest)
    for c, label in list(enumerate(labels))[::step]:
        half = cell_len(label) * _CHAR / 2
        centre = left + (c + 0.5) * wide
        if centre - half >= next_free:
            canvas.text(centre, y, label, "middle faint", size=11)
            next_free = centre + half + 4


def _cells(
    canvas: Canvas, table: HeatTable, grid: Array, left: float, top: float, wide: float, high: float
) -> None:
    """One path for each level: a rectangle for every run of equal cells in a row."""
    rows, columns = grid.shape
    canvas.reach(left + columns * wide)
    if not grid.size:
        return
    starts = np.ones(grid.shape, dtype=bool)
    starts[:, 1:] = grid[:, 1:] != grid[:, :-1]
    r, c = np.nonzero(starts)
    ends = np.where(np.append(r[1:], -1) == r, np.append(c[1:], 0), columns)
    level, x, x_end = grid[r, c], left + c * wide, left + ends * wide
    for shown in np.unique(level):
        chosen = level == shown
        runs = (
            f"M{a:.6g} {top + row * high:.6g}H{b:.6g}v{high:g}H{a:.6g}z"
            for row, a, b in zip(r[chosen].tolist(), x[chosen].tolist(), x_end[chosen].tolist(), strict=True)
        )
        canvas.path("".join(runs), palette.level_class(table, int(shown)))


def _legend(canvas: Canvas, table: HeatTable) -> None:
    """The scale's colours between its two ends."""
    low, high = table.limits
    write = number_format(np.array([low, high]), table.digits)
    size, x = palette.count(table), _MARGIN
    by_row = table.by == "row" and table.scale != "probability"
    ends = (_("least"), _("most")) if by_row else (write(low), write(high))
    canvas.text(x, canvas.y + 10, ends[0], "faint", size=10)
    x += (cell_len(ends[0]) + 1) * _CHAR * 10 / 12
    for level in range(size):
        canvas.rect(x + level * 8, canvas.y + 2, 8, 9, palette.level_class(table, level))
    words = _("{high}, by row").format(high=ends[1]) if by_row else ends[1]
    canvas.text(x + size * 8 + 6, canvas.y + 10, words, "faint", size=10)
    canvas.y += 12


def _left_out(canvas: Canvas, rows: int, columns: int) -> None:
    words = [_("… and {n} more rows").format(n=rows)] if rows > 0 else []
    words += [_("… and {n} more columns").format(n=columns)] if columns > 0 else []
    if words:
        canvas.y += _LINE
        canvas.text(_MARGIN, canvas.y, "   ".join(words), "faint")


# -- bars, lines, tokens, trees


def _bars(canvas: Canvas, bars: Bars) -> None:
    count = min(len(bars.labels), LIMIT)
    write = number_format(bars.values, bars.digits)
    left = _MARGIN + (width_of(list(bars.labels[:count]), _LABEL_CELLS) + 1) * _CHAR
    largest = scale_of(bars)
    for label, value in zip(bars.labels[:count], bars.values.tolist(), strict=False):
        canvas.text(left - _CHAR, canvas.y + 14, clip(standing(label), _LABEL_CELLS), "right")
        share = min(1.0, abs(value) / largest) if np.isfinite(value) else 0.0
        canvas.rect(left, canvas.y + 4, 300 * share, 13, "f0" if value >= 0 else "f1")
        canvas.text(left + 300 * share + 6, canvas.y + 14, write(value), size=11)
        canvas.y += 20
    if bars.unit:
        canvas.text(left, canvas.y + 12, bars.unit, "faint", size=10)
        canvas.y += 14
    _left_out(canvas, len(bars.labels) - count, 0)


def _chart(canvas: Canvas, chart: Lines) -> None:
    left, top = _MARGIN + 9 * _CHAR, canvas.y + 6
    canvas.rect(left, top, _PLOT_WIDTH, _PLOT_HEIGHT, "line")
    curves = [points(series, chart.log) for series in chart.series]
    if any(len(x) for x, _y in curves):
        ends = [_ends(np.concatenate([curve[axis] for curve in curves])) for axis in (0, 1)]
        for number, (x, y) in enumerate(curves):
            if len(x):
                at = _shares(x, ends[0]) * _PLOT_WIDTH + left, top + (1 - _shares(y, ends[1])) * _PLOT_HEIGHT
                canvas.path(_curve(*at), f"curve l{number % 6}")
        _axis_labels(canvas, left, top, ends[0], ends[1], chart.log)
    canvas.text(left + _PLOT_WIDTH / 2, top + _PLOT_HEIGHT + 14, chart.x_label, "middle faint", size=11)
    canvas.y = top + _PLOT_HEIGHT + 16
    key = left
    for number, series in enumerate(chart.series):
        canvas.rect(key, canvas.y + 8, 12, 4, f"f{number % 6}")
        canvas.text(key + 18, canvas.y + 14, series.name, size=11)
        key += (cell_len(series.name) + 5) * _CHAR
    unit = f"{chart.y_label} ({_('log')})" if chart.log else chart.y_label
    canvas.text(key, canvas.y + 14, unit.strip(), "faint", size=11)
    canvas.y += 18


def _thumbnails(canvas: Canvas, part: Thumbnails) -> None:
    """The pictures in rows, a square for each pixel."""
    side, gap = 96, 16
    for start in range(0, len(part.labels), part.columns):
        top = canvas.y + 14
        for column, number in enumerate(range(start, min(start + part.columns, len(part.labels)))):
            left = _MARGIN + column * (side + gap)
            canvas.text(left, top - 4, clip(part.labels[number], int(side / _CHAR) + 2), "faint", size=11)
            image = part.images[number]
            rows, cols = (min(size, _PIXELS) or 1 for size in image.shape)
            table = _table_of(thumbnail(image, rows, cols))
            canvas.rect(left, top, side, side, "line")
            wide, high = side / cols, side / rows
            for y, line in enumerate(palette.levels(table).tolist()):
                for x, level in enumerate(line):
                    if level > 0:
                        kind = palette.level_class(table, level)
                        canvas.rect(left + x * wide, top + y * high, wide, high, kind)
            if part.notes:
                canvas.text(
                    left, top + side + 12, clip(part.notes[number], int(side / _CHAR) + 2), "faint", size=11
                )
        canvas.y = top + side + 20


def _table_of(image: Array) -> HeatTable:
    """A picture as a table without labels, for its colours."""
    rows, cols = image.shape
    return HeatTable("", image, ("",) * rows, ("",) * cols, "", "", scale="probability")


def _points(canvas: Canvas, part: Points) -> None:
    left, top = _MARGIN + 9 * _CHAR, canvas.y + 6
    canvas.rect(left, top, _PLOT_WIDTH, _PLOT_HEIGHT, "line")
    if part.labels:
        x, y = (_ends(part.values[:, axis].astype(float)) for axis in (0, 1))
        across = left + _shares(part.values[:, 0], x) * _PLOT_WIDTH
        down = top + (1 - _shares(part.values[:, 1], y)) * _PLOT_HEIGHT
        for label, at, height in zip(part.labels, across.tolist(), down.tolist(), strict=True):
            canvas.rect(at - 2, height - 2, 4, 4, "f0")
            end = at + 6 + cell_len(label) * _CHAR > left + _PLOT_WIDTH
            canvas.text(at - 6 if end else at + 6, height + 4, label, "right" if end else "", size=11)
        _axis_labels(canvas, left, top, x, y, False)
    canvas.text(left + _PLOT_WIDTH / 2, top + _PLOT_HEIGHT + 14, part.axes[0], "middle faint", size=11)
    canvas.text(left, top - 4, part.axes[1], "faint", size=11)
    canvas.y = top + _PLOT_HEIGHT + 20


def _axis_labels(
    canvas: Canvas, left: float, top: float, x: tuple[float, float], y: tuple[float, float], log: bool
) -> None:
    """The numbers at the ends of both axes."""
    for value, height in ((y[1], 10.0), (y[0], _PLOT_HEIGHT)):
        shown = 10.0**value if log else value
        canvas.text(left - 6, top + height, f"{shown:.4g}", "right faint", size=11)
    canvas.text(left, top + _PLOT_HEIGHT + 14, f"{x[0]:g}", "faint", size=11)
    canvas.text(left + _PLOT_WIDTH, top + _PLOT_HEIGHT + 14, f"{x[1]:g}", "right faint", size=11)


def _shares(values: Array, ends: tuple[float, float]) -> Array:
    return np.asarray((values - ends[0]) / (ends[1] - ends[0]))


def _curve(x: Array, y: Array) -> str:
    """The path through all points; a dash where there is only one."""
    at = [f"{a:.5g} {b:.5g}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return "M" + "L".join(at) if len(at) > 1 else f"M{x[0] - 4:.5g} {y[0]:.5g}h8"


def points(series: Series, log: bool) -> tuple[Array, Array]:
    """The finite points of a series; of many, the smallest and largest of each stretch."""
    x, y = series.x.astype(float), series.y.astype(float)
    keep = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (not log))
    x, y = x[keep], np.log10(y[keep]) if log else y[keep]
    if len(x) > 2 * _POINTS:
        picked = []
        for stretch in np.array_split(np.arange(len(x)), _POINTS):
            picked += sorted({int(stretch[y[stretch].argmin()]), int(stretch[y[stretch].argmax()])})
        x, y = x[picked], y[picked]
    return x, y


def _ends(values: Array) -> tuple[float, float]:
    """The range of an axis, never empty."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _tokens(canvas: Canvas, part: Tokens) -> None:
    names, columns = token_grid(part, LIMIT)
    head = _MARGIN + (width_of(names, _LABEL_CELLS) + 2) * _CHAR
    most = head + 900
    x, height = head, len(names) * 16 + 6
    for number in range(len(columns) + 1):
        column = columns[number] if number < len(columns) else None
        wide = (width_of(column, 40) + 1) * _CHAR + 4 if column else 0
        if number == 0 or (column and x + wide > most):
            if number:
                canvas.y += height + 8
            for line, name in enumerate(names):
                canvas.text(_MARGIN, canvas.y + 18 + line * 16, name, "faint", size=11)
            x = head
        if column:
            special = " special" if part.tokens[number].special else ""
            canvas.rect(x, canvas.y + 4, wide, 19, "chip" + special, ' rx="4"')
            for line, text in enumerate(column):
                classes = "middle" if line == 0 else "middle faint"
                canvas.text(
                    x + wide / 2, canvas.y + 18 + line * 16, clip(text, 40), classes, 12 if line == 0 else 10
                )
            x += wide + 5
    canvas.y += height
    left = len(part.tokens) - len(columns)
    if left > 0:
        canvas.y += _LINE
        canvas.text(_MARGIN, canvas.y, _("… and {n} more tokens").format(n=left), "faint")


def _tree(canvas: Canvas, tree: Tree) -> None:
    rows = tree.rows[:LIMIT]
    shapes = ["" if row.shape is None else "×".join(map(str, row.shape)) for row in rows]
    middle = _MARGIN + (max((2 * r.depth + cell_len(r.label) for r in rows), default=0) + 2) * _CHAR
    right = middle + (width_of(shapes, _LABEL_CELLS) + 2) * _CHAR
    for row, shape in zip(rows, shapes, strict=True):
        canvas.y += 16
        canvas.text(_MARGIN + 2 * row.depth * _CHAR, canvas.y, row.label, "" if row.leaf else "bold")
        if shape:
            canvas.text(middle, canvas.y, shape, "faint")
        if row.formula:
            canvas.text(right, canvas.y, clip(row.formula, 100))
    canvas.y += 4
    _left_out(canvas, len(tree.rows) - len(rows), 0)
