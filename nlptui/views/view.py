"""What a view is: a name, a group (a key), and pure functions from a trace to a figure.

Knows nothing of any particular view. Helps them cut tables out of activations, with labels and sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nlptui.config import CLASSICAL
from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.sampling import PLAIN, Sampling
from nlptui.views.figure import Array, By, Figure, Fixed, HeatTable, Scale, Source
from nlptui.views.names import TOKEN_AXES, clamp, kind

if TYPE_CHECKING:
    from nlptui.trace import Activation, Trace


NO_RULE = {"otherwise": N_("otherwise"), "dictionary": N_("dictionary")}
"""How a model of rules calls what decides where no rule fits."""


@dataclass(frozen=True)
class State:
    """Where a view stands. Numbers beyond what the trace has are taken as the nearest that it has."""

    layer: int = 0
    """Counts what `View.layers` counts."""
    head: int = 0
    """Counts what `View.heads` counts: heads, or directions."""
    position: int = 0
    """The token that the view is about, where it is about one."""
    name: str | None = None
    """One of `View.choices`; anything else means the first of them."""
    by: By = "table"
    """Whether colours compare within the table or within each row."""
    target: int | None = None
    """The token or label of the output that the view asks about; None: the likeliest."""
    mark: int | None = None
    """The token where a span was marked, whose other end is `position`; None: no span."""
    sampling: Sampling = PLAIN
    """How the next token is chosen, where the view is about that."""


BEGIN = State()
"""Where a view stands before anybody has moved."""


def _one(trace: Trace) -> int:
    return 1


def _no_choice(trace: Trace) -> tuple[str, ...]:
    return ()


class Peer(Protocol):
    """A line of the list of models, as far as views look at it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def arch(self) -> str:
        """Its architecture."""

    @property
    def task(self) -> str:
        """What it is for."""

    @property
    def language(self) -> str:
        """What it reads: "en"."""

    @property
    def vocab_size(self) -> int:
        """How many tokens it knows."""

    @property
    def problem(self) -> str:
        """Why it cannot be opened; empty if it can."""


class Beside(Protocol):
    """Says which other models a view shows beside the one at hand."""

    def __call__(self, trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
        """Their names, of the models that there are."""


def _alone(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    return ()


def _first(trace: Trace) -> int:
    """The first token; of a tagger the first that it tags, which the tokenizer's marks are not."""
    marks = trace.encoding.special if trace.encoding is not None and task_of(trace) == "tagging" else ()
    return next((place for place, mark in enumerate(marks) if not mark), 0)


def last(trace: Trace) -> int:
    """The last token of the text."""
    return max(0, len(trace.encoding.tokens) - 1) if trace.encoding is not None else 0


def asked_place(trace: Trace) -> int:
    """Where the model's answer stands that a text asks for: at its first [MASK]; of a language model, which
    says what comes next, at the last token before the mark of the end; of a tagger at the first word;
    elsewhere at the first token.
    """
    task = task_of(trace)
    if task == "language_model" and trace.encoding is not None:
        return max((place for place, mark in enumerate(trace.encoding.special) if not mark), default=0)
    gaps = trace.output.get("candidates", ()) if task == "pretraining" else ()
    return next((int(gap["pos"]) for gap in gaps), _first(trace))


def _nothing_more(trace: Trace, state: State) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class View:
    """One way to look at a trace."""

    name: str
    group: int
    title: str
    """In English, marked for translation; `heading` is what to show."""
    applies: Callable[[Any], bool]
    """Whether a model (its config, or a trace of it) has what the view shows."""
    draw: Callable[[Trace, State], Figure]
    layers: Callable[[Trace], int] = _one
    """How many layers `[` and `]` walk."""
    heads: Callable[[Trace], int] = _one
    """How many heads or directions `,` and `.` walk."""
    choices: Callable[[Trace], tuple[str, ...]] = _no_choice
    """What `State.name` may choose; empty where there is no choice."""
    needs: Callable[[Trace, State], tuple[str, ...]] = _nothing_more
    """The analyses that have to be made of the run before the view can draw: "analysis.rollout", say.

    Of each run beside it, `needs` is asked too, and what it names is made of that run.
    """
    beside: Beside = _alone
    """The other models, of those there are, whose runs of the same text the view shows: `Trace.beside`."""
    start: Callable[[Trace], int] = _first
    """The token that the view is about as long as nobody has chosen one."""

    @property
    def shows_others(self) -> bool:
        """Whether it shows runs of other models."""
        return self.beside is not _alone

    @property
    def heading(self) -> str:
        """The title in the reader's language."""
        return _(self.title)


def words_of(trace: Trace) -> tuple[str, ...]:
    """What stands for each token of the text, as in every table."""
    return trace.label_sets.get("tokens") or trace.encoding.tokens


def config_of(thing: Any) -> Any:
    """The config of a trace; a config as it is."""
    return getattr(thing, "config", thing)


def task_of(thing: Any) -> str:
    """What a model is for; empty where its config is not known."""
    return str(getattr(config_of(thing), "task", ""))


def is_network(thing: Any) -> bool:
    """Whether a model makes vectors of tokens, as those from before the networks do not."""
    return getattr(config_of(thing), "arch", "") not in CLASSICAL


def nothing(trace: Trace, view: str, title: str) -> Figure:
    """The figure of a trace that lacks what the view shows: an empty text, or a run of only some names."""
    if trace.encoding is not None and not trace.encoding.tokens:
        return Figure(view, title, (), _("The text is empty."))
    return Figure(view, title, (), _("This run did not record what this view shows."))


def chosen(choices: tuple[str, ...], name: str | None) -> str:
    """`name` if it is one of `choices`, otherwise the first of them."""
    return name if name in choices else choices[0]


def fix(trace: Trace, activation: Activation, axis: str, index: int) -> Fixed:
    """`axis` held at `index`, with its label."""
    if axis in TOKEN_AXES or axis in ("vocab", "label", "tag"):
        return Fixed(axis, index, trace.labels(activation.name, axis)[index])
    return Fixed(axis, index, str(index))


def cut(
    trace: Trace,
    name: str,
    rows: str,
    cols: str,
    at: Mapping[str, int] | None = None,
    *,
    title: str = "",
    scale: Scale = "diverging",
    by: By = "table",
    digits: int | None = None,
) -> HeatTable:
    """The table of `name`: the axis `rows` downwards, `cols` across, the others held where `at` says, or 0.

    `rows` may be "" for an activation with one axis besides those held (one row), and both for one number.
    """
    activation = trace[name]
    held = _sizes_besides(activation, rows, cols)
    places = {axis: clamp((at or {}).get(axis, 0), size) for axis, size in held.items()}
    index: tuple[int | str, ...] = tuple(
        {rows: "row", cols: "col"}.get(axis) or places[axis] for axis in activation.axes
    )
    row_labels = labels_of(trace, name, rows) if rows else (kind(name),)
    col_labels = labels_of(trace, name, cols) if cols else (kind(name),)
    if 0 in held.values():
        row_labels, values = (), np.zeros((0, len(col_labels)))
    else:
        values = _slice(trace.array(name), index)
    return HeatTable(
        title=title or name,
        values=values,
        rows=row_labels,
        cols=col_labels,
        row_axis=rows,
        col_axis=cols,
        scale=scale,
        source=Source(name, index),
        digits=decimals(values) if digits is None else digits,
        by=by,
        note=activation.formula,
        fixed=tuple(
            fix(trace, activation, axis, places[axis]) for axis in held if held[axis] and axis != "batch"
        ),
        task=task_of(trace),
    )


def labels_of(trace: Trace, name: str, axis: str) -> tuple[str, ...]:
    """What stands beside each index of `axis`; what decides where no rule fits, in the reader's language."""
    labels = trace.labels(name, axis)
    return in_words(labels) if axis == "rule" else labels


def in_words(rules: tuple[str, ...]) -> tuple[str, ...]:
    """The rules by name, as their file calls them; the last is what decides where none of them fits."""
    return (*rules[:-1], _(NO_RULE.get(rules[-1], rules[-1]))) if rules else rules


def _sizes_besides(activation: Activation, *shown: str) -> dict[str, int]:
    """The sizes of the axes that are not `shown`."""
    sizes = zip(activation.axes, activation.shape, strict=True)
    return {axis: size for axis, size in sizes if axis not in shown}


def _slice(array: Array, index: tuple[int | str, ...]) -> Array:
    """The values at `index`, rows × columns, whichever of them the array has first."""
    values = array[tuple(slice(None) if isinstance(part, str) else part for part in index)]
    if "row" not in index:
        return values.reshape(1, -1)
    if "col" in index and index.index("row") > index.index("col"):
        return values.T
    return values


def ordered(table: HeatTable, order: Sequence[int], axis: Literal["rows", "cols"]) -> HeatTable:
    """The same table with its rows or columns in another order, each cell still opening what it opened."""
    picked = tuple(map(int, order))

    def moved(source: Source) -> Source:
        before = source.rows if axis == "rows" else source.cols
        elements = picked if before is None else tuple(before[i] for i in picked)
        return replace(source, rows=elements) if axis == "rows" else replace(source, cols=elements)

    source = table.source
    if isinstance(source, Source):
        source = moved(source)
    elif source is not None:  # one for each row
        source = tuple(source[i] for i in picked) if axis == "rows" else tuple(map(moved, source))
    texts = table.texts
    if axis == "rows":
        rows = tuple(table.rows[i] for i in picked)
        texts = tuple(texts[i] for i in picked) if texts else ()
        return replace(table, values=table.values[list(picked)], rows=rows, source=source, texts=texts)
    cols = tuple(table.cols[i] for i in picked)
    texts = tuple(tuple(row[i] for i in picked) for row in texts)
    return replace(table, values=table.values[:, list(picked)], cols=cols, source=source, texts=texts)


def decimals(values: Array) -> int:
    """How many decimals tell the numbers of a table apart: two digits of the largest, but two to five."""
    corner = np.abs(values[:64, :64])
    largest = float(corner.max(initial=0.0, where=np.isfinite(corner)))
    return min(5, max(2, 1 - int(np.floor(np.log10(largest))))) if largest else 2


def titled(words: str, *more: str) -> str:
    """`words`, then what else there is to say, joined by a middle dot; empty parts are left out."""
    return " · ".join(part for part in (words, *more) if part)


def stack(
    title: str, tables: Sequence[HeatTable], labels: Sequence[str], row_axis: str, by: By = "table"
) -> HeatTable:
    """One-row tables as one table, whose every row keeps its own source.

    Rows of different scales, gates and cells say, share no colours: each row then has its own.
    """
    first = tables[0]
    alike = all(table.scale == first.scale for table in tables)
    return HeatTable(
        title=title,
        values=np.concatenate([table.values for table in tables]),
        rows=tuple(labels),
        cols=first.cols,
        row_axis=row_axis,
        col_axis=first.col_axis,
        scale=first.scale if alike else "diverging",
        source=tuple(table.source for table in tables if isinstance(table.source, Source)),
        digits=min(table.digits for table in tables),
        by=by if alike else "row",
        fixed=first.fixed,
    )
