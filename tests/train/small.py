"""Recipes that train in a second or two on the corpora of `conftest.py`, one for each family."""

from __future__ import annotations

from typing import Any

from nlptui.train.recipe import Recipe, recipe_from_dict

_WORDS = {"kind": "words", "characters": True}
_RECURRENT = {
    "task": "tagging",
    "d_embed": 8,
    "d_hidden": 8,
    "d_char": 4,
    "d_char_feature": 4,
    "bidirectional": True,
}
_ATTENTION = {"d_model": 16, "n_layers": 2, "n_heads": 2, "d_ff": 32, "context": 32, "dropout": 0.1}

FAMILIES: dict[str, dict[str, Any]] = {
    **{
        arch: {
            "data": {"corpus": "en_ewt", "word_dropout": 0.2},
            "tokenizer": _WORDS,
            "model": _RECURRENT | {"arch": arch, "dropout": 0.3},
        }
        for arch in ("rnn", "lstm", "gru")
    },
    "cutter": {
        "data": {"corpus": "zh_ud"},
        "tokenizer": {"kind": "characters"},
        "model": {"arch": "lstm", "task": "tagging", "d_embed": 8, "d_hidden": 8, "bidirectional": True},
    },
    "entities": {
        "data": {"corpus": "zh_gsd_ner", "word_dropout": 0.2, "swap_entities": 0.5},
        "tokenizer": {"kind": "words", "characters": True},
        "model": _RECURRENT | {"arch": "lstm", "dropout": 0.2, "crf": True},
    },
    "gpt": {
        "data": {"corpus": "en_shakespeare"},
        "tokenizer": {"kind": "characters"},
        "model": _ATTENTION | {"arch": "gpt", "task": "language_model"},
    },
    "bert": {
        "data": {"corpus": "en_stories"},
        "tokenizer": {"kind": "words", "template": "cls_sep"},
        "model": _ATTENTION | {"arch": "bert", "task": "pretraining"},
    },
    "classifier": {
        "data": {"corpus": "en_polarity"},
        "tokenizer": {"kind": "words"},
        "model": {
            "arch": "lstm",
            "task": "classification",
            "d_embed": 8,
            "d_hidden": 8,
            "pooling": "attention",
        },
    },
    "poolers": {
        "data": {"corpus": "en_polarity", "word_dropout": 0.1},
        "tokenizer": {"kind": "words", "template": "cls_sep"},
        "model": _ATTENTION
        | {
            "arch": "bert",
            "task": "classification",
            "pooling": "max",
            "poolings": ["cls", "mean", "max", "attention"],
        },
    },
    "transformer": {
        "data": {"corpus": "en_zh_tatoeba"},
        "tokenizer": {"kind": "characters", "template": "bos_eos"},
        "model": _ATTENTION | {"arch": "transformer", "task": "translation"},
    },
    "word2vec": {
        "data": {"corpus": ["en_stories", "en_ewt"]},
        "tokenizer": {"kind": "words"},
        "model": {"arch": "word2vec", "task": "skip_gram", "d_embed": 8, "window": 3, "subsample": 0.0},
    },
}


def small(family: str, **train: Any) -> Recipe:
    """The recipe of a family, with `train` laid over its settings."""
    settings = {
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 0.01,
        "log_every": 2,
        "evaluate_every": 6,
        "save_every": 4,
        "threads": 1,
        "device": "cpu",
        "nice": 0,
    }
    return recipe_from_dict(
        FAMILIES[family] | {"name": f"small-{family}", "train": settings | train}, where="small"
    )
