"""How probable a language model found each token of the text, and how surprised it was.

Knows nothing of how it is computed: it shows the analysis `surprisal`. Source: Hale 2001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, Lines, Series, Source, Token, Tokens
from nlptui.views.view import State, View, cut, nothing, stack, task_of, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.surprisal."


def draw(trace: Trace, state: State) -> Figure:
    """The tokens with their probabilities, both numbers as a table, and surprisal as a curve."""
    title = _(VIEW.title)
    if f"{PREFIX}prob" not in trace:
        return nothing(trace, "surprisal", title)
    probs, nats = (trace.array(f"{PREFIX}{name}")[0] for name in ("prob", "surprisal"))
    labels = trace.labels(f"{PREFIX}prob", "pos")
    tokens = tuple(Token(text, prob=float(prob)) for text, prob in zip(labels, probs, strict=True))
    rows = [
        cut(trace, f"{PREFIX}surprisal", "", "pos", scale="positive"),
        cut(trace, f"{PREFIX}prob", "", "pos", scale="probability"),
    ]
    table = stack(_("surprisal and probability"), rows, [_("nats"), _("probability")], "measure", "row")
    steps = np.arange(1, len(nats) + 1, dtype=np.float64)
    source = Source(f"{PREFIX}surprisal", (0, "col"))
    series = Series(_("surprisal"), steps, nats.astype(np.float64), source, labels)
    curve = Lines(_("surprisal, in nats"), (series,), _("token"), _("nats"))
    mean, perplexity = (float(trace.array(f"{PREFIX}{name}")[0]) for name in ("mean", "perplexity"))
    caption = _(
        "Mean {mean} nats a token, perplexity {perplexity}: as unsure, on average, as among that many."
    ).format(mean=f"{mean:.4g}", perplexity=f"{perplexity:.4g}")
    words = _("perplexity {perplexity}").format(perplexity=f"{perplexity:.4g}")
    row = Tokens(_("tokens, with their probability"), tokens, Source(f"{PREFIX}prob", (0, "row")))
    parts = (row, table, curve)
    return Figure("surprisal", titled(title, words), parts, caption)


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    return ("analysis.surprisal",) if "probs" in trace.activations else ()


VIEW = View(
    "surprisal",
    8,
    N_("Surprisal"),
    applies=lambda thing: task_of(thing) == "language_model",
    draw=draw,
    needs=_needs,
)
