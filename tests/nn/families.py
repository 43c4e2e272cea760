"""A small network of every family, task, pooling and norm order, with odd sizes, and runs of it on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.config import (
    BertConfig,
    GPTConfig,
    ModelConfig,
    RecurrentConfig,
    TransformerConfig,
    Word2VecConfig,
)
from nlptui.edits import Edit
from nlptui.nn import Batch, build_model
from nlptui.nn.pooling import POOLINGS
from nlptui.trace import Recorder, Trace

VOCAB, TARGET_VOCAB, CHARS = 19, 17, 9
LENGTH, TARGET_LENGTH = 7, 5
LABELS = ("noun", "verb", "other")
ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
ATTENTION: dict[str, Any] = {"d_model": 15, "n_heads": 3, "d_ff": 7, "n_layers": 2, "context": 9}
RECURRENT: dict[str, Any] = {"d_embed": 5, "d_hidden": 4, "n_layers": 2}
CHARACTERS: dict[str, Any] = {"n_chars": CHARS, "d_char": 3, "d_char_feature": 2}


def _recurrent(arch: str) -> dict[str, ModelConfig]:
    common: dict[str, Any] = {"arch": arch, "vocab_size": VOCAB, "labels": LABELS, **RECURRENT}
    found: dict[str, ModelConfig] = {
        f"{arch}-tagging": RecurrentConfig(task="tagging", bidirectional=True, **CHARACTERS, **common),
        f"{arch}-language": RecurrentConfig(task="language_model", **(common | {"labels": ()})),
    }
    for pooling in POOLINGS:
        both = pooling in ("cls", "attention")
        found[f"{arch}-{pooling}"] = RecurrentConfig(
            task="classification", pooling=pooling, bidirectional=both, **common
        )
    return found


def _bert() -> dict[str, ModelConfig]:
    common: dict[str, Any] = {"arch": "bert", "vocab_size": VOCAB, "labels": LABELS, **ATTENTION}
    found: dict[str, ModelConfig] = {
        f"bert-{task}": BertConfig(task=task, **common)
        for task in ("pretraining", "tagging", "question_answering")
    }
    several: dict[str, Any] = {"task": "classification", "poolings": POOLINGS}
    found["bert-poolings"] = BertConfig(pooling="attention", **several, **common)
    for pooling in POOLINGS:
        found[f"bert-{pooling}"] = BertConfig(task="classification", pooling=pooling, **common)
    return found


def _gpt() -> dict[str, ModelConfig]:
    return {
        "gpt-pre": GPTConfig(arch="gpt", vocab_size=VOCAB, norm_order="pre", **ATTENTION),
        "gpt-post": GPTConfig(arch="gpt", vocab_size=VOCAB, norm_order="post", **ATTENTION),
        "gpt-no-bias": GPTConfig(arch="gpt", vocab_size=VOCAB, bias=False, activation="gelu", **ATTENTION),
    }


def _transformer() -> dict[str, ModelConfig]:
    common: dict[str, Any] = {"arch": "transformer", "task": "translation", "vocab_size": VOCAB, **ATTENTION}
    return {
        "transformer-sinusoidal": TransformerConfig(positions="sinusoidal", **common),
        "transformer-learned": TransformerConfig(
            positions="learned", target_vocab_size=TARGET_VOCAB, **common
        ),
    }


def _crf() -> dict[str, ModelConfig]:
    common: dict[str, Any] = {"task": "tagging", "vocab_size": VOCAB, "crf": True, **RECURRENT}
    return {
        "lstm-crf": RecurrentConfig(arch="lstm", labels=ENTITIES, bidirectional=True, **CHARACTERS, **common),
        "rnn-crf-any": RecurrentConfig(arch="rnn", labels=LABELS, **common),
    }


def _word2vec() -> dict[str, ModelConfig]:
    return {"word2vec": Word2VecConfig(arch="word2vec", task="skip_gram", vocab_size=VOCAB, d_embed=5)}


CONFIGS: dict[str, ModelConfig] = {
    **_recurrent("rnn"),
    **_recurrent("lstm"),
    **_recurrent("gru"),
    **_crf(),
    **_bert(),
    **_gpt(),
    **_transformer(),
    **_word2vec(),
}
EACH_FAMILY = (
    "rnn-tagging",
    "lstm-tagging",
    "gru-tagging",
    "lstm-crf",
    "bert-pretraining",
    "gpt-pre",
    "transformer-learned",
    "word2vec",
)
"""One name for every architecture, where all of them would be too many."""


def network(name: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The network called so, all its weights random and none of them near 0."""
    torch.manual_seed(0)
    model = build_model(CONFIGS[name]).to(dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


_shared = lru_cache(network)
"""The same, made once: for runs, which leave it as it is."""


def batch_for(name: str, padded: bool = False, size: int = 2) -> Batch:
    """`size` texts of 7 tokens (and 5 of the target); padded: each text after the first is shorter."""
    config = CONFIGS[name]
    torch.default_generator.manual_seed(1)  # `torch.manual_seed` notes the whole stack
    ids = torch.randint(0, VOCAB, (size, LENGTH))
    batch = Batch(ids)
    if isinstance(config, BertConfig):
        batch.segments = torch.randint(0, 2, ids.shape)
    if isinstance(config, RecurrentConfig) and config.n_chars:
        batch.chars = torch.randint(1, CHARS, (*ids.shape, 4))
        batch.chars[:, 1, 2:] = 0
        batch.chars[:, 2] = 0
    if isinstance(config, TransformerConfig):
        batch.target_ids = torch.randint(0, TARGET_VOCAB, (size, TARGET_LENGTH))
    if padded:
        batch.mask = torch.arange(LENGTH) < LENGTH - 3 * torch.arange(size)[:, None]
        if batch.target_ids is not None:
            batch.target_mask = torch.arange(TARGET_LENGTH) < TARGET_LENGTH - 2 * torch.arange(size)[:, None]
    return batch


@dataclass
class Run:
    """A run on record: the network, what it was given, what it returned, what was written down."""

    model: nn.Module
    batch: Batch
    outputs: dict[str, Tensor]
    trace: Trace


def run(
    name: str,
    edits: Sequence[Edit] = (),
    padded: bool = False,
    size: int = 1,
    dtype: torch.dtype = torch.float32,
    only: Sequence[str] | None = None,
) -> Run:
    """Run the network called so on record; an edit that meets nothing is an error, as in the engine."""
    model, batch = _shared(name, dtype), batch_for(name, padded, size)
    parameters = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    recorder = Recorder(parameters, edits, only)
    with torch.no_grad():
        outputs = model(batch, recorder)
    recorder.check_edits()
    trace = Trace(recorder.activations, recorder.inputs, parameters, config=CONFIGS[name], edits=tuple(edits))
    return Run(model, batch, outputs, trace)
