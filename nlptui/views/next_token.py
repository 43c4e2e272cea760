"""The next token: how probable each is, what temperature and the cuts make of that, what is drawn.

Knows nothing of how it is computed: it shows the analysis `next`. Sources: Fan et al. 2018 (top-k); Holtzman
et al. 2020 (top-p).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Array, Bars, Figure, HeatTable, Source, Token, Tokens, told
from nlptui.views.view import State, View, config_of, fix, nothing

if TYPE_CHECKING:
    from nlptui.trace import Trace

SHOWN = 24
"""How many candidates are listed."""


def prefix(state: State) -> str:
    """What the names of the analysis begin with."""
    return f"analysis.next.{state.sampling.suffix}."


def candidates(trace: Trace, before: str) -> tuple[int, ...]:
    """The likeliest tokens, best first, and the one that was drawn if it is none of them."""
    probs = trace.array(f"{before}probs")[0]
    best = np.argsort(-probs, kind="stable")[:SHOWN]
    drawn = int(trace.array(f"{before}choice")[0])
    found = tuple(map(int, best))
    return found if drawn in found else (*found[:-1], drawn)


def stages(trace: Trace, before: str, ids: tuple[int, ...]) -> HeatTable:
    """The probability of each candidate: the model's own, after temperature, after the cuts."""
    last = int(trace.array(f"{before}position")[0])
    rows: tuple[tuple[str, str, tuple[int | str, ...]], ...] = (
        ("probs", _("the model's"), (0, last, "col")),
        (f"{before}probs", _("÷ temperature"), (0, "col")),
        (f"{before}final", _("after the cuts"), (0, "col")),
    )
    kept = [(name, label, index) for name, label, index in rows if name in trace]
    labels = trace.labels("logits", "vocab")
    arrays: list[Array] = [
        trace.array(name)[0, last] if name == "probs" else trace.array(name)[0] for name, _l, _i in kept
    ]
    return HeatTable(
        title=_("how the choice narrows"),
        values=np.stack([array[list(ids)] for array in arrays]),
        rows=tuple(label for _name, label, _index in kept),
        cols=tuple(labels[i] for i in ids),
        row_axis="stage",
        col_axis="vocab",
        scale="probability",
        source=tuple(Source(name, index, cols=ids) for name, _label, index in kept),
        digits=3,
        fixed=(fix(trace, trace["logits"], trace["logits"].axes[1], last),),
    )


def drawn_from(trace: Trace, before: str, ids: tuple[int, ...]) -> Bars:
    """The final probabilities; a token that was cut has an empty bar."""
    labels = trace.labels("logits", "vocab")
    values = trace.array(f"{before}final")[0][list(ids)]
    return Bars(
        _("what is drawn from"),
        tuple(labels[i] for i in ids),
        values,
        Source(f"{before}final", (0, "row"), rows=ids),
        scale="probability",
        axis="vocab",
    )


def written(trace: Trace) -> Tokens | None:
    """Of a translator, what it has written so far, with the probability of each token."""
    if "tgt" not in trace.label_sets:
        return None
    tokens = trace.label_sets["tgt"]
    ids = trace.array("target_ids")[0]
    probs = trace.array("probs")[0]
    shown = [Token(tokens[0], int(ids[0]), special=True)]
    for place in range(1, len(tokens)):
        shown.append(Token(tokens[place], int(ids[place]), prob=float(probs[place - 1, ids[place]])))
    return Tokens(_("written so far"), tuple(shown), Source("target_ids", (0, "row")))


def cuts(trace: Trace, before: str) -> str:
    """What top-k and top-p removed, in words: tokens and probability."""
    probs = trace.array(f"{before}probs")[0]
    by_k, by_p = (trace.array(f"{before}{name}")[0] > 0 for name in ("keep_k", "keep_p"))
    removed = []
    for name, gone in (("top-k", ~by_k), ("top-p", by_k & ~by_p)):
        if gone.any():
            words = _("{name} removes {n} tokens ({share})")
            removed.append(
                words.format(name=name, n=int(gone.sum()), share=f"{float(probs[gone].sum()):.1%}")
            )
    return " · ".join(removed) or _("nothing is removed")


def draw(trace: Trace, state: State) -> Figure:
    """What is written so far, the stages of the choice, the bars, and what was drawn."""
    title, before = _(VIEW.title), prefix(state)
    if f"{before}final" not in trace or not trace["logits"].shape[1]:
        return nothing(trace, "next", title)
    ids = candidates(trace, before)
    text = written(trace)
    parts = (stages(trace, before, ids), *((text,) if text else ()), drawn_from(trace, before, ids))
    how = state.sampling
    token = trace.labels("logits", "vocab")[int(trace.array(f"{before}choice")[0])]
    if how.temperature == 0:
        taken = _("greedy: the likeliest is '{token}'").format(token=told(token))
    else:
        number = f"{float(trace.array(f'{before}draw')[0]):.3f}"
        taken = _("the draw {number} takes '{token}'").format(number=number, token=told(token))
    settings = _("temperature {t:g}, top-k {k}, top-p {p:g}, seed {s}")
    settings = settings.format(t=how.temperature, k=how.top_k or "–", p=how.top_p, s=how.seed)
    caption = _("{settings}: {cuts}; {taken}.").format(
        settings=settings, cuts=cuts(trace, before), taken=taken
    )
    return Figure("next", title, parts, caption)


VIEW = View(
    "next",
    8,
    N_("Next token"),
    applies=lambda thing: getattr(config_of(thing), "task", "") in ("language_model", "translation"),
    draw=draw,
    needs=lambda trace, state: (prefix(state),) if "logits" in trace.activations else (),
)
