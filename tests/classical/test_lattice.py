"""The lattice against all of its paths written out, and against a CRF that another program trained."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from nlptui.classical.lattice import (
    NO_TAG,
    Lattice,
    forward_backward,
    log_partition,
    pair_probs,
    path_score,
    viterbi,
)

LENGTHS = (5, 3, 1, 4)
TAGS = 3


def lattice(forbidden: bool = False, lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> Lattice:
    """Random scores of a padded batch, what stands at padding being noise; with some moves forbidden."""
    torch.manual_seed(seed)
    transition = torch.randn(1, TAGS, TAGS, dtype=torch.float64)
    start, end = torch.randn(2, 1, TAGS, dtype=torch.float64)
    if forbidden:
        transition[0, 0, 2] = start[0, 2] = -torch.inf
    emission = 2 * torch.randn(len(lengths), max(lengths), TAGS, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Lattice(emission, transition, start, end, mask)


@dataclass
class Enumerated:
    """Every path of one row and its score, by the definition alone."""

    paths: list[tuple[int, ...]]
    scores: list[float]

    def log_sum(self, chosen: list[float]) -> float:
        top = max(chosen)
        return top + math.log(math.fsum(math.exp(score - top) for score in chosen))

    def share(self, *fixed: tuple[int, int]) -> float:
        """The posterior of having these tags at these positions."""
        agree = [
            score
            for path, score in zip(self.paths, self.scores, strict=True)
            if all(path[t] == tag for t, tag in fixed) and score > -math.inf
        ]
        return math.exp(self.log_sum(agree) - self.log_sum(self.scores)) if agree else 0.0


def enumerated(given: Lattice, row: int, length: int) -> Enumerated:
    emission, transition = given.emission[row].tolist(), given.transition[0].tolist()
    start, end = given.start[0].tolist(), given.end[0].tolist()
    paths = list(itertools.product(range(TAGS), repeat=length))
    scores = [
        start[path[0]]
        + sum(emission[t][tag] for t, tag in enumerate(path))
        + sum(transition[a][b] for a, b in itertools.pairwise(path))
        + end[path[-1]]
        for path in paths
    ]
    return Enumerated(paths, scores)


CASES = pytest.mark.parametrize("forbidden", [False, True], ids=["free", "forbidden"])


@CASES
@pytest.mark.parametrize("seed", range(5))
def test_the_best_path_is_the_best_of_all_paths(forbidden: bool, seed: int) -> None:
    given = lattice(forbidden, seed=seed)
    found = viterbi(given)
    for row, length in enumerate(LENGTHS):
        every = enumerated(given, row, length)
        best = max(range(len(every.paths)), key=every.scores.__getitem__)
        assert tuple(found.path[row, :length].int().tolist()) == every.paths[best]
        assert (found.path[row, length:] == NO_TAG).all()
        last = float((found.score[row, length - 1] + given.end[0]).max())
        assert abs(last - every.scores[best]) <= 1e-12


def test_scores_and_backpointers_are_those_of_the_best_path_to_each_tag() -> None:
    given = lattice()
    found = viterbi(given)
    open_ended = Lattice(given.emission, given.transition, given.start, torch.zeros_like(given.end))
    for t, tag in itertools.product(range(1, LENGTHS[0]), range(TAGS)):
        every = enumerated(open_ended, 0, t + 1)
        there = [n for n, path in enumerate(every.paths) if path[-1] == tag]
        best = max(there, key=every.scores.__getitem__)
        assert abs(float(found.score[0, t, tag]) - every.scores[best]) <= 1e-12
        assert int(found.backpointer[0, t, tag]) == every.paths[best][-2]
    assert (found.backpointer[:, 0] == NO_TAG).all()


@CASES
def test_the_partition_is_the_sum_over_all_paths(forbidden: bool) -> None:
    given = lattice(forbidden)
    for row, length in enumerate(LENGTHS):
        every = enumerated(given, row, length)
        assert abs(float(log_partition(given)[row]) - every.log_sum(every.scores)) <= 1e-12


@CASES
def test_posteriors_are_shares_of_all_paths(forbidden: bool) -> None:
    given = lattice(forbidden)
    posterior = forward_backward(given)
    pairs = pair_probs(given, posterior)
    for row, length in enumerate(LENGTHS):
        every = enumerated(given, row, length)
        for t, tag in itertools.product(range(length), range(TAGS)):
            assert abs(float(posterior.probs[row, t, tag]) - every.share((t, tag))) <= 1e-12
            for after in range(TAGS) if t + 1 < length else ():
                expected = every.share((t, tag), (t + 1, after))
                assert abs(float(pairs[row, t, tag, after]) - expected) <= 1e-12
        assert (pairs[row, max(length - 1, 0) :] == 0).all()


def test_forward_and_backward_meet_at_every_position() -> None:
    given = lattice()
    posterior = forward_backward(given)
    for row, length in enumerate(LENGTHS):
        met = (posterior.forward + posterior.backward)[row, :length].logsumexp(-1)
        assert (met - log_partition(given)[row]).abs().max() <= 1e-12


def test_the_gradient_of_the_partition_is_the_posterior() -> None:
    given = lattice()
    given.emission.requires_grad_()
    (gradient,) = torch.autograd.grad(log_partition(given).sum(), given.emission)
    expected = forward_backward(given).probs.detach().where(given.mask[..., None], 0.0)  # type: ignore[index]
    assert (gradient - expected).abs().max() <= 1e-12


def test_the_score_of_a_path() -> None:
    given = lattice()
    path = torch.tensor(
        [[0, 1, 2, 2, 1], [2, 0, 1, -100, -100], [1, -100, -100, -100, -100], [0, 0, 2, 1, 9]]
    )
    found = path_score(given, path)
    for row, length in enumerate(LENGTHS):
        every = enumerated(given, row, length)
        expected = every.scores[every.paths.index(tuple(path[row, :length].tolist()))]
        assert abs(float(found[row]) - expected) <= 1e-12


def test_of_equal_scores_the_first_tag_wins() -> None:
    zeros = Lattice(*(torch.zeros(1, *shape) for shape in ((4, TAGS), (TAGS, TAGS), (TAGS,), (TAGS,))))
    assert viterbi(zeros).path.tolist() == [[0.0] * 4]


def test_no_positions_and_rows_of_nothing_but_padding() -> None:
    empty = lattice()
    empty.emission, empty.mask = empty.emission[:, :0], None
    assert viterbi(empty).path.shape == (4, 0) and forward_backward(empty).probs.shape == (4, 0, TAGS)
    blank = lattice()
    blank.mask = torch.zeros_like(blank.mask)  # type: ignore[arg-type]
    assert (viterbi(blank).path == NO_TAG).all()
    assert not forward_backward(blank).probs.isnan().any()


# -- a CRF trained by someone else's program

SENTENCES = [
    ("Ada Stone sees Paris", "B I O B"),
    ("the river Lune runs", "O O B O"),
    ("Tom sees Ada", "B O B"),
    ("the old Tom runs to Paris", "O O B O O B"),
    ("Mia Stone runs", "B I O"),
]


def features(words: list[str]) -> list[list[str]]:
    return [
        [f"word={word.lower()}", f"upper={word[0].isupper()}", f"end={word[-1]}"]
        + (["first"] if t == 0 else [])
        + (["last"] if t == len(words) - 1 else [])
        for t, word in enumerate(words)
    ]


def test_a_crf_of_crfsuite(tmp_path: Path) -> None:
    """Its weights on our lattice give its tags, its marginals and its probabilities of whole paths."""
    pycrfsuite = pytest.importorskip("pycrfsuite")
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": 0.0, "c2": 0.05, "feature.possible_transitions": True})
    for text, tags in SENTENCES:
        trainer.append(features(text.split()), tags.split())
    trainer.train(str(tmp_path / "crf"))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "crf"))
    weights, tags = tagger.info(), tagger.labels()
    transition = torch.tensor(
        [[[weights.transitions.get((a, b), 0.0) for b in tags] for a in tags]], dtype=torch.float64
    )
    nothing = torch.zeros(1, len(tags), dtype=torch.float64)

    def emission(words: list[str]) -> Tensor:
        known = weights.state_features
        rows = [[sum(known.get((f, tag), 0.0) for f in row) for tag in tags] for row in features(words)]
        return torch.tensor([rows], dtype=torch.float64)

    for text in [*(sentence for sentence, _tags in SENTENCES), "Paris sees the old Stone", "Tom Tom runs"]:
        words = text.split()
        given = Lattice(emission(words), transition, nothing, nothing)
        best = [tags[int(tag)] for tag in viterbi(given).path[0]]
        assert best == tagger.tag(features(words))
        # The dump rounds each weight to six decimals.
        for t, row in enumerate(forward_backward(given).probs[0].tolist()):
            assert row == pytest.approx([tagger.marginal(tag, t) for tag in tags], abs=1e-5)
        path = torch.tensor([[tags.index(tag) for tag in best]])
        probability = float((path_score(given, path) - log_partition(given)).exp())
        assert probability == pytest.approx(tagger.probability(best), abs=1e-5)


def test_scores_of_other_shapes_are_refused() -> None:
    given = lattice()
    with pytest.raises(TypeCheckError):
        Lattice(given.emission, given.transition, given.start, given.end[0], given.mask)
