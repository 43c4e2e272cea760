"""A sentence from another: the decoder is given the target's tokens so far and predicts the next one.

The target begins with the tokenizer's bos and ends with its eos. Generation is the engine's; here a teacher-
forced loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    IGNORED,
    Ids,
    Outputs,
    Targets,
    Task,
    id_array,
    pad_rows,
    padding_mask,
    top_tokens,
)
from nlptui.tasks.next_token import loss_and_perplexity, mean_loss, summed_loss, unigram
from nlptui.tokenizers import Encoding, Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class TranslationExample:
    """A source, and its target from bos to eos."""

    source: Ids
    target: Ids


class Translation(Task[TranslationExample]):
    """Sequence to sequence."""

    name = "translation"

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        missing = [name for name in ("bos", "eos") if name not in tokenizer.specials]
        if missing:
            raise UserError(
                _(
                    "translation needs a tokenizer with the special tokens bos and eos; {missing} missing"
                ).format(missing=", ".join(missing))
            )
        self.bos, self.eos = tokenizer.specials["bos"], tokenizer.specials["eos"]

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[TranslationExample]:
        return [self.example(row[0], row[1]) for row in splits.sentence_pairs(recipe_data, split)]

    def example(self, source: str, target: str) -> TranslationExample:
        """The tokens of a pair, both cut to the context."""
        context = self.config.context
        ids = self.tokenizer.encode(target, special=False, max_length=context - 1).ids
        return TranslationExample(
            source=id_array(self.tokenizer.encode(source, max_length=context).ids),
            target=id_array([self.bos, *ids, self.eos]),
        )

    def length(self, example: TranslationExample) -> int:
        return len(example.source) + len(example.target) - 1

    def collate(self, examples: Sequence[TranslationExample], device: str) -> tuple[Batch, Targets]:
        given = [example.target[:-1] for example in examples]
        batch = Batch(
            ids=pad_rows([example.source for example in examples], self.pad),
            mask=padding_mask([len(example.source) for example in examples]),
            target_ids=pad_rows(given, self.pad),
            target_mask=padding_mask(list(map(len, given))),
        )
        return batch.to(device), {
            "next": pad_rows([example.target[1:] for example in examples], IGNORED).to(device)
        }

    def loss(self, outputs: Outputs, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        return mean_loss(outputs, targets, self.label_smoothing), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[TranslationExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """loss (nats a target token) and perplexity, given the true target so far."""
        total, tokens = 0.0, 0
        for chosen, outputs, targets in self.outputs(model, examples, device, batch_size):
            total += summed_loss(outputs, targets)
            tokens += sum(len(example.target) - 1 for example in chosen)
        return loss_and_perplexity(total, tokens)

    def baselines(
        self, train_examples: Sequence[TranslationExample], test_examples: Sequence[TranslationExample]
    ) -> dict[str, float]:
        """How often each target token came in training, one added to each count."""
        seen = (example.target[1:] for example in train_examples)
        return unigram(self.tokenizer.vocab_size, seen, [example.target[1:] for example in test_examples])

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"candidates": [{"pos", "tokens"}]}: the target's next token after those that the decoder was
        given.
        """
        logits = outputs["logits"][0]
        if not len(logits):
            return {"candidates": []}
        return {
            "candidates": [{"pos": len(logits) - 1, "tokens": top_tokens(logits[-1], self.tokenizer, top)}]
        }
