"""Training of a linear-chain CRF: the exact gradient of its likelihood, and L-BFGS.

    loss = −Σ log p(tags | words) + l2 Σ weight²,  a sum over the sentences
    ∂ loss / ∂ emission_t(j) = P(y_t = j) − [j is right]
    ∂ loss / ∂ transition(i, j) = Σ_t P(y_{t−1} = i, y_t = j) − how often j comes after i

A weight belongs to a feature and a tag that were seen together. Torch alone does it: python-crfsuite would
be one more compiled dependency for everyone who trains, and for a few matrix products. With the sums scaled
at each step (Rabiner 1989, section V.A) forward and backward are products with one tag × tag matrix, for
hundreds of sentences at once. Knows nothing of files. Source: Sha & Pereira 2003, "Shallow parsing with
conditional random fields".
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nlptui.classical.crf import NONE, ChainCRF
from nlptui.classical.features import check_templates, features_of
from nlptui.classical.schemes import Allowed, allowed
from nlptui.classical.table import SparseTable
from nlptui.config import CRFConfig

Tagged = Sequence[tuple[Sequence[str], Sequence[int]]]
"""Of each sentence the words and the numbers of their tags; negative: not known."""
Tell = Callable[[int, float], bool]
"""Told after each iteration its number and the loss in nats a word; whether to stop."""
_TOGETHER = 512
"""Sentences whose lattices are summed at once."""


@dataclass
class Learned:
    """What training came to."""

    model: ChainCRF
    config: CRFConfig
    """With the sizes of the tables."""
    iterations: int
    loss: float
    """Of train, in nats a word, without the penalty."""


def train(
    config: CRFConfig, sentences: Tagged, iterations: int, tell: Tell = lambda iteration, loss: False
) -> Learned:
    """A CRF of tagged sentences after at most so many iterations; those with a tag that is not known are left
    out.
    """
    check_templates(config.features)
    whole = [(words, tags) for words, tags in sentences if len(words) and min(tags) >= 0]
    fit = Fit(config, whole, tell)
    refit = min(config.refit, iterations - 1) if config.prune else 0
    fit.run(iterations - refit)
    if config.prune:
        fit.drop(config.prune)
        fit.run(refit)
    model, sized = fit.model()
    return Learned(model, sized, fit.iteration, fit.loss)


@dataclass
class _Group:
    """Sentences, longest first, whose lattices are summed at once."""

    places: Tensor
    """Where each word of each sentence lies in the corpus (sentence pos); beyond its end anywhere."""
    running: list[int]
    """How many sentences have a word at each position: always the first so many."""
    lengths: Tensor


class Fit:
    """The corpus as matrices, the weights so far, and their loss and gradient."""

    def __init__(self, config: CRFConfig, sentences: Tagged, tell: Tell) -> None:
        self.config, self.tell = config, tell
        sentences = sorted(sentences, key=lambda sentence: -len(sentence[0]))
        self.tags = torch.tensor([tag for _words, tags in sentences for tag in tags], dtype=torch.int64)
        self.names, rows, columns = _feature_matrix(config, sentences)
        size = (len(self.tags), len(self.names))
        self.matrix = _csr(rows, columns, size)
        self.transposed = _csr(columns, rows, size[::-1])
        self.groups = _groups([len(words) for words, _tags in sentences])
        self.allowed: Allowed = allowed(config.labels)
        tags = len(config.labels)
        gold = torch.nn.functional.one_hot(self.tags, tags).float()
        self.state = torch.zeros(len(self.names), tags)
        self.seen = (self.transposed @ gold) > 0
        self.transition, self.start, self.end = torch.zeros(tags, tags), torch.zeros(tags), torch.zeros(tags)
        self.gold = gold
        self.gold_moves = self._gold_moves(sentences, tags)
        self.iteration, self.loss, self.stopped = 0, float("nan"), False

    @property
    def weights(self) -> list[Tensor]:
        """Everything that is learned; changed in place."""
        return [self.state, self.transition, self.start, self.end]

    def _gold_moves(self, sentences: Tagged, tags: int) -> tuple[Tensor, Tensor, Tensor]:
        pairs: Counter[tuple[int, int]] = Counter()
        first, last = torch.zeros(tags), torch.zeros(tags)
        for _words, found in sentences:
            pairs.update(zip(found, found[1:], strict=False))
            first[found[0]] += 1
            last[found[-1]] += 1
        moves = torch.zeros(tags, tags)
        for (i, j), count in pairs.items():
            moves[i, j] = count
        return moves, first, last

    def run(self, iterations: int) -> None:
        """So many steps of L-BFGS, fewer where nothing gets better any more or `tell` says so."""
        if self.stopped or not len(self.tags):
            return
        optimizer = torch.optim.LBFGS(
            self.weights, max_iter=1, max_eval=20, history_size=8, line_search_fn="strong_wolfe",
            tolerance_change=0,
        )  # fmt: skip
        last = float("inf")
        for _n in range(iterations):
            total = float(optimizer.step(self._closure))  # type: ignore[no-untyped-call]
            self.iteration += 1
            self.stopped = self.tell(self.iteration, self.loss)
            if self.stopped or abs(last - total) < 1e-6 * abs(total):
                return
            last = total

    def _closure(self) -> float:
        total, gradients = self.value_and_gradient()
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        return total

    def value_and_gradient(self) -> tuple[float, list[Tensor]]:
        """The loss at the weights as they are, and its gradient by each of them."""
        emission = self.matrix @ self.state
        probs = torch.zeros_like(emission)
        moves, first, last = (torch.zeros_like(weight) for weight in self.weights[1:])
        log_partition = 0.0
        for group in self.groups:
            log_partition += self._sum_up(group, emission, probs, moves, first, last)
        gold = self.gold_moves
        right = emission.gather(1, self.tags[:, None]).double().sum()
        for counted, weight in zip(gold, self.weights[1:], strict=True):
            right = right + (counted * weight).double().sum()
        likelihood = log_partition - float(right)
        self.loss = likelihood / max(1, len(self.tags))
        state = (self.transposed @ (probs - self.gold)).where(self.seen, 0.0)
        gradients = [state, moves - gold[0], first - gold[1], last - gold[2]]
        c = self.config.l2
        penalty = c * sum(float(weight.double().square().sum()) for weight in self.weights)
        return likelihood + penalty, [g + 2 * c * w for g, w in zip(gradients, self.weights, strict=True)]

    def _sum_up(
        self, group: _Group, emission: Tensor, probs: Tensor, moves: Tensor, first: Tensor, last: Tensor
    ) -> float:
        """log Z of the sentences of a group, added up; how likely each tag and each pair is goes into the
        rest."""
        scores = emission[group.places]
        top = scores.amax(-1, keepdim=True)
        uttered = (scores - top).exp()
        step = self.transition.exp() * self.allowed.pairs
        begin, finish = self.start.exp() * self.allowed.start, self.end.exp() * self.allowed.end
        forward, scale = torch.zeros_like(uttered), torch.ones_like(uttered[..., 0])
        backward = torch.zeros_like(uttered)
        for t, n in enumerate(group.running):
            before = begin if t == 0 else forward[:n, t - 1] @ step
            value = before * uttered[:n, t]
            scale[:n, t] = value.sum(-1)
            forward[:n, t] = value / scale[:n, t, None]
        rows = torch.arange(len(group.lengths))
        final = forward[rows, group.lengths - 1] @ finish
        backward[rows, group.lengths - 1] = finish / final[:, None]
        for t in range(len(group.running) - 2, -1, -1):
            n = group.running[t + 1]
            ahead = uttered[:n, t + 1] * backward[:n, t + 1] / scale[:n, t + 1, None]
            backward[:n, t] = ahead @ step.T
        inside = torch.arange(scores.shape[1])[None] < group.lengths[:, None]
        likely = forward * backward
        probs[group.places[inside]] = likely[inside]
        ahead = (uttered * backward / scale[..., None])[:, 1:].where(inside[:, 1:, None], 0.0)
        moves += step * (forward[:, :-1].flatten(0, 1).T @ ahead.flatten(0, 1))
        first += likely[:, 0].sum(0)
        last += likely[rows, group.lengths - 1].sum(0)
        summed = (scale.double().log() + top[..., 0].double()).where(inside, 0.0).sum()
        return float(summed + final.double().log().sum())

    def drop(self, least: float) -> None:
        """Leave the weights of features out that are smaller than `least`."""
        self.seen &= self.state.abs() >= least
        self.state *= self.seen

    def model(self) -> tuple[ChainCRF, CRFConfig]:
        """The model that the weights are, without features that have none."""
        kept = (self.state != 0).any(1).nonzero()[:, 0]
        names = (NONE, *(self.names[int(i)] for i in kept))
        table = SparseTable.of(torch.cat([torch.zeros(1, self.state.shape[1]), self.state[kept]]))
        config = replace(self.config, n_features=len(names), entries=len(table.values))
        model = ChainCRF(config, names)
        model.state = table
        for name in ("transition", "start", "end"):
            kept = torch.nn.Parameter(getattr(self, name).clone(), requires_grad=False)
            setattr(model, f"{name}_weight", kept)
        return model, config


def _feature_matrix(config: CRFConfig, sentences: Tagged) -> tuple[list[str], Tensor, Tensor]:
    """The features that come often enough, and of each word which it has (two lists of places)."""
    found = [row for words, _tags in sentences for row in features_of(words, config.features)]
    counts = Counter(feature for row in found for feature in row if feature)
    names = [name for name, count in counts.items() if count >= config.min_count]
    numbers = {name: number for number, name in enumerate(names)}
    rows, columns = [], []
    for at, row in enumerate(found):
        here = [numbers[feature] for feature in row if feature in numbers]
        columns += here
        rows += [at] * len(here)
    return names, torch.tensor(rows, dtype=torch.int64), torch.tensor(columns, dtype=torch.int64)


def _csr(rows: Tensor, columns: Tensor, size: tuple[int, ...]) -> Tensor:
    ones = torch.ones(len(rows))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")  # that they are new, and not checked twice
        return torch.sparse_coo_tensor(torch.stack([rows, columns]), ones, size).coalesce().to_sparse_csr()


def _groups(lengths: Sequence[int]) -> list[_Group]:
    """Sentences, which lie in the corpus one after another from the longest to the shortest, in groups."""
    starts = torch.tensor([0, *lengths]).cumsum(0)[:-1]
    groups = []
    for begin in range(0, len(lengths), _TOGETHER):
        own = torch.tensor(lengths[begin : begin + _TOGETHER])
        steps = torch.arange(int(own.max()))
        places = starts[begin : begin + len(own), None] + steps.clamp(max=own[:, None] - 1)
        running = [int((own > t).sum()) for t in range(int(own.max()))]
        groups.append(_Group(places, running, own))
    return groups
