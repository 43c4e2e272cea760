"""What is told before a run is what the run takes: parameters exactly, the rest within a factor."""

from __future__ import annotations

import math
from typing import Any

import pytest
from safetensors import safe_open

from nlptui.errors import UserError
from nlptui.train import client
from nlptui.train.estimate import Estimate, peak_of
from nlptui.train.recipe import Recipe, recipe_from_dict
from tests.train.processes import until
from tests.train.small import FAMILIES, small

pytestmark = pytest.mark.usefixtures("tiny_data")

MEMORY, TIME = 1.3, 3.0
"""How far an estimate may be off; time on a machine that has other things to do."""
SIZES: dict[str, dict[str, Any]] = {
    "gpt": {"d_model": 128, "n_layers": 3, "d_ff": 512, "context": 64, "dropout": 0.1},
    "lstm": {"d_embed": 64, "d_hidden": 256, "n_layers": 2},
}


def sized(family: str, **train: Any) -> Recipe:
    """A recipe whose network is large enough to be seen beside the program."""
    content = small(family, batch_size=16, log_every=10, **train).to_dict()
    content["model"] |= SIZES[family]
    return recipe_from_dict(content, "sized")


def parameters_of(path: Any) -> int:
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


@pytest.mark.slow
@pytest.mark.parametrize("family", SIZES)
def test_a_short_run_takes_what_was_estimated(family: str) -> None:
    recipe = sized(family, steps=40, evaluate_every=20, save_every=20, average=0.9)
    told = client.estimate(recipe)
    handle = client.start(recipe)
    highest = 0

    def over() -> bool:
        nonlocal highest
        status = handle.status()
        highest = max(highest, peak_of(status.pid) if status.pid else 0)
        return status.state not in client.ALIVE

    until(over)
    status = handle.status()
    assert status.state == "done", client.log(handle.name)
    weights = handle.path / status.latest / "model.safetensors"
    assert told.parameters == parameters_of(weights) and told.steps == status.steps == 40
    assert told.weights == 4 * told.parameters
    # Gradients, two moments and the average: four times the weights, and a number for each tensor.
    assert told.optimizer == pytest.approx(4 * told.weights, rel=0.01)
    assert highest and 1 / MEMORY < told.memory / highest < MEMORY
    training = told.seconds_a_step * told.steps
    assert 1 / TIME < training / status.seconds < TIME
    assert training < told.seconds < training + 60


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("lstm", "gpt")])
def test_every_family_can_be_estimated(family: str) -> None:
    from nlptui.train.estimate import estimate

    told = estimate(small(family, average=0.9, accumulate=2))
    assert told.parameters > 0 and told.steps == 12 and told.memory > told.weights + told.optimizer
    assert 0 < told.seconds_a_step * 12 < told.seconds


def test_epochs_are_counted_as_the_run_counts_them() -> None:
    from nlptui.train.estimate import estimate

    assert estimate(small("lstm", steps=0, epochs=1.5, batch_size=10)).steps == 9


@pytest.mark.usefixtures("warm_workers")
def test_what_is_wrong_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path))
    with pytest.raises(UserError, match="en_ewt") as raised:
        client.estimate(small("lstm"))
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="stepz"):
        client.estimate(small("lstm"), {"train.stepz": 3})


@pytest.mark.usefixtures("warm_workers")
def test_an_estimate_leaves_no_run_behind() -> None:
    assert isinstance(client.estimate(small("word2vec")), Estimate)
    assert client.runs() == []
