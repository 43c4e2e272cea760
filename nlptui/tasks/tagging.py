"""A label for every word: parts of speech, entities; of Chinese characters, words and their tags at once.

Two schemes, told apart by the labels:
    words        one label a word, read at the word's first token (NOUN, VERB, …; or O, B-PER, I-PER, …)
    characters   every label is B-TAG or I-TAG: B- begins a word and I- goes on with it, so that cutting a
    text
                 into words and tagging them are one
In the second, a word of tokens s…e has the tag t that maximises
    log P(B-t at s) + Σ log P(I-t at s+1…e)
Of a network with a CRF the best path is read instead, and a tag's probability is its posterior.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlptui.config import CLASSICAL, ModelConfig
from nlptui.data import splits
from nlptui.data.gazetteer import KINDS, gazetteer
from nlptui.data.readers import UNTAGGED, TaggedWord, sentence_text
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    ALONE,
    IGNORED,
    Asked,
    Ids,
    Outputs,
    Segment,
    Targets,
    Task,
    char_grid,
    id_array,
    mean_cross_entropy,
    mean_over,
    pad_grids,
    pad_rows,
    padding_mask,
)
from nlptui.tasks.entities import entity_spans, f1, in_text, repaired
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
    text: str
    forms: tuple[str, ...]
    gold: Ids
    """The tag's number for each word; NOWHERE for a tag that the model does not know."""
    strings: tuple[str, ...] = ()
    """The stretch of text behind each token, for models that read strings."""


class Tagging(Task[TaggedExample]):
    """Word tagging, in one of the two schemes."""

    name = "tagging"
    OPTIONS = ("word_dropout", "words_of", "swap_entities", "gazetteer", "segmentation")

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self.labels = config.labels
        if not self.labels:
            raise UserError(_("{name}: a tagging model needs labels in its config").format(name=config.name))
        self.label_ids = {label: i for i, label in enumerate(self.labels)}
        self.joint = is_joint(self.labels)
        self.reads_characters = self.joint
        """Whether a word has a label for each of its tokens."""
        self.blank = IGNORED
        """The label of what belongs to no word."""
        self.entities = "O" in self.label_ids
        self.reads_strings = config.arch in CLASSICAL
        self.crf = bool(getattr(config, "crf", False)) or self.reads_strings
        self._mentions: dict[str, list[tuple[str, ...]]] | None = None
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

    def load_for_baselines(self, recipe_data: Mapping[str, Any]) -> list[TaggedExample]:
        """Words and their tags alone."""
        return [self._untokenized(words) for words in splits.tagged_sentences(recipe_data, "train")]

    def _untokenized(self, words: Sequence[TaggedWord]) -> TaggedExample:
        none = id_array(())
        forms, gold = tuple(word.form for word in words), self._gold(self._tags(words))
        return TaggedExample(none, None, none, ((NOWHERE, NOWHERE),) * len(words), "", forms, gold)

    def _tags(self, words: Sequence[TaggedWord]) -> list[str]:
        tags = [word.tag for word in words]
        # A CRF that forbids an I- after anything but its kind would find such a sentence impossible.
        return repaired(tags) if self.crf and self.entities else tags

    def _gold(self, tags: Sequence[str]) -> Ids:
        return id_array([self.tag_ids.get(tag, NOWHERE) for tag in tags])

    def example(self, words: Sequence[TaggedWord], text: str | None = None) -> TaggedExample:
        """The tokens of a sentence, with the labels that its tags mean; `text` is what it was cut from."""
        text = sentence_text(words) if text is None else text
        forms = [word.form for word in words]
        tags = self._tags(words)
        if self.reads_characters:
            encoding = self.tokenizer.encode(text, max_length=self.config.context)
        else:
            encoding = self.tokenizer.encode_words(forms, text=text, max_length=self.config.context)
        spans = _word_spans(encoding, words) if self.reads_characters else _token_spans(encoding, len(words))
        labels = np.full(len(encoding), self.blank, np.int32)
        for tag, (start, end) in zip(tags, spans, strict=True):
            if start != NOWHERE:
                labels[start:end] = self._labels_of(tag, end - start)
        return TaggedExample(
            ids=id_array(encoding.ids),
            chars=char_grid(encoding.char_ids),
            labels=labels,
            spans=spans,
            text=text,
            forms=tuple(forms),
            gold=self._gold(tags),
            strings=self._strings(encoding),
        )

    def _strings(self, encoding: Encoding) -> tuple[str, ...]:
        return tuple(map(encoding.surface, range(len(encoding)))) if self.reads_strings else ()

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
        """The examples, with a share `word_dropout` of their tokens made unknown: practice for new words.

        Before that a share `swap_entities` of their entities gives way to another of the same kind: to one of
        the training examples, or, by the share `gazetteer`, to a name of our own lists.
        """
        share, unknown = float(self.option("word_dropout", 0.0)), self.tokenizer.specials.get("unk")
        chosen = [examples[key] for key in keys]
        if (swaps := float(self.option("swap_entities", 0.0))) and self.entities and not self.joint:
            mentions = self._mentions_in(examples)
            chosen = [self._swapped(example, mentions, swaps, rng) for example in chosen]
        if not share or unknown is None:
            return chosen
        dropped = []
        for example in chosen:
            gone = (rng.random(len(example.ids)) < share) & (example.labels != IGNORED)
            dropped.append(replace(example, ids=np.where(gone, unknown, example.ids).astype(np.int32)))
        return dropped

    def _mentions_in(self, examples: Sequence[TaggedExample]) -> dict[str, list[tuple[str, ...]]]:
        """The entities of the training examples, by kind, each as often as it comes."""
        if self._mentions is None:
            self._mentions = {}
            for example in examples:
                for start, end, kind in sorted(entity_spans(self._names(example.gold.tolist()))):
                    self._mentions.setdefault(kind, []).append(example.forms[start:end])
        return self._mentions

    def _swapped(
        self,
        example: TaggedExample,
        mentions: Mapping[str, Sequence[tuple[str, ...]]],
        share: float,
        rng: np.random.Generator,
    ) -> TaggedExample:
        """`example` with a share of its entities replaced (Dai & Adel 2020, "mention replacement")."""
        tags = self._names(example.gold.tolist())
        words = [TaggedWord(form, tag, False) for form, tag in zip(example.forms, tags, strict=True)]
        found = sorted(entity_spans(tags), reverse=True)
        gone = [span for span in found if rng.random() < share]
        for start, end, kind in gone:
            forms = self._another(kind, mentions[kind], rng)
            places = ("B", *"I" * (len(forms) - 1))
            words[start:end] = [
                TaggedWord(form, f"{place}-{kind}", False) for form, place in zip(forms, places, strict=True)
            ]
        return self.example(words) if gone else example

    def _another(
        self, kind: str, mentions: Sequence[tuple[str, ...]], rng: np.random.Generator
    ) -> tuple[str, ...]:
        share = float(self.option("gazetteer", 0.0))
        if share and kind in KINDS and rng.random() < share:
            return gazetteer(self.config.language).draw(kind, rng)
        return mentions[int(rng.integers(len(mentions)))]

    def collate(self, examples: Sequence[TaggedExample], device: str) -> tuple[Batch, Targets]:
        chars = [example.chars for example in examples if example.chars is not None]
        batch = Batch(
            ids=pad_rows([example.ids for example in examples], self.pad),
            mask=padding_mask([len(example.ids) for example in examples]),
            chars=pad_grids(chars) if chars else None,
            words=[example.strings for example in examples] if self.reads_strings else None,
        )
        labels = pad_rows([example.labels for example in examples], IGNORED)
        if self.crf:
            batch.labels = labels.where(labels < len(self.labels), IGNORED)
        return batch.to(device), {"labels": labels.to(device)}

    # What the network makes of them.

    def asked(self, drawn: Sequence[TaggedExample]) -> dict[str, int]:
        return {"label": sum(int((example.labels != IGNORED).sum()) for example in drawn)}

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        labels, count = targets["labels"].flatten(), over.get("label")
        if "loss" in outputs:
            return mean_over(outputs["loss"].sum(), labels, count), {}
        logits = outputs["logits"].flatten(0, 1)
        if not self.joint or not self.option("words_of", ()):
            return mean_cross_entropy(logits, labels, count, self.label_smoothing), {}
        return mean_over(self._loss_of_known(logits, labels), labels, count), {}

    def _loss_of_known(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The summed loss; where of a word only the form is known, any B- or any I- label will do."""
        kept = labels != IGNORED
        log_probs, labels = logits[kept].log_softmax(-1), labels[kept]
        known = log_probs.gather(1, labels.clamp(max=len(self.labels) - 1)[:, None])[:, 0]
        any_begin = log_probs[:, self.begin.to(labels.device)].logsumexp(-1)
        any_inside = log_probs[:, self.inside.to(labels.device)].logsumexp(-1)
        chosen = torch.where(labels == self.any_begin, any_begin, known)
        return -torch.where(labels == self.any_inside, any_inside, chosen).sum()

    def metrics(
        self, model: nn.Module, examples: Sequence[TaggedExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """accuracy over gold words; segmentation_f1 of the words found among characters; f1 of entities,
        and raw_f1 of those found in raw text, whose words another model has found.
        """
        order: list[TaggedExample] = []
        predicted: list[list[int]] = []
        cut: list[Sequence[Span]] = []
        for chosen, outputs, _targets in self.outputs(model, examples, device, batch_size):
            for example, log_probs, best in zip(chosen, *_answers(outputs), strict=True):
                order.append(example)
                predicted.append(self._tags_of(log_probs, best, example.spans))
                if self.joint:
                    cut.append(self._cut(log_probs, _inked(example)))
        scores = self._scores(order, predicted, cut)
        if self.entities and self.segment is not None:
            scores["raw_f1"] = self._raw_f1(model, examples, self.segment, device, batch_size)
        return scores

    def _raw_f1(
        self,
        model: nn.Module,
        examples: Sequence[TaggedExample],
        segment: Segment,
        device: str,
        batch_size: int,
    ) -> float:
        """As f1, of words as `segment` finds them; an entity is right where its characters and kind are."""
        texts = [example.text for example in examples]
        raw = [
            self.example([TaggedWord(form, "O") for form in forms], text)
            for forms, text in zip(segment(texts), texts, strict=True)
        ]
        gold = {
            id(cut): self._entities(example, example.gold.tolist())
            for cut, example in zip(raw, examples, strict=True)
        }
        expected, found = [], []
        for chosen, outputs, _targets in self.outputs(model, raw, device, batch_size):
            for example, log_probs, best in zip(chosen, *_answers(outputs), strict=True):
                expected.append(gold[id(example)])
                found.append(self._entities(example, self._tags_of(log_probs, best, example.spans)))
        return f1(expected, found)

    def _entities(self, example: TaggedExample, tags: Sequence[int]) -> set[Any]:
        """The entities that `tags` mean, by the characters that they stand on."""
        return in_text(entity_spans(self._names(tags)), example.forms, example.text)

    def _tags_of(self, log_probs: Tensor, best: Tensor, spans: Sequence[Span]) -> list[int]:
        if self.joint:
            return [self._tag(log_probs, span)[0] if span[0] != NOWHERE else NOWHERE for span in spans]
        chosen = best.tolist()
        return [chosen[start] if start != NOWHERE else NOWHERE for start, _end in spans]

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
        """The best tag of the word of characters at `span`, and its probability among all tags for it."""
        start, end = span
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
        (log_probs,), (best,) = _answers(outputs)
        inked = [not encoding.special[i] and not encoding.surface(i).isspace() for i in range(len(encoding))]
        spans = self._cut(log_probs, inked) if self.joint else _read_spans(encoding, inked)
        tags = []
        for start, end in spans:
            tag = int(best[start])
            prob = float(log_probs[start, tag].exp())
            if self.joint:
                tag, prob = self._tag(log_probs, (start, end))
            tags.append({"token": _stretch(encoding, start, end), "tag": self.tags[tag], "prob": prob})
        return {"tags": tags}


def _answers(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Of every token the log-probability of each label, and the label chosen: by itself, or by a CRF."""
    if "path" in outputs:
        return outputs["probs"].detach().float().log().cpu(), outputs["path"].detach().long().cpu()
    log_probs = outputs["logits"].detach().float().log_softmax(-1).cpu()
    return log_probs, log_probs.argmax(-1)


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
