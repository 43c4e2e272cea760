"""A label for every word: parts of speech, entities; of Chinese characters, words and their tags at once.

Two schemes, told apart by the labels:
    words        one label a word, read at the word's first token (NOUN, VERB, …; or O, B-PER, I-PER, …)
    characters   every label is B-TAG or I-TAG: B- begins a word and I- goes on with it, so that cutting a
    text
                 into words and tagging them are one
In the second, a word of tokens s…e has the tag t that maximises
    log P(B-t at s) + Σ log P(I-t at s+1…e)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.data.readers import UNTAGGED, TaggedWord, sentence_text
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    IGNORED,
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
from nlptui.tokenizers import Encoding, Tokenizer

Span = tuple[int, int]
NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class TaggedExample:
    """One sentence: token ids, the label of each token, and where its words lie."""

    ids: Ids
    chars: np.ndarray[Any, Any] | None
    labels: Ids
    """One a token; IGNORED where a token has none."""
    spans: tuple[Span, ...]
    """First token of each word and the one after its last; NOWHERE twice for words beyond the context."""
    forms: tuple[str, ...]
    gold: Ids
    """The tag's number for each word; NOWHERE for a tag that the model does not know."""


class Tagging(Task[TaggedExample]):
    """Word tagging, in one of the two schemes."""

    name = "tagging"
    OPTIONS = ("word_dropout", "words_of")

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self.labels = config.labels
        if not self.labels:
            raise UserError(_("{name}: a tagging model needs labels in its config").format(name=config.name))
        self.label_ids = {label: i for i, label in enumerate(self.labels)}
        self.joint = is_joint(self.labels)
        self.entities = "O" in self.label_ids
        self.tags = tuple(dict.fromkeys(label[2:] for label in self.labels)) if self.joint else self.labels
        self.tag_ids = {tag: i for i, tag in enumerate(self.tags)}
        # Rows of the head for B-TAG and I-TAG, in the order of `tags`.
        self.begin = torch.tensor([self.label_ids.get(f"B-{tag}", 0) for tag in self.tags])
        self.inside = torch.tensor([self.label_ids.get(f"I-{tag}", 0) for tag in self.tags])
        # Words known only by their form: any B- label is right at their beginning, any I- label within.
        self.any_begin, self.any_inside = len(self.labels), len(self.labels) + 1

    # Examples and batches.

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[TaggedExample]:
        return [self.example(words) for words in splits.tagged_sentences(recipe_data, split)]

    def example(self, words: Sequence[TaggedWord]) -> TaggedExample:
        """The tokens of a sentence, with the labels that its tags mean."""
        text = sentence_text(words)
        forms = [word.form for word in words]
        if self.joint:
            encoding = self.tokenizer.encode(text, max_length=self.config.context)
        else:
            encoding = self.tokenizer.encode_words(forms, text=text, max_length=self.config.context)
        spans = _word_spans(encoding, words) if self.joint else _token_spans(encoding, len(words))
        labels = np.full(len(encoding), IGNORED, np.int32)
        for word, (start, end) in zip(words, spans, strict=True):
            if start != NOWHERE:
                labels[start:end] = self._labels_of(word.tag, end - start)
        return TaggedExample(
            ids=id_array(encoding.ids),
            chars=char_grid(encoding.char_ids),
            labels=labels,
            spans=spans,
            forms=tuple(forms),
            gold=id_array([self.tag_ids.get(word.tag, NOWHERE) for word in words]),
        )

    def _labels_of(self, tag: str, tokens: int) -> list[int]:
        if not self.joint:
            return [self.label_ids.get(tag, IGNORED)] + [IGNORED] * (tokens - 1)
        if tag == UNTAGGED:
            return [self.any_begin] + [self.any_inside] * (tokens - 1)
        begin, inside = self.label_ids.get(f"B-{tag}", IGNORED), self.label_ids.get(f"I-{tag}", IGNORED)
        return [begin] + [inside] * (tokens - 1)

    def length(self, example: TaggedExample) -> int:
        return len(example.ids)

    def draw(
        self, examples: Sequence[TaggedExample], keys: Sequence[int], rng: np.random.Generator
    ) -> list[TaggedExample]:
        """The examples, with a share `word_dropout` of their tokens made unknown: practice for new words."""
        share, unknown = float(self.option("word_dropout", 0.0)), self.tokenizer.specials.get("unk")
        chosen = [examples[key] for key in keys]
        if not share or unknown is None:
            return chosen
        dropped = []
        for example in chosen:
            gone = (rng.random(len(example.ids)) < share) & (example.labels != IGNORED)
            dropped.append(replace(example, ids=np.where(gone, unknown, example.ids).astype(np.int32)))
        return dropped

    def collate(self, examples: Sequence[TaggedExample], device: str) -> tuple[Batch, Targets]:
        chars = [example.chars for example in examples if example.chars is not None]
        batch = Batch(
            ids=pad_rows([example.ids for example in examples], self.pad),
            mask=padding_mask([len(example.ids) for example in examples]),
            chars=pad_grids(chars) if chars else None,
        )
        targets = {"labels": pad_rows([example.labels for example in examples], IGNORED).to(device)}
        return batch.to(device), targets

    # What the network makes of them.

    def loss(self, outputs: Outputs, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        logits, labels = outputs["logits"].flatten(0, 1), targets["labels"].flatten()
        if not self.joint or not self.option("words_of", ()):
            smoothing = self.label_smoothing
            return F.cross_entropy(logits, labels, ignore_index=IGNORED, label_smoothing=smoothing), {}
        kept = labels != IGNORED
        log_probs, labels = logits[kept].log_softmax(-1), labels[kept]
        known = log_probs.gather(1, labels.clamp(max=len(self.labels) - 1)[:, None])[:, 0]
        any_begin = log_probs[:, self.begin.to(labels.device)].logsumexp(-1)
        any_inside = log_probs[:, self.inside.to(labels.device)].logsumexp(-1)
        chosen = torch.where(labels == self.any_begin, any_begin, known)
        return -torch.where(labels == self.any_inside, any_inside, chosen).mean(), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[TaggedExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """accuracy over gold words; f1 of entities; segmentation_f1 of the words found among characters."""
        predicted: list[list[int]] = []
        cut: list[Sequence[Span]] = []
        order: list[TaggedExample] = []
        for chosen, outputs, _targets in self.outputs(model, examples, device, batch_size):
            log_probs = outputs["logits"].float().log_softmax(-1).cpu()
            for row, example in zip(log_probs, chosen, strict=True):
                order.append(example)
                predicted.append(self._tags_of(row, example.spans))
                if self.joint:
                    cut.append(self._cut(row, _inked(example)))
        return self._scores(order, predicted, cut)

    def _tags_of(self, log_probs: Tensor, spans: Sequence[Span]) -> list[int]:
        if self.joint:
            return [self._tag(log_probs, span)[0] if span[0] != NOWHERE else NOWHERE for span in spans]
        best = log_probs.argmax(-1).tolist()
        return [best[start] if start != NOWHERE else NOWHERE for start, _end in spans]

    def _scores(
        self,
        examples: Sequence[TaggedExample],
        predicted: Sequence[Sequence[int]],
        cut: Sequence[Sequence[Span]],
    ) -> dict[str, float]:
        right = total = 0
        for example, tags in zip(examples, predicted, strict=True):
            right += sum(
                tag == gold != NOWHERE for tag, gold in zip(tags, example.gold.tolist(), strict=True)
            )
            total += len(tags)
        scores = {"accuracy": right / max(total, 1)}
        if self.entities:
            gold_spans = [entity_spans(self._names(example.gold.tolist())) for example in examples]
            scores["f1"] = f1(gold_spans, [entity_spans(self._names(tags)) for tags in predicted])
        if self.joint:
            scores["segmentation_f1"] = f1(
                [set(example.spans) for example in examples], [set(spans) for spans in cut]
            )
        return scores

    def _names(self, tags: Iterable[int]) -> list[str]:
        return [self.tags[tag] if tag != NOWHERE else "O" for tag in tags]

    def _tag(self, log_probs: Tensor, span: Span) -> tuple[int, float]:
        """The best tag of the word at `span`, and its probability among all tags for this word."""
        start, end = span
        scores = log_probs[start]
        if self.joint:
            scores = log_probs[start, self.begin] + log_probs[start + 1 : end, self.inside].sum(0)
        prob, tag = scores.softmax(-1).max(-1)
        return int(tag), float(prob)

    def _cut(self, log_probs: Tensor, inked: Sequence[bool]) -> list[Span]:
        """Word spans: one begins where the B- labels together are likelier than the I-, or after a gap.

        `inked` is False at special tokens and white space, which belong to no word.
        """
        begins = (log_probs[:, self.begin].exp().sum(-1) > log_probs[:, self.inside].exp().sum(-1)).tolist()
        spans: list[Span] = []
        open_at: int | None = None
        for position, ink in enumerate(inked):
            if open_at is not None and (not ink or begins[position]):
                spans.append((open_at, position))
                open_at = None
            if ink and open_at is None:
                open_at = position
        return spans if open_at is None else [*spans, (open_at, len(inked))]

    def baselines(
        self, train_examples: Sequence[TaggedExample], test_examples: Sequence[TaggedExample]
    ) -> dict[str, float]:
        """The most frequent tag of each word (if unseen, of its lower-case form; else of all words).

        Characters are cut into words by longest match from the left.
        """
        seen: dict[str, Counter[int]] = {}
        overall: Counter[int] = Counter()
        for example in train_examples:
            for form, tag in zip(example.forms, example.gold.tolist(), strict=True):
                if tag != NOWHERE:
                    seen.setdefault(form, Counter())[tag] += 1
                    overall[tag] += 1
        best = {form: counts.most_common(1)[0][0] for form, counts in seen.items()}
        default = overall.most_common(1)[0][0] if overall else NOWHERE

        def guess(form: str) -> int:
            return best.get(form, best.get(form.lower(), default))

        predicted = [[guess(form) for form in example.forms] for example in test_examples]
        forms = {form for example in train_examples for form in example.forms}
        cut = [_longest_match(example, forms) for example in test_examples] if self.joint else []
        return self._scores(test_examples, predicted, cut)

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"tags": [{"token", "tag", "prob"}]}, one entry a word."""
        log_probs = outputs["logits"][0].detach().float().log_softmax(-1).cpu()
        inked = [not encoding.special[i] and not encoding.surface(i).isspace() for i in range(len(encoding))]
        spans = self._cut(log_probs, inked) if self.joint else _read_spans(encoding, inked)
        tags = []
        for start, end in spans:
            tag, prob = self._tag(log_probs, (start, end))
            tags.append({"token": _stretch(encoding, start, end), "tag": self.tags[tag], "prob": prob})
        return {"tags": tags}


def is_joint(labels: Sequence[str]) -> bool:
    """Whether the labels cut words as well as tag them: every one is B-… or I-…"""
    return bool(labels) and all(label.startswith(("B-", "I-")) for label in labels)


def _inked(example: TaggedExample) -> list[bool]:
    """Which tokens belong to a word."""
    inked = [False] * len(example.ids)
    for start, end in example.spans:
        if start != NOWHERE:
            inked[start:end] = [True] * (end - start)
    return inked


def _word_spans(encoding: Encoding, words: Sequence[TaggedWord]) -> tuple[Span, ...]:
    """Tokens of each word, by where its characters lie in the text."""
    word_at: dict[int, int] = {}
    position = 0
    for number, word in enumerate(words):
        word_at.update(dict.fromkeys(range(position, position + len(word.form)), number))
        position += len(word.form) + word.space_after
    spans = [(NOWHERE, NOWHERE)] * len(words)
    for token, offset in enumerate(encoding.offsets):
        number = word_at.get(offset[0], NOWHERE) if offset else NOWHERE
        if number != NOWHERE:
            start = spans[number][0]
            spans[number] = (token if start == NOWHERE else start, token + 1)
    return tuple(spans)


def _token_spans(encoding: Encoding, words: int) -> tuple[Span, ...]:
    """Tokens of each word, by the numbers that the tokenizer gave them."""
    spans = [(NOWHERE, NOWHERE)] * words
    for token, number in enumerate(encoding.words):
        if number is not None:
            start = spans[number][0]
            spans[number] = (token if start == NOWHERE else start, token + 1)
    return tuple(spans)


def _read_spans(encoding: Encoding, inked: Sequence[bool]) -> list[Span]:
    """Words of a text as the tokenizer sees them; without word numbers, every token is one."""
    spans: list[Span] = []
    before: tuple[int, int | None] | None = None
    for token, ink in enumerate(inked):
        number = encoding.words[token] if encoding.words else token
        key = (encoding.segments[token], number)
        if ink and key == before and number is not None:
            spans[-1] = (spans[-1][0], token + 1)
        elif ink:
            spans.append((token, token + 1))
        before = key if ink else None
    return spans


def _stretch(encoding: Encoding, start: int, end: int) -> str:
    first, last = encoding.offsets[start], encoding.offsets[end - 1]
    if first is None or last is None:
        return encoding.tokens[start]
    text = encoding.pair if encoding.pair is not None and encoding.segments[start] == 1 else encoding.text
    return text[first[0] : last[1]]


def _longest_match(example: TaggedExample, forms: set[str]) -> list[Span]:
    """Spans of words found from left to right, always taking the longest known; tokens are characters."""
    text = "".join(example.forms)
    placed = [start for start, end in example.spans if start != NOWHERE for start in range(start, end)]
    if len(placed) != len(text):
        return list(example.spans)
    longest = max(map(len, forms), default=1)
    spans: list[Span] = []
    at = 0
    while at < len(text):
        size = next((n for n in range(min(longest, len(text) - at), 1, -1) if text[at : at + n] in forms), 1)
        spans.append((placed[at], placed[at + size - 1] + 1))
        at += size
    return spans


def entity_spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(start, end, kind) of each entity in IOB2 tags; an I- that follows no entity of its kind begins one."""
    spans: set[tuple[int, int, str]] = set()
    start, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        goes_on = tag.startswith("I-") and tag[2:] == kind
        if kind and not goes_on:
            spans.add((start, position, kind))
            kind = ""
        if tag != "O" and not goes_on:
            start, kind = position, tag[2:]
    return spans


def f1(gold: Sequence[set[Any]], predicted: Sequence[set[Any]]) -> float:
    """Harmonic mean of precision and recall over all sets; 0 where nothing is right."""
    right = sum(len(g & p) for g, p in zip(gold, predicted, strict=True))
    total = sum(map(len, gold)) + sum(map(len, predicted))
    return 2 * right / total if total else 0.0
