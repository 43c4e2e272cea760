"""The next token: windows cut from long texts, or one short text (a poem) at a time.

An epoch reads each long text once, in windows of the model's context that lie end to end from a random start.
The loss is in nats a token; perplexity is its exponential.

With `answer_only` in the recipe's [data] table, the last token of each text is an answer, and the only one
asked for: the loss is that of the answer, and accuracy is how often it is the likeliest token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks import answers
from nlptui.tasks.base import (
    ALONE,
    IGNORED,
    Asked,
    Ids,
    Outputs,
    Targets,
    Task,
    id_array,
    length_buckets,
    pad_rows,
    top_tokens,
)
from nlptui.tasks.next_token import loss_and_perplexity, mean_loss, summed_loss, unigram
from nlptui.tokenizers import Encoding, Tokenizer

CHUNK = 50_000
"""Characters of a long text that are encoded at a time; the cut is at a line's end."""


@dataclass(frozen=True, slots=True, eq=False)
class RunningText:
    """Token ids that follow each other: a whole document, or a window of one."""

    ids: Ids
    distance: int | None = None
    """Where the last token is an answer: how far back in the text it was told, as its corpus counts."""


class LanguageModel(Task[RunningText]):
    """Predict each token from those before it."""

    name = "language_model"
    OPTIONS = ("answer_only",)

    @property
    def answer_only(self) -> bool:
        """Whether only the last token of each text is predicted."""
        return bool(self.option("answer_only", False))

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[RunningText]:
        if self.answer_only:
            documents = splits.documents(recipe_data, split)
            _check_whole(documents)
            framed = self.tokenizer.framed_ids([document.text for document in documents])
            return [self._answered(*text) for text in zip(documents, framed, strict=True)]
        return [
            RunningText(
                self._ids_of_whole(document.text)
                if document.whole
                else encode_long(self.tokenizer, document.text)
            )
            for document in splits.documents(recipe_data, split)
        ]

    def _answered(self, document: splits.Document, framed: Sequence[int]) -> RunningText:
        """A text that ends in its answer; of one longer than the context, the end."""
        if framed and framed[-1] == self.tokenizer.specials.get("eos"):
            framed = framed[:-1]
        return RunningText(id_array(framed[-self.config.context - 1 :]), document.distance)

    def _ids_of_whole(self, text: str) -> Ids:
        """A text with its beginning and its end, so that a model learns to stop."""
        (ids,) = self.tokenizer.framed_ids([text])
        end = self.tokenizer.specials.get("eos")
        if end is not None and ids[-1:] != [end]:
            ids.append(end)
        return id_array(ids)

    def length(self, example: RunningText) -> int:
        # The last token is only ever predicted, never read.
        return max(len(example.ids) - 1, 0)

    def windows(self, example: RunningText, start: int) -> list[RunningText]:
        """Windows of the context plus the token to predict, end to end from `start`, the last cut short."""
        ids, context = example.ids, self.config.context
        return [RunningText(ids[at : at + context + 1]) for at in range(start, max(len(ids) - 1, 0), context)]

    def plan(
        self, examples: Sequence[RunningText], batch_size: int, rng: np.random.Generator
    ) -> list[list[Any]]:
        """Keys are (document, start of the window)."""
        keys: list[tuple[int, int]] = []
        lengths: list[int] = []
        context = self.config.context
        for number, example in enumerate(examples):
            length = self.length(example)
            # A text that fits is read whole; of a longer one, what the random start cuts off comes as a
            # short window.
            begin = int(rng.integers(context)) if length > context else 0
            starts = list(range(begin, length, context))
            if begin and length > context:
                keys.append((number, -begin))
                lengths.append(begin)
            keys += [(number, start) for start in starts]
            lengths += [min(context, length - start) for start in starts]
        chosen = length_buckets(np.array(lengths, np.int64), batch_size, rng)
        return [[keys[i] for i in batch] for batch in chosen]

    def draw(
        self, examples: Sequence[RunningText], keys: Sequence[tuple[int, int]], rng: np.random.Generator
    ) -> list[RunningText]:
        drawn = []
        for number, start in keys:
            first, size = (0, -start) if start < 0 else (start, self.config.context)
            drawn.append(RunningText(examples[number].ids[first : first + size + 1]))
        return drawn

    def collate(self, examples: Sequence[RunningText], device: str) -> tuple[Batch, Targets]:
        inputs = [example.ids[:-1] for example in examples]
        # No mask: padding comes last, a causal network never looks at it, and its targets are left out.
        batch = Batch(ids=pad_rows(inputs, self.pad))
        targets = {"next": pad_rows([self._wanted(example) for example in examples], IGNORED).to(device)}
        return batch.to(device), targets

    def _wanted(self, example: RunningText) -> Ids:
        """What should follow each token but the last, IGNORED where nothing is asked for."""
        wanted = example.ids[1:]
        if self.answer_only and len(wanted):
            wanted = np.full_like(wanted, IGNORED)
            wanted[-1] = example.ids[-1]
        return wanted

    def asked(self, drawn: Sequence[RunningText]) -> dict[str, int]:
        if self.answer_only:
            return {"next": sum(self.length(example) > 0 for example in drawn)}
        return {"next": sum(map(self.length, drawn))}

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return mean_loss(outputs, targets, over, self.label_smoothing), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[RunningText], device: str, batch_size: int
    ) -> dict[str, float]:
        """loss (nats a token) and perplexity, over windows of the context's length that lie end to end.

        Of answers: accuracy, the same at each distance, and loss.
        """
        if self.answer_only:
            batches = self.outputs(model, examples, device, batch_size)
            return answers.scores(row for batch in batches for row in answers.judged(*batch))
        windows = [window for example in examples for window in self.windows(example, 0)]
        total, tokens = 0.0, 0
        for chosen, outputs, targets in self.outputs(model, windows, device, batch_size):
            total += summed_loss(outputs, targets)
            tokens += sum(map(self.length, chosen))
        return loss_and_perplexity(total, tokens)

    def baselines(
        self, train_examples: Sequence[RunningText], test_examples: Sequence[RunningText]
    ) -> dict[str, float]:
        """How often each token came in training, one added to each count, whatever stands before it.

        Of answers: the most frequent one, and how often each came.
        """
        if self.answer_only:
            return answers.most_frequent(self.tokenizer.vocab_size, train_examples, test_examples)
        seen = (example.ids for example in train_examples)
        return unigram(self.tokenizer.vocab_size, seen, [example.ids[1:] for example in test_examples])

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"candidates": [{"pos", "tokens"}]}: what may follow the last token, an end mark not counted."""
        last = len(encoding) - 1
        while last > 0 and encoding.ids[last] == self.tokenizer.specials.get("eos"):
            last -= 1
        if last < 0:
            return {"candidates": []}
        tokens = top_tokens(outputs["logits"][0, last], self.tokenizer, top)
        return {"candidates": [{"pos": last, "tokens": tokens}]}


def _check_whole(documents: Sequence[splits.Document]) -> None:
    """Raises UserError where one is no text with an answer at its end."""
    for document in documents:
        if not document.whole:
            message = _("[data] answer_only: {name} is no text with an answer at its end, but a long one")
            raise UserError(message.format(name=document.name))


def encode_long(tokenizer: Tokenizer, text: str) -> Ids:
    """The ids of a long text, without special tokens, encoded in stretches of whole lines to save memory."""
    stretches: list[Ids] = []
    start = 0
    while start < len(text):
        end = text.find("\n", start + CHUNK)
        # A run of line ends stays together: a tokenizer may make one token of it.
        while 0 <= end < len(text) and text[end] == "\n":
            end += 1
        end = len(text) if end < 0 else end
        stretches.append(id_array(tokenizer.encode_ids(text[start:end])))
        start = end
    return np.concatenate(stretches) if stretches else id_array([])
