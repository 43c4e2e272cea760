"""Which tokens an answer came from, by four methods side by side: they ask different questions.

Knows nothing of how they are computed: it shows the analysis `attribution`. Sources: Sundararajan et al. 2017
(integrated gradients); Li et al. 2016 (leaving out); Abnar & Zuidema 2020 (attention rollout).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, Scale, Source, told
from nlptui.views.names import clamp
from nlptui.views.view import State, View, chosen, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_METHODS = {
    "integrated": N_("integrated gradients"),
    "gradient_input": N_("gradient × input"),
    "left_out": N_("left out"),
    "attention": N_("attention rollout"),
}
_MEANS = {
    "integrated": N_("they add up to what the score gains over a text of nothing"),
    "gradient_input": N_("what a little more of each embedding would add, times its size"),
    "left_out": N_("how far the score falls where the token is deleted"),
    "attention": N_("each token's share by the attention weights alone, whatever the answer"),
}
_SCORES = ("logits", "emission", "mlm.logits", "start.logits")
SHORT = 64
"""Tokens up to which all methods are computed at once."""
_ARCHS = ("rnn", "lstm", "gru", "bert", "gpt")


def scores(trace: Trace) -> str | None:
    """The recorded scores that an answer is the greatest of; None where there are none."""
    return next((name for name in _SCORES if name in trace.activations), None)


def asked(trace: Trace, state: State) -> tuple[int | None, int]:
    """The position (None where the text has one answer) and the token or label that the view asks about."""
    values = trace.array(scores(trace) or "")[0]
    position = clamp(state.position, len(values)) if values.ndim == 2 else None
    row = values if position is None else values[position]
    return position, int(row.argmax()) if state.target is None else clamp(state.target, len(row))


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with; empty where there is nothing to ask about."""
    name = scores(trace)
    if name is None or 0 in trace[name].shape:
        return ""
    position, target = asked(trace, state)
    at = "" if position is None else f".at_{position}"
    return f"analysis.attribution{at}.to_{target}."


def full_name(before: str, method: str) -> str:
    """Under which name a method's numbers are recorded."""
    if method == "left_out":
        return before.replace("analysis.attribution", "analysis.left_out") + "fall"
    return f"{before}{method}"


def methods(trace: Trace, before: str) -> list[str]:
    """The methods that were recorded."""
    return [method for method in _METHODS if full_name(before, method) in trace]


def choices(trace: Trace) -> tuple[str, ...]:
    """Those that the model has: attention only where there is some."""
    attentive = any(name.endswith("attn.weights") for name in trace.activations)
    return tuple(method for method in _METHODS if method != "attention" or attentive)


def draw(trace: Trace, state: State) -> Figure:
    """The chosen method as bars, then all methods × tokens, each row with its own scale."""
    title, before = _(VIEW.title), prefix(trace, state)
    found = methods(trace, before) if before else []
    if not found:
        return nothing(trace, "attribution", title)
    method = chosen(tuple(found), state.name)
    name = full_name(before, method)
    labels = trace.labels(name, "pos")
    bars = Bars(
        title=_(_METHODS[method]),
        labels=labels,
        values=trace.array(name)[0],
        source=Source(name, (0, "row")),
        scale=_scale(method),
        axis="pos",
    )
    tables = [cut(trace, full_name(before, one), "", "pos", scale=_scale(one)) for one in found]
    words = [_(_METHODS[one]) for one in found]
    table = stack(_("all methods, each by its own scale"), tables, words, "method", "row")
    whom = _whom(trace, state)
    caption = _("Why '{answer}'? {method}: {meaning}.").format(
        answer=whom, method=_(_METHODS[method]), meaning=_(_MEANS[method])
    )
    if method == "integrated":
        gap = float(trace.array(f"{before}gap")[0])
        caption += " " + _("Sum − gain: {gap}.").format(gap=f"{gap:.1e}")
    return Figure("attribution", titled(title, whom), (bars, table), caption)


def _scale(method: str) -> Scale:
    return "probability" if method == "attention" else "diverging"


def _whom(trace: Trace, state: State) -> str:
    """The answer that is asked about, and where it stands."""
    name = scores(trace) or ""
    position, target = asked(trace, state)
    answer = told(trace.labels(name, trace[name].axes[-1])[target])
    if position is None:
        return answer
    token = told(trace.labels(name, "pos")[position])
    return _("{answer} at {token} ({position})").format(answer=answer, token=token, position=position)


def _applies(thing: object) -> bool:
    config = config_of(thing)
    return getattr(config, "arch", "") in _ARCHS


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    before = prefix(trace, state)
    if not before:
        return ()
    # One run for each token: of long texts only where it is asked for.
    short = len(trace.labels("token_embed", "pos")) <= SHORT
    return (before, full_name(before, "left_out")) if short or state.name == "left_out" else (before,)


VIEW = View("attribution", 7, N_("Attribution"), applies=_applies, draw=draw, choices=choices, needs=_needs)
