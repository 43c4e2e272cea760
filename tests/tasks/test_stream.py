"""The stream of batches: resumed exactly, every example in each epoch, little padding, tokens counted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from nlptui.errors import UserError
from nlptui.nn.batch import Batch
from nlptui.tasks import DataStream, Task
from nlptui.tasks.base import id_array, length_buckets

from .test_language_model import lm_task
from .test_pretraining import pretraining
from .test_skip_gram import skip_gram
from .test_tagging import characters_task, words_task


def tasks() -> dict[str, Task[Any]]:
    return {
        "words": words_task(word_dropout=0.3),
        "characters": characters_task(),
        "language_model": lm_task(),
        "pretraining": pretraining(),
        "skip_gram": skip_gram(subsample=0.0),
    }


def same(
    first: tuple[Batch, dict[str, torch.Tensor], int], second: tuple[Batch, dict[str, torch.Tensor], int]
) -> bool:
    tensors = [(first[0].ids, second[0].ids), *((first[1][key], second[1][key]) for key in first[1])]
    for ours, theirs in zip(*((b.contexts, b.noise) for b in (first[0], second[0])), strict=True):
        if ours is not None and theirs is not None:
            tensors.append((ours, theirs))
    return first[2] == second[2] and all(a.shape == b.shape and bool((a == b).all()) for a, b in tensors)


@pytest.mark.parametrize("name", ["words", "characters", "language_model", "pretraining", "skip_gram"])
def test_a_restored_stream_goes_on_exactly(name: str) -> None:
    task = tasks()[name]
    examples = task.load(task.config.data, "train")
    for leave_at in (0, 1, 3, 10):
        stream = DataStream(task, examples, 2, seed=3)
        for _turn in range(leave_at):
            stream.next()
        state = json.loads(json.dumps(stream.state()))
        rest = [stream.next() for _turn in range(12)]
        again = DataStream(task, task.load(task.config.data, "train"), 2, seed=3)
        again.restore(state)
        assert all(same(a, b) for a, b in zip(rest, [again.next() for _turn in range(12)], strict=True))


def test_seeds_and_epochs_differ() -> None:
    task = words_task()
    examples = task.load(task.config.data, "train")
    first, second = (DataStream(task, examples, 2, seed) for seed in (0, 1))
    assert not all(same(first.next(), second.next()) for _turn in range(4))
    stream = DataStream(task, examples, 2, 0)
    epochs = [[stream.next() for _batch in range(4)] for _epoch in range(2)]
    assert stream.epoch == 1
    assert not all(same(a, b) for a, b in zip(*epochs, strict=True))


def test_an_epoch_holds_every_example_once() -> None:
    task = words_task()
    examples = task.load(task.config.data, "train")
    stream = DataStream(task, examples, 3, 0)
    assert stream.batches_per_epoch == 3
    tokens = sum(stream.next()[2] for _batch in range(3))
    assert stream.epoch == 0 and tokens == sum(map(task.length, examples))
    stream.next()
    assert stream.epoch == 1


def test_masks_change_from_epoch_to_epoch() -> None:
    task = pretraining(short_share=0.0)
    examples = task.load(task.config.data, "train")
    stream = DataStream(task, examples, 64, 0)
    shares = [stream.next()[0] for _epoch in range(2)]
    positions = [batch.mlm_positions.tolist() for batch in shares if batch.mlm_positions is not None]
    assert positions[0] != positions[1]


def test_tokens_are_the_real_ones() -> None:
    task = words_task()
    stream = DataStream(task, task.load(task.config.data, "train"), 8, 0)
    batch, _targets, tokens = stream.next()
    assert batch.mask is not None and tokens == int(batch.mask.sum()) < batch.ids.numel()


def test_buckets_need_little_padding() -> None:
    lengths = np.random.default_rng(0).geometric(0.05, 5000)
    batches = length_buckets(lengths, 32, np.random.default_rng(1))
    assert sorted(i for batch in batches for i in batch) == list(range(5000))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded / lengths.sum() < 1.15
    unsorted = sum(32 * lengths[start : start + 32].max() for start in range(0, 5000, 32))
    assert unsorted / lengths.sum() > 3
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3, "short batches do not all come first"


def test_wrong_states_and_empty_data_are_refused() -> None:
    task = words_task()
    examples = task.load(task.config.data, "train")
    with pytest.raises(UserError, match="seed 5, this run has 0"):
        DataStream(task, examples, 2, 0).restore({"seed": 5, "batch_size": 2, "epoch": 0, "index": 0})
    with pytest.raises(UserError, match="batch_size"):
        DataStream(task, examples, 2, 0).restore({"seed": 0, "batch_size": 4, "epoch": 0, "index": 0})
    with pytest.raises(UserError, match="empty"):
        DataStream(task, [], 2, 0)
    with pytest.raises(UserError, match="1 or more"):
        DataStream(task, examples, 0, 0)
    lm = lm_task()
    single = type(lm.load(lm.config.data, "train")[0])(id_array([1]))
    with pytest.raises(UserError, match="too short"):
        DataStream(lm, [single], 2, 0).next()
