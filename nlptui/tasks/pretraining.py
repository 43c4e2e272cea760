"""BERT's two tasks (Devlin et al. 2019, section 3.1): guess masked tokens, and say whether B follows A.

How pairs are made stands in `pairs.py`.

Masks. 15 % of a pair's tokens are chosen; of them 80 % become [MASK], 10 % another token, 10 % stay. For
metrics all of the chosen ones become [MASK], so that no token that is still to be seen counts as guessed.
"""

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
from nlptui.data.readers import split_sentences
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks import cloze
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
    mean_cross_entropy,
    pad_rows,
    padding_mask,
    top_tokens,
)
from nlptui.tasks.pairs import NEXT, Book, Pair, sentence_pairs
from nlptui.tokenizers import Encoding, Tokenizer

MASK_SHARE = 0.15
SHORT_SHARE = 0.1
"""Share of stretches that are shorter than the context, since short texts are read too."""


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
    corpus: str = ""


class Tally:
    """Right answers and questions, of all corpora together and of each."""

    def __init__(self) -> None:
        self._right: Counter[tuple[str, str]] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._corpora: dict[str, None] = {}

    def add(self, kind: str, corpus: str, right: int, asked: int) -> None:
        """Count the answers to `asked` questions about a text of `corpus`."""
        self._corpora[corpus] = None
        for name in ("", corpus) if corpus else ("",):
            self._right[kind, name] += right
            self._asked[kind, name] += asked

    def total(self, kind: str) -> int:
        """Questions of one kind."""
        return self._asked[kind, ""]

    def shares(self) -> dict[str, float]:
        """mlm_accuracy and nsp_accuracy; of several corpora also those of each, by its name."""
        names = sorted(self._corpora) if len(self._corpora) > 1 else []
        return {
            f"{kind}_accuracy" + (f"_{name}" if name else ""): self._right[kind, name] / asked
            for name in ("", *names)
            for kind in ("mlm", "nsp")
            if (asked := self._asked[kind, name])
        }


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
                    "pretraining needs a tokenizer with the tokens cls, sep and mask; {missing} missing"
                ).format(missing=", ".join(missing))
            )
        self.cls, self.sep, self.mask = (tokenizer.specials[name] for name in ("cls", "sep", "mask"))
        special = set(tokenizer.specials.values())
        self.ordinary = id_array([i for i in range(tokenizer.vocab_size) if i not in special])

    # Examples and batches.

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[Book]:
        return [
            self.book(document.text, document.corpus, document.whole)
            for document in splits.documents(recipe_data, split)
        ]

    def book(self, text: str, corpus: str = "", whole: bool = False) -> Book:
        """The sentences of a text, paragraph by paragraph."""
        sentences = [
            self.tokenizer.encode_ids(sentence)
            for line in text.split("\n")
            for sentence in split_sentences(line)
        ]
        kept = [ids for ids in sentences if ids]
        starts = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return Book(id_array([i for ids in kept for i in ids]), starts, corpus, whole)

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
        """Pairs of passages that fit the context beside one [CLS] and two [SEP]."""
        short_share = float(self.option("short_share", SHORT_SHARE))
        return sentence_pairs(books, self.config.context - 3, short_share, rng)

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
        # A token that the vocabulary lacks cannot be found.
        maskable &= ids != self.tokenizer.specials.get("unk", -1)
        share = float(self.option("mask_share", MASK_SHARE))
        positions, originals = self._mask(ids, np.flatnonzero(maskable), share, rng, everywhere)
        return MaskedPair(ids, segments, positions, originals, pair.label, books[pair.a.book].corpus)

    def _mask(
        self,
        ids: Ids,
        maskable: np.ndarray[Any, Any],
        share: float,
        rng: np.random.Generator,
        everywhere: bool,
    ) -> tuple[Ids, Ids]:
        """Change `ids` in place at a share of the maskable positions; returns these and what stood there."""
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

    def asked(self, drawn: Sequence[MaskedPair]) -> dict[str, int]:
        return {
            "mlm": sum(len(pair.originals) for pair in drawn),
            "nsp": sum(pair.label != IGNORED for pair in drawn),
        }

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over masked tokens plus the mean over pairs; single sentences are no pair to judge."""
        mlm = mean_cross_entropy(_chosen_logits(outputs, targets), targets["mlm"], over.get("mlm"))
        nsp = mean_cross_entropy(outputs["nsp.logits"], targets["nsp"], over.get("nsp"))
        return mlm + nsp, {"mlm_loss": mlm.detach(), "nsp_loss": nsp.detach()}

    def fixed_draws(self, examples: Sequence[Book]) -> list[MaskedPair]:
        """The pairs and masks that every measurement uses: seed 0, every chosen token [MASK]."""
        rng = np.random.default_rng(0)
        return [self.masked(examples, pair, rng, everywhere=True) for pair in self.pairs(examples, rng)]

    def metrics(
        self, model: nn.Module, examples: Sequence[Book], device: str, batch_size: int
    ) -> dict[str, float]:
        """mlm_accuracy (the likeliest token at each [MASK]), nsp_accuracy, loss in nats a masked token.

        Where several corpora are measured, also the accuracies of each, as in mlm_accuracy_zh_tang.
        """
        tally = Tally()
        loss = 0.0
        for chosen, outputs, targets in self.outputs(model, self.fixed_draws(examples), device, batch_size):
            logits = _chosen_logits(outputs, targets).float()
            loss += float(F.cross_entropy(logits, targets["mlm"], reduction="sum").double())
            found = iter((logits.argmax(-1) == targets["mlm"]).tolist())
            follows = (outputs["nsp.logits"].argmax(-1) == targets["nsp"]).tolist()
            for draw, right in zip(chosen, follows, strict=True):
                tally.add("mlm", draw.corpus, sum(next(found) for _at in draw.positions), len(draw.positions))
                tally.add("nsp", draw.corpus, right, draw.label != IGNORED)
        return {"loss": loss / max(tally.total("mlm"), 1)} | tally.shares()

    def baselines(self, train_examples: Sequence[Book], test_examples: Sequence[Book]) -> dict[str, float]:
        """Masked tokens from counts of their neighbours on both sides; pairs by words that A and B share."""
        known = cloze.NeighbourCounts([book.ids for book in train_examples], self.tokenizer.vocab_size)
        tally = Tally()
        for draw in self.fixed_draws(test_examples):
            found = known.right(draw.ids, draw.positions, draw.originals, {self.cls, self.sep, self.mask})
            tally.add("mlm", draw.corpus, found, len(draw.positions))
        shared = cloze.SharedWords([book.ids for book in train_examples], self.tokenizer.vocab_size)
        rng = np.random.default_rng(0)
        train, test = self._told(train_examples, rng), self._told(test_examples, rng)
        if train and test:
            threshold = shared.threshold([pair for _corpus, pair in train])
            for corpus, (a, b, follows) in test:
                tally.add("nsp", corpus, (shared.likeness(a, b) >= threshold) == follows, 1)
        return tally.shares()

    def _told(
        self, books: Sequence[Book], rng: np.random.Generator
    ) -> list[tuple[str, tuple[Ids, Ids, bool]]]:
        """The corpus and (A, B, whether B follows) of every pair, unmasked."""
        return [
            (
                books[a.book].corpus,
                (books[a.book].stretch(*a[1:]), books[b.book].stretch(*b[1:]), label == NEXT),
            )
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
