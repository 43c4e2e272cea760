"""Traces of small networks with random weights, one for each family and head, over a hand-made encoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
import torch

from nlptui.config import BertConfig, GPTConfig, RecurrentConfig, TransformerConfig, Word2VecConfig
from nlptui.engine.analyses import analyse, timing
from nlptui.nn import Batch, build_model
from nlptui.tokenizers.base import Encoding
from nlptui.trace import Recorder, Trace
from nlptui.views import VIEWS, Figure, State

TOKENS = ("the", "can", "[/bold]", "中文", "the")
TARGET = ("<s>", "le", "chat")
VOCABULARY = tuple(f"w{i}" for i in range(23))
TAGS = ("NOUN", "VERB", "DET")
RECURRENT = {"vocab_size": 23, "d_embed": 6, "d_hidden": 7, "n_layers": 2}
STACK = {"vocab_size": 23, "d_model": 8, "n_layers": 2, "n_heads": 2, "d_ff": 12, "context": 600}

CONFIGS = {
    "rnn": RecurrentConfig(arch="rnn", task="tagging", labels=TAGS, bidirectional=True, **RECURRENT),
    "lstm": RecurrentConfig(arch="lstm", task="tagging", labels=TAGS, bidirectional=True, **RECURRENT),
    "gru": RecurrentConfig(arch="gru", task="tagging", labels=TAGS, bidirectional=True, **RECURRENT),
    "lstm-chars": RecurrentConfig(
        arch="lstm", task="tagging", labels=TAGS, n_chars=9, d_char=3, d_char_feature=4, **RECURRENT
    ),
    "lstm-crf": RecurrentConfig(arch="lstm", task="tagging", labels=TAGS, crf=True, **RECURRENT),
    "lstm-lm": RecurrentConfig(arch="lstm", task="language_model", **RECURRENT),
    "gru-class": RecurrentConfig(
        arch="gru", task="classification", labels=TAGS, pooling="attention", **RECURRENT
    ),
    "bert": BertConfig(arch="bert", task="pretraining", **STACK),
    "bert-tags": BertConfig(arch="bert", task="tagging", labels=TAGS, **STACK),
    "bert-class": BertConfig(arch="bert", task="classification", labels=TAGS, **STACK),
    "bert-qa": BertConfig(arch="bert", task="question_answering", **STACK),
    "gpt": GPTConfig(arch="gpt", **STACK),
    "gpt-post": GPTConfig(arch="gpt", norm_order="post", **STACK),
    "transformer": TransformerConfig(arch="transformer", task="translation", **STACK),
    "word2vec": Word2VecConfig(arch="word2vec", task="skip_gram", vocab_size=23, d_embed=6),
}


DIFFERENT = (
    "rnn", "lstm-chars", "lstm-crf", "gru-class", "bert", "bert-qa", "gpt", "transformer", "word2vec",
)  # fmt: skip
"""Each architecture and each sort of output once: what the others draw are the same parts."""


def encoding_of(tokens: tuple[str, ...]) -> Encoding:
    """Ids 1, 2, … in order (the same token has the same id), one space between tokens."""
    ids = tuple(1 + tokens.index(token) % 22 for token in tokens)
    starts = [sum(len(token) + 1 for token in tokens[:i]) for i in range(len(tokens))]
    return Encoding(
        text=" ".join(tokens),
        ids=ids,
        tokens=tokens,
        offsets=tuple((start, start + len(token)) for start, token in zip(starts, tokens, strict=True)),
        segments=(0,) * len(tokens),
        special=tuple(token in ("<s>", "[CLS]") for token in tokens),
    )


@cache
def network(family: str) -> torch.nn.Module:
    """The family's network, with the same weights every time."""
    torch.manual_seed(7)
    return build_model(CONFIGS[family]).eval()


def run(family: str, tokens: tuple[str, ...] = TOKENS, **more: object) -> Trace:
    """A trace of `tokens` through the family's network."""
    model, config, encoding = network(family), CONFIGS[family], encoding_of(tokens)
    parameters = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    ids = torch.tensor([encoding.ids], dtype=torch.long)
    batch = Batch(ids)
    label_sets = {"tokens": tokens, "src": tokens, "vocab": VOCABULARY, "label": config.labels}
    label_sets |= {"tag": config.labels, "tag_next": config.labels}
    if family == "transformer":
        target = encoding_of(TARGET)
        batch.target_ids = torch.tensor([target.ids])
        label_sets["tgt"] = TARGET
    if family == "lstm-chars":
        chars = tuple(tuple(1 + (i + j) % 8 for j in range(4)) for i in range(len(tokens)))
        encoding = replace(encoding, char_ids=chars)
        batch.chars = torch.tensor(chars, dtype=torch.long).view(1, -1, 4)
    recorder = Recorder(parameters)
    with torch.no_grad():
        model(batch, recorder)
    return Trace(
        recorder.activations,
        recorder.inputs,
        parameters,
        config=config,
        encoding=encoding,
        label_sets=label_sets,
        text=encoding.text,
        **more,
    )


def analysed(trace: Trace, *names: str) -> Trace:
    """The trace with the analyses in it, as the engine makes them."""
    for name in names:
        family = next(family for family, config in CONFIGS.items() if config == trace.config)
        engine = SimpleNamespace(
            model=network(family),
            config=trace.config,
            device="cpu",
            name=family,
            tokenizer=SimpleNamespace(specials={"eos": 1}),
        )
        analyse(engine, trace, name)
    return trace


def drawn(view: str, trace: Trace, state: State) -> Figure:
    """The figure of a view, with the analyses that it needs."""
    analysed(trace, *VIEWS[view].needs(trace, state))
    return VIEWS[view].draw(trace, state)


@cache
def shared(family: str) -> Trace:
    """The trace of TOKENS, computed once."""
    return run(family)


@pytest.fixture(params=CONFIGS)
def trace(request: pytest.FixtureRequest) -> Trace:
    """A trace of each family."""
    return shared(request.param)


@pytest.fixture(autouse=True, scope="module")
def _small_layers() -> Iterator[None]:
    """Where layers are timed, they are small ones, run once: views are drawn of any numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "WIDTH", 16)
        patch.setattr(timing, "RUNS", 1)
        yield
