"""Which tokens an answer came from, by four methods side by side: they ask different questions.

Knows nothing of how they are computed: it shows the analysis `attribution`. Sources: Sundararajan et al. 2017
(integrated gradients); Li et al. 2016 (leaving out); Abnar & Zuidema 2020 (attention rollout).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, HeatTable, Part, Scale, Source, told
from nlptui.views.names import clamp
from nlptui.views.view import State, View, asked_place, chosen, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_METHODS = {
    "integrated": N_("integrated gradients"),
    "gradient_input": N_("gradient × input"),
    "left_out": N_("left out"),
    "attention": N_("attention rollout"),
    "finer": N_("integrated gradients, as finely as it takes"),
}
_MEANS = {
    "integrated": N_("they add up to what the score gains over a text of nothing"),
    "gradient_input": N_("what a little more of each embedding would add, times its size"),
    "left_out": N_("how far the score falls where the token is deleted"),
    "attention": N_("each token's share by the attention weights alone, whatever the answer"),
    "finer": N_("they add up to what the score gains over a text of nothing"),
}
_SCORES = ("logits", "emission", "mlm.logits", "start.logits")
_SIDES = {"encoder": N_("source"), "decoder": N_("written so far")}
"""Of a translator: the texts that an answer came from."""
SHORT = 64
"""Tokens up to which all methods are computed at once."""
CLOSE = 1e-3
"""How well integrated gradients are to add up."""
_ARCHS = ("rnn", "lstm", "gru", "bert", "gpt", "transformer")


def scores(trace: Trace, state: State) -> str | None:
    """The recorded scores that an answer is the greatest of; None where there are none.

    Of two sentences without a [MASK], whether the second one follows.
    """
    follows = "nsp.logits"
    whole = trace.pair is not None and not trace.output.get("candidates")
    if whole and follows in trace.activations and (state.target or 0) < trace[follows].shape[-1]:
        return follows
    return next((name for name in _SCORES if name in trace.activations), None)


def asked(trace: Trace, state: State) -> tuple[int | None, int]:
    """The position (None where the text has one answer) and the token or label that the view asks about.

    Of a translator the token that was written there, whether or not it was the likeliest.
    """
    values = trace.array(scores(trace, state) or "")[0]
    position = clamp(state.position, len(values)) if values.ndim == 2 else None
    row = values if position is None else values[position]
    if state.target is not None:
        return position, clamp(state.target, len(row))
    written = trace.inputs.get("target_ids")
    if position is not None and written is not None and position + 1 < written.shape[1]:
        return position, int(trace.array("target_ids")[0, position + 1])
    return position, int(row.argmax())


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with; empty where there is nothing to ask about."""
    name = scores(trace, state)
    if name is None or 0 in trace[name].shape:
        return ""
    position, target = asked(trace, state)
    at = "" if position is None else f".at_{position}"
    return f"analysis.attribution{at}.to_{target}."


def sides(trace: Trace) -> tuple[str, ...]:
    """The texts that are attributed to: of a translator two, with what stands before their numbers' names."""
    return tuple(f"{side}." for side in _SIDES) if "encoder.token_embed" in trace.activations else ("",)


def full_name(before: str, method: str, side: str = "") -> str:
    """Under which name a method's numbers are recorded."""
    if method == "left_out":
        return before.replace("analysis.attribution", "analysis.left_out") + f"{side}fall"
    if method == "finer":
        return before.replace("analysis.attribution", "analysis.finer") + f"{side}integrated"
    return f"{before}{side}{method}"


def methods(trace: Trace, before: str) -> list[str]:
    """The methods that were recorded."""
    side = sides(trace)[0]
    return [method for method in _METHODS if full_name(before, method, side) in trace]


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
    # What a decoder reads after the answer had no part in it.
    position = asked(trace, state)[0]
    counts = {side: (position or 0) + 1 if side == "decoder." else None for side in sides(trace)}
    parts: list[Part] = [bars(trace, before, method, side, counts[side]) for side in counts]
    parts += [table(trace, before, found, side, counts[side]) for side in counts]
    whom = _whom(trace, state)
    return Figure("attribution", titled(title, whom), tuple(parts), caption(trace, before, method, whom))


def bars(trace: Trace, before: str, method: str, side: str, count: int | None) -> Bars:
    """One method, for the first tokens of one text."""
    name = full_name(before, method, side)
    return Bars(
        title=titled(_(_METHODS[method]), _side(side)),
        labels=trace.labels(name, "pos")[:count],
        values=trace.array(name)[0, :count],
        source=Source(name, (0, "row")),
        scale=_scale(method),
        axis="pos",
    )


def table(trace: Trace, before: str, found: list[str], side: str, count: int | None) -> HeatTable:
    """All methods × the first tokens of one text."""
    tables = [cut(trace, full_name(before, one, side), "", "pos", scale=_scale(one)) for one in found]
    tables = [replace(part, values=part.values[:, :count], cols=part.cols[:count]) for part in tables]
    title = titled(_("all methods, each by its own scale"), _side(side))
    return stack(title, tables, [_(_METHODS[one]) for one in found], "method", "row")


def _side(side: str) -> str:
    return _(_SIDES[side.removesuffix(".")]) if side else ""


def caption(trace: Trace, before: str, method: str, whom: str) -> str:
    """What was asked, and what the method's numbers are."""
    words = _("Why '{answer}'? {method}: {meaning}.").format(
        answer=whom, method=_(_METHODS[method]), meaning=_(_MEANS[method])
    )
    if method == "attention" and len(sides(trace)) > 1:
        words += " " + _("Of the source: the mean of all heads' weights in all blocks.")
    if method == "left_out" and any(
        np.isnan(trace.array(full_name(before, method, side))).any() for side in sides(trace)
    ):
        words += " " + _("The token that is asked about cannot be left out.")
    if method not in ("integrated", "finer"):
        return words
    gap = float(trace.array(full_name(before, method).removesuffix("integrated") + "gap")[0])
    words += " " + _("Sum − gain: {gap}.").format(gap=f"{gap:.1e}")
    if abs(gap) > CLOSE:
        words += " " + _("The score changes too abruptly on the way for so few points.")
        if method == "integrated":
            words += " " + _("The last choice of this view takes as many as it needs, and longer.")
    return words


def _scale(method: str) -> Scale:
    return "probability" if method == "attention" else "diverging"


def _whom(trace: Trace, state: State) -> str:
    """The answer that is asked about, and where it stands."""
    name = scores(trace, state) or ""
    position, target = asked(trace, state)
    answer = told(trace.labels(name, trace[name].axes[-1])[target])
    if position is None:
        return answer
    token = told(trace.labels(name, "pos")[position])
    if "target_ids" in trace.inputs:
        return _("{answer} after {token} ({position})").format(answer=answer, token=token, position=position)
    return _("{answer} at {token} ({position})").format(answer=answer, token=token, position=position)


def _applies(thing: object) -> bool:
    config = config_of(thing)
    return getattr(config, "arch", "") in _ARCHS


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    before = prefix(trace, state)
    if not before:
        return ()
    # One run for each token: of long texts only where it is asked for.
    short = len(trace.encoding.tokens) <= SHORT
    left_out = full_name(before, "left_out").removesuffix("fall")
    finer = (full_name(before, "finer").removesuffix("integrated"),) if state.name == "finer" else ()
    if state.name == "left_out" and not short:
        return (left_out,)
    return (before, left_out, *finer) if short else (before, *finer)


VIEW = View(
    "attribution",
    7,
    N_("Attribution"),
    applies=_applies,
    draw=draw,
    choices=choices,
    needs=_needs,
    start=asked_place,
)
