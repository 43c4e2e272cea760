"""From scores of the next token to whole sequences: greedy and beam search over a batch, with a length norm.

Knows nothing of networks or of text: `step` hides which network scores, and its caches.
Sources: Graves 2012 (beam search); Wu et al. 2016, section 7 (the power of the length).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor | None], Tensor]
"""Of the tokens chosen last (row) and the row that each goes on from (None: its own): scores (row vocab)."""


PATIENCE = 5
"""Steps for which others may try to overtake a sequence that has ended."""


@dataclass(frozen=True)
class Found:
    """The sequence that a search found for one row, its end mark left out."""

    ids: list[int]
    logprobs: list[float]
    """Natural logarithm of the probability that the network gave each token."""


def search(step: Step, first: Tensor, end: int, longest: int, beams: int, power: float) -> list[Found]:
    """The best sequence y of each row: up to `end`, or of `longest` tokens.

        score(y) = Σ_t log P(y_t | y_<t) / |y|^power        |y| counts the end mark

    Each step keeps, of all continuations of a row's `beams` sequences, the `beams` of highest score; one that
    has ended stands in the comparison as it is. The search of a row ends when all that it keeps have ended,
    or when the best has ended and stayed the best for PATIENCE steps: a beam that says the same again and
    again would be written to the full.
    With one beam that is greedy search: the likeliest token, until it is the end mark.

    first: the start mark of each row, `beams` rows of `step` for each sequence wanted (row·beam).
    """
    count = len(first) // beams
    beam = _Beam(count, beams, first.device)
    last, rows = first, None
    for _n in range(longest):
        last, rows = beam.extend(step(last, rows), end, power)
        if beam.ended.all():
            break
    return beam.best(end, power)


class _Beam:
    """The sequences kept so far: `beams` for each of `count` rows, the best first."""

    def __init__(self, count: int, beams: int, device: torch.device) -> None:
        self.ids = torch.zeros(count, beams, 0, dtype=torch.int64, device=device)
        self.logprobs = torch.zeros(count, beams, 0, dtype=torch.float64, device=device)
        self.total = torch.full((count, beams), -torch.inf, dtype=torch.float64, device=device)
        # All begin alike: only the first may go on, or every beam would hold the same.
        self.total[:, 0] = 0.0
        self.length = torch.zeros(count, beams, dtype=torch.int64, device=device)
        self.ended = torch.zeros(count, beams, dtype=torch.bool, device=device)

    def extend(self, scores: Tensor, end: int, power: float) -> tuple[Tensor, Tensor]:
        """Keep the best continuations by `scores` (row·beam vocab).

        Returns their last tokens (row·beam) and the rows that they go on from.
        """
        count, beams = self.total.shape
        # Of one sequence, no more continuations than there are beams can be among the best.
        best, token = scores.topk(min(beams, scores.shape[-1]))
        logprobs = best.double() - scores.double().logsumexp(-1, keepdim=True)
        logprobs, token = logprobs.view(count, beams, -1), token.view(count, beams, -1)
        # What has ended has one continuation, itself, written as one more end mark that costs nothing.
        itself = torch.full_like(logprobs, -torch.inf)
        itself[..., 0] = 0.0
        logprobs = torch.where(self.ended[..., None], itself, logprobs)
        token = token.masked_fill(self.ended[..., None], end)
        length = self.length + ~self.ended
        total = self.total[..., None] + logprobs
        kept = (total / length[..., None] ** power).flatten(1).topk(beams).indices
        parent, token = kept // total.shape[-1], token.flatten(1).gather(1, kept)
        self.total = total.flatten(1).gather(1, kept)
        self.length = length.gather(1, parent)
        self.ids = torch.cat([_of(self.ids, parent), token[..., None]], 2)
        new = logprobs.flatten(1).gather(1, kept)[..., None]
        self.logprobs = torch.cat([_of(self.logprobs, parent), new], 2)
        self.ended = self.ended.gather(1, parent) | (token == end)
        settled = self.ended[:, 0] & (self.length[:, 0] <= self.ids.shape[2] - PATIENCE)
        self.ended |= settled[:, None]
        rows = torch.arange(count, device=parent.device)[:, None] * beams + parent
        return token.flatten(), rows.flatten()

    def best(self, end: int, power: float) -> list[Found]:
        """The sequence of highest score of each row."""
        chosen = (self.total / self.length.clamp(min=1) ** power).argmax(1)
        found = []
        for row, number in enumerate(chosen.tolist()):
            ids = self.ids[row, number].tolist()
            size = ids.index(end) if end in ids else len(ids)
            found.append(Found(ids[:size], self.logprobs[row, number, :size].tolist()))
        return found


def _of(sequences: Tensor, parent: Tensor) -> Tensor:
    """The sequences (row beam pos) of the beams `parent` (row beam)."""
    return sequences.gather(1, parent[..., None].expand(-1, -1, sequences.shape[2]))
