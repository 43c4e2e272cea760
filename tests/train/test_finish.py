"""A finished run: a loadable model whose config, card and recipe say what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from nlptui.data import registry
from nlptui.engine import checkpoint
from nlptui.errors import UserError
from nlptui.tasks import load_examples, task_for
from nlptui.train import finish as finishing
from nlptui.train.card import TRIED, tried
from nlptui.train.finish import chosen_checkpoint, finish
from nlptui.train.recipe import read_recipe
from nlptui.train.run import RunDirectory
from nlptui.train.state import read_state
from tests.train.small import FAMILIES, small
from tests.train.test_loop import directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


@pytest.fixture
def run() -> RunDirectory:
    found = directory("one")
    recipe = small("lstm", steps=30)
    found.write_recipe(recipe)
    train(found, recipe)
    return found


def measured_again(folder: Path) -> dict[str, float]:
    model, config, tokenizer = checkpoint.load(folder)
    task = task_for(config, tokenizer)
    return task.metrics(model, load_examples(config.data, "test", tokenizer, config), "cpu", 32)


def types_of(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118


def test_the_folder_says_what_was_measured(run: RunDirectory, tmp_path: Path) -> None:
    folder = finish("one", tmp_path / "models" / "tagger")
    _model, config, _tokenizer = checkpoint.load(folder)
    assert config.name == "tagger"
    assert config.metrics == measured_again(folder)
    assert 0 < config.baselines["accuracy"] <= 1
    assert read_recipe(folder).train == run.recipe().train and read_recipe(folder).name == "tagger"
    card = (folder / "README.md").read_text(encoding="utf-8")
    corpus = registry.corpus("en_ewt")
    parameters = sum(parameter.numel() for parameter in checkpoint.load(folder)[0].parameters())
    for fact in (
        "# tagger", "LSTM", f"{parameters:,} parameters", corpus.licence, corpus.homepage, "60", "30 steps",
        f"{config.metrics['accuracy']:.4f}", f"{config.baselines['accuracy']:.4f}", "most frequent tag",
        "## Limits", "train 60, dev 12, test 12",
    ):  # fmt: skip
        assert fact in card, fact


def test_the_best_checkpoint_is_taken(run: RunDirectory) -> None:
    best = read_state(run.checkpoints()[-1])[1].best_folder
    assert chosen_checkpoint(run).name == best


@pytest.mark.parametrize("half", [True, False])
def test_weights_are_halved_only_when_asked(run: RunDirectory, tmp_path: Path, half: bool) -> None:
    assert types_of(finish(run, tmp_path / "m", half=half)) == ({"F16"} if half else {"F32"})


def test_weights_that_suffer_stay_whole(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "_through_half", lambda value: value * 0)
    folder = finish(run, tmp_path / "m")
    assert types_of(folder) == {"F32"}
    _model, config, _tokenizer = checkpoint.load(folder)
    assert config.metrics == measured_again(folder)


def test_comments_of_a_recipe_and_tries_on_a_card_are_kept(run: RunDirectory, tmp_path: Path) -> None:
    folder = tmp_path / "small-lstm"
    folder.mkdir()
    text = "# Why: it is small.\n" + run.recipe().to_toml()
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(
        f"# old\n\nold text\n\n{TRIED}\n\nDropout 0.9: worse.\n", encoding="utf-8"
    )
    finish(run, folder)
    assert (folder / "recipe.toml").read_text(encoding="utf-8") == text
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.endswith(f"{TRIED}\n\nDropout 0.9: worse.\n") and "old text" not in card
    finish(run, folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == card
    assert tried("no such part") == ""


def test_a_recipe_that_says_something_else_is_replaced(run: RunDirectory, tmp_path: Path) -> None:
    folder = tmp_path / "small-lstm"
    folder.mkdir()
    (folder / "recipe.toml").write_text(small("gru").to_toml(), encoding="utf-8")
    finish(run, folder)
    assert read_recipe(folder) == run.recipe()


@pytest.mark.parametrize("family", ["gpt", "bert", "transformer", "classifier"])
def test_every_family_finishes(family: str, tmp_path: Path) -> None:
    assert family in FAMILIES
    run, recipe = directory("one"), small(family, steps=2)
    run.write_recipe(recipe)
    train(run, recipe)
    folder = finish(run, tmp_path / family)
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["metrics"] == measured_again(folder)
    assert set(config["metrics"]) & set(config["baselines"])


def test_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    run = directory("one")
    run.write_recipe(small("lstm"))
    with pytest.raises(UserError, match="no checkpoint"):
        finish(run, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_the_command(run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finishing.main(["one", str(tmp_path / "m")]) == 0
    assert finishing.main([str(run.path), str(tmp_path / "n"), "--full"]) == 0
    assert types_of(tmp_path / "n") == {"F32"}
    assert finishing.main(["none-such", str(tmp_path / "o")]) == 1
    assert "none-such" in capsys.readouterr().err
