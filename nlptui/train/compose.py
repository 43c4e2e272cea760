"""A recipe from a few choices: family, task, corpus, size, time, and what to start from.

What the choices leave open gets values that work on two cores: enough to see something in a minute, not the
best there are. How many steps a time has room for, `within` counts from an estimate. Loads no torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlptui.config import CLASSICAL, ModelConfig
from nlptui.data import own, registry
from nlptui.data.generators import MADE
from nlptui.engine.library import find_model
from nlptui.train.estimate import Estimate
from nlptui.train.recipe import Recipe, derived_fields, parse_overrides, recipe_from_dict

TASKS: dict[str, tuple[str, ...]] = {
    "rnn": ("language_model", "tagging", "classification"),
    "lstm": ("language_model", "tagging", "classification"),
    "gru": ("language_model", "tagging", "classification"),
    "transformer": ("translation",),
    "bert": ("pretraining", "tagging", "classification", "question_answering"),
    "gpt": ("language_model",),
    "word2vec": ("skip_gram",),
    "hmm": ("tagging",),
    "crf": ("tagging",),
}
"""What each family can be trained for."""
CORPORA: dict[str, tuple[str, ...]] = {
    "language_model": ("en_shakespeare", "zh_tang", "en_stories"),
    "pretraining": ("en_stories", "en_shakespeare", "zh_tang"),
    "skip_gram": ("en_stories", "en_shakespeare", "zh_ud"),
    "tagging": ("en_ewt", "zh_ud", "en_wnut17", "zh_gsd_ner"),
    "classification": ("en_polarity", "zh_waimai"),
    "translation": ("en_zh_tatoeba",),
    "question_answering": ("stories_en", "stories_zh"),
}
"""What each task can be learned from; the tasks of `OWN` from a text of one's own too."""
OWN = ("language_model", "pretraining", "skip_gram")
SIZES = ("tiny", "small", "medium")
BUDGETS = (60, 300, 1800, 7200)
"""Seconds from the start to the end."""
MEASURED, TWICE = 8, 2
"""How often a run is measured at most, and at least."""
SHARE = 0.05
"""The share of its time that measuring may take, if it is not to be done twice only."""
LEAST_STEPS = 20

_RECURRENT: dict[str, dict[str, Any]] = {
    "tiny": {"d_embed": 48, "d_hidden": 64},
    "small": {"d_embed": 64, "d_hidden": 128},
    "medium": {"d_embed": 100, "d_hidden": 256},
}
_ATTENTION: dict[str, dict[str, Any]] = {
    "tiny": {"context": 64, "d_model": 64, "n_layers": 2, "n_heads": 2, "d_ff": 256},
    "small": {"context": 96, "d_model": 128, "n_layers": 3, "n_heads": 4, "d_ff": 512},
    "medium": {"context": 128, "d_model": 192, "n_layers": 4, "n_heads": 6, "d_ff": 768, "dropout": 0.1},
}
_SIZES: dict[str, dict[str, dict[str, Any]]] = {
    **dict.fromkeys(("rnn", "lstm", "gru"), _RECURRENT),
    **dict.fromkeys(("bert", "gpt"), _ATTENTION),
    "transformer": {
        size: fields | {"n_layers": 1 if size == "tiny" else 2} for size, fields in _ATTENTION.items()
    },
    "word2vec": {
        "tiny": {"d_embed": 32, "window": 3}, "small": {"d_embed": 64, "window": 3},
        "medium": {"d_embed": 100, "window": 3},
    },
}  # fmt: skip
_BATCH = {"skip_gram": 2048, "language_model": 16, "translation": 32}


@dataclass(frozen=True)
class Wish:
    """What a form asks for."""

    family: str
    task: str
    corpus: str
    """A corpus's name, or the path of a text file."""
    size: str = SIZES[0]
    seconds: float = BUDGETS[0]
    """How long it may take from the start to the end."""
    start_from: str = ""
    """A model whose weights, sizes and tokenizer to begin with: a name, or a folder; empty: from scratch."""
    name: str = ""
    """What the model is called; empty: after what it is."""
    settings: tuple[str, ...] = ()
    """Other settings, as train.learning_rate=0.001."""


@dataclass(frozen=True)
class Plan:
    """A recipe, and what it will take."""

    recipe: Recipe
    estimate: Estimate | None
    """None for a model that is counted, not trained."""


def compose(wish: Wish) -> Recipe:
    """The recipe that `wish` describes. Raises UserError where its corpus, model or settings cannot be."""
    language = _language(wish.corpus)
    model, tokenizer = _parts(wish, language)
    data: dict[str, Any] = {"corpus": wish.corpus}
    if wish.corpus.startswith(own.PREFIX):
        data["dev_share"] = 0.1
    if wish.task == "question_answering" and wish.seconds < BUDGETS[-1]:
        data["first"] = 200 * int(wish.seconds)  # Stories are made one by one, which takes its time.
    if language == "en-zh" and wish.task != "translation":
        data["side"] = 0
    content = {
        "name": wish.name or default_name(wish),
        "language": language,
        "init": wish.start_from,
        "data": data,
        "tokenizer": tokenizer,
        "model": {"arch": wish.family, "task": wish.task} | model,
        "train": _train(wish),
    }
    return recipe_from_dict(content, where="recipe", overrides=parse_overrides(list(wish.settings)))


def default_name(wish: Wish) -> str:
    """`lstm-tagging-en_ewt`, and of a text of one's own its name."""
    corpus = wish.corpus.removeprefix(own.PREFIX).removesuffix(".txt")
    return "-".join((wish.family, wish.task.replace("_", "-"), corpus))


def sizes_of(family: str) -> tuple[tuple[str, str], ...]:
    """What sizes the family comes in, and how large each is: `d_model 64  n_layers 2`; none, of some."""
    wanted = ("d_embed", "d_hidden", "d_model", "n_layers")
    return tuple(
        (size, "  ".join(f"{key} {fields[key]}" for key in wanted if key in fields))
        for size, fields in _SIZES.get(family, {}).items()
    )


def corpora_for(task: str) -> tuple[tuple[str, bool], ...]:
    """The corpora that `task` can be learned from, and whether each is on this machine; those first."""
    found = [(name, name in MADE or registry.find(name) is not None) for name in CORPORA[task]]
    return tuple(sorted(found, key=lambda one: not one[1]))


def within(recipe: Recipe, found: Estimate, seconds: float) -> Plan:
    """As many steps as `seconds` have room for, after loading, and after what measuring and saving take."""
    once = found.seconds_to_measure + found.seconds_to_save
    times = max(TWICE, min(MEASURED, int(SHARE * seconds / max(once, 1e-9))))
    kept = recipe.train.snapshots * found.seconds_to_save
    room = seconds - found.seconds_to_load - times * once - kept
    steps = max(LEAST_STEPS, int(room / found.seconds_a_step))
    every = math.ceil(steps / times)
    train = dataclasses.replace(
        recipe.train,
        steps=steps,
        warmup=min(recipe.train.warmup, steps // 10),
        log_every=max(1, min(recipe.train.log_every, steps // 100)),
        evaluate_every=every,
        save_every=every,
    )
    whole = found.seconds_to_load + steps * found.seconds_a_step + times * once + kept
    return Plan(
        dataclasses.replace(recipe, train=train), dataclasses.replace(found, steps=steps, seconds=whole)
    )


def _language(corpus: str) -> str:
    return corpus.rpartition("_")[2] if corpus in MADE else registry.corpus(corpus).language


def _train(wish: Wish) -> dict[str, Any]:
    """Steps are set by `within`; a model that is counted needs none."""
    if wish.family == "hmm":
        return {"steps": 1}
    if wish.family == "crf":
        return {"steps": 30}
    short = wish.seconds <= BUDGETS[1]
    settings: dict[str, Any] = {
        "steps": 1000, "batch_size": _BATCH.get(wish.task, 32), "learning_rate": 3e-3, "schedule": "cosine",
        "warmup": 100, "log_every": 10, "evaluate_examples": 100 if short else 0, "clip": 1.0,
        "snapshots": 16 if wish.seconds <= BUDGETS[0] else 24,
    }  # fmt: skip
    if wish.task == "skip_gram":
        return settings | {"weight_decay": 0.0, "clip": 0.0}
    return settings | {"optimizer": "muon", "matrix_rate": 0.006 if wish.start_from else 0.02, "beta2": 0.98}


def _parts(wish: Wish, language: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The [model] table without arch and task, and the [tokenizer] table."""
    if wish.start_from:
        return _of_model(find_model(wish.start_from)), {"from": wish.start_from}
    model = dict(_SIZES[wish.family][wish.size]) if wish.family in _SIZES else {}
    if wish.family in ("rnn", "lstm", "gru"):
        model |= _recurrent(wish)
    elif wish.family == "gpt":
        model["activation"] = "gelu"
    elif wish.family == "hmm":
        model["suffix"] = 1 if language == "zh" else 4
    elif wish.task == "skip_gram":
        model["context"] = 256
        if wish.corpus.startswith(own.PREFIX):
            model["subsample"] = 0.0  # Of a little text no word is too many.
    return model, _tokenizer(wish, language)


def _recurrent(wish: Wish) -> dict[str, Any]:
    if wish.task == "language_model":
        return {"context": 64 if wish.size == "tiny" else 128}
    both = {"bidirectional": True}
    if wish.task == "classification":
        return both | {"pooling": "attention"}
    return both | {"d_char": 16, "d_char_feature": 48}


def _of_model(folder: Path) -> dict[str, Any]:
    """What gives the weights of a model their shapes."""
    config = ModelConfig.read(folder / "config.json")
    elsewhere = derived_fields() | {"arch", "task"}
    values = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    standard = {item.name: item.default for item in dataclasses.fields(config)}
    return {
        name: _plain(value)
        for name, value in values.items()
        if name not in elsewhere and value != standard[name]
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _tokenizer(wish: Wish, language: str) -> dict[str, Any]:
    """What cuts the texts: words or pieces of English, characters of Chinese."""
    chinese = language == "zh"
    little = wish.corpus.startswith(own.PREFIX)
    if wish.task == "translation":
        return {
            "kind": "sentencepiece", "vocab_size": 4000, "model_type": "unigram", "character_coverage": 1.0,
            "normalization": "identity", "template": "none", "specials": ["pad", "unk", "bos", "eos"],
        }  # fmt: skip
    if wish.task == "language_model":
        whole = {"template": "bos_eos", "min_count": 3} if wish.corpus == "zh_tang" else {}
        return {"kind": "characters"} | whole
    if wish.task == "skip_gram":
        words = {"kind": "words", "min_count": 1 if little else 5}
        return words | ({"longest_match": True, "joiner": ""} if chinese else {"lowercase": True})
    if wish.family in CLASSICAL:
        words = {"kind": "words", "min_count": 10**9 if wish.family == "crf" else 2}
        return words | ({"joiner": ""} if chinese else {})
    if wish.family == "bert":
        if chinese:
            return {"kind": "characters", "template": "cls_sep", "min_count": 1 if little else 2}
        return {"kind": "wordpiece", "vocab_size": 1000 if little else 4000, "template": "cls_sep"}
    if wish.task == "tagging" and wish.corpus != "zh_ud":
        words = {"kind": "words", "min_count": 2, "characters": True}
        return words | ({"joiner": ""} if chinese else {})
    return {"kind": "characters"} if chinese else {"kind": "words", "min_count": 2}


def is_counted(recipe: Recipe) -> bool:
    """Whether the model is made by counting: there is nothing to estimate."""
    return recipe.model.get("arch") in CLASSICAL
