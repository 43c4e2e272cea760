"""One label for a whole text: sentiment, or whatever a file of `label TAB text` holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    Ids,
    Outputs,
    Targets,
    Task,
    char_grid,
    id_array,
    pad_grids,
    pad_rows,
    padding_mask,
)
from nlptui.text import visible
from nlptui.tokenizers import Encoding, Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class LabelledExample:
    """A text, or a pair of texts, and the number of its label."""

    ids: Ids
    segments: Ids
    chars: np.ndarray[Any, Any] | None
    label: int


class Classification(Task[LabelledExample]):
    """A label for a text."""

    name = "classification"

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        if not config.labels:
            raise UserError(
                _("{name}: a classification model needs labels in its config").format(name=config.name)
            )
        self.labels = config.labels

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[LabelledExample]:
        return [self.example(row[0], *row[1:]) for row in splits.labelled_texts(recipe_data, split)]

    def example(self, label: str, text: str, pair: str | None = None) -> LabelledExample:
        """The tokens of one row. Raises UserError where the model has no such label."""
        if label not in self.labels:
            raise UserError(
                _("label {label!r} in the data, but the model knows only {known}").format(
                    label=visible(label), known=", ".join(self.labels)
                )
            )
        encoding = self.tokenizer.encode(text, pair, max_length=self.config.context)
        return LabelledExample(
            ids=id_array(encoding.ids),
            segments=id_array(encoding.segments),
            chars=char_grid(encoding.char_ids),
            label=self.labels.index(label),
        )

    def length(self, example: LabelledExample) -> int:
        return len(example.ids)

    def collate(self, examples: Sequence[LabelledExample], device: str) -> tuple[Batch, Targets]:
        chars = [example.chars for example in examples if example.chars is not None]
        batch = Batch(
            ids=pad_rows([example.ids for example in examples], self.pad),
            mask=padding_mask([len(example.ids) for example in examples]),
            segments=pad_rows([example.segments for example in examples], 0),
            chars=pad_grids(chars) if chars else None,
        )
        return batch.to(device), {"label": torch.tensor([example.label for example in examples]).to(device)}

    def loss(self, outputs: Outputs, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        smoothing = self.label_smoothing
        return F.cross_entropy(outputs["logits"], targets["label"], label_smoothing=smoothing), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[LabelledExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """accuracy."""
        right = sum(
            int((outputs["logits"].argmax(-1) == targets["label"]).sum())
            for _chosen, outputs, targets in self.outputs(model, examples, device, batch_size)
        )
        return {"accuracy": right / max(len(examples), 1)}

    def baselines(
        self, train_examples: Sequence[LabelledExample], test_examples: Sequence[LabelledExample]
    ) -> dict[str, float]:
        """The label that is most frequent in training, for every text."""
        counts = Counter(example.label for example in train_examples)
        best = max(sorted(counts), key=lambda label: counts[label])
        return {
            "accuracy": sum(example.label == best for example in test_examples) / max(len(test_examples), 1)
        }

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"labels": [{"label", "prob"}]}, the likeliest first."""
        probs = outputs["logits"][0].detach().float().softmax(-1).tolist()
        labels = [{"label": label, "prob": prob} for label, prob in zip(self.labels, probs, strict=True)]
        return {"labels": sorted(labels, key=lambda entry: -float(entry["prob"]))[:top]}
