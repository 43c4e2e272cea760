"""What a view shows: heat tables, bars, lines, tokens and trees as plain arrays and labels.

Knows nothing of how it is drawn (terminal strips, text, SVG, HTML), and nothing of networks: a `Source` is
only the name and the index under which a trace keeps the number of a cell. Every string passes `visible`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlptui.lazy import numpy as np
from nlptui.text import visible

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = "NDArray[Any]"
Scale: TypeAlias = Literal["diverging", "probability", "positive"]
By: TypeAlias = Literal["table", "row"]
SCALES: tuple[Scale, ...] = ("diverging", "probability", "positive")
NOWHERE = -1
"""In a source's `rows` and `cols`: there is no element."""


@dataclass(frozen=True)
class Origin:
    """Where one cell comes from: element `index` of `name`, in the first trace (0) or the second (1)."""

    name: str
    index: tuple[int, ...]
    trace: int = 0


@dataclass(frozen=True)
class Source:
    """Maps the cells of a table to elements of one activation, input or parameter.

    `index` holds numbers and the placeholders "row" and "col", as in
    `Source("blocks.0.attn.weights", (0, 3, "row", "col"))`. `rows` and `cols` say which element a row or a
    column stands for where a table is sorted or picked: with `rows=(17, 4)`, row 0 is element 17.
    """

    name: str
    index: tuple[int | str, ...]
    rows: tuple[int, ...] | None = None
    cols: tuple[int, ...] | None = None
    trace: int = 0

    def __post_init__(self) -> None:
        for part in self.index:
            if isinstance(part, str) and part not in ("row", "col"):
                raise ValueError(f"source of {self.name}: unknown placeholder {part!r}, not 'row' or 'col'")

    def at(self, row: int, col: int = 0) -> tuple[int, ...]:
        """The full index, batch included, of the element shown at (row, col)."""
        picked = {
            "row": row if self.rows is None else self.rows[row],
            "col": col if self.cols is None else self.cols[col],
        }
        return tuple(picked[part] if isinstance(part, str) else part for part in self.index)

    def origin(self, row: int, col: int = 0) -> Origin:
        """Name, index and trace of the element shown at (row, col)."""
        return Origin(self.name, self.at(row, col), self.trace)


@dataclass(frozen=True)
class Fixed:
    """An axis of an activation that a part does not show, and where on it the part stands: head 3, say."""

    axis: str
    index: int
    label: str

    def __post_init__(self) -> None:
        _set(self, label=told(self.label))


@dataclass(frozen=True, eq=False)
class HeatTable:
    """A matrix with labelled rows and columns.

    `scale` says what colour means: "diverging" (signed, zero fixed in the middle), "probability" (0 to 1) or
    "positive" (0 to the largest). `source` is one for all cells, or one for each row.
    """

    title: str
    values: Array
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    row_axis: str
    col_axis: str
    scale: Scale = "diverging"
    source: Source | tuple[Source, ...] | None = None
    digits: int = 2
    by: By = "table"
    """Whether colours compare within the table or within each row."""
    note: str = ""
    """How the table was made, as one formula."""
    fixed: tuple[Fixed, ...] = ()
    """Where the table stands on the axes that it does not show."""
    task: str = ""
    """What the model is for, where the meaning of a cell depends on it."""
    minus: tuple[HeatTable, HeatTable] | None = None
    """The two tables whose difference this one is."""
    differences: bool = False
    """Whether its numbers are differences: a 0 is written only where nothing differs."""
    texts: tuple[tuple[str, ...], ...] = ()
    """What stands in the cells instead of their numbers, row by row: tags, say; empty: the numbers."""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), note=visible(self.note))
        _set(self, rows=_labels(self.rows), cols=_labels(self.cols), texts=tuple(map(_labels, self.texts)))
        _set(self, values=_matrix(self.title, self.values, 2))
        found, expected = self.values.shape, (len(self.rows), len(self.cols))
        if found != expected:
            raise ValueError(f"table {self.title!r}: values have shape {found}, labels say {expected}")
        if self.texts and [len(row) for row in self.texts] != [len(self.cols)] * len(self.rows):
            raise ValueError(f"table {self.title!r}: texts are not {expected}")
        if self.scale not in SCALES:
            raise ValueError(f"table {self.title!r}: unknown scale {self.scale!r}, expected one of {SCALES}")
        if self.by not in ("table", "row"):
            raise ValueError(f"table {self.title!r}: colours go by 'table' or 'row', not {self.by!r}")
        if isinstance(self.source, tuple) and len(self.source) != len(self.rows):
            raise ValueError(f"table {self.title!r}: {len(self.source)} sources for {len(self.rows)} rows")

    @property
    def by_name(self) -> bool:
        """Whether colours only tell the texts of cells apart: their numbers say nothing."""
        return bool(self.texts) and self.scale == "positive"

    def origin(self, row: int, col: int) -> Origin | None:
        """What Enter opens at (row, col); None where the number is not an element of a trace."""
        source = self.source[row] if isinstance(self.source, tuple) else self.source
        found = source.origin(row, col) if source else None
        return None if found is None or NOWHERE in found.index else found

    def difference(self, row: int, col: int) -> tuple[Origin, Origin] | None:
        """The two numbers whose difference stands at (row, col); None where it is none."""
        if self.minus is None:
            return None
        a, b = (table.origin(row, col) for table in self.minus)
        return None if a is None or b is None else (a, b)

    @property
    def limits(self) -> tuple[float, float]:
        """The values at the two ends of the legend, comparing within the table."""
        if self.scale == "probability":
            return (0.0, 1.0)
        largest = float(_largest(self.values, None)) if self.values.size else 0.0
        return (-largest if self.scale == "diverging" else 0.0, largest)

    @cached_property
    def shares(self) -> Array:
        """Each value as a share of the scale: -1 to 1 if diverging, 0 to 1 otherwise; NaN where not finite.

        Zero is always 0, so a diverging scale keeps zero in the middle.
        """
        low = -1.0 if self.scale == "diverging" else 0.0
        largest = (
            np.float32(1)
            if self.scale == "probability"
            else _largest(self.values, 1 if self.by == "row" else None)
        )
        with np.errstate(invalid="ignore"):
            shares = np.divide(
                self.values, np.where(largest > 0, largest, 1), dtype=np.float32, casting="unsafe"
            )
        np.clip(shares, low, 1.0, out=shares)
        finite = np.isfinite(self.values)
        if not finite.all():
            shares[~finite] = np.nan
        return shares


@dataclass(frozen=True, eq=False)
class Bars:
    """Labelled numbers side by side, in the order given: candidates with their probabilities, say."""

    title: str
    labels: tuple[str, ...]
    values: Array
    source: Source | tuple[Source, ...] | None = None
    """One for all bars, or one for each."""
    unit: str = ""
    digits: int = 3
    scale: Scale = "positive"
    """As in a heat table: "probability" means that a full bar is 1."""
    axis: str = ""
    """The axis that the bars stand on."""
    fixed: tuple[Fixed, ...] = ()
    """Where the bars stand on the axes that they do not show."""
    task: str = ""
    """What the model is for, where the meaning of a bar depends on it."""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), unit=visible(self.unit), labels=_labels(self.labels))
        _set(self, values=_matrix(self.title, self.values, 1))
        if self.scale not in SCALES:
            raise ValueError(f"bars {self.title!r}: unknown scale {self.scale!r}, expected one of {SCALES}")
        if len(self.labels) != len(self.values):
            raise ValueError(f"bars {self.title!r}: {len(self.values)} values, {len(self.labels)} labels")
        if isinstance(self.source, tuple) and len(self.source) != len(self.labels):
            raise ValueError(f"bars {self.title!r}: {len(self.source)} sources, {len(self.labels)} labels")

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """What Enter opens at bar `row`."""
        source = self.source[row] if isinstance(self.source, tuple) else self.source
        return source.origin(row, col) if source else None


@dataclass(frozen=True, eq=False)
class Series:
    """One line of a chart; a NaN in `y` is a gap. `source` maps point i ("col") to the element it shows."""

    name: str
    x: Array
    y: Array
    source: Source | None = None
    labels: tuple[str, ...] = ()
    """What each point stands for, a token say; empty where its x says all."""

    def __post_init__(self) -> None:
        _set(self, name=visible(self.name), x=_matrix(self.name, self.x, 1), y=_matrix(self.name, self.y, 1))
        _set(self, labels=_labels(self.labels))
        if len(self.x) != len(self.y):
            raise ValueError(f"series {self.name!r}: {len(self.x)} x values, {len(self.y)} y values")
        if self.labels and len(self.labels) != len(self.x):
            raise ValueError(f"series {self.name!r}: {len(self.x)} points, {len(self.labels)} labels")


@dataclass(frozen=True, eq=False)
class Lines:
    """A chart of one or more series over the same x axis."""

    title: str
    series: tuple[Series, ...]
    x_label: str = ""
    y_label: str = ""
    log: bool = False
    """Whether y is drawn on a logarithmic scale."""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), x_label=visible(self.x_label), y_label=visible(self.y_label))
        _set(self, series=tuple(self.series))

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """What Enter opens at point `col` of series `row`; None where lines are no elements of a trace."""
        source = self.series[row].source if self.series else None
        return source.origin(row, col) if source else None


@dataclass(frozen=True, eq=False)
class Points:
    """Labelled points on a plane: `values` has a row (x, y) for each, `source` elements for (point, axis)."""

    title: str
    labels: tuple[str, ...]
    values: Array
    source: Source | None = None
    axes: tuple[str, str] = ("", "")
    """What stands along x and along y."""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), labels=_labels(self.labels), axes=_labels(self.axes))
        _set(self, values=_matrix(self.title, self.values, 2))
        if self.values.shape != (len(self.labels), 2):
            raise ValueError(f"points {self.title!r}: values {self.values.shape}, {len(self.labels)} labels")

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """What Enter opens at point `row`: its x (col 0) or its y."""
        return self.source.origin(row, col) if self.source else None


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Small pictures of matrices in rows of `columns`: all heads of all layers, say. Values from 0 to 1.

    `origins` holds for each picture the array that it shows, with the index of the matrix in it.
    """

    title: str
    labels: tuple[str, ...]
    images: tuple[Array, ...]
    origins: tuple[Origin, ...]
    columns: int
    notes: tuple[str, ...] = ()
    """A few words below each picture."""
    details: tuple[str, ...] = ()
    """What the read-out says of each picture; the notes, where there are none."""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), labels=_labels(self.labels), notes=_labels(self.notes))
        _set(self, details=_labels(self.details) or self.notes)
        _set(self, images=tuple(_matrix(self.title, image, 2) for image in self.images))
        counts = {len(self.labels), len(self.images), len(self.origins)}
        counts |= {len(words) for words in (self.notes, self.details) if words}
        if len(counts) > 1:
            raise ValueError(f"thumbnails {self.title!r}: labels, images, origins, notes: {sorted(counts)}")

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """The array that picture `row` shows."""
        return self.origins[row]


def thumbnail(image: Array, height: int, width: int) -> Array:
    """`image` in height × width pixels: of several cells the largest, so that no bright one is lost."""
    rows, cols = image.shape
    if not rows or not cols:
        return np.zeros((height, width))
    down = [
        image[rows * i // height : max(rows * i // height + 1, -(-rows * (i + 1) // height))]
        for i in range(height)
    ]
    lines = np.stack([part.max(0) for part in down])
    across = [
        lines[:, cols * i // width : max(cols * i // width + 1, -(-cols * (i + 1) // width))]
        for i in range(width)
    ]
    return np.stack([part.max(1) for part in across], axis=1)


@dataclass(frozen=True)
class Token:
    """One token, or a word of the output: what to show, its id (None for a word), and its code points.

    Special tokens stand at no code points: `start` and `end` are None.
    """

    text: str
    id: int | None = None
    start: int | None = None
    end: int | None = None
    tag: str | None = None
    prob: float | None = None
    special: bool = False
    segment: int = 0

    def __post_init__(self) -> None:
        _set(self, text=told(self.text), tag=None if self.tag is None else visible(self.tag))


@dataclass(frozen=True)
class Tokens:
    """A row of tokens; `source` maps token i ("row") to the input that holds its id, or there is one for each
    token: where its probability stands.
    """

    title: str
    tokens: tuple[Token, ...]
    source: Source | tuple[Source, ...] | None = None

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), tokens=tuple(self.tokens))
        if isinstance(self.source, tuple) and len(self.source) != len(self.tokens):
            raise ValueError(f"tokens {self.title!r}: {len(self.source)} sources, {len(self.tokens)} tokens")

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """What Enter opens at token `row`."""
        source = self.source[row] if isinstance(self.source, tuple) else self.source
        return source.origin(row, col) if source else None


@dataclass(frozen=True)
class TreeRow:
    """One line of a tree: a branch (`shape` None) or a leaf that `path` opens."""

    path: str
    depth: int
    shape: tuple[int, ...] | None = None
    formula: str = ""
    axes: tuple[str, ...] = ()
    given: bool = False
    """Whether it was given, not computed."""

    def __post_init__(self) -> None:
        _set(self, path=visible(self.path), formula=visible(self.formula))
        if self.axes and self.shape is not None and len(self.axes) != len(self.shape):
            raise ValueError(f"tree row {self.path}: shape {self.shape} has {len(self.axes)} axes")

    @property
    def leaf(self) -> bool:
        """Whether the row is an array (a branch only groups others)."""
        return self.shape is not None

    @property
    def label(self) -> str:
        """The end of the path: what stands in the tree beside its indentation ("attn", "blocks.3")."""
        parts = self.path.split(".")
        return ".".join(parts[-2:]) if parts[-1].isdigit() else parts[-1]


@dataclass(frozen=True)
class Tree:
    """Everything a trace holds, in the order computed, as one indented list."""

    title: str
    rows: tuple[TreeRow, ...]

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), rows=tuple(self.rows))

    def origin(self, row: int, col: int = 0) -> Origin | None:
        """What Enter opens at `row`: the whole array (an empty index), None at a branch."""
        line = self.rows[row]
        return Origin(line.path, ()) if line.leaf else None


Part: TypeAlias = HeatTable | Bars | Lines | Points | Thumbnails | Tokens | Tree


@dataclass(frozen=True, eq=False)
class Figure:
    """What a view shows of a trace: its parts from top to bottom, and a caption in one or two sentences."""

    view: str
    title: str
    parts: tuple[Part, ...]
    caption: str = ""

    def __post_init__(self) -> None:
        _set(self, title=visible(self.title), caption=visible(self.caption), parts=tuple(self.parts))


def told(label: str) -> str:
    """`label` as it can be read: a token of nothing but spaces as one ␣ for each."""
    return visible(label) if label.strip(" ") else "␣" * len(label)


def _set(instance: object, **fields: object) -> None:
    for name, value in fields.items():
        object.__setattr__(instance, name, value)


def _labels(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(told(label) for label in labels)


def _matrix(title: str, values: ArrayLike, dimensions: int) -> Array:
    """`values` as a read-only view (nothing is copied), after a look at its kind and number of dimensions."""
    array = np.asarray(values).view()
    if array.ndim != dimensions:
        raise ValueError(f"{title!r}: values have {array.ndim} dimensions, expected {dimensions}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{title!r}: values are {array.dtype}, expected numbers")
    array.flags.writeable = False
    return array


def _largest(values: Array, axis: int | None) -> Array:
    """The largest finite absolute value, of the table (axis None) or of each row (axis 1, as a column)."""
    keep = axis is not None
    if values.dtype.kind in "bu" or not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, 0).astype(np.float64)
    high, low = (f(axis=axis, keepdims=keep, initial=0) for f in (values.max, values.min))
    return np.asarray(np.maximum(high, -low), dtype=np.float64)
