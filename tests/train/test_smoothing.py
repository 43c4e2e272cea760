"""Label smoothing: in the training loss of tasks with a cross-entropy, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nlptui.errors import UserError
from nlptui.tasks.base import IGNORED
from nlptui.train.build import build
from tests.train.small import small

pytestmark = pytest.mark.usefixtures("tiny_data")


@pytest.mark.parametrize("family", ["lstm", "classifier", "gpt", "transformer"])
def test_the_training_loss_is_smoothed_and_the_measured_one_is_not(family: str) -> None:
    """ε-smoothing against its definition: −Σ_v ((1 − ε)[v = target] + ε/V) log p_v, a mean over targets."""
    plain, smooth = (build(small(family, label_smoothing=e), "cpu") for e in (0.0, 0.2))
    rng = np.random.default_rng(0)
    keys = plain.task.plan(plain.train_examples, 4, rng)[0]
    batch, targets = plain.task.collate(plain.task.draw(plain.train_examples, keys, rng), "cpu")
    with torch.no_grad():
        outputs = plain.model.eval()(batch)
    log_probs = outputs["logits"].double().log_softmax(-1)
    wanted = next(iter(targets.values()))
    kept = wanted != IGNORED
    log_probs, wanted = log_probs[kept], wanted[kept]
    right = -log_probs.gather(-1, wanted[:, None])[:, 0]
    expected = 0.8 * right + 0.2 * -log_probs.mean(-1)
    assert float(plain.task.loss(outputs, targets)[0]) == pytest.approx(float(right.mean()), abs=1e-5)
    assert float(smooth.task.loss(outputs, targets)[0]) == pytest.approx(float(expected.mean()), abs=1e-5)
    assert not math.isclose(float(right.mean()), float(expected.mean()), abs_tol=1e-4)
    measured = [parts.task.metrics(plain.model, plain.dev_examples, "cpu", 4) for parts in (plain, smooth)]
    assert measured[0] == measured[1]


def test_more_than_half_is_refused() -> None:
    with pytest.raises(UserError, match=r"train.label_smoothing"):
        small("gpt", label_smoothing=0.6)
