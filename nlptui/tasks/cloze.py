"""Baselines for pretraining that only count: a token from its neighbours, a pair from its shared words.

Knows nothing of networks, masks or books: it gets arrays of token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Ids = np.ndarray[Any, np.dtype[np.int32]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

TRUST = 4.0
"""How many observations of both neighbours together weigh as much as what each of them says alone."""


class NeighbourCounts:
    """A token w between l and r, from counts of what stood between and beside them.

        P(w | l, r) = (count(l w r) + TRUST · Q(w)) / (count(l · r) + TRUST)
        Q(w)        ∝ P(w | l) P(w | r) / P(w)

    P(w | l) and P(w | r) are smoothed with P(w) in the same way.
    """

    def __init__(self, texts: Sequence[Ids], vocab_size: int) -> None:
        self.size = vocab_size
        self.unigram = np.ones(vocab_size)
        before: list[Codes] = []
        after: list[Codes] = []
        both: list[Codes] = []
        for text in texts:
            ids = text.astype(np.int64)
            self.unigram += np.bincount(ids, minlength=vocab_size)
            before.append(ids[:-1] * vocab_size + ids[1:])
            after.append(ids[1:] * vocab_size + ids[:-1])
            both.append((ids[:-2] * vocab_size + ids[2:]) * vocab_size + ids[1:-1])
        self.unigram /= self.unigram.sum()
        self.before, self.after, self.both = _counted(before), _counted(after), _counted(both)

    def guess(self, left: int | None, right: int | None) -> int:
        """The likeliest token between two neighbours; None where a neighbour is not to be seen."""
        beside = self.unigram.copy()
        for table, context in ((self.before, left), (self.after, right)):
            if context is not None:
                beside *= self._smoothed(table, context, self.unigram) / self.unigram
        beside /= beside.sum()
        if left is None or right is None:
            return int(beside.argmax())
        return int(self._smoothed(self.both, left * self.size + right, beside).argmax())

    def _smoothed(
        self, table: tuple[Codes, Codes], context: int, prior: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        codes, counts = table
        low, high = np.searchsorted(codes, (context * self.size, (context + 1) * self.size))
        estimate: np.ndarray[Any, Any] = TRUST * prior
        estimate[codes[low:high] - context * self.size] += counts[low:high]
        estimate /= counts[low:high].sum() + TRUST
        return estimate

    def right(self, ids: Ids, positions: Ids, originals: Ids, hidden: set[int]) -> int:
        """How many of the originals at `positions` are guessed; neighbours in `hidden` are not to be seen."""
        row = [None if i in hidden else i for i in ids.tolist()]
        return sum(
            self.guess(row[at - 1] if at else None, row[at + 1] if at + 1 < len(row) else None) == original
            for at, original in zip(positions.tolist(), originals.tolist(), strict=True)
        )


def _counted(codes: Sequence[Codes]) -> tuple[Codes, Codes]:
    joined = np.concatenate([np.zeros(0, np.int64), *codes])
    values, counts = np.unique(joined, return_counts=True)
    return values, counts.astype(np.int64)


class SharedWords:
    """Whether B follows A, by the cosine of their bags of words, where rare words weigh more."""

    def __init__(self, texts: Sequence[Ids], vocab_size: int) -> None:
        counts = np.ones(vocab_size)
        for text in texts:
            counts += np.bincount(text, minlength=vocab_size)
        self.weights = -np.log(counts / counts.sum())

    def likeness(self, a: Ids, b: Ids) -> float:
        """Cosine of the two weighted bags; 0 where one is empty."""
        x = np.bincount(a, minlength=len(self.weights)).clip(max=1) * self.weights
        y = np.bincount(b, minlength=len(self.weights)).clip(max=1) * self.weights
        norm = float(np.linalg.norm(x) * np.linalg.norm(y))
        return float(x @ y) / norm if norm else 0.0

    def threshold(self, train: Sequence[tuple[Ids, Ids, bool]]) -> float:
        """The likeness from which on B is said to follow: the best one for the training pairs."""
        likeness = np.array([self.likeness(a, b) for a, b, _follows in train])
        follows = np.array([follows for _a, _b, follows in train])
        order = np.argsort(-likeness, kind="stable")
        # Right answers if the first k are called "follows".
        right = np.concatenate([[0], np.cumsum(np.where(follows[order], 1, -1))]) + (~follows).sum()
        k = int(right.argmax())
        return float(likeness[order[k - 1]]) if k else float("inf")
