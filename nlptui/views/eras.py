"""The eras: one sentence, tagged by rules, an HMM, a CRF, an RNN, an LSTM, a GRU and BERT, row by row.

Words are the stretches between all the places where any of the models ends a word, so that models which cut a
text otherwise still stand under each other. Knows nothing of running models: `beside` says which are
wanted, the analysis `eras` says what each takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import NOWHERE, Bars, Figure, HeatTable, Part, Scale, Source
from nlptui.views.names import DIFFERS
from nlptui.views.systems import reads, runs
from nlptui.views.view import BEGIN, Peer, State, View, config_of, nothing, task_of, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.eras."
ERAS = {
    "rules": N_("rules"),
    "hmm": "HMM",
    "crf": "CRF",
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "bert": "BERT",
}
"""Architectures in the order in which they came."""
GOES_ON = "…"
"""In a column where a word only goes on."""
_STATS: dict[str, tuple[str, Scale, int]] = {
    "accuracy": (N_("right tags on test"), "probability", 4),
    "f1": (N_("F1 of entities or words on test"), "probability", 4),
    "ms": (N_("milliseconds for this text"), "positive", 2),
    "parameters": (N_("parameters"), "positive", 0),
}


def _family(name: str) -> str:
    """What a tagger is for, by its name: pos, seg, ner."""
    return name.partition("-")[0]


def every_era(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    """One tagger of each era that reads the text's language and is for the same as the one at hand."""
    config = trace.config
    language, arch = str(getattr(config, "language", "")), str(getattr(config, "arch", ""))
    own = trace.model.partition("@")[0]
    usable = [p for p in peers if not p.problem and p.task == "tagging" and reads(language, p)]
    usable = [p for p in usable if _family(p.name) == _family(own)]
    wanted = []
    for era in ERAS:
        fitting = [peer.name for peer in usable if peer.arch == era and peer.name != own]
        wanted += fitting[:1] if era != arch else []
    return tuple(wanted)


def in_order(trace: Trace) -> list[tuple[int, Trace]]:
    """The runs, oldest era first."""
    order = list(ERAS)

    def era(one: tuple[int, Trace]) -> int:
        arch = str(getattr(one[1].config, "arch", ""))
        return order.index(arch) if arch in order else len(order)

    return sorted(runs(trace), key=era)


def spans(trace: Trace) -> list[tuple[int, int]]:
    """Where each word of the answer stands in the text."""
    found, at = [], 0
    for word in trace.output.get("tags", ()):
        start = max(trace.text.find(word["token"], at), at)
        at = start + len(word["token"])
        found.append((start, at))
    return found


def columns(all_spans: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    """The stretches between all ends of words, without those that no word covers."""
    edges = sorted({edge for row in all_spans for span in row for edge in span})
    stretches = zip(edges, edges[1:], strict=False)
    return [(a, b) for a, b in stretches if any(s <= a and b <= e for row in all_spans for s, e in row)]


def covering(row: Sequence[tuple[int, int]], column: tuple[int, int]) -> int | None:
    """The number of the word that covers a column."""
    return next((n for n, (start, end) in enumerate(row) if start <= column[0] and column[1] <= end), None)


def rows_of(found: Sequence[tuple[int, Trace]]) -> tuple[list[str], list[list[str]], list[list[int | None]]]:
    """The text of each column; of each run its tag there, and the number of its word."""
    all_spans = [spans(run) for _number, run in found]
    cols = columns(all_spans)
    words = [[covering(row, column) for column in cols] for row in all_spans]
    tags = [
        ["" if n is None else str(run.output["tags"][n]["tag"]) for n in row]
        for (_number, run), row in zip(found, words, strict=True)
    ]
    text = found[0][1].text
    return [text[a:b] for a, b in cols], tags, words


def marked(tags: Sequence[Sequence[str]], words: Sequence[Sequence[int | None]]) -> list[list[str]]:
    """The tags as they are shown: those that differ from what most say have a mark, a word that only goes on
    has no tag again.
    """
    shown = []
    usual = [Counter(filter(None, column)).most_common(1) for column in zip(*tags, strict=True)]
    for row, numbers in zip(tags, words, strict=True):
        line = []
        for place, tag in enumerate(row):
            goes_on = place > 0 and numbers[place] is not None and numbers[place] == numbers[place - 1]
            differs = bool(tag) and tag != usual[place][0][0]
            line.append(GOES_ON if goes_on else f"{tag} {DIFFERS}" if differs else tag)
        shown.append(line)
    return shown


def _era(run: Trace) -> str:
    arch = str(getattr(run.config, "arch", ""))
    return _(ERAS.get(arch, arch))


def with_accuracy(run: Trace, kinds: Sequence[str]) -> str:
    """A model's era with its accuracy, or its F1 where that is measured; alone where nothing is."""
    share = number_of(run, "f1" if "f1" in kinds else "accuracy")
    return f"{_era(run)} {share:.3f}" if share == share else _era(run)


def labels_of(found: Sequence[tuple[int, Trace]]) -> tuple[str, ...]:
    """A short name for each row."""
    return tuple(titled(_era(run), run.model) for _number, run in found)


def number_of(run: Trace, kind: str) -> float:
    """One of the numbers of a model."""
    return float(run.array(PREFIX + kind)[0, 0])


def measured(found: Sequence[tuple[int, Trace]]) -> list[str]:
    """The kinds of numbers that any of the models has; F1 only where all have one."""
    known = {kind: [number_of(run, kind) >= 0 for _number, run in found] for kind in _STATS}
    return [kind for kind in _STATS if (all(known[kind]) if kind == "f1" else any(known[kind]))]


def stats(found: Sequence[tuple[int, Trace]], kind: str) -> Bars:
    """One number of each model that has it: what was never measured has no accuracy."""
    found = [(number, run) for number, run in found if number_of(run, kind) >= 0]
    words, scale, digits = _STATS[kind]
    return Bars(
        title=_(words),
        labels=labels_of(found),
        values=np.array([number_of(run, kind) for _number, run in found]),
        source=tuple(Source(PREFIX + kind, (0, 0), trace=number) for number, _run in found),
        digits=digits,
        scale=scale,
        axis="model",
    )


def tagged(found: Sequence[tuple[int, Trace]], kinds: Sequence[str]) -> HeatTable:
    """Models × words: the tags, each on the shade of how sure the model is of it."""
    texts, tags, words = rows_of(found)
    values = np.array(
        [
            [np.nan if n is None else run.array(f"{PREFIX}sure")[0, n] for n in row]
            for (_number, run), row in zip(found, words, strict=True)
        ]
    )
    title = _("tags, on the shade of how sure each is, after {measure} on test")
    return HeatTable(
        title=title.format(measure="F1" if "f1" in kinds else _("accuracy")),
        values=values.reshape(len(found), len(texts)),
        rows=tuple(with_accuracy(run, kinds) for _number, run in found),
        cols=tuple(texts),
        row_axis="model",
        col_axis="pos",
        scale="probability",
        source=tuple(
            Source(
                f"{PREFIX}sure",
                (0, "col"),
                cols=tuple(NOWHERE if n is None else n for n in row),
                trace=number,
            )
            for (number, _run), row in zip(found, words, strict=True)
        ),
        texts=tuple(map(tuple, marked(tags, words))),
    )


def draw(trace: Trace, state: State) -> Figure:
    """Of each model its tags, then what it takes."""
    title = _(VIEW.title)
    found = [one for one in in_order(trace) if f"{PREFIX}ms" in one[1]]
    if not found:
        return nothing(trace, "eras", title)
    kinds = measured(found)
    parts: list[Part] = []
    answered = [one for one in found if one[1].output.get("tags")]
    different = 0
    if answered:
        parts.append(tagged(answered, kinds))
        columns = zip(*rows_of(answered)[1], strict=True)
        different = sum(len(set(column)) > 1 for column in columns)
    parts += [stats(found, kind) for kind in kinds]
    caption = _(
        "{n} models, oldest first; {mark} marks a tag that most do not give. They differ at {places} words."
    )
    return Figure("eras", title, tuple(parts), caption.format(n=len(found), mark=DIFFERS, places=different))


VIEW = View(
    "eras",
    6,
    N_("The eras"),
    applies=lambda thing: task_of(thing) == "tagging" and getattr(config_of(thing), "arch", "") in ERAS,
    draw=draw,
    needs=lambda trace, state: ("analysis.eras",) if trace.activations else (),
    beside=every_era,
)
