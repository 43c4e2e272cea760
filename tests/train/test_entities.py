"""A tagger of entities with a CRF, from its recipe to the numbers on its card, raw text included."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlptui.engine import Engine, checkpoint
from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train.build import build
from nlptui.train.finish import finish
from nlptui.train.recipe import Recipe, recipe_from_dict
from tests.train.small import small
from tests.train.test_loop import directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


def entities(**model: object) -> Recipe:
    plain = small("entities", steps=120, evaluate_every=40, save_every=40, learning_rate=0.03, best="f1")
    return recipe_from_dict(
        plain.to_dict() | {"model": dict(plain.model) | model}, where="entities of the small recipes"
    )


def trained(recipe: Recipe, name: str, folder: Path) -> Path:
    run = directory(name)
    run.write_recipe(recipe)
    assert train(run, recipe) == "done"
    return finish(name, folder / name)


@pytest.fixture(scope="module")
def models(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that cuts words, and one of entities that it cuts for."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLPTUI_HOME", str(folder / "home"))
        patch.setenv("NLPTUI_DATA", str(corpora))
        patch.setenv("NLPTUI_MODELS", str(folder))
        trained(small("cutter", steps=120, learning_rate=0.03), "cutter", folder)
        trained(entities(segmenter="cutter"), "namer", folder)
        shutil.rmtree(runs_dir())
    return folder


@pytest.fixture(autouse=True)
def found(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(models))


def test_it_learns_the_entities_and_says_how_well(models: Path) -> None:
    config = checkpoint.load(models / "namer")[1]
    assert set(config.metrics) == {"accuracy", "f1", "raw_f1"}
    assert config.metrics["f1"] > 0.9 and config.metrics["raw_f1"] > 0.8
    card = (models / "namer" / "README.md").read_text(encoding="utf-8")
    for fact in (
        "LSTM with a CRF on top",
        "| crf | True |",
        "raw_f1: the same from raw text",
        "`cutter`",
        "50% of the entities",
    ):
        assert fact in card, fact
    assert "gazetteer" not in card
    assert f"| raw_f1 | {config.metrics['raw_f1']:.4f} |" in card


def test_evaluating_gives_the_numbers_on_the_card(models: Path) -> None:
    engine = Engine.load("namer", device="cpu")
    assert engine.evaluate("test")["metrics"] == pytest.approx(dict(engine.config.metrics), abs=1e-9)
    (tag,) = [tag for tag in engine.predict("他们喜欢猫。")["output"]["tags"] if tag["tag"] != "O"]
    assert (tag["token"], tag["tag"]) == ("猫", "B-PER") and tag["prob"] > 0.5


def test_zeroed_weights_measure_something_else(models: Path, tmp_path: Path) -> None:
    blank = shutil.copytree(models / "namer", tmp_path / "namer")
    weights = load_file(blank / "model.safetensors")
    save_file({name: torch.zeros_like(w) for name, w in weights.items()}, blank / "model.safetensors")
    engine = Engine.load(blank, device="cpu")
    measured = engine.evaluate("test")["metrics"]
    assert measured["f1"] == measured["raw_f1"] == 0.0 < engine.config.metrics["f1"]


def test_the_segmenters_weights_count_in_raw_text_alone(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("namer", "cutter"):
        shutil.copytree(models / name, tmp_path / name)
    weights = load_file(tmp_path / "cutter" / "model.safetensors")
    blank = {name: torch.zeros_like(w) for name, w in weights.items()}
    save_file(blank, tmp_path / "cutter" / "model.safetensors")
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    engine = Engine.load("namer", device="cpu")
    measured = engine.evaluate("test")["metrics"]
    assert measured["f1"] == pytest.approx(engine.config.metrics["f1"])
    assert measured["raw_f1"] < engine.config.metrics["raw_f1"] - 0.2


def test_a_recipe_whose_segmenter_is_missing_fails_before_it_trains() -> None:
    with pytest.raises(UserError, match="small-entities needs the model no-such-model"):
        build(entities(segmenter="no-such-model"), "cpu")
