"""The CRF against python-crfsuite, autograd and all its paths one by one."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pycrfsuite
import pytest
import torch

from nlptui.classical.crf import ChainCRF
from nlptui.classical.crf_training import Fit, train
from nlptui.classical.crfsuite import read_crfsuite
from nlptui.classical.features import features_of
from nlptui.classical.lattice import log_partition, path_score
from nlptui.config import CRFConfig
from nlptui.errors import UserError

LABELS = ("DET", "NOUN", "VERB")
TEMPLATES = ("word", "ends2", "before", "shape")
WORDS = {"DET": ["the", "a"], "NOUN": ["cat", "dog", "walk", "Rex"], "VERB": ["sleeps", "runs", "walk"]}


def corpus(n: int = 60) -> list[tuple[list[str], list[int]]]:
    """Small sentences with an ambiguous word, some of one word, some with mistakes."""
    rng = random.Random(0)
    made = []
    for _n in range(n):
        tags = rng.choice([[0, 1, 2], [1, 2], [0, 1, 2, 0, 1], [1], [2, 0, 1]])
        tags = [tag if rng.random() > 0.05 else rng.randrange(3) for tag in tags]
        made.append(([rng.choice(WORDS[LABELS[tag]]) for tag in tags], tags))
    return made


def config(**more: Any) -> CRFConfig:
    settings = {"arch": "crf", "task": "tagging", "labels": LABELS, "features": TEMPLATES, "min_count": 1}
    return CRFConfig(**(settings | more))


def batch(words: list[str]) -> SimpleNamespace:
    return SimpleNamespace(words=[words], mask=None)


@pytest.fixture(scope="module")
def crfsuite_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trainer = pycrfsuite.Trainer(verbose=False)
    for words, tags in corpus():
        trainer.append(
            [[feature for feature in row if feature] for row in features_of(words, TEMPLATES)],
            [LABELS[tag] for tag in tags],
        )
    trainer.set_params({"c1": 0.0, "c2": 0.1, "max_iterations": 80})
    path = tmp_path_factory.mktemp("crfsuite") / "model.crfsuite"
    trainer.train(str(path))
    return path


def test_scores_paths_and_marginals_are_those_of_crfsuite(crfsuite_model: Path) -> None:
    tagger = pycrfsuite.Tagger()
    tagger.open(str(crfsuite_model))
    model = read_crfsuite(crfsuite_model, TEMPLATES)
    labels = model.config.labels
    assert set(labels) == set(tagger.labels())
    for words, _tags in [*corpus(), (["an", "unknown", "sentence", "walk"], [])]:
        given = [[feature for feature in row if feature] for row in features_of(words, TEMPLATES)]
        expected = tagger.tag(given)
        outputs = model(batch(words))
        assert [labels[int(tag)] for tag in outputs["path"][0]] == expected
        lattice = model.lattice(torch.tensor([model.numbers(words)]), None)
        score = path_score(lattice, outputs["path"].long()) - log_partition(lattice)
        assert float(score.exp()) == pytest.approx(tagger.probability(expected), abs=1e-4)
        for t, label in itertools.product(range(len(words)), labels):
            ours = float(outputs["probs"][0, t, labels.index(label)])
            assert ours == pytest.approx(tagger.marginal(label, t), abs=1e-4)


def test_weights_of_features_are_those_of_crfsuite(crfsuite_model: Path) -> None:
    tagger = pycrfsuite.Tagger()
    tagger.open(str(crfsuite_model))
    model = read_crfsuite(crfsuite_model, TEMPLATES)
    labels = model.config.labels
    for (attribute, label), weight in tagger.info().state_features.items():
        row = model.features.index(attribute)
        assert float(model.state.weight[row, labels.index(label)]) == pytest.approx(weight, abs=1e-5)


@pytest.mark.parametrize("content", [b"", b"lCRF", b"\0" * 4000])
def test_what_is_no_model_of_crfsuite_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.crfsuite"
    path.write_bytes(content)
    with pytest.raises(UserError, match="model.crfsuite: no model of CRFsuite"):
        read_crfsuite(path)


def test_a_model_that_is_cut_off_is_refused(crfsuite_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.crfsuite"
    content = crfsuite_model.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cut off"):
        read_crfsuite(path)


def test_training_comes_to_the_optimum_that_crfsuite_comes_to(tmp_path: Path) -> None:
    """The same loss has one minimum: without scores of first and last tags both must find it."""
    sentences = [(words, tags) for words, tags in corpus()]
    fit = Fit(config(l2=0.5), sentences, lambda iteration, loss: False)
    fit.allowed.start[:] = True
    frozen = [torch.zeros_like(fit.start), torch.zeros_like(fit.end)]

    def without_ends() -> tuple[float, list[torch.Tensor]]:
        total, (state, moves, _first, _last) = Fit.value_and_gradient(fit)
        return total, [state, moves, *frozen]

    fit.value_and_gradient = without_ends  # type: ignore[method-assign]
    fit.run(200)
    trainer = pycrfsuite.Trainer(verbose=False)
    for words, tags in sentences:
        trainer.append(
            [[feature for feature in row if feature] for row in features_of(words, TEMPLATES)],
            [LABELS[tag] for tag in tags],
        )
    trainer.set_params({"c1": 0.0, "c2": 0.5, "max_iterations": 500, "feature.possible_transitions": True})
    trainer.train(str(tmp_path / "model.crfsuite"))
    theirs = read_crfsuite(tmp_path / "model.crfsuite", TEMPLATES)
    for number, name in enumerate(fit.names):
        row = theirs.state.weight[theirs.features.index(name)]
        for tag, label in enumerate(LABELS):
            assert float(fit.state[number, tag]) == pytest.approx(
                float(row[theirs.config.labels.index(label)]), abs=5e-3
            )


def test_the_gradient_is_that_of_autograd() -> None:
    sentences = corpus(20)
    fit = Fit(config(l2=0.3), sentences, lambda iteration, loss: False)
    torch.manual_seed(0)
    for weight in fit.weights:
        weight.copy_(0.5 * torch.randn_like(weight))
    fit.state *= fit.seen
    total, gradients = fit.value_and_gradient()

    leaves = [weight.double().requires_grad_() for weight in fit.weights]
    loss = 0.3 * sum(leaf.square().sum() for leaf in leaves)
    numbers = {name: number for number, name in enumerate(fit.names)}
    for words, tags in sentences:
        rows = [[numbers[f] for f in row if f] for row in features_of(words, TEMPLATES)]
        emission = torch.stack([leaves[0][row].sum(0) for row in rows])
        scores = []
        for path in itertools.product(range(3), repeat=len(words)):
            score = leaves[2][path[0]] + leaves[3][path[-1]] + sum(emission[t, y] for t, y in enumerate(path))
            scores.append(score + sum(leaves[1][a, b] for a, b in itertools.pairwise(path)))
            if list(path) == tags:
                right = scores[-1]
        loss = loss + torch.stack(scores).logsumexp(0) - right
    loss.backward()
    assert total == pytest.approx(float(loss.detach()), rel=1e-5)
    for gradient, leaf, kept in zip(gradients, leaves, [fit.seen, True, True, True], strict=True):
        assert leaf.grad is not None
        assert torch.allclose(gradient.double(), leaf.grad * torch.as_tensor(kept), atol=1e-4)


def test_training_learns_and_small_weights_go() -> None:
    told: list[int] = []
    learned = train(config(l2=0.1), corpus(), 40, lambda n, loss: bool(told.append(n)))
    assert told == list(range(1, learned.iterations + 1)) and learned.loss < 0.3
    small = train(config(l2=0.1, prune=0.3, refit=20), corpus(), 60)
    assert 0 < small.config.entries < learned.config.entries
    assert small.config.n_features == len(small.model.features) <= learned.config.n_features
    model = learned.model
    assert [LABELS[int(tag)] for tag in model(batch(["the", "walk", "runs"]))["path"][0]] == [
        "DET", "NOUN", "VERB",
    ]  # fmt: skip


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UserError, match="'colour': choose of bias"):
        ChainCRF(config(features=("word", "colour")))
