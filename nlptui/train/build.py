"""From a recipe, or from a checkpoint, to what training needs: tokenizer, config, network, task, examples.

Knows nothing of optimizers, of the loop, or of run directories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nlptui.config import ModelConfig, config_from_dict
from nlptui.engine import checkpoint
from nlptui.engine.segmenter import segmenter_for
from nlptui.engine.tokenizer import find_tokenizer
from nlptui.engine.untrained import start_from
from nlptui.nn import build_model
from nlptui.tasks import Task, labels_for, load_examples, task_for, texts_for_tokenizer
from nlptui.tokenizers import Tokenizer, build_tokenizer
from nlptui.train.recipe import Recipe


@dataclass
class Parts:
    """What a run trains, and on what."""

    config: ModelConfig
    tokenizer: Tokenizer
    model: nn.Module
    task: Task[Any]
    train_examples: Sequence[Any]
    dev_examples: Sequence[Any]


def build(recipe: Recipe, device: str) -> Parts:
    """Everything new, from the recipe alone."""
    torch.manual_seed(recipe.seed)
    tokenizer = make_tokenizer(recipe)
    config = make_config(recipe, tokenizer)
    model = build_model(config)
    if recipe.init:
        fitting, wanted = start_from(model, recipe.init)
        print(f"{fitting} of {wanted} weights start from {recipe.init}", flush=True)
    return _with_examples(recipe, config, tokenizer, model.to(device))


def rebuild(recipe: Recipe, folder: Path, device: str) -> Parts:
    """The network, config and tokenizer of a checkpoint, with the recipe's examples."""
    model, config, tokenizer = checkpoint.load(folder)
    return _with_examples(recipe, config, tokenizer, model.to(device))


def make_tokenizer(recipe: Recipe) -> Tokenizer:
    """The tokenizer of another model, one that was trained by itself, or one learned from the train split."""
    options = dict(recipe.tokenizer)
    if "from" in options:
        return find_tokenizer(options["from"])
    kind = options.pop("kind")
    return build_tokenizer(kind, texts_for_tokenizer(recipe.data, recipe.model["task"], kind), **options)


def make_config(recipe: Recipe, tokenizer: Tokenizer) -> ModelConfig:
    """The model's config: the recipe's [model] table, and what follows from the data and the tokenizer."""
    content: dict[str, Any] = dict(recipe.model) | {
        "name": recipe.name,
        "language": recipe.language,
        "vocab_size": tokenizer.vocab_size,
        "labels": list(labels_for(recipe.data, recipe.model["task"], tokenizer.kind)),
        "data": dict(recipe.data),
    }
    if tokenizer.char_vocab_size:
        content["n_chars"] = tokenizer.char_vocab_size
    return config_from_dict(content, where=recipe.name)


def _with_examples(recipe: Recipe, config: ModelConfig, tokenizer: Tokenizer, model: nn.Module) -> Parts:
    data: Mapping[str, Any] = recipe.data
    task = task_for(config, tokenizer)
    task.label_smoothing = recipe.train.label_smoothing
    if (segmenter := segmenter_for(config)) is not None:
        segmenter.load()  # a model that is missing is told now, not at the first measurement
        task.segment = segmenter
    return Parts(
        config=config,
        tokenizer=tokenizer,
        model=model,
        task=task,
        train_examples=load_examples(data, "train", tokenizer, config),
        dev_examples=load_examples(data, "dev", tokenizer, config),
    )
