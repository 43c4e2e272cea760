"""A lattice of tags, one column a position: the best path through it, and the sum over all its paths.

Everything is a score in log space: a probability's logarithm in an HMM, any number in a CRF. A path y has the
score

    s(y) = start(y₀) + Σ_t emission_t(y_t) + Σ_t transition(y_{t−1}, y_t) + end(y_last)

and −∞ forbids. With a recorder every step is on record. Knows nothing of words, tags' names or where scores
come from. Sources: Rabiner 1989, "A Tutorial on Hidden Markov Models"; Lafferty, McCallum & Pereira 2001,
"Conditional Random Fields".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nlptui.trace import OFF, Off, Recorder, Steps

Rec = Recorder | Off
AXES = "batch pos tag"
NO_TAG = -1
"""What stands in a path at padding, and as the backpointer of the first position."""


@dataclass
class Lattice:
    """The scores of one batch. A recorder's scope calls them `emission`, `transition`, `transition.start` and
    `transition.end`, and the mask `mask` (True or False) and `keep` (1 or 0, with a last axis of size 1).
    """

    emission: Float[Tensor, "batch pos tag"]
    transition: Float[Tensor, "one tag tag_next"]
    """From the tag of a row to the tag of a column."""
    start: Float[Tensor, "one tag"]
    end: Float[Tensor, "one tag"]
    mask: Bool[Tensor, "batch pos"] | None = None
    """True at real positions, which stand before the padding; None: no padding."""

    @property
    def length(self) -> int:
        """Positions, padding included."""
        return self.emission.shape[1]

    def real(self, t: int) -> Tensor:
        """Whether position `t` is one (batch 1); after the last there is none."""
        batch = self.emission.shape[0]
        if t < self.length and self.mask is not None:
            return self.mask[:, t, None]
        return torch.full((batch, 1), t < self.length, device=self.emission.device)


@dataclass(frozen=True)
class Viterbi:
    """The best path, and what it was found by."""

    score: Float[Tensor, "batch pos tag"]
    """Of the best path that ends in this tag here; 0 at padding."""
    backpointer: Float[Tensor, "batch pos tag"]
    """The tag before it on that path. Numbers of tags are floating point, so that an edit can write there."""
    path: Float[Tensor, "batch pos"]
    """The best path; NO_TAG at padding."""


@dataclass(frozen=True)
class Posterior:
    """How likely each tag is over all paths, each path y counting exp s(y)."""

    forward: Float[Tensor, "batch pos tag"]
    backward: Float[Tensor, "batch pos tag"]
    probs: Float[Tensor, "batch pos tag"]


def viterbi(lattice: Lattice, rec: Rec = OFF) -> Viterbi:
    """The path of the highest score (Viterbi 1967).

        score_0(j) = emission_0(j) + start(j)
        score_t(j) = emission_t(j) + max_i [score_{t−1}(i) + transition(i, j)]
        backpointer_t(j) = argmax_i [score_{t−1}(i) + transition(i, j)]
        path_last = argmax_j [score_last(j) + end(j)]
        path_t = backpointer_{t+1}(path_{t+1})

    Of equal scores the first tag wins.
    """
    by = _kept("emission + best_in(score, transition, transition.start)", lattice)

    def step(t: int, before: Tensor | None) -> Tensor:
        best = lattice.start if before is None else _into(before, lattice).amax(1)
        return (lattice.emission[:, t] + best).where(lattice.real(t), 0.0)

    score = _chain(lattice, rec, "score", AXES, by, step)
    first = torch.full_like(score[:, :1], NO_TAG)
    steps = (score[:, :-1, :, None] + lattice.transition[:, None]).argmax(2).to(score.dtype)
    by = "best_tag(score, transition)"
    backpointer = rec("backpointer", torch.cat([first, steps], 1), AXES, by=by)
    return Viterbi(score, backpointer, _walked_back(lattice, score, backpointer, rec))


def _walked_back(lattice: Lattice, score: Tensor, backpointer: Tensor, rec: Rec) -> Tensor:
    tags = score.shape[-1]

    def step(t: int, after: Tensor | None) -> Tensor:
        last = (score[:, t] + lattice.end).argmax(-1).to(score.dtype)
        if after is not None:
            place = after.nan_to_num(0.0).round().clamp(0, tags - 1).long()
            pointed = backpointer[:, t + 1].gather(1, place[:, None])[:, 0]
            last = pointed.where(lattice.real(t + 1)[:, 0], last)
        return last.where(lattice.real(t)[:, 0], NO_TAG)

    mask = "" if lattice.mask is None else ", mask"
    by = f"follow(path, backpointer, score + transition.end{mask})"
    return _chain(lattice, rec, "path", "batch pos", by, step, backward=True)


def forward_backward(lattice: Lattice, rec: Rec = OFF, dtype: torch.dtype | None = None) -> Posterior:
    """The posterior of every tag (forward–backward; Rabiner 1989, section III), its `probs` as `dtype`.

        forward_0(j) = emission_0(j) + start(j)
        forward_t(j) = emission_t(j) + log Σ_i exp [forward_{t−1}(i) + transition(i, j)]
        backward_last(i) = end(i)
        backward_t(i) = log Σ_j exp [transition(i, j) + emission_{t+1}(j) + backward_{t+1}(j)]
        probs_t = softmax_j [forward_t(j) + backward_t(j)]

    The softmax divides by Σ_j exp [forward_t(j) + backward_t(j)], which is the partition at every t.
    """
    forward = forward_scores(lattice, rec)
    backward = backward_scores(lattice, rec)
    # Where an edit has made every path impossible, no tag has any probability.
    probs = (forward + backward).softmax(-1).nan_to_num(0.0).to(dtype or forward.dtype)
    by = "softmax(forward_score + backward_score)"
    return Posterior(forward, backward, rec("probs", probs, AXES, by=by))


def forward_scores(lattice: Lattice, rec: Rec = OFF) -> Float[Tensor, "batch pos tag"]:
    """log Σ over the paths to here that end in this tag, by the equation above; 0 at padding."""
    by = _kept("emission + sum_in(forward_score, transition, transition.start)", lattice)

    def step(t: int, before: Tensor | None) -> Tensor:
        summed = lattice.start if before is None else _into(before, lattice).logsumexp(1)
        return (lattice.emission[:, t] + summed).where(lattice.real(t), 0.0)

    return _chain(lattice, rec, "forward_score", AXES, by, step)


def backward_scores(lattice: Lattice, rec: Rec = OFF) -> Float[Tensor, "batch pos tag"]:
    """log Σ over the paths that go on from this tag, the tag itself left out; 0 at padding."""
    mask = "" if lattice.mask is None else ", mask"
    by = f"sum_out(emission + backward_score, transition, transition.end{mask})"

    def step(t: int, after: Tensor | None) -> Tensor:
        summed = lattice.end.expand(lattice.emission.shape[0], -1)
        if after is not None:
            ahead = (lattice.emission[:, t + 1] + after)[:, None] + lattice.transition
            summed = ahead.logsumexp(2).where(lattice.real(t + 1), summed)
        return summed.where(lattice.real(t), 0.0)

    return _chain(lattice, rec, "backward_score", AXES, _kept(by, lattice), step, backward=True)


def log_partition(lattice: Lattice) -> Float[Tensor, " batch"]:
    """log Z = log Σ_y exp s(y), by the forward scores alone; differentiable where nothing is −∞."""
    forward = lattice.emission[:, 0] + lattice.start
    for t in range(1, lattice.length):
        ahead = lattice.emission[:, t] + _into(forward, lattice).logsumexp(1)
        forward = ahead if lattice.mask is None else ahead.where(lattice.real(t), forward)
    return (forward + lattice.end).logsumexp(-1)


def path_score(lattice: Lattice, path: Int[Tensor, "batch pos"]) -> Float[Tensor, " batch"]:
    """s(y) of a given path, by the equation at the top of this file; what it says at padding is not read."""
    mask = torch.ones_like(path, dtype=torch.bool) if lattice.mask is None else lattice.mask
    tags = path.where(mask, 0)
    emitted = lattice.emission.gather(2, tags[..., None])[..., 0].where(mask, 0.0).sum(1)
    moved = lattice.transition[0][tags[:, :-1], tags[:, 1:]].where(mask[:, 1:], 0.0).sum(1)
    last = tags.gather(1, (mask.sum(1, keepdim=True) - 1).clamp(min=0))[:, 0]
    return lattice.start[0, tags[:, 0]] + emitted + moved + lattice.end[0, last]


def pair_probs(lattice: Lattice, posterior: Posterior) -> Float[Tensor, "batch step tag tag_next"]:
    """The posterior of each pair of neighbours, position t and t + 1 (what Baum–Welch counts); 0 at padding.

    P(i, j at t, t+1) = exp [forward_t(i) + transition(i, j) + emission_{t+1}(j) + backward_{t+1}(j) − log Z]
    """
    ahead = (lattice.emission + posterior.backward)[:, 1:, None, :]
    joint = posterior.forward[:, :-1, :, None] + lattice.transition[:, None] + ahead
    probs = (joint - log_partition(lattice)[:, None, None, None]).exp()
    return probs if lattice.mask is None else probs.where(lattice.mask[:, 1:, None, None], 0.0)


def _into(before: Tensor, lattice: Lattice) -> Tensor:
    """score(i) + transition(i, j), for all pairs (batch tag tag_next)."""
    return before[:, :, None] + lattice.transition


def _kept(by: str, lattice: Lattice) -> str:
    """A formula whose value is 0 at padding."""
    return by if lattice.mask is None else f"({by}) * keep"


def _chain(
    lattice: Lattice,
    rec: Rec,
    name: str,
    axes: str,
    by: str,
    step: Callable[[int, Tensor | None], Tensor],
    backward: bool = False,
) -> Tensor:
    """Values made one position at a time, each from the one before in this direction, recorded as `name`."""
    if not lattice.length:
        return lattice.emission if axes == AXES else lattice.emission[..., 0]
    notes: Steps | None = rec.steps(lattice.length, backward) if isinstance(rec, Recorder) else None
    made: list[Tensor] = []
    for t in reversed(range(lattice.length)) if backward else range(lattice.length):
        value = step(t, made[-1] if made else None)
        made.append(value if notes is None else notes(t, name, value, by))
    if notes is None:
        return torch.stack(made[:: -1 if backward else 1], 1)
    return notes.close(lambda values: torch.stack(values, 1), axes)[name]
