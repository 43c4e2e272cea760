"""What the model answers: tags, a class, tokens, a span or a text, with the probabilities behind it.

Knows nothing of decoding: the answer is the trace's `output`, the bars are its recorded probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Array, Bars, Figure, HeatTable, Part, Source, Token, Tokens, told
from nlptui.views.names import clamp, of_kind, prefix
from nlptui.views.view import State, View, cut, fix, nothing, stack, task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlptui.trace import Trace

TOP = 10
"""How many of a vocabulary's candidates are shown."""
_ANSWERS = 4
"""At how many positions candidates are shown, besides the chosen one."""
HEADS = {
    "nsp": N_("does the second sentence follow?"),
    "start": N_("start of the answer"),
    "end": N_("end of the answer"),
}


def head(name: str) -> str:
    """Which of a model's heads the probabilities `name` are of: "nsp"; empty where there is only one."""
    return prefix(name).rstrip(".").rsplit(".", 1)[-1]


def best(values: Array, top: int) -> tuple[int, ...]:
    """Indices of the `top` largest values, the largest first."""
    top = min(top, len(values))
    if top < len(values):
        picked = np.argpartition(values, len(values) - top)[len(values) - top :]
    else:
        picked = np.arange(len(values))
    return tuple(int(i) for i in picked[np.argsort(-values[picked], kind="stable")])


def probability_bars(
    trace: Trace, name: str, title: str, position: int | None = None, top: int = TOP
) -> Bars:
    """The largest probabilities of `name`, at `position` where it has positions."""
    activation = trace[name]
    axis = activation.axes[-1]
    values = trace.array(name)[0] if position is None else trace.array(name)[0, position]
    rows = best(values, top)
    labels = trace.labels(name, axis)
    return Bars(
        title=title,
        labels=tuple(labels[i] for i in rows),
        values=values[list(rows)],
        source=Source(name, (0, "row") if position is None else (0, position, "row"), rows=rows),
        unit=_("probability"),
        scale="probability",
        axis=axis,
        fixed=() if position is None else (fix(trace, activation, activation.axes[1], position),),
        task=task_of(trace),
    )


def candidate_title(trace: Trace, name: str, position: int) -> str:
    """What the candidates at `position` are candidates for."""
    token = trace.labels(name, trace[name].axes[1])[position]
    if prefix(name).endswith("mlm."):
        return _("what could stand at {position} ('{token}')").format(position=position, token=told(token))
    if task_of(trace) == "skip_gram":
        return _("words that '{token}' ({position}) draws to itself").format(
            position=position, token=told(token)
        )
    return _("next token after '{token}' ({position})").format(position=position, token=told(token))


def candidates(trace: Trace, name: str, state: State) -> list[Part]:
    """Bars of the likeliest tokens: where the answer has candidates, and at the chosen position."""
    length = trace[name].shape[1]
    answered = [int(entry["pos"]) for entry in trace.output.get("candidates", ())]
    places = answered if len(answered) <= _ANSWERS else []
    positions = dict.fromkeys(
        [p for p in places if p < length] + [clamp(state.position, length)] * (length > 0)
    )
    return [probability_bars(trace, name, candidate_title(trace, name, p), p) for p in positions]


def label_parts(trace: Trace, name: str, state: State) -> list[Part]:
    """A label a token: the chosen token's labels as bars, and the table of all tokens × labels."""
    length = trace[name].shape[1]
    if not length:
        return []
    position = clamp(state.position, length)
    token = trace.labels(name, "pos")[position]
    bars = probability_bars(trace, name, _("labels of '{token}'").format(token=told(token)), position)
    table = cut(
        trace, name, "pos", trace[name].axes[-1], title=_("probabilities"), scale="probability", by=state.by
    )
    return [bars, table]


def span_table(trace: Trace, names: list[str], state: State) -> HeatTable:
    """Where the answer may begin and end: start and end × tokens."""
    tables = [cut(trace, name, "", trace[name].axes[-1], scale="probability") for name in names]
    labels = [_(HEADS[head(name)]) for name in names]
    return stack(_("where the answer begins and ends"), tables, labels, "label", state.by)


def recorded(trace: Trace, state: State) -> list[Part]:
    """The parts that show recorded probabilities; none of a second sentence where there is only one."""
    parts: list[Part] = []
    names = of_kind(trace.activations, "probs")
    spans = [name for name in names if prefix(name).endswith(("start.", "end."))]
    for name in names:
        axes = trace[name].axes
        if name in spans or (head(name) == "nsp" and trace.pair is None):
            continue
        if len(axes) == 2:
            title = _(HEADS.get(head(name), N_("classes")))
            parts.append(probability_bars(trace, name, title, top=trace[name].shape[1]))
        elif axes[-1] == "vocab":
            parts += candidates(trace, name, state)
        else:
            parts += label_parts(trace, name, state)
    if spans:
        parts.append(span_table(trace, spans, state))
    return parts


def beginnings(trace: Trace, words: list[str]) -> list[int] | None:
    """At which token each of `words` begins, which stand in the text in this order; None where one does not.

    A word may be of several tokens, and tokens between words (of the tokenizer, or blanks) are passed over.
    """
    encoding, end = trace.encoding, 0
    found: list[int] = []
    if encoding is None:
        return None
    starts = iter((place, span[0]) for place, span in enumerate(encoding.offsets) if span is not None)
    for word in words:
        place = next((n for n, at in starts if at >= end and encoding.text.startswith(word, at)), None)
        if place is None:
            return None
        found.append(place)
        end = (encoding.offsets[place] or (0, 0))[0] + len(word)
    return found


def tag_sources(trace: Trace, tags: list[dict[str, Any]]) -> tuple[Source, ...] | None:
    """Where the probability of each tag is recorded; None where they are not: of words of several labels."""
    name = next((name for name in of_kind(trace.activations, "probs") if len(trace[name].axes) == 3), "")
    places = beginnings(trace, [word["token"] for word in tags]) if name else None
    labels = trace.labels(name, trace[name].axes[-1]) if name else ()
    if places is None or any(word["tag"] not in labels for word in tags):
        return None
    numbers = [labels.index(word["tag"]) for word in tags]
    return elements(trace, name, places, numbers, [word["prob"] for word in tags])


def written_sources(trace: Trace, tokens: list[dict[str, Any]]) -> tuple[Source, ...] | None:
    """Where the probability of each token of a translation is recorded: the decoder's, one step after the
    other.
    """
    if task_of(trace) != "translation" or "probs" not in trace or any("id" not in t for t in tokens):
        return None
    probs = [float(np.exp(token["logprob"])) for token in tokens]
    return elements(trace, "probs", range(len(tokens)), [token["id"] for token in tokens], probs)


def elements(
    trace: Trace, name: str, places: Sequence[int], numbers: Sequence[int], values: Sequence[float]
) -> tuple[Source, ...] | None:
    """The elements of `name` at those places with those numbers, where they hold those values; else None."""
    recorded = trace.array(name)[0]
    index = list(zip(places, numbers, strict=True))
    if any(place >= recorded.shape[0] or number >= recorded.shape[1] for place, number in index):
        return None
    if not np.allclose([recorded[at] for at in index], values, atol=1e-4, equal_nan=True):
        return None
    return tuple(Source(name, (0, *at)) for at in index)


def answered(trace: Trace) -> list[Part]:
    """The parts that show the answer itself."""
    parts: list[Part] = []
    output = trace.output
    if "tags" in output:
        words = (Token(word["token"], tag=word["tag"], prob=word["prob"]) for word in output["tags"])
        parts.append(Tokens(_("tags"), tuple(words), tag_sources(trace, output["tags"])))
    if "spans" in output:
        spans = output["spans"]
        labels = tuple(f"{span['text']} ({span['start']}–{span['end']})" for span in spans)
        probs = np.array([span["prob"] for span in spans], dtype=float)
        parts.append(Bars(_("answers"), labels, probs, unit=_("probability"), scale="probability"))
    if "tokens" in output:
        made = (
            Token(token["text"], token.get("id"), prob=float(np.exp(token["logprob"])))
            for token in output["tokens"]
        )
        parts.append(Tokens(_("output"), tuple(made), written_sources(trace, output["tokens"])))
    return parts


def unrecorded(output: dict[str, Any]) -> list[Part]:
    """The answer's own probabilities, for a run that recorded none."""
    parts: list[Part] = []
    if output.get("labels"):
        labels = output["labels"]
        probs = np.array([entry["prob"] for entry in labels], dtype=float)
        parts.append(
            Bars(
                _("classes"),
                tuple(e["label"] for e in labels),
                probs,
                unit=_("probability"),
                scale="probability",
                axis="label",
            )
        )
    for entry in output.get("candidates", ())[:_ANSWERS]:
        tokens = entry["tokens"][:TOP]
        probs = np.array([token["prob"] for token in tokens], dtype=float)
        title = _("candidates at {position}").format(position=entry["pos"])
        parts.append(
            Bars(
                title,
                tuple(t["text"] for t in tokens),
                probs,
                unit=_("probability"),
                scale="probability",
                axis="vocab",
            )
        )
    return parts


def draw(trace: Trace, state: State) -> Figure:
    """The answer, then the probabilities that it was read from."""
    title = _(VIEW.title)
    parts = [*answered(trace), *(recorded(trace, state) or unrecorded(trace.output))]
    if not parts:
        return nothing(trace, "output", title)
    return Figure("output", title, tuple(parts), trace.output.get("text") or "")


VIEW = View("output", 6, N_("Output"), applies=lambda thing: True, draw=draw)
