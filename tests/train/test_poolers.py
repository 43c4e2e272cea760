"""A classifier with several poolers, and a translator: trained, finished, measured, and zeroed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nlptui.engine import Engine, checkpoint
from nlptui.train.build import build
from nlptui.train.finish import finish
from nlptui.train.recipe import recipe_from_dict
from tests.train.small import small
from tests.train.test_loop import directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")
POOLINGS = ("cls", "mean", "max", "attention")


def finished(family: str, folder: Path, **settings: float | str) -> Path:
    run, recipe = directory("one"), small(family, **settings)
    run.write_recipe(recipe)
    train(run, recipe)
    return finish(run, folder / family)


def zeroed(folder: Path) -> Engine:
    """The same model without anything that it learned."""
    model, config, tokenizer = checkpoint.load(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return Engine(model, config, tokenizer, folder)


def test_every_pooler_is_measured_and_on_the_card(tmp_path: Path) -> None:
    folder = finished("poolers", tmp_path, steps=150, best="none")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = {"accuracy", *(f"accuracy_{name}" for name in POOLINGS)}
    assert set(config["metrics"]) == names and config["poolings"] == list(POOLINGS)
    assert config["metrics"]["accuracy"] == config["metrics"]["accuracy_max"]
    assert set(config["baselines"]) == {"accuracy", "naive_bayes_accuracy"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| naive_bayes_accuracy | {config['baselines']['naive_bayes_accuracy']:.4f} |" in card
    engine = Engine.load(folder, device="cpu")
    assert engine.evaluate()["metrics"] == config["metrics"]
    engine.pooling = "mean"
    assert engine.evaluate()["metrics"]["accuracy"] == config["metrics"]["accuracy_mean"]
    # Our tiny opinions are told by one word: what is learned is more than a constant answer.
    majority = config["baselines"]["accuracy"]
    assert min(config["metrics"].values()) > majority, config["metrics"]
    assert zeroed(folder).evaluate()["metrics"]["accuracy_cls"] <= majority


def test_a_translator_without_its_weights_writes_nothing_right(tmp_path: Path) -> None:
    folder = finished("transformer", tmp_path, steps=40)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert Engine.load(folder, device="cpu").evaluate()["metrics"] == config["metrics"]
    assert config["metrics"]["chrf"] > 0
    nothing = zeroed(folder).evaluate()["metrics"]
    assert nothing["bleu"] == 0 and nothing["loss"] > config["metrics"]["loss"]


def test_the_pooler_of_a_pretrained_model_goes_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    run, recipe = directory("first"), small("bert", steps=1)
    run.write_recipe(recipe)
    train(run, recipe)
    given = checkpoint.load(finish(run, tmp_path / "first"))[0].state_dict()
    content = small("poolers", steps=1).to_dict() | {"init": "first", "tokenizer": {"from": "first"}}
    started = build(recipe_from_dict(content, where="small"), "cpu").model.state_dict()
    assert torch.equal(started["poolers.cls.dense.weight"], given["pooler.dense.weight"])
    for name in ("token_embedding.weight", "blocks.1.mlp_norm.bias", "blocks.0.attn.wq.weight"):
        assert torch.equal(started[name], given[name])
