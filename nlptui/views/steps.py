"""Attention step by step: a walk through its arithmetic, for one query beside the whole matrices.

    x → q k v → q·k → ÷ √d_head → mask → softmax (maximum, exp, sum, weight) → weights × v → z → concat → W_O

Knows nothing of how the steps are computed: what a run does not record, the analysis `steps` makes. Source:
Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views import attention
from nlptui.views.attention import modules
from nlptui.views.figure import Figure, HeatTable, Scale, told
from nlptui.views.names import clamp, place
from nlptui.views.view import State, View, asked_place, chosen, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.steps."
STAGES = {
    "x": N_("what goes in: the vectors x"),
    "qkv": N_("queries, keys, values: x times three matrices"),
    "dot": N_("q·k: one product for each unit, added up"),
    "scaled": N_("divided by √d_head"),
    "mask": N_("the mask: −∞ where a query may not look"),
    "softmax": N_("softmax: minus the maximum, exp, divided by the sum"),
    "weighted": N_("weight × value: each key gives its share"),
    "z": N_("z: the shares added up"),
    "concat": N_("concat: the heads side by side"),
    "out": N_("W_O: what each head adds, and all together"),
}
"""The stages in the order of the arithmetic, and their captions."""


class _Walk:
    """One attention layer at one head and one query."""

    def __init__(self, trace: Trace, module: str, state: State) -> None:
        self.trace, self.module, self.state = trace, module, state
        self.query = clamp(state.position, trace[f"{module}q"].shape[2])
        self.one = f"{PREFIX}at_{state.position}.{module}"
        self.all = f"{PREFIX}{module}"

    def table(self, name: str, rows: str, cols: str, title: str, scale: Scale = "diverging") -> HeatTable:
        """The rows × columns of `name` at the chosen head and query."""
        at = {"head": self.state.head, "query": self.query}
        return cut(self.trace, name, rows, cols, at, title=title, scale=scale, by=self.state.by)

    def matrix(self, name: str, scale: Scale = "diverging") -> HeatTable:
        """A whole matrix, query × key."""
        return self.table(name, "query", "key", _("all queries"), scale)

    def row(self, *named: tuple[str, str, Scale]) -> HeatTable:
        """The chosen query's rows of some matrices, under each other; each (name, label, scale)."""
        tables = [self.table(name, "", "key", "", scale) for name, _label, scale in named]
        return stack(
            self._of_query(), tables, [label for _name, label, _scale in named], "step", self.state.by
        )

    def _of_query(self) -> str:
        token = self.trace.labels(f"{self.module}q", "query")[self.query]
        return _("the query of '{token}' ({position})").format(token=told(token), position=self.query)

    def read(self, which: str) -> str:
        """The name of the vectors that `which` (q or k) is made from."""
        from nlptui.formula import reads

        return reads(self.trace, f"{self.module}{which}")[0]

    def parts(self, stage: str) -> list[HeatTable]:
        """The tables of a stage."""
        m, one, whole = self.module, self.one, self.all
        match stage:
            case "x":
                sources = dict.fromkeys((self.read("q"), self.read("k")))
                both = (_("x, which asks"), _("x, which is asked"))
                words = both if len(sources) > 1 else (_("x"),)
                return [self.table(n, "pos", "d_model", w) for n, w in zip(sources, words, strict=True)]
            case "qkv":
                axes = {"q": ("query", _("queries")), "k": ("key", _("keys")), "v": ("key", _("values"))}
                return [self.table(m + n, axis, "d_head", words) for n, (axis, words) in axes.items()]
            case "dot":
                products = self.table(f"{one}product", "key", "d_head", _("q ⊙ k: each row adds up to q·k"))
                return [self.row((f"{m}dot", _("q·k"), "diverging")), products, self.matrix(f"{m}dot")]
            case "scaled":
                row = self.row(
                    (f"{m}dot", _("q·k"), "diverging"), (f"{m}scaled", _("÷ √d_head"), "diverging")
                )
                return [row, self.matrix(f"{m}scaled")]
            case "mask":
                row = self.row(
                    (f"{m}scaled", _("before"), "diverging"), (f"{m}scores", _("masked"), "diverging")
                )
                return [row, self.matrix(f"{m}scores")]
            case "softmax":
                return self._softmax()
            case "weighted":
                shares = self.table(
                    f"{one}weighted", "key", "d_head", _("weight ⊙ v: each column adds up to z")
                )
                row = self.row((f"{m}weights", _("weight"), "probability"))
                return [row, shares, self.table(f"{m}v", "key", "d_head", _("values"))]
            case "z":
                return [self.table(f"{m}z", "query", "d_head", _("z of this head"))]
            case "concat":
                return [self.table(f"{whole}concat", "pos", "d_model", _("z of all heads, side by side"))]
        head = self.table(f"{whole}head_out", "query", "d_model", _("what this head adds"))
        return [head, self.table(f"{m}out", "pos", "d_model", _("all heads and the bias"))]

    def _softmax(self) -> list[HeatTable]:
        """For the query: score, exp, weight; for all: maximum and sum; then the two matrices."""
        m, whole = self.module, self.all
        row = self.row(
            (f"{m}scores", _("score"), "diverging"),
            (f"{whole}exp", _("exp(score − max)"), "positive"),
            (f"{m}weights", _("÷ sum: weight"), "probability"),
        )
        sides = [self.table(f"{whole}{kind}", "", "query", "", scale) for kind, scale in _SIDES.items()]
        labels = [_("row maximum"), _("row sum")]
        return [
            row,
            stack(_("of each query"), sides, labels, "step", self.state.by),
            self.table(f"{whole}exp", "query", "key", _("exp(score − max), all queries"), "positive"),
            self.table(f"{m}weights", "query", "key", _("weights, all queries"), "probability"),
        ]


_SIDES: dict[str, Scale] = {"max": "diverging", "sum": "positive"}


def draw(trace: Trace, state: State) -> Figure:
    """The tables of the chosen stage."""
    title, found = _(VIEW.title), modules(trace)
    if not found or f"{PREFIX}{found[0]}exp" not in trace or not trace[f"{found[0]}q"].shape[2]:
        return nothing(trace, "steps", title)
    stage = chosen(tuple(STAGES), state.name)
    module = found[clamp(state.layer, len(found))]
    walk = _Walk(trace, module, state)
    heads = trace[f"{module}q"].shape[1]
    head = "" if stage in ("x", "concat") else _("head {n}").format(n=clamp(state.head, heads))
    number = _("step {n} of {count}").format(n=list(STAGES).index(stage) + 1, count=len(STAGES))
    caption = _("{step}: {stage}.").format(step=number, stage=_(STAGES[stage]))
    if kind := attention.where(trace, module):
        caption += " " + _("Here: {place}.").format(place=kind)
    if stage == "mask" and not np.isneginf(trace.array(f"{module}scores")).any():
        caption += " " + _("Here every query may look at every key, so nothing changes.")
    title = titled(title, place(f"{module}weights"), head)
    return Figure("steps", title, tuple(walk.parts(stage)), caption)


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    return ("analysis.steps", f"{PREFIX}at_{state.position}") if modules(trace) else ()


VIEW = View(
    "steps",
    5,
    N_("Step by step"),
    applies=attention.VIEW.applies,
    draw=draw,
    layers=lambda trace: max(1, len(modules(trace))),
    heads=attention.heads,
    choices=lambda trace: tuple(STAGES) if modules(trace) else (),
    needs=_needs,
    start=asked_place,
)
