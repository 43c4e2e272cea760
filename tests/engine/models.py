"""Small models with random weights, one for each family and task, in folders as the engine reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nlptui.config import ModelConfig, config_from_dict
from nlptui.engine import checkpoint
from nlptui.nn import build_model
from nlptui.tokenizers import Tokenizer, build_tokenizer

TEXTS = [
    "the old lighthouse keeper can open a can of paint",
    "我们在海边看见一只白猫",
    "wind, rain and 7 ducks!\n",
]
LABELS = ("NOUN", "VERB", "DET", "X")

FAMILIES: dict[str, dict[str, Any]] = {
    "tag-rnn": {"arch": "rnn", "task": "tagging", "labels": LABELS, "bidirectional": True, "n_layers": 2},
    "tag-lstm": {
        "arch": "lstm",
        "task": "tagging",
        "labels": LABELS,
        "bidirectional": True,
        "characters": True,
    },
    "tag-gru": {"arch": "gru", "task": "tagging", "labels": LABELS, "bidirectional": True},
    "class-lstm": {
        "arch": "lstm",
        "task": "classification",
        "labels": ("good", "bad"),
        "pooling": "attention",
    },
    "lm-lstm": {"arch": "lstm", "task": "language_model", "n_layers": 2},
    "lm-rnn": {"arch": "rnn", "task": "language_model"},
    "lm-gru": {"arch": "gru", "task": "language_model"},
    "bert": {"arch": "bert", "task": "pretraining"},
    "tag-bert": {"arch": "bert", "task": "tagging", "labels": LABELS},
    "class-bert": {"arch": "bert", "task": "classification", "labels": ("good", "bad"), "pooling": "mean"},
    "pool-bert": {
        "arch": "bert",
        "task": "classification",
        "labels": ("good", "bad"),
        "pooling": "mean",
        "poolings": ("cls", "mean", "max", "attention"),
    },
    "qa-bert": {"arch": "bert", "task": "question_answering"},
    "gpt": {"arch": "gpt", "task": "language_model"},
    "gpt1": {"arch": "gpt", "task": "language_model", "norm_order": "post"},
    "translator": {"arch": "transformer", "task": "translation", "language": "en-zh"},
    "word2vec": {"arch": "word2vec", "task": "skip_gram"},
}
WIDTHS: dict[str, dict[str, int]] = {
    "recurrent": {"d_embed": 7, "d_hidden": 6},
    "bert": {"d_model": 12, "n_heads": 3, "d_ff": 9, "n_layers": 2, "context": 24},
    "gpt": {"d_model": 12, "n_heads": 3, "d_ff": 9, "n_layers": 2, "context": 12},
    "transformer": {"d_model": 12, "n_heads": 3, "d_ff": 9, "n_layers": 2, "context": 24},
    "word2vec": {"d_embed": 7},
}


def tokenizer_for(family: str) -> Tokenizer:
    settings = FAMILIES[family]
    if settings["task"] in ("tagging", "skip_gram"):
        return build_tokenizer("words", TEXTS, characters=bool(settings.get("characters")))
    template = {"bert": "cls_sep", "transformer": "none"}.get(settings["arch"], "none")
    names = {"bert": ["pad", "unk", "cls", "sep", "mask"], "transformer": ["pad", "unk", "bos", "eos"]}
    return build_tokenizer("characters", TEXTS, template=template, specials=names.get(settings["arch"]))


def config_for(family: str, tokenizer: Tokenizer) -> ModelConfig:
    settings = {key: value for key, value in FAMILIES[family].items() if key != "characters"}
    widths = WIDTHS.get(settings["arch"], WIDTHS["recurrent"])
    extra = {"n_chars": tokenizer.char_vocab_size} if tokenizer.char_vocab_size else {}
    content = widths | settings | extra | {"name": family, "vocab_size": tokenizer.vocab_size}
    return config_from_dict(content, where=family)


def make_model(folder: Path, family: str, seed: int = 0) -> Path:
    """Write the model `family` into `folder`/`family` and return that path."""
    tokenizer = tokenizer_for(family)
    config = config_for(family, tokenizer)
    torch.manual_seed(seed)
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    checkpoint.save(folder / family, model, config, tokenizer)
    return folder / family
