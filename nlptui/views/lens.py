"""The logit lens: what the model would answer after each layer, and how the answer takes shape.

Knows nothing of how it is computed: it shows the analysis `lens`. Source: nostalgebraist 2020, "interpreting
GPT: the logit lens".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Source, Token, Tokens, told
from nlptui.views.names import clamp, place
from nlptui.views.output import best
from nlptui.views.view import State, View, asked_place, config_of, cut, fix, nothing, stack, task_of

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.lens."
TOP = 4
"""How many of each layer's candidates are among the columns."""
_RECURRENT = ("rnn", "lstm", "gru")
_TASKS = {
    "gpt": ("language_model",),
    "bert": ("pretraining", "tagging"),
    "transformer": ("translation",),
    **dict.fromkeys(_RECURRENT, ("language_model", "tagging")),
}


def layers(trace: Trace) -> list[str]:
    """The recorded `….probs` of every layer that was read, from the bottom to the top."""
    return [name for name in trace.analyses if name.startswith(PREFIX) and name.endswith("probs")]


def label(name: str) -> str:
    """What a row is called: "block 0", "embedding"."""
    return place(name.removeprefix(PREFIX).replace(".mlm", "")) or _("embedding")


def candidates(trace: Trace, names: list[str], position: int) -> HeatTable:
    """At one position: layers × the candidates of all layers, each with the probability it has there."""
    rows = [trace.array(name)[0, position] for name in names]
    ids = list(dict.fromkeys(i for row in reversed(rows) for i in best(row, TOP)))
    axes = trace[names[-1]].axes
    labels, tokens = trace.labels(names[-1], axes[-1]), trace.labels(names[-1], axes[1])
    return HeatTable(
        title=_("candidates at '{token}' ({position})").format(
            token=told(tokens[position]), position=position
        ),
        values=np.stack([row[ids] for row in rows]),
        rows=tuple(label(name) for name in names),
        cols=tuple(labels[i] for i in ids),
        row_axis="layer",
        col_axis=axes[-1],
        scale="probability",
        source=tuple(Source(name, (0, position, "col"), cols=tuple(ids)) for name in names),
        fixed=(fix(trace, trace[names[-1]], axes[1], position),),
        task=task_of(trace),
    )


def answers(trace: Trace, names: list[str], state: State) -> HeatTable:
    """Layers × tokens: the probability that each layer gives to the model's own answer."""
    made = [name.removesuffix("probs").removesuffix("mlm.") + "answer" for name in names]
    tables = [cut(trace, name, "", "pos", scale="probability") for name in made]
    labels = [label(name) for name in names]
    return stack(_("probability of the final answer"), tables, labels, "layer", state.by)


def guesses(trace: Trace, name: str) -> Tokens:
    """What one layer would answer at each position."""
    axes = trace[name].axes
    labels = trace.labels(name, axes[-1])
    probs = trace.array(name)[0]
    found = probs.argmax(-1)
    said = tuple(Token(labels[i], int(i), prob=float(row[i])) for i, row in zip(found, probs, strict=True))
    source = tuple(Source(name, (0, place, int(i))) for place, i in enumerate(found))
    return Tokens(_("best guess: {layer}").format(layer=label(name)), said, source)


def draw(trace: Trace, state: State) -> Figure:
    """Candidates at the chosen position, the answer's probability everywhere, and each layer's guesses."""
    title, names = _(VIEW.title), layers(trace)
    if not names or not trace[names[0]].shape[1]:
        return nothing(trace, "lens", title)
    position = clamp(state.position, trace[names[-1]].shape[1])
    parts = [candidates(trace, names, position), answers(trace, names, state)]
    caption = _("Each row reads a layer with the model's own output layer, as if it were the last one.")
    return Figure("lens", title, (*parts, *(guesses(trace, name) for name in reversed(names))), caption)


def _applies(thing: object) -> bool:
    config = config_of(thing)
    fits = getattr(config, "task", "") in _TASKS.get(getattr(config, "arch", ""), ())
    return fits and not getattr(config, "crf", False)


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    return ("analysis.lens",) if trace.activations else ()


VIEW = View("lens", 3, N_("Logit lens"), applies=_applies, draw=draw, needs=_needs, start=asked_place)
