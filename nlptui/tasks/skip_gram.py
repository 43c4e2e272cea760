"""Which words keep company: pairs of a centre and a word near it, against words drawn from noise.

An epoch goes through every text once. Frequent words are skipped at random, each centre draws how far it
reaches, and what is left gives the pairs, which are shuffled. The loss is in nats a pair.
Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import ModelConfig, Word2VecConfig
from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import ALONE, Asked, Ids, Outputs, Targets, Task, evaluating, id_array, top_tokens
from nlptui.tokenizers import Encoding, Tokenizer

Numbers = np.ndarray[Any, np.dtype[np.float64]]

NOISE_POWER = 0.75
"""Noise words are drawn in proportion to their counts to this power, which lifts the rare ones."""

SHARED = 16
"""Pairs that are held against the same noise words: a sixteenth of the work, and the same on average."""

MEASURED = 8192
"""Pairs that are measured at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Centres, the word that was met beside each, and noise words, in rows that share their noise."""

    centres: Ids
    """(row pair)"""
    contexts: Ids
    """(row pair)"""
    noise: Ids
    """(row noise)"""


class SkipGram(Task[Any]):
    """Tell the words around a word from noise. Examples are texts as ids; a draw is a batch of pairs."""

    name = "skip_gram"

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        if not isinstance(config, Word2VecConfig):
            raise UserError(_("the task skip_gram needs arch = word2vec, which has its window and noise"))
        self.window, self.negatives, self.subsample = config.window, config.negatives, config.subsample
        self._noise_of: tuple[Sequence[Ids], Numbers] | None = None

    # Examples and batches.

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[Ids]:
        """The words of each text that are in the vocabulary: the others are passed over, as if not there."""
        special = np.array(sorted(self.tokenizer.specials.values()), np.int32)
        texts = (id_array(self._ids(passage)) for passage in splits.passages(recipe_data, split))
        known = (ids[~np.isin(ids, special)] for ids in texts)
        return [ids for ids in known if len(ids) > 1]

    def _ids(self, passage: str | Sequence[str]) -> list[int]:
        if isinstance(passage, str):
            return self.tokenizer.encode_ids(passage)
        return [piece.id for word in passage for piece in self.tokenizer.word_pieces(word)]

    def length(self, example: Any) -> int:
        """Words of a text; pairs of a batch."""
        return example.centres.size if isinstance(example, Pairs) else len(example)

    def plan(self, examples: Sequence[Ids], batch_size: int, rng: np.random.Generator) -> list[list[Any]]:
        """One key a batch: its pairs (centre or context, pair)."""
        pairs = self.pairs(examples, rng)
        pairs = pairs[:, rng.permutation(pairs.shape[1])]
        return [[pairs[:, start : start + batch_size]] for start in range(0, pairs.shape[1], batch_size)]

    def draw(self, examples: Sequence[Ids], keys: Sequence[Any], rng: np.random.Generator) -> list[Pairs]:
        noise = self._noise(examples)
        return [self._against_noise(pairs, noise, rng) for pairs in keys]

    def pairs(self, texts: Sequence[Ids], rng: np.random.Generator) -> Ids:
        """Row 0 the centres, row 1 a word that stood near each.

        A word whose share of the text is f stays with probability min(1, √(t/f) + t/f), t = `subsample`
        (as in Mikolov's program). Of what is left, a centre pairs with all words of its text at most r
        places away, where each centre draws r from 1 to the window: near words come most often.
        """
        if not texts:
            return np.empty((2, 0), np.int32)
        words = np.concatenate(texts)
        text = np.repeat(np.arange(len(texts)), [len(ids) for ids in texts])
        counts = counts_of([words], self.config.vocab_size)
        kept = rng.random(len(words)) < keep_chance(counts, self.subsample)[words]
        words, text = words[kept], text[kept]
        reach = rng.integers(1, self.window + 1, len(words))
        found: list[Ids] = []
        for distance in range(1, self.window + 1):
            left, right = np.arange(len(words) - distance), np.arange(distance, len(words))
            together = text[left] == text[right]
            for centre, other in ((left, right), (right, left)):
                chosen = together & (reach[centre] >= distance)
                found.append(np.stack([words[centre[chosen]], words[other[chosen]]]))
        return np.concatenate(found, axis=1)

    def _noise(self, texts: Sequence[Ids]) -> Numbers:
        """Cumulated chances of every word as noise, from its count in `texts`."""
        # Drawing and measuring may come from two threads, so what is kept is read once.
        kept = self._noise_of
        if kept is None or kept[0] is not texts:
            weights = noise_chance(counts_of(texts, self.config.vocab_size))
            kept = self._noise_of = (texts, np.cumsum(weights))
        return kept[1]

    def _against_noise(self, pairs: Ids, noise: Numbers, rng: np.random.Generator) -> Pairs:
        """Rows of SHARED pairs; of one each, where the number does not come out even."""
        row = 1 if pairs.shape[1] % SHARED else SHARED
        centres, contexts = pairs.reshape(2, -1, row)
        chances = rng.random((len(centres), self.negatives)) * noise[-1]
        return Pairs(centres, contexts, np.searchsorted(noise, chances, side="right").astype(np.int32))

    def share(self, drawn: Sequence[Pairs], rank: int, size: int) -> list[Pairs]:
        """Every so-manieth row of pairs, each with its noise words."""
        rows = [[getattr(pairs, part)[rank::size] for part in Pairs.__slots__] for pairs in drawn]
        return [Pairs(*parts) for parts in rows if len(parts[0])]

    def asked(self, drawn: Sequence[Pairs]) -> dict[str, int]:
        return {"pair": sum(map(self.length, drawn))}

    def collate(self, examples: Sequence[Pairs], device: str) -> tuple[Batch, Targets]:
        centres, contexts, noise = (
            torch.from_numpy(np.concatenate([getattr(pairs, part) for pairs in examples]).astype(np.int64))
            for part in ("centres", "contexts", "noise")
        )
        return Batch(centres, contexts=contexts, noise=noise).to(device), {}

    # What the network makes of them.

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """−log σ(u·v) − Σₖ log σ(−uₖ·v), the mean over the pairs."""
        losses = pair_losses(outputs["logits"])
        return losses.sum() / (over.get("pair") or losses.numel()), {}

    def fixed_draws(self, examples: Sequence[Ids]) -> list[Pairs]:
        """The pairs and noise words that every measurement uses: seed 0, noise from the measured text."""
        rng = np.random.default_rng(0)
        pairs, noise = self.pairs(examples, rng), self._noise(examples)
        starts = range(0, pairs.shape[1], MEASURED)
        return [self._against_noise(pairs[:, at : at + MEASURED], noise, rng) for at in starts]

    def metrics(
        self, model: nn.Module, examples: Sequence[Ids], device: str, batch_size: int
    ) -> dict[str, float]:
        """loss: nats a pair, over its true word and its noise words; NaN of a text too short for a pair."""
        total, count = 0.0, 0
        with evaluating(model):
            for draw in self.fixed_draws(examples):
                batch, _targets = self.collate([draw], device)
                total += float(pair_losses(model(batch)["logits"].float()).double().sum())
                count += draw.centres.size
        return {"loss": total / count if count else math.nan}

    def baselines(self, train_examples: Sequence[Ids], test_examples: Sequence[Ids]) -> dict[str, float]:
        """The same pairs, judged by how frequent the candidate is, whatever the centre.

        Its score is the best there is without the centre: log P(w) − log (k P_noise(w)), where P(w) is the
        word's share among training contexts, one added to each count.
        """
        counts = counts_of(train_examples, self.config.vocab_size)
        met = (counts + 1) * keep_chance(counts, self.subsample)
        drawn = noise_chance(counts + 1)
        scores = np.log(met / met.sum()) - np.log(self.negatives * drawn / drawn.sum())
        total, count = 0.0, 0
        for draw in self.fixed_draws(test_examples):
            met, drawn = scores[draw.contexts][..., None], scores[draw.noise][:, None]
            logits = np.concatenate([met, np.broadcast_to(drawn, (*met.shape[:2], drawn.shape[-1]))], -1)
            total += float(pair_losses(torch.from_numpy(logits)).sum())
            count += draw.centres.size
        return {"loss": total / count if count else math.nan}

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"candidates": [{"pos", "tokens"}]}: the company of every word, since each is read by itself.

        Words that the vocabulary does not hold have none: nothing is known of them.
        """
        special = set(self.tokenizer.specials.values())
        return {
            "candidates": [
                {"pos": pos, "tokens": top_tokens(outputs["logits"][0, pos], self.tokenizer, top)}
                for pos, word in enumerate(encoding.ids)
                if word not in special
            ]
        }


def pair_losses(logits: Tensor) -> Tensor:
    """−log σ(first) − Σ log σ(−others) of each row of scores (… candidate)."""
    return F.softplus(-logits[..., 0]) + F.softplus(logits[..., 1:]).sum(-1)


def counts_of(texts: Sequence[Ids], vocab_size: int) -> Numbers:
    """How often each word of the vocabulary comes."""
    counts = np.zeros(vocab_size)
    for ids in texts:
        counts += np.bincount(ids, minlength=vocab_size)
    return counts


def keep_chance(counts: Numbers, subsample: float) -> Numbers:
    """The probability that a word is not skipped; 1 for all where `subsample` is 0."""
    if not subsample:
        return np.ones(len(counts))
    share = np.maximum(counts, 1) / max(counts.sum(), 1)
    chances: Numbers = np.minimum(1.0, np.sqrt(subsample / share) + subsample / share)
    return chances


def noise_chance(counts: Numbers) -> Numbers:
    """How likely each word is as noise: its count to the power of NOISE_POWER, not yet divided by the sum.

    What never comes, the special tokens among it, counts as if it came once: only so does a network learn
    that it is nobody's company.
    """
    chances: Numbers = np.maximum(counts, 1) ** NOISE_POWER
    return chances
