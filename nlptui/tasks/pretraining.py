"""BERT's two tasks (Devlin et al. 2019, section 3.1): guess masked tokens, and say whether B follows A.

Pairs. A stretch of whole sentences that fills the context is cut between two sentences, each cut as likely: A
and B begin and end at sentence boundaries and have the same distribution of lengths. In half of the pairs B
is then replaced by the B of another pair of nearly the same length, so that length tells nothing; half of
these come from the same book.

Masks. 15 % of a pair's tokens are chosen; of them 80 % become [MASK], 10 % another token, 10 % stay. For
metrics all of the chosen ones become [MASK], so that no token that is still to be seen counts as guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.data.readers import split_sentences
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks import cloze
from nlptui.tasks.base import (
    IGNORED,
    Ids,
    Outputs,
    Targets,
    Task,
    id_array,
    length_buckets,
    pad_rows,
    padding_mask,
    top_tokens,
)
from nlptui.tokenizers import Encoding, Tokenizer

MASK_SHARE = 0.15
SHORT_SHARE = 0.1
"""Share of stretches that are shorter than the context, since short texts are read too."""
NEIGHBOURS = 8
"""How far from its own place, in the order of lengths, a false B is looked for."""
NEXT, NOT_NEXT = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """A document as sentences: all its ids, and where each sentence begins."""

    ids: Ids
    starts: np.ndarray[Any, np.dtype[np.int64]]
    """One more than there are sentences: the last is where the book ends."""

    @property
    def sentences(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def stretch(self, first: int, last: int) -> Ids:
        """Ids of the sentences from `first` up to, not including, `last`."""
        return self.ids[self.starts[first] : self.starts[last]]

    def size(self, first: int, last: int) -> int:
        """Tokens of the sentences from `first` up to, not including, `last`."""
        return int(self.starts[last] - self.starts[first])


class Part(NamedTuple):
    """Sentences of one book, from `first` up to, not including, `last`."""

    book: int
    first: int
    last: int


class Pair(NamedTuple):
    """A, B (None for a document of one sentence), and NEXT, NOT_NEXT or IGNORED."""

    a: Part
    b: Part | None
    label: int


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPair:
    """What the network reads, and what it should find."""

    ids: Ids
    segments: Ids
    positions: Ids
    """Where tokens were chosen."""
    originals: Ids
    """What they were."""
    label: int


class Pretraining(Task[Any]):
    """Masked language modelling and next-sentence prediction. Examples are books; draws are masked pairs."""

    name = "pretraining"
    OPTIONS = ("mask_share", "short_share")

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        missing = [name for name in ("cls", "sep", "mask") if name not in tokenizer.specials]
        if missing:
            raise UserError(
                _(
                    "pretraining needs a tokenizer with the special tokens cls, sep and mask; {missing} missing"
                ).format(missing=", ".join(missing))
            )
        self.cls, self.sep, self.mask = (tokenizer.specials[name] for name in ("cls", "sep", "mask"))
        special = set(tokenizer.specials.values())
        self.ordinary = id_array([i for i in range(tokenizer.vocab_size) if i not in special])

    # Examples and batches.

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[Book]:
        return [self.book(document.text) for document in splits.documents(recipe_data, split)]

    def book(self, text: str) -> Book:
        """The sentences of a text, paragraph by paragraph."""
        sentences = [
            self.tokenizer.encode_ids(sentence)
            for line in text.split("\n")
            for sentence in split_sentences(line)
        ]
        kept = [ids for ids in sentences if ids]
        starts = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return Book(id_array([i for ids in kept for i in ids]), starts)

    def length(self, example: MaskedPair) -> int:
        return len(example.ids)

    def plan(self, examples: Sequence[Book], batch_size: int, rng: np.random.Generator) -> list[list[Any]]:
        """Keys are pairs."""
        pairs = self.pairs(examples, rng)
        lengths = [sum(examples[p.book].size(p.first, p.last) for p in pair[:2] if p) for pair in pairs]
        chosen = length_buckets(np.array(lengths, np.int64), batch_size, rng)
        return [[pairs[i] for i in batch] for batch in chosen]

    def draw(
        self, examples: Sequence[Book], keys: Sequence[Pair], rng: np.random.Generator
    ) -> list[MaskedPair]:
        return [self.masked(examples, pair, rng) for pair in keys]

    def pairs(self, books: Sequence[Book], rng: np.random.Generator) -> list[Pair]:
        """Every book cut into pairs, half of them (±1) with another B; single sentences last."""
        cuts: list[tuple[Part, Part]] = []
        singles: list[Pair] = []
        for number, book in enumerate(books):
            if book.sentences == 1 and book.size(0, 1) <= self.config.context - 2:
                singles.append(Pair(Part(number, 0, 1), None, IGNORED))
            cuts += [
                (Part(number, first, middle), Part(number, middle, last))
                for first, middle, last in self._cut(book, rng)
            ]
        false = np.arange(len(cuts)) % 2 == 1
        rng.shuffle(false)
        room = [self.config.context - 3 - books[a.book].size(a.first, a.last) for a, _b in cuts]
        others = _other_parts([b for _a, b in cuts], room, books, false, rng)
        return [
            Pair(a, b, NEXT) if other is None else Pair(a, other, NOT_NEXT)
            for (a, b), other in zip(cuts, others, strict=True)
        ] + singles

    def _cut(self, book: Book, rng: np.random.Generator) -> list[tuple[int, int, int]]:
        """Stretches of at least two sentences that fit the context, as (first, middle, last)."""
        room = self.config.context - 3
        short = float(self.option("short_share", SHORT_SHARE))
        cuts: list[tuple[int, int, int]] = []
        first = 0
        # The first stretch has any length, so that each epoch cuts a book at other places.
        target = int(rng.integers(min(8, room), room + 1))
        while first + 2 <= book.sentences:
            fits = int(np.searchsorted(book.starts, book.starts[first] + target, side="right")) - 1
            last = max(fits, first + 2)
            if book.size(first, last) > room:
                first += 1
                continue
            cuts.append((first, int(rng.integers(first + 1, last)), last))
            first = last
            target = int(rng.integers(min(8, room), room + 1)) if rng.random() < short else room
        return cuts

    def masked(
        self, books: Sequence[Book], pair: Pair, rng: np.random.Generator, everywhere: bool = False
    ) -> MaskedPair:
        """[CLS] A [SEP] B [SEP] with tokens masked; `everywhere`: each chosen token becomes [MASK]."""
        a = books[pair.a.book].stretch(pair.a.first, pair.a.last)
        b = books[pair.b.book].stretch(pair.b.first, pair.b.last) if pair.b else id_array([])
        end = [self.sep] if pair.b else []
        ids = np.concatenate([[self.cls], a, [self.sep], b, end]).astype(np.int32)
        segments = np.zeros(len(ids), np.int32)
        segments[len(a) + 2 :] = 1
        maskable = np.ones(len(ids), bool)
        maskable[[0, len(a) + 1]] = False
        maskable[len(ids) - 1] &= pair.b is None
        share = float(self.option("mask_share", MASK_SHARE))
        positions, originals = self._mask(ids, np.flatnonzero(maskable), share, rng, everywhere)
        return MaskedPair(ids, segments, positions, originals, pair.label)

    def _mask(
        self,
        ids: Ids,
        maskable: np.ndarray[Any, Any],
        share: float,
        rng: np.random.Generator,
        everywhere: bool,
    ) -> tuple[Ids, Ids]:
        """Change `ids` in place at a share of the maskable positions; returns the positions and what stood
        there.
        """
        count = min(max(1, round(share * len(maskable))), len(maskable))
        positions = np.sort(rng.choice(maskable, count, replace=False)).astype(np.int32)
        originals = ids[positions].copy()
        fate = rng.random(count)
        replaced = (fate >= 0.8) & (fate < 0.9)
        ids[positions[fate < 0.8]] = self.mask
        ids[positions[replaced]] = rng.choice(self.ordinary, int(replaced.sum()))
        if everywhere:
            ids[positions] = self.mask
        return positions, originals

    def collate(self, examples: Sequence[MaskedPair], device: str) -> tuple[Batch, Targets]:
        ids = pad_rows([example.ids for example in examples], self.pad)
        width = ids.shape[1]
        flat = [row * width + example.positions.astype(np.int64) for row, example in enumerate(examples)]
        originals = np.concatenate([example.originals for example in examples]).astype(np.int64)
        batch = Batch(
            ids=ids,
            mask=padding_mask([len(example.ids) for example in examples]),
            segments=pad_rows([example.segments for example in examples], 0),
            mlm_positions=torch.from_numpy(np.concatenate(flat)),
        ).to(device)
        assert batch.mlm_positions is not None
        targets = {
            "mlm": torch.from_numpy(originals).to(device),
            "mlm_positions": batch.mlm_positions,
            "nsp": torch.tensor([example.label for example in examples]).to(device),
        }
        return batch, targets

    # What the network makes of them.

    def loss(self, outputs: Outputs, targets: Targets) -> tuple[Tensor, dict[str, float]]:
        mlm = F.cross_entropy(_chosen_logits(outputs, targets), targets["mlm"])
        # A batch of single sentences alone has no pair to judge: its mean over none would be NaN.
        told = (targets["nsp"] != IGNORED).sum().clamp(min=1)
        nsp = (
            F.cross_entropy(outputs["nsp.logits"], targets["nsp"], ignore_index=IGNORED, reduction="sum")
            / told
        )
        return mlm + nsp, {"mlm_loss": float(mlm.detach()), "nsp_loss": float(nsp.detach())}

    def fixed_draws(self, examples: Sequence[Book]) -> list[MaskedPair]:
        """The pairs and masks that every measurement uses: seed 0, every chosen token [MASK]."""
        rng = np.random.default_rng(0)
        return [self.masked(examples, pair, rng, everywhere=True) for pair in self.pairs(examples, rng)]

    def metrics(
        self, model: nn.Module, examples: Sequence[Book], device: str, batch_size: int
    ) -> dict[str, float]:
        """mlm_accuracy (the likeliest token at each [MASK]), nsp_accuracy, and loss in nats a masked token."""
        total = {"mlm": 0.0, "nsp": 0.0, "loss": 0.0}
        masked = told = 0
        for _chosen, outputs, targets in self.outputs(model, self.fixed_draws(examples), device, batch_size):
            logits = _chosen_logits(outputs, targets).float()
            total["mlm"] += int((logits.argmax(-1) == targets["mlm"]).sum())
            total["loss"] += float(F.cross_entropy(logits, targets["mlm"], reduction="sum").double())
            total["nsp"] += int((outputs["nsp.logits"].argmax(-1) == targets["nsp"]).sum())
            masked += len(logits)
            told += int((targets["nsp"] != IGNORED).sum())
        scores = {"mlm_accuracy": total["mlm"] / max(masked, 1), "loss": total["loss"] / max(masked, 1)}
        return {**scores, "nsp_accuracy": total["nsp"] / told} if told else scores

    def baselines(self, train_examples: Sequence[Book], test_examples: Sequence[Book]) -> dict[str, float]:
        """Masked tokens from counts of their neighbours on both sides; pairs by the words that A and B share."""
        counts = cloze.NeighbourCounts([book.ids for book in train_examples], self.tokenizer.vocab_size)
        draws = self.fixed_draws(test_examples)
        right = sum(
            counts.right(draw.ids, draw.positions, draw.originals, {self.cls, self.sep, self.mask})
            for draw in draws
        )
        scores = {"mlm_accuracy": right / max(sum(len(draw.positions) for draw in draws), 1)}
        shared = cloze.SharedWords([book.ids for book in train_examples], self.tokenizer.vocab_size)
        rng = np.random.default_rng(0)
        train, test = self._told(train_examples, rng), self._told(test_examples, rng)
        return {**scores, "nsp_accuracy": shared.accuracy(train, test)} if train and test else scores

    def _told(self, books: Sequence[Book], rng: np.random.Generator) -> list[tuple[Ids, Ids, bool]]:
        """(A, B, whether B follows) of every pair, unmasked."""
        return [
            (books[a.book].stretch(a.first, a.last), books[b.book].stretch(b.first, b.last), label == NEXT)
            for a, b, label in self.pairs(books, rng)
            if b is not None
        ]

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"candidates": [{"pos", "tokens"}]} for every [MASK]; of a pair also {"labels"}: does B follow?"""
        logits = outputs["mlm.logits"]
        logits = logits[0] if logits.dim() == 3 else logits
        masked = [i for i, token in enumerate(encoding.ids) if token == self.mask]
        answer: dict[str, Any] = {
            "candidates": [{"pos": i, "tokens": top_tokens(logits[i], self.tokenizer, top)} for i in masked]
        }
        if encoding.pair is not None and "nsp.logits" in outputs:
            probs = outputs["nsp.logits"][0].detach().float().softmax(-1).tolist()
            names = self.config.labels if len(self.config.labels) == 2 else ("next", "not next")
            labels = [{"label": name, "prob": prob} for name, prob in zip(names, probs, strict=True)]
            answer["labels"] = sorted(labels, key=lambda entry: -float(entry["prob"]))
        return answer


def _chosen_logits(outputs: Outputs, targets: Targets) -> Tensor:
    """The MLM head's rows at the chosen positions, whether or not the network left the others out."""
    logits = outputs["mlm.logits"]
    return logits.flatten(0, 1)[targets["mlm_positions"]] if logits.dim() == 3 else logits


def _other_parts(
    parts: Sequence[Part],
    room: Sequence[int],
    books: Sequence[Book],
    false: np.ndarray[Any, Any],
    rng: np.random.Generator,
) -> list[Part | None]:
    """For each part where `false`: one of nearly the same length from elsewhere, by turns from its book and
    from another.

    It has at most `room` tokens, so that it fits the context beside its A.

    None where it stays; where the wanted kind does not exist, the other kind is taken; where neither does, it
    stays.
    """
    lengths = np.array([books[part.book].size(part.first, part.last) for part in parts], np.int64)
    # By length, those of one length in random order.
    ranked = np.lexsort((rng.random(len(parts)), lengths))
    rank = np.empty(len(parts), np.int64)
    rank[ranked] = np.arange(len(parts))
    of_book: dict[int, list[int]] = {}
    for index in ranked.tolist():
        of_book.setdefault(parts[index].book, []).append(index)
    place = {index: at for members in of_book.values() for at, index in enumerate(members)}
    everyone = ranked.tolist()
    others: list[Part | None] = [None] * len(parts)
    same_book = True
    for index in rng.permutation(np.flatnonzero(false)).tolist():
        book, most = parts[index].book, room[index]
        near = _near(of_book[book], place[index], rng, lambda other, most=most: lengths[other] <= most)
        if not same_book or near is None:
            far = _near(
                everyone,
                int(rank[index]),
                rng,
                lambda other, book=book, most=most: parts[other].book != book and lengths[other] <= most,
            )
            near = far if far is not None else near
        if near is not None:
            others[index] = parts[near]
        same_book = not same_book
    return others


def _near(order: Sequence[int], at: int, rng: np.random.Generator, accept: Any = None) -> int | None:
    """A member of `order` near place `at` but not at it, that `accept` accepts; the search widens until one
    is found.
    """
    reach = NEIGHBOURS
    while True:
        low, high = max(at - reach, 0), min(at + reach + 1, len(order))
        near = [order[i] for i in range(low, high) if i != at and (accept is None or accept(order[i]))]
        if near:
            return near[int(rng.integers(len(near)))]
        if high - low == len(order):
            return None
        reach *= 4
