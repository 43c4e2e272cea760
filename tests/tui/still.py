"""A workbench for pictures: real views over made-up traces whose numbers are the same on every machine.

Loads no torch: values are plain arrays, rounded to three decimals.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from nlptui.config import GPTConfig, ModelConfig, RecurrentConfig
from nlptui.formula import Derivation, Term
from nlptui.trace import Activation, Trace
from nlptui.tui.answers import Explained
from nlptui.tui.place import Place
from nlptui.tui.workbench import Ran, Workbench, where
from nlptui.views.figure import Origin

TAGS = ("NOUN", "VERB", "DET", "ADJ", "PUNCT")
VOCABULARY = ("[PAD]", "old", "man", "the", "boats", "[/bold]", "在", "河边", "小狗", "sees", "a", ".")
CONFIGS: dict[str, ModelConfig] = {
    "still-gpt": GPTConfig(arch="gpt", name="still-gpt", d_model=8, n_layers=2, n_heads=2, vocab_size=12),
    "still-lstm": RecurrentConfig(
        arch="lstm", name="still-lstm", task="tagging", labels=TAGS, bidirectional=True, vocab_size=12
    ),
}


def wave(name: str, *shape: int, low: float = -1.0) -> np.ndarray:
    """Numbers between `low` and 1 that look like measurements."""
    start = zlib.crc32(name.encode()) % 997
    values = np.sin(start + 0.7 * np.arange(np.prod(shape)) ** 1.1).reshape(shape)
    return np.round(low + (values + 1) / 2 * (1 - low), 3).astype(np.float32)


def shares(name: str, *shape: int, causal: bool = False) -> np.ndarray:
    """Rows that add up to 1."""
    values = np.exp(3 * wave(name, *shape).astype(np.float64))
    if causal:
        values = np.tril(values)
    return np.round(values / values.sum(-1, keepdims=True), 3).astype(np.float32)


def encoding(text: str) -> Any:
    """Words, cut at spaces."""
    words = tuple(text.split())
    starts = [text.index(word, sum(map(len, words[:n]))) for n, word in enumerate(words)]
    ids = tuple(VOCABULARY.index(w) if w in VOCABULARY else 0 for w in words)
    return SimpleNamespace(
        text=text, pair=None, tokens=words, ids=ids,
        special=(False,) * len(words), segments=(0,) * len(words),
        offsets=tuple((s, s + len(w)) for s, w in zip(starts, words, strict=True)),
    )  # fmt: skip


def gpt_values(n: int) -> dict[str, tuple[np.ndarray, str]]:
    """What a GPT of two blocks records, as far as views look at it."""
    found = {
        "token_embed": (wave("token", 1, n, 8), "batch pos d_model"),
        "embed": (wave("e", 1, n, 8), "batch pos d_model"),
    }
    for block in range(2):
        at = f"blocks.{block}."
        found[at + "resid_pre"] = (wave(at + "pre", 1, n, 8), "batch pos d_model")
        for letter, axis in (("q", "query"), ("k", "key"), ("v", "key")):
            found[at + "attn." + letter] = (wave(at + letter, 1, 2, n, 4), f"batch head {axis} d_head")
        found[at + "attn.scores"] = (wave(at + "scores", 1, 2, n, n), "batch head query key")
        found[at + "attn.weights"] = (shares(at + "weights", 1, 2, n, n, causal=True), "batch head query key")
        found[at + "resid_post"] = (wave(at + "post", 1, n, 8), "batch pos d_model")
    found["logits"] = (wave("logits", 1, n, 12), "batch pos vocab")
    found["probs"] = (shares("probs", 1, n, 12), "batch pos vocab")
    return found


def lstm_values(n: int) -> dict[str, tuple[np.ndarray, str]]:
    """What an LSTM of one layer and two directions records."""
    found = {
        "token_embed": (wave("token", 1, n, 8), "batch pos d_embed"),
        "embed": (wave("e", 1, n, 8), "batch pos d_embed"),
    }
    for side in ("forward", "backward"):
        for name in (
            "input_gate",
            "forget_gate",
            "candidate",
            "output_gate",
            "kept",
            "written",
            "cell",
            "hidden",
        ):
            low = 0.0 if name.endswith("gate") else -1.0
            found[f"layers.0.{side}.{name}"] = (wave(side + name, 1, n, 6, low=low), "batch pos d_hidden")
    found["layers.0.hidden"] = (wave("hidden", 1, n, 12), "batch pos d_hidden")
    found["probs"] = (shares("probs", 1, n, 5), "batch pos label")
    return found


def trace_of(model: str, text: str) -> Trace:
    """The made-up run of `text`."""
    config, words = CONFIGS[model], encoding(text)
    n = len(words.tokens)
    values = gpt_values(n) if config.arch == "gpt" else lstm_values(n)
    activations = {
        name: Activation(name, value, tuple(axes.split())) for name, (value, axes) in values.items()
    }
    inputs = {"ids": Activation("ids", np.array([words.ids]), ("batch", "pos"), kind="input")}
    output: dict[str, Any] = {"candidates": []}
    if config.arch == "lstm":
        best = values["probs"][0][0]
        tags = [
            {"token": w, "tag": TAGS[int(p.argmax())], "prob": float(p.max())}
            for w, p in zip(words.tokens, best, strict=True)
        ]
        output = {"tags": tags}
    return Trace(
        activations, inputs, {}, config=config, encoding=words, output=output, text=text, model=model,
        seconds=0.0123,
        label_sets={"tokens": words.tokens, "vocab": VOCABULARY, "label": TAGS},
    )  # fmt: skip


def analyse(trace: Trace, *names: str, watch: object = None) -> None:
    """Made-up analyses, of those that there is a picture of."""
    made: dict[str, np.ndarray] = {}
    for name in names:
        before = name.rstrip(".") + "."
        if name == "analysis.patterns":
            for block in range(2):
                at = f"{before}blocks.{block}.attn."
                made[f"{at}entropy"] = 2 * shares(at, 1, 2)
                made[f"{at}distance"] = 3 * shares(at + "d", 1, 2)
                made[f"{at}previous"] = shares(at + "p", 1, 2)
        elif name.startswith("analysis.next."):
            probs = shares(before, 1, 12)
            kept = (probs >= np.sort(probs[0])[-6]).astype(np.float32)
            final = np.round(probs * kept / (probs * kept).sum(), 3)
            made |= {before + key: value for key, value in (
                ("probs", probs), ("keep_k", kept), ("keep_p", kept), ("final", final),
                ("draw", np.array([0.482], np.float32)), ("choice", probs.argmax(-1)),
                ("position", np.array([len(trace.encoding.tokens) - 1])),
            )}  # fmt: skip
    axes = {1: ("batch",), 2: ("batch", "vocab")}
    for name, value in made.items():
        kinds = ("batch", "head") if ".attn." in name else axes[value.ndim]
        trace.analyses[name] = Activation(name, value, kinds, kind="analysis")


class Still(Workbench):
    """The workbench with its engine taken out."""

    def load(self) -> None:
        """There is nothing to load."""

    def engine(self, name: str) -> Any:
        """A model as far as the screen asks about it."""
        parameters = SimpleNamespace(numel=lambda: 1_234_567)
        return SimpleNamespace(
            name=name,
            config=CONFIGS[name],
            model=SimpleNamespace(parameters=lambda: [parameters]),
            analyse=analyse,
            poolings=(),
            pooling="",
            editable={},
        )

    def ran(self, place: Place) -> Ran:
        """The made-up run, with an edit on it where one is in force."""
        trace = trace_of(place.model, place.sentence)
        for edit in place.edits:
            name = edit.partition("[")[0]
            activation = trace.activations[name]
            trace.activations[name] = replace(activation, value=np.zeros_like(activation.value))
        return Ran(trace, {})

    def explain(self, place: Place, origin: Origin) -> Explained:
        """Four terms that add up."""
        trace = self.trace(place)
        names = ("blocks.0.attn.q", "blocks.0.attn.k")
        terms = tuple(
            Term(names[0], (0, 0, 1, i), 0.25 * (i + 1), (-1) ** i * 0.5, names[1], (0, 0, 0, i))
            for i in range(4)
        )
        total = sum(term.contribution for term in terms)
        formula = f"dot({names[0]}, {names[1]})"
        derivation = Derivation(origin.name, origin.index, total, total, formula, "Σ_d q · k", terms, True)
        wheres = tuple(where(trace, term.name, term.index) for term in terms)
        return Explained(origin, derivation, where(trace, origin.name, origin.index), wheres, "activation")
