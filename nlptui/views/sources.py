"""Where a logit comes from: what embeddings, heads and feed-forward layers each add to it.

Knows nothing of how it is computed: it shows the analysis `sources`. Source: Elhage et al. 2021, "A
Mathematical Framework for Transformer Circuits" (direct logit attribution).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Source, told
from nlptui.views.names import clamp, place
from nlptui.views.view import State, View, asked_place, config_of, cut, nothing, stack

if TYPE_CHECKING:
    from nlptui.trace import Trace

_TASKS = {
    "gpt": ("language_model",),
    "bert": ("pretraining", "tagging", "classification", "question_answering"),
    "transformer": ("translation",),
}
_WORDS = {
    "token_embed_part": N_("token"),
    "pos_embed_part": N_("position"),
    "segment_embed_part": N_("segment"),
    "attn": N_("attention {n}"),
    "self_attn": N_("attention {n}"),
    "cross_attn": N_("to source {n}"),
    "mlp": N_("feed-forward {n}"),
    "bias_part": N_("bias {n}"),
    "edit_part": N_("the edit at {n}"),
}


def logits(trace: Trace) -> str | None:
    """The recorded scores that a target is one of; None where there are none."""
    names = ("logits", "mlm.logits", "start.logits")
    return next((name for name in names if name in trace.activations), None)


def target(trace: Trace, state: State) -> int:
    """The token or label asked about: the one chosen, or the likeliest at the position; of a span, 0 (its
    start) or 1.
    """
    name = logits(trace)
    if name is None:
        return 0
    values = trace.array(name)[0]
    if name == "start.logits":
        return clamp(state.target or 0, 2)
    if state.target is not None:
        return clamp(state.target, values.shape[-1])
    if not values.size:
        return 0
    return int((values[clamp(state.position, len(values))] if values.ndim == 2 else values).argmax())


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with."""
    return f"analysis.sources.to_{target(trace, state)}."


def parts_of(trace: Trace, before: str) -> list[str]:
    """The names of all parts, from the bottom of the network to the top."""
    found = [name for name in trace.analyses if name.startswith(before) and name.endswith("_part")]
    return list(reversed(found))


def label(name: str, before: str) -> str:
    """What a row is called: "attention 0", "bias 0.mlp_norm"."""
    *path, end = name.removeprefix(before).split(".")
    if end == "edit_part":
        return _(_WORDS[end]).format(n=".".join(path))
    if end == "bias_part":
        return _(_WORDS[end]).format(n=".".join(path[1:] if path[0] in ("blocks", "decoder") else path))
    words = _WORDS[end] if end in _WORDS else _WORDS[path[-1]]
    return _(words).format(n=path[1] if len(path) > 1 else "")


def made_up(trace: Trace, before: str, state: State) -> list[HeatTable]:
    """Parts × tokens, then their sum, where there is one for each token.

    Where the text has one logit, what adds to it only once stands by itself.
    """
    names = parts_of(trace, before)
    wide = max((trace[name].shape[1] for name in names), default=1)
    total = f"{before}total"
    each = "pos" in trace[total].axes
    rows = [name for name in names if each or trace[name].shape[1] == wide]
    rows += [total] if each and trace[total].shape[1] == wide else []
    tables = [widened(cut(trace, name, "", "pos"), trace, total, wide) for name in rows]
    labels = [_("= the logit") if name == total else label(name, before) for name in rows]
    parts = [stack(_("what each part adds"), tables, labels, "part", state.by)]
    once = [name for name in names if name not in rows]
    if once:
        tables = [cut(trace, name, "", "") for name in once]
        labels = [label(name, before) for name in once]
        parts.append(stack(_("once for the whole text"), tables, labels, "part", state.by))
    return parts


def widened(table: HeatTable, trace: Trace, total: str, wide: int) -> HeatTable:
    """What adds the same to each token's logit, under every token; any other table as it is."""
    source = table.source
    if table.values.shape[1] == wide or not isinstance(source, Source):
        return table
    values = np.broadcast_to(table.values, (1, wide))
    source = replace(source, cols=(0,) * wide)
    return replace(table, values=values, cols=trace.labels(total, "pos"), source=source)


def draw(trace: Trace, state: State) -> Figure:
    """All parts for all tokens, then the heads of the chosen layer."""
    title, before = _(VIEW.title), prefix(trace, state)
    if f"{before}total" not in trace:
        return nothing(trace, "sources", title)
    parts = made_up(trace, before, state)
    heads = [name for name in trace.analyses if name.startswith(before) and name.endswith(".heads")]
    heads.reverse()
    name = heads[clamp(state.layer, len(heads))]
    words = _("heads: {place}").format(place=place(name.removeprefix(before)))
    parts.append(cut(trace, name, "head", "query", title=words, by=state.by))
    whom = told(_target_label(trace, state))
    caption = _(
        "What each part adds to the logit of '{target}'. The norms' means and scales are held as they were in"
        " this run, so that the parts add up to the logit."
    ).format(target=whom)
    if any(name.endswith(".edit_part") for name in parts_of(trace, before)):
        caption += " " + _(
            "What an edit puts in is a part of its own; of what it takes away, nothing is left below."
        )
    return Figure("sources", f"{title} · {whom}", tuple(parts), caption)


def _target_label(trace: Trace, state: State) -> str:
    name, number = logits(trace), target(trace, state)
    if name is None or name == "start.logits":
        return (_("start of the answer"), _("end of the answer"))[number]
    return trace.labels(name, trace[name].axes[-1])[number]


def _applies(thing: object) -> bool:
    config = config_of(thing)
    return getattr(config, "task", "") in _TASKS.get(getattr(config, "arch", ""), ())


def _layers(trace: Trace) -> int:
    return max(1, sum(name.endswith("attn.z") for name in trace.activations))


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    return (prefix(trace, state),) if logits(trace) else ()


VIEW = View(
    "sources",
    3,
    N_("Where a logit comes from"),
    applies=_applies,
    draw=draw,
    layers=_layers,
    needs=_needs,
    start=asked_place,
)
