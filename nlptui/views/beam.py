"""Beam search as a tree: what was tried after the text, what was kept, and the texts that came out best.

Knows nothing of how it is computed: it shows the analysis `beam`. Sources: Graves 2012; Wu et al. 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, Source, told
from nlptui.views.names import clamp
from nlptui.views.view import State, View, config_of, nothing, task_of

if TYPE_CHECKING:
    from nlptui.trace import Trace

WIDTHS = (3, 4, 5, 6, 8, 1, 2)
"""How many beams `,` and `.` walk."""
DEPTHS = (5, 6, 7, 8, 10, 12)
"""How many tokens `[` and `]` walk."""


def search(state: State) -> tuple[int, int]:
    """Beams and tokens at a state."""
    return WIDTHS[clamp(state.head, len(WIDTHS))], DEPTHS[clamp(state.layer, len(DEPTHS))]


def prefix(state: State) -> str:
    """What the names of the analysis begin with."""
    return "analysis.beam.w_{}.d_{}.".format(*search(state))


def branches(parents: list[int]) -> list[str]:
    """What stands before each node's token in a drawn tree, from the number of each node's parent."""
    last: dict[int, int] = {parent: number for number, parent in enumerate(parents)}
    found: list[str] = []
    for number, parent in enumerate(parents):
        line, above = "└─" if last[parent] == number else "├─", parent
        while above >= 0:
            line = ("  " if last[parents[above]] == above else "│ ") + line
            above = parents[above]
        found.append(line)
    return found


def tree(trace: Trace, before: str, labels: tuple[str, ...]) -> Bars:
    """Every node: a filled mark where it was kept, and how probable its token is."""
    parents = trace.array(f"{before}parent")[0].tolist()
    kept = trace.array(f"{before}kept")[0]
    tokens = trace.array(f"{before}token")[0].tolist()
    marks = ["●" if keep else "○" for keep in kept]
    lines = zip(branches(parents), marks, tokens, strict=True)
    return Bars(
        _("what was tried: ● kept, ○ dropped; the probability of each token"),
        tuple(f"{branch}{mark} {told(labels[token])}" for branch, mark, token in lines),
        trace.array(f"{before}prob")[0],
        Source(f"{before}prob", (0, "row")),
        scale="probability",
        axis="node",
    )


def results(trace: Trace, before: str, labels: tuple[str, ...]) -> Bars:
    """The texts that nothing was tried after, or that ended, if they were kept to the end; the best first."""
    parents = trace.array(f"{before}parent")[0].tolist()
    tokens = trace.array(f"{before}token")[0].tolist()
    scores = trace.array(f"{before}score")[0]
    kept = trace.array(f"{before}kept")[0] > 0
    inner = set(parents)
    leaves = [number for number in range(len(parents)) if kept[number] and number not in inner]
    leaves.sort(key=lambda number: -scores[number])
    texts = []
    for leaf in leaves:
        path, above = [], leaf
        while above >= 0:
            path.append(told(labels[tokens[above]]))
            above = parents[above]
        texts.append(" ".join(reversed(path)))
    return Bars(
        _("what came out, by score"),
        tuple(texts),
        scores[leaves],
        Source(f"{before}score", (0, "row"), rows=tuple(leaves)),
        scale="diverging",
        axis="node",
    )


def draw(trace: Trace, state: State) -> Figure:
    """The tree, then the best texts."""
    title, before = _(VIEW.title), prefix(state)
    if f"{before}prob" not in trace:
        return nothing(trace, "beam", title)
    if not trace[f"{before}prob"].shape[1]:
        return Figure("beam", title, (), _("There is no room for another token, or the text has ended."))
    labels = trace.labels("logits", "vocab")
    beams, depth = search(state)
    words = _("{beams} beams, {depth} tokens: . and , change the beams, ] and [ the tokens.")
    caption = words.format(beams=beams, depth=depth)
    if task_of(trace) == "translation":
        caption += " " + _("It goes on from what is written; B begins again with nothing written.")
    return Figure("beam", title, (tree(trace, before, labels), results(trace, before, labels)), caption)


VIEW = View(
    "beam",
    8,
    N_("Beam search"),
    applies=lambda thing: getattr(config_of(thing), "task", "") in ("language_model", "translation"),
    draw=draw,
    layers=lambda trace: len(DEPTHS) if "logits" in trace.activations else 1,
    heads=lambda trace: len(WIDTHS) if "logits" in trace.activations else 1,
    needs=lambda trace, state: (prefix(state),) if "logits" in trace.activations else (),
)
