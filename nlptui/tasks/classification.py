"""One label for a whole text: sentiment, or whatever a file of `label TAB text` holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    ALONE,
    Asked,
    Ids,
    Outputs,
    Targets,
    Task,
    char_grid,
    id_array,
    mean_cross_entropy,
    pad_grids,
    pad_rows,
    padding_mask,
)
from nlptui.text import visible
from nlptui.tokenizers import Encoding, Tokenizer, split_words

Feature = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledExample:
    """A text, or a pair of texts, and the number of its label."""

    ids: Ids
    segments: Ids
    chars: np.ndarray[Any, Any] | None
    label: int
    words: tuple[str, ...]
    """Of the text, and of its pair after it, in lower case: what a bag of words sees."""
    second_words: tuple[str, ...] = ()
    """Of a pair's second text alone."""


class Classification(Task[LabelledExample]):
    """A label for a text; of a network with several poolers, the label that the one in use says."""

    name = "classification"
    OPTIONS = ("word_dropout",)

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        if not config.labels:
            raise UserError(
                _("{name}: a classification model needs labels in its config").format(name=config.name)
            )
        self.labels = config.labels

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[LabelledExample]:
        return [self.example(row[0], *row[1:]) for row in splits.labelled_texts(recipe_data, split)]

    def load_for_baselines(self, recipe_data: Mapping[str, Any]) -> list[LabelledExample]:
        """Words and labels alone."""
        return [self._untokenized(row[0], *row[1:]) for row in splits.labelled_texts(recipe_data, "train")]

    def example(self, label: str, text: str, pair: str | None = None) -> LabelledExample:
        """The tokens of one row. Raises UserError where the model has no such label."""
        row = self._untokenized(label, text, pair)
        encoding = self.tokenizer.encode(text, pair, max_length=self.config.context)
        return replace(
            row,
            ids=id_array(encoding.ids),
            segments=id_array(encoding.segments),
            chars=char_grid(encoding.char_ids),
        )

    def _untokenized(self, label: str, text: str, pair: str | None = None) -> LabelledExample:
        if label not in self.labels:
            raise UserError(
                _("label {label!r} in the data, but the model knows only {known}").format(
                    label=visible(label), known=", ".join(self.labels)
                )
            )
        none = id_array(())
        return LabelledExample(
            ids=none,
            segments=none,
            chars=None,
            label=self.labels.index(label),
            words=tuple(split_words(" ".join(filter(None, (text, pair))).lower())),
            second_words=tuple(split_words(pair.lower())) if pair else (),
        )

    def length(self, example: LabelledExample) -> int:
        return len(example.ids)

    def draw(
        self, examples: Sequence[LabelledExample], keys: Sequence[int], rng: np.random.Generator
    ) -> list[LabelledExample]:
        """The examples, with a share `word_dropout` of their tokens made unknown: no word is all there is."""
        share, unknown = float(self.option("word_dropout", 0.0)), self.tokenizer.specials.get("unk")
        chosen = [examples[key] for key in keys]
        if not share or unknown is None:
            return chosen
        kept = np.array(sorted(set(self.tokenizer.specials.values())), np.int32)
        dropped = []
        for example in chosen:
            gone = (rng.random(len(example.ids)) < share) & ~np.isin(example.ids, kept)
            dropped.append(replace(example, ids=np.where(gone, unknown, example.ids).astype(np.int32)))
        return dropped

    def collate(self, examples: Sequence[LabelledExample], device: str) -> tuple[Batch, Targets]:
        chars = [example.chars for example in examples if example.chars is not None]
        batch = Batch(
            ids=pad_rows([example.ids for example in examples], self.pad),
            mask=padding_mask([len(example.ids) for example in examples]),
            segments=pad_rows([example.segments for example in examples], 0),
            chars=pad_grids(chars) if chars else None,
        )
        return batch.to(device), {"label": torch.tensor([example.label for example in examples]).to(device)}

    def asked(self, drawn: Sequence[LabelledExample]) -> dict[str, int]:
        return {"label": len(drawn)}

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy; with several poolers the sum of theirs, so that each learns its part."""
        each = [value for name, value in outputs.items() if name.endswith(".logits")] or [outputs["logits"]]
        count, smoothing = over.get("label"), self.label_smoothing
        losses = [mean_cross_entropy(logits, targets["label"], count, smoothing) for logits in each]
        return torch.stack(losses).sum(), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[LabelledExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """accuracy; with several poolers that of each too: accuracy_cls, accuracy_mean, …"""
        right: Counter[str] = Counter()
        for _chosen, outputs, targets in self.outputs(model, examples, device, batch_size):
            for name, logits in outputs.items():
                right[name] += int((logits.argmax(-1) == targets["label"]).sum())
        total = max(len(examples), 1)
        each = {
            f"accuracy_{name.removesuffix('.logits')}": right[name] / total
            for name in sorted(right)
            if name.endswith(".logits")
        }
        return {"accuracy": right["logits"] / total} | each

    def baselines(
        self, train_examples: Sequence[LabelledExample], test_examples: Sequence[LabelledExample]
    ) -> dict[str, float]:
        """accuracy: the label that is most frequent in training, for every text; naive_bayes_accuracy.

        Of pairs also second_text_accuracy, naive Bayes on the second text alone: what that gives away.
        """
        counts = Counter(example.label for example in train_examples)
        best = max(sorted(counts), key=lambda label: counts[label])
        total = max(len(test_examples), 1)
        found = {
            "accuracy": sum(example.label == best for example in test_examples) / total,
            "naive_bayes_accuracy": _share_right(train_examples, test_examples),
        }
        if any(example.second_words for example in train_examples):
            train, test = (
                [replace(example, words=example.second_words) for example in examples]
                for examples in (train_examples, test_examples)
            )
            found["second_text_accuracy"] = _share_right(train, test)
        return found

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"labels": [{"label", "prob"}]}, the likeliest first."""
        probs = outputs["logits"][0].detach().float().softmax(-1).tolist()
        labels = [{"label": label, "prob": prob} for label, prob in zip(self.labels, probs, strict=True)]
        return {"labels": sorted(labels, key=lambda entry: -float(entry["prob"]))[:top]}


def _share_right(
    train_examples: Sequence[LabelledExample], test_examples: Sequence[LabelledExample]
) -> float:
    """Of the test texts, how many naive Bayes gives their label."""
    guesses = naive_bayes(train_examples, test_examples)
    right = sum(guess == example.label for guess, example in zip(guesses, test_examples, strict=True))
    return right / max(len(test_examples), 1)


def naive_bayes(
    train_examples: Sequence[LabelledExample], test_examples: Sequence[LabelledExample]
) -> list[int]:
    """The likeliest label of each text by what it holds of words w and of pairs of neighbours (w, w').

        label = argmax_c log P(c) + Σ_f log (n(f, c) + 1) / (n(c) + V)

    f runs over the features of the text that training showed, each once; n(f, c) counts the training texts of
    label c that hold f, n(c) sums it over the V features (Wang & Manning 2012: presence, not frequency).
    """
    counts: dict[int, Counter[Feature]] = {}
    texts: Counter[int] = Counter()
    for example in train_examples:
        texts[example.label] += 1
        counts.setdefault(example.label, Counter()).update(features(example.words))
    known = set().union(*counts.values())
    base = {c: math.log(counts[c].total() + len(known)) for c in counts}

    def score(label: int, found: set[Feature]) -> float:
        nats = sum(math.log(counts[label][f] + 1) for f in found) - len(found) * base[label]
        return nats + math.log(texts[label])

    return [
        max(sorted(counts), key=lambda label: score(label, found))
        for found in (features(example.words) & known for example in test_examples)
    ]


def features(words: Sequence[str]) -> set[Feature]:
    """The words of a text, and the pairs of neighbours."""
    return {*((word,) for word in words), *zip(words, words[1:], strict=False)}
