"""The weights before training: those that training starts from; and recurrent matrices enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nlptui.engine import Engine, checkpoint
from nlptui.engine.untrained import RADIUS, untrained
from nlptui.errors import UserError
from nlptui.train.build import build
from nlptui.train.recipe import Recipe, recipe_from_dict
from tests.train.small import small

Weights = dict[str, torch.Tensor]


def trained(folder: Path, recipe: Recipe) -> Weights:
    """Write the recipe's model into `folder` as if it had been trained; the weights that it began with."""
    parts = build(recipe, "cpu")
    start = {name: value.clone() for name, value in parts.model.state_dict().items()}
    with torch.no_grad():
        for parameter in parts.model.parameters():
            parameter.add_(torch.randn_like(parameter))
    checkpoint.save(folder, parts.model, parts.config, parts.tokenizer)
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    return start


def assert_same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("family", ["rnn", "lstm", "gru", "gpt", "transformer"])
def test_before_training_the_weights_are_those_that_training_makes(
    tiny_data: Path, tmp_path: Path, family: str
) -> None:
    recipe = recipe_from_dict(small(family).to_dict() | {"seed": 41}, "small")
    start = trained(tmp_path / "m", recipe)
    model = Engine.load(f"{tmp_path / 'm'}@before", device="cpu")
    assert_same(model.model.state_dict(), start)
    assert (model.weights.state, model.weights.seed, model.weights.init) == ("before", 41, "")
    trace = model.trace("the cat")
    assert trace.model == "small-" + family + "@before" and trace.weights is model.weights
    other = Engine.load(str(tmp_path / "m"), device="cpu")
    assert other.weights is None and other.trace("the cat").weights is None


def test_nobody_elses_random_numbers_are_changed(tiny_data: Path, tmp_path: Path) -> None:
    trained(tmp_path / "m", small("rnn"))
    config = Engine.load(str(tmp_path / "m"), device="cpu").config
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    untrained(tmp_path / "m", config, "exploding")
    assert torch.equal(torch.rand(3), expected)


def test_where_training_starts_from_another_model_so_does_before(tiny_data: Path, tmp_path: Path) -> None:
    trained(tmp_path / "first", small("lstm"))
    content = small("lstm").to_dict() | {"init": str(tmp_path / "first"), "seed": 5}
    content["tokenizer"] = {"from": str(tmp_path / "first")}
    start = trained(tmp_path / "second", recipe_from_dict(content, "small"))
    model = Engine.load(f"{tmp_path / 'second'}@before", device="cpu")
    assert_same(model.model.state_dict(), start)
    assert_same(start, Engine.load(str(tmp_path / "first"), device="cpu").model.state_dict())
    assert model.weights.init == str(tmp_path / "first")


@pytest.mark.parametrize(("family", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_exploding_matrices_have_the_radius_that_is_told(
    tiny_data: Path, tmp_path: Path, family: str, gates: int
) -> None:
    """By numpy's eigenvalues; everything else is as before training."""
    trained(tmp_path / "m", small(family))
    before = Engine.load(f"{tmp_path / 'm'}@before", device="cpu").model.state_dict()
    model = Engine.load(f"{tmp_path / 'm'}@exploding", device="cpu")
    factors = list(model.weights.factors)
    assert model.weights.radius == RADIUS and len(factors) == 2 * gates, "two directions"
    for name, value in model.model.state_dict().items():
        if "weight_hh" not in name:
            assert torch.equal(value, before[name]), name
            continue
        for matrix, old in zip(
            np.split(value.numpy(), gates), np.split(before[name].numpy(), gates), strict=True
        ):
            assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(RADIUS, rel=1e-5)
            np.testing.assert_allclose(matrix, old * factors.pop(0), rtol=1e-5)


def test_without_a_recipe_the_seed_is_0_and_what_is_wrong_is_one_line(
    tiny_data: Path, tmp_path: Path
) -> None:
    trained(tmp_path / "m", small("gpt"))
    with pytest.raises(UserError, match="m has no recurrent matrices that could explode; there is m@before"):
        Engine.load(f"{tmp_path / 'm'}@exploding", device="cpu")
    (tmp_path / "m" / "recipe.toml").write_text("seed = [", encoding="utf-8")
    with pytest.raises(UserError, match=r"recipe.toml: not readable as TOML"):
        Engine.load(f"{tmp_path / 'm'}@before", device="cpu")
    (tmp_path / "m" / "recipe.toml").unlink()
    assert Engine.load(f"{tmp_path / 'm'}@before", device="cpu").weights.seed == 0
    with pytest.raises(UserError, match="no model folder"):
        Engine.load(f"{tmp_path / 'm'}@after", device="cpu")


def test_a_folder_whose_name_ends_so_is_a_model_like_any_other(tiny_data: Path, tmp_path: Path) -> None:
    trained(tmp_path / "m@before", small("rnn"))
    assert Engine.load(str(tmp_path / "m@before"), device="cpu").weights is None
