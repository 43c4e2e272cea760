"""Chinese words from characters alone: a label for each character, B, M, E or S (see `classical.schemes`).

White space is S and belongs to no word. The answer has one entry a word; its tag is the labels of its
characters, its probability the posterior of the least certain of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from nlptui.classical.schemes import bmes, cut
from nlptui.config import ModelConfig
from nlptui.tasks.base import Outputs
from nlptui.tasks.entities import f1
from nlptui.tasks.tagging import (
    Span,
    TaggedExample,
    Tagging,
    _answers,
    _inked,
    _longest_match,
    _stretch,
)
from nlptui.tokenizers import Encoding, Tokenizer


class Segmentation(Tagging):
    """Tagging whose labels are those of BMES; the tags of the corpus are not looked at."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self.reads_characters = True
        self.blank = self.label_ids["S"]

    def _labels_of(self, tag: str, tokens: int) -> list[int]:
        return [self.label_ids[label] for label in bmes(tokens)]

    def metrics(
        self, model: nn.Module, examples: Sequence[TaggedExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """accuracy of the labels of characters, and segmentation_f1 of the words that they mean."""
        order: list[TaggedExample] = []
        found: list[list[int]] = []
        for chosen, outputs, _targets in self.outputs(model, examples, device, batch_size):
            for example, best in zip(chosen, _answers(outputs)[1], strict=True):
                order.append(example)
                found.append([int(label) for label in best[: len(example.ids)]])
        return self._of_labels(order, found)

    def baselines(
        self, train_examples: Sequence[TaggedExample], test_examples: Sequence[TaggedExample]
    ) -> dict[str, float]:
        """Words are the longest matches, from the left, with those of train."""
        forms = {form for example in train_examples for form in example.forms}
        found = []
        for example in test_examples:
            labels = [self.blank] * len(example.ids)
            for start, end in _longest_match(example, forms):
                labels[start:end] = [self.label_ids[label] for label in bmes(end - start)]
            found.append(labels)
        return self._of_labels(test_examples, found)

    def _of_labels(
        self, examples: Sequence[TaggedExample], found: Sequence[Sequence[int]]
    ) -> dict[str, float]:
        right = total = 0
        gold, cuts = [], []
        for example, labels in zip(examples, found, strict=True):
            inked = _inked(example)
            pairs = zip(example.labels.tolist(), labels, inked, strict=True)
            right += sum(ink and a == b for a, b, ink in pairs)
            total += sum(inked)
            gold.append(set(example.spans))
            cuts.append(set(self._words(labels, inked)))
        return {"accuracy": right / max(total, 1), "segmentation_f1": f1(gold, cuts)}

    def _words(self, labels: Sequence[int], inked: Sequence[bool]) -> list[Span]:
        """The words that the labels of characters mean, in each stretch without white space."""
        spans: list[Span] = []
        start = 0
        for end in range(len(labels) + 1):
            if end < len(labels) and inked[end]:
                continue
            names = [self.labels[label] for label in labels[start:end]]
            spans += [(start + first, start + last) for first, last in cut(names)] if names else []
            start = end + 1
        return spans

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"tags": [{"token", "tag", "prob"}]}, one entry a word."""
        (log_probs,), (best,) = _answers(outputs)
        labels = [int(label) for label in best]
        inked = [not encoding.special[i] and not encoding.surface(i).isspace() for i in range(len(encoding))]
        probs = log_probs.exp().gather(1, torch.tensor(labels)[:, None])[:, 0].tolist()
        return {
            "tags": [
                {
                    "token": _stretch(encoding, start, end),
                    "tag": "".join(self.labels[label] for label in labels[start:end]),
                    "prob": min(probs[start:end]),
                }
                for start, end in self._words(labels, inked)
            ]
        }
