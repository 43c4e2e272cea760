"""Which words of a passage answer a question: the network marks where the answer begins and where it ends.

    P(start s, end e) = P(start = s) P(end = e), over  s ≤ e < s + LONGEST  within the passage
The question is the first text of a pair, the passage the second; both probabilities are over the passage's
tokens. What is answered are whole words: a span that begins or ends inside one is taken to the word's ends
(as Devlin et al. 2019 do for SQuAD).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    ALONE,
    IGNORED,
    Asked,
    Ids,
    Outputs,
    Targets,
    Task,
    id_array,
    mean_cross_entropy,
    pad_rows,
    padding_mask,
)
from nlptui.tasks.last_words import LastWords
from nlptui.text import visible
from nlptui.tokenizers import Encoding

LONGEST = 30
"""Tokens that an answer may have, unless the recipe's `longest_answer` says otherwise."""
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？")
EDGES = ("start", "end")


@dataclass(frozen=True, slots=True, eq=False)
class QuestionExample:
    """A question with its passage, and the first and the last token of the answer."""

    ids: Ids
    segments: Ids
    start: int
    end: int
    passage: tuple[int, int]
    """The passage's first token and the one after its last."""


class QuestionAnswering(Task[QuestionExample]):
    """Span extraction."""

    name = "question_answering"
    OPTIONS = ("longest_answer",)
    BASELINE_EXAMPLES = 20_000

    @property
    def longest(self) -> int:
        """Tokens that an answer may have."""
        return int(self.option("longest_answer", LONGEST))

    @cached_property
    def continuing(self) -> frozenset[int]:
        """The ids of tokens that go on with a word."""
        return frozenset(i for i, token in enumerate(self.tokenizer.vocabulary()) if token.startswith("##"))

    def _whole(self, example: QuestionExample, first: int, last: int) -> tuple[int, int]:
        return whole_words([int(i) in self.continuing for i in example.ids], example.passage, first, last)

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[QuestionExample]:
        return [self.example(*row) for row in splits.questions(recipe_data, split)]

    def example(self, question: str, passage: str, answer: str, at: int) -> QuestionExample:
        """The tokens of a row, in whose passage `answer` stands at code point `at`. Raises UserError."""
        if not answer or passage[at : at + len(answer)] != answer:
            raise UserError(
                _("the answer {answer!r} does not stand at {at} in the passage {passage!r}").format(
                    answer=visible(answer), at=at, passage=visible(passage[:60])
                )
            )
        encoding = self.tokenizer.encode(question, passage, max_length=self.config.context)
        first, last = passage_span(encoding)
        inside = [
            i
            for i in range(first, last)
            if (offset := encoding.offsets[i]) and offset[0] < at + len(answer) and offset[1] > at
        ]
        start, end = (inside[0], inside[-1]) if inside else (IGNORED, IGNORED)
        return QuestionExample(id_array(encoding.ids), id_array(encoding.segments), start, end, (first, last))

    def length(self, example: QuestionExample) -> int:
        return len(example.ids)

    def collate(self, examples: Sequence[QuestionExample], device: str) -> tuple[Batch, Targets]:
        ids = pad_rows([example.ids for example in examples], self.pad)
        inside = torch.zeros(ids.shape, dtype=torch.bool)
        for row, example in enumerate(examples):
            inside[row, example.passage[0] : example.passage[1]] = True
        batch = Batch(
            ids=ids,
            mask=padding_mask([len(example.ids) for example in examples]),
            segments=pad_rows([example.segments for example in examples], 0),
        )
        targets = {
            "start": torch.tensor([example.start for example in examples]),
            "end": torch.tensor([example.end for example in examples]),
            "passage": inside,
        }
        return batch.to(device), {name: value.to(device) for name, value in targets.items()}

    def asked(self, drawn: Sequence[QuestionExample]) -> dict[str, int]:
        return {edge: sum(getattr(question, edge) != IGNORED for question in drawn) for edge in EDGES}

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        found = {}
        for name, logits in outputs.items():
            edge = name.split(".")[-2]
            count = over.get(edge)
            found[name] = _cross_entropy(logits, targets["passage"], targets[edge], count)
        early = [value for name, value in found.items() if name.startswith("early.")]
        loss = (found["start.logits"] + found["end.logits"]) / 2
        if not early:
            return loss, {}
        weight: float = self.config.deep_supervision  # type: ignore[attr-defined]
        return loss + weight * torch.stack(early).sum() / 2, {"last": loss}

    def metrics(
        self, model: nn.Module, examples: Sequence[QuestionExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """exact_match: the share of questions whose best span reads as the answer, token for token.

        Any mention of the same words is right (Rajpurkar et al. 2016); same_mention wants the one meant.
        """
        right = there = 0
        for chosen, outputs, _targets in self.outputs(model, examples, device, batch_size):
            for row, example in enumerate(chosen):
                start, end = outputs["start.logits"][row], outputs["end.logits"][row]
                best = best_spans(start, end, example.passage, 1, self.longest)
                there += bool(best) and self._whole(example, *best[0][:2]) == (example.start, example.end)
                right += bool(best) and _reads_as_answer(example, *self._whole(example, *best[0][:2]))
        total = max(len(examples), 1)
        return {"exact_match": right / total, "same_mention": there / total}

    def baselines(
        self, train_examples: Sequence[QuestionExample], test_examples: Sequence[QuestionExample]
    ) -> dict[str, float]:
        """exact_match: the words at an edge of the last sentence that shares a rare word with the question.

        random_token_exact_match: a random token of the passage, which is right for some answers of one token.
        """
        total = max(len(test_examples), 1)
        ends = {number for mark in SENTENCE_ENDS if (number := self.tokenizer.find(mark)) is not None}
        rule = LastWords(train_examples, ends, set(self.continuing))
        right = sum(_reads_as_answer(example, *rule.guess(example)) for example in test_examples)
        hits = [
            1 / (example.passage[1] - example.passage[0])
            for example in test_examples
            if example.start == example.end != IGNORED
        ]
        return {"exact_match": right / total, "random_token_exact_match": sum(hits) / total}

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"spans": [{"text", "start", "end", "prob"}]}: the likeliest ones; start, end are code points."""
        passage = passage_span(encoding)
        text = encoding.text if encoding.pair is None else encoding.pair
        spans = []
        start, end = outputs["start.logits"][0], outputs["end.logits"][0]
        inside = [i in self.continuing for i in encoding.ids]
        for first, last, prob in best_spans(start, end, passage, top, self.longest):
            first, last = whole_words(inside, passage, first, last)
            begin, finish = encoding.offsets[first], encoding.offsets[last]
            if begin is not None and finish is not None:
                answer = text[begin[0] : finish[1]]
                spans.append({"text": answer, "start": begin[0], "end": finish[1], "prob": prob})
        # Of spans within the same words the likeliest, which comes first, stands for all.
        kept: dict[tuple[object, object], dict[str, Any]] = {}
        for span in spans:
            kept.setdefault((span["start"], span["end"]), span)
        return {"spans": list(kept.values())}


def _reads_as_answer(example: QuestionExample, first: int, last: int) -> bool:
    """Whether the tokens from `first` to `last` are those of the answer, wherever they stand."""
    if example.start == IGNORED:
        return False
    return np.array_equal(example.ids[first : last + 1], example.ids[example.start : example.end + 1])


def passage_span(encoding: Encoding) -> tuple[int, int]:
    """The first token of the pair's second text, or of the only text, and the one after its last."""
    wanted = 0 if encoding.pair is None else 1
    inside = [
        i for i in range(len(encoding)) if encoding.segments[i] == wanted and encoding.offsets[i] is not None
    ]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def whole_words(inside: Sequence[bool], passage: tuple[int, int], first: int, last: int) -> tuple[int, int]:
    """The span taken to the ends of its words; `inside` says of each token whether it goes on with a word."""
    while first > passage[0] and inside[first]:
        first -= 1
    while last + 1 < passage[1] and inside[last + 1]:
        last += 1
    return first, last


def best_spans(
    start_logits: Tensor, end_logits: Tensor, passage: tuple[int, int], top: int, longest: int = LONGEST
) -> list[tuple[int, int, float]]:
    """(first token, last token, probability) of the likeliest spans within the passage."""
    low, high = passage
    if high <= low:
        return []
    start = start_logits[low:high].detach().float().cpu().log_softmax(-1)
    end = end_logits[low:high].detach().float().cpu().log_softmax(-1)
    size = high - low
    scores = start[:, None] + end[None, :]
    allowed = torch.ones(size, size, dtype=torch.bool).triu() & torch.ones(size, size, dtype=torch.bool).tril(
        longest - 1
    )
    best = scores.masked_fill(~allowed, -math.inf).flatten().topk(min(top, int(allowed.sum())))
    return [
        (low + index // size, low + index % size, math.exp(score))
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def _cross_entropy(logits: Tensor, passage: Tensor, wanted: Tensor, over: int | None) -> Tensor:
    """Over the passage's tokens only; 0 where a batch's answers all lie beyond the context."""
    inside = logits.masked_fill(~passage, torch.finfo(logits.dtype).min)
    return mean_cross_entropy(inside, wanted, over)
