"""Add & Norm: what a block adds to the stream of vectors, and what LayerNorm makes of the sum.

Knows nothing of how mean and variance are computed: it shows the analysis `norms`. Sources: He et al. 2016
(residual connections); Ba et al. 2016, "Layer Normalization"; Vaswani et al. 2017, section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Scale
from nlptui.views.names import clamp, kind, place
from nlptui.views.view import State, View, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.norms."
_WORDS = {
    "embed": N_("the sum of the embeddings"),
    "resid_pre": N_("what the block receives"),
    "resid_mid": N_("the stream after attention was added"),
    "resid_post": N_("the stream after the block"),
    "attn_norm": N_("after attention, Add and Norm"),
    "self_attn_norm": N_("after self-attention, Add and Norm"),
    "cross_attn_norm": N_("after cross-attention, Add and Norm"),
    "attn_sum": N_("the sum after attention"),
    "self_attn_sum": N_("the sum after self-attention"),
    "cross_attn_sum": N_("the sum after cross-attention"),
    "mlp_sum": N_("the sum after the feed-forward layer"),
    "act": N_("the output layer's activation"),
}


def norms(trace: Trace) -> list[str]:
    """The LayerNorms that the analysis has read, in the order computed."""
    ends = "after_mean"
    found = [name for name in trace.analyses if name.startswith(PREFIX) and name.endswith("." + ends)]
    return [name.removeprefix(PREFIX).removesuffix("." + ends) for name in found]


def label(name: str) -> str:
    """What a vector is, in words, with the place where it belongs."""
    return titled(_(_WORDS.get(kind(name), kind(name))), place(name))


def summands(trace: Trace, name: str) -> tuple[str, ...]:
    """The vectors that `name` is the sum of; none where it is no sum."""
    if name not in trace.activations or "+" not in trace[name].formula:
        return ()
    from nlptui.formula import reads

    parts = reads(trace, name)
    alike = all(part in trace and trace[part].axes == trace[name].axes for part in parts)
    return parts if len(parts) > 1 and alike else ()


def statistics(trace: Trace, name: str, state: State) -> HeatTable:
    """Mean and variance of every token's vector, before and after."""
    made = f"{PREFIX}{name}."
    rows: list[tuple[str, str, Scale]] = [
        (f"{name}.mean", _("mean before"), "diverging"),
        (f"{made}variance", _("variance before"), "positive"),
        (f"{made}after_mean", _("mean after"), "diverging"),
        (f"{made}after_variance", _("variance after"), "positive"),
    ]
    tables = [cut(trace, row, "", "pos", scale=scale, digits=4) for row, _label, scale in rows]
    words = _("of each token's vector")
    return stack(words, tables, [words for _row, words, _scale in rows], "statistic", state.by)


def draw(trace: Trace, state: State) -> Figure:
    """Statistics, then what was added, the sum before, and the result of the chosen LayerNorm."""
    from nlptui.formula import reads

    title, found = _(VIEW.title), norms(trace)
    if not found or not trace[found[0]].shape[1]:
        return nothing(trace, "add_norm", title)
    name = found[clamp(state.layer, len(found))]
    before = reads(trace, f"{name}.mean")[0]
    vectors = [
        cut(
            trace, before, "pos", "d_model", title=_("before: {what}").format(what=label(before)), by=state.by
        )
    ]
    after = _("after: {name}").format(name=name)
    vectors.append(cut(trace, name, "pos", "d_model", title=after, by=state.by))
    for part in summands(trace, before):
        words = _("added: {name}").format(name=part)
        vectors.append(cut(trace, part, "pos", "d_model", title=words, by=state.by))
    caption = _(
        "LayerNorm takes each token's mean away, divides by √variance, then scales and shifts each unit."
    )
    return Figure("add_norm", titled(title, name), (statistics(trace, name, state), *vectors), caption)


def _layers(trace: Trace) -> int:
    found = [name for name in trace.activations if name.endswith(".scale") and len(trace[name].axes) == 3]
    return max(1, len(found))


VIEW = View(
    "add_norm",
    3,
    N_("Add & Norm"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("transformer", "bert", "gpt"),
    draw=draw,
    layers=_layers,
    needs=lambda trace, state: ("analysis.norms",) if trace.activations else (),
)
