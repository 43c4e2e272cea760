"""A finished run: a loadable model whose config, card and recipe say what was measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from nlptui.data import generators, recall, registry
from nlptui.engine import checkpoint
from nlptui.engine.library import find_model
from nlptui.errors import UserError
from nlptui.tasks import load_examples, task_for
from nlptui.train import client
from nlptui.train import finish as finishing
from nlptui.train.card import TRIED, tried
from nlptui.train.finish import chosen_checkpoint, finish
from nlptui.train.recipe import read_recipe, recipe_from_dict
from nlptui.train.run import RunDirectory
from nlptui.train.state import PROGRESS_FILE, read_state
from tests.conftest import ROOT
from tests.train.small import FAMILIES, small
from tests.train.test_loop import directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


@pytest.fixture(scope="module")
def trained(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has ended, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLPTUI_HOME", str(tmp_path_factory.mktemp("trained")))
        patch.setenv("NLPTUI_DATA", str(corpora))
        found, recipe = directory("one"), small("lstm", steps=30)
        found.write_recipe(recipe)
        train(found, recipe)
        return found.path


@pytest.fixture
def run(trained: Path) -> RunDirectory:
    found = directory("one")
    shutil.copytree(trained, found.path, dirs_exist_ok=True)
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


def test_the_card_of_a_character_tagger_says_what_its_metrics_are_measured_on(tmp_path: Path) -> None:
    recipe = small("lstm", steps=2).to_dict() | {
        "language": "zh", "data": {"corpus": "zh_ud"}, "tokenizer": {"kind": "characters"},
    }  # fmt: skip
    run = directory("one")
    run.write_recipe(recipe_from_dict(recipe, where="small"))
    train(run, run.recipe())
    card = (finish(run, tmp_path / "characters") / "README.md").read_text(encoding="utf-8")
    results = card[card.index("## Results") :]
    for words in ("accuracy: tags on gold words", "segmentation_f1: the words that", "longest matches"):
        assert words in results
    shipped = (ROOT / "models" / "pos-lstm-zh" / "README.md").read_text(encoding="utf-8")
    explained = next(line for line in results.splitlines() if line.startswith("accuracy: "))
    baseline = next(line for line in results.splitlines() if line.startswith("Baseline: "))
    assert explained in shipped and baseline.replace("characters", "pos-lstm-zh") in shipped


def test_the_card_of_word_vectors_says_what_their_loss_is(tmp_path: Path) -> None:
    run, recipe = directory("company"), small("word2vec", steps=2)
    run.write_recipe(recipe)
    train(run, recipe)
    card = (finish(run, tmp_path / "model") / "README.md").read_text(encoding="utf-8")
    assert "from 5 noise words; knowing nothing costs 4.159" in card


def test_the_card_of_a_word_tagger_says_nothing_of_characters(run: RunDirectory, tmp_path: Path) -> None:
    assert "gold words" not in (finish(run, tmp_path / "m") / "README.md").read_text(encoding="utf-8")


def test_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    run = directory("one")
    run.write_recipe(small("lstm"))
    with pytest.raises(UserError, match="no checkpoint"):
        finish(run, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def without(corpora: Path, folder: Path, *splits: str) -> Path:
    """The tiny corpora, but of en_ewt these splits are gone."""
    shutil.copytree(corpora, folder)
    for split in splits:
        (folder / "en_ewt" / f"{split}.conllu").unlink()
    return folder


def test_a_run_is_kept_as_a_model_that_is_found_by_name(run: RunDirectory, home: Path) -> None:
    kept = client.keep("one")
    assert (kept.name, kept.split, kept.problem) == ("one", "test", "") and find_model("one") == kept.path
    assert kept.path == home / "data" / "models" / "one" and kept.step == 30
    _model, config, _tokenizer = checkpoint.load(kept.path)
    assert kept.metrics == config.metrics == measured_again(kept.path) and kept.baselines == config.baselines


def test_a_kept_model_is_replaced_only_by_force(run: RunDirectory) -> None:
    kept = client.keep("one", "mine")
    (kept.path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="--force"):
        client.keep("one", "mine")
    assert (kept.path / "config.json").read_text() == "{}"
    assert client.keep("one", "mine", force=True).path == kept.path
    assert checkpoint.load(kept.path)[1].name == "mine"


def test_keeping_replaces_nothing_but_models(run: RunDirectory, home: Path) -> None:
    folder = home / "data" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "diary.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(UserError, match="exists already"):
            client.keep("one", "mine", force=force)
    assert [path.name for path in folder.iterdir()] == ["diary.txt"]


@pytest.mark.parametrize("name", ["../out", ".hidden", "a/b", "-m", "a b", "\x1b[31m", "~"])
def test_a_name_that_no_model_can_have(run: RunDirectory, home: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name of a model"):
        client.keep("one", name)
    assert not (home / "data" / "models").exists()


def test_a_shipped_model_keeps_its_name(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = finish("one", tmp_path / "shipped" / "one")
    monkeypatch.setenv("NLPTUI_MODELS", str(shipped.parent))
    with pytest.raises(UserError, match="nlptui runs keep one NAME"):
        client.keep("one", force=True)
    assert find_model(client.keep("one", "two").name).name == "two"


def test_without_a_test_split_dev_is_measured(
    run: RunDirectory, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_DATA", str(without(corpora, tmp_path / "left", "test")))
    kept = client.keep("one")
    assert kept.split == "dev" and 0 < kept.metrics["accuracy"] <= 1 and "accuracy" in kept.baselines
    assert "test.conllu" in kept.problem
    _model, config, _tokenizer = checkpoint.load(kept.path)
    assert config.metrics == {} == config.baselines
    card = (kept.path / "README.md").read_text(encoding="utf-8")
    assert "train 60, dev 12." in card and "measured on dev" in card and "| test |" not in card
    with pytest.raises(UserError, match="test.conllu"):
        finish("one", tmp_path / "strict")


def test_without_its_corpus_a_run_is_kept_unmeasured(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path / "nowhere"))
    kept = client.keep("one")
    assert (kept.split, kept.metrics, kept.baselines) == ("", {}, {}) and "en_ewt" in kept.problem
    assert types_of(kept.path) == {"F32"}
    card = (kept.path / "README.md").read_text(encoding="utf-8")
    assert "not counted" in card and "All it knows comes from train." in card


@pytest.mark.parametrize("wrong", [{"step": "\x1b[31m"}, {"seconds": None}, {"best_folder": 3}])
def test_a_broken_training_state_is_one_line(run: RunDirectory, wrong: dict[str, Any]) -> None:
    for folder in run.checkpoints():
        content = json.loads((folder / PROGRESS_FILE).read_text())
        (folder / PROGRESS_FILE).write_text(json.dumps(content | wrong))
    with pytest.raises(UserError, match="not readable as a training state"):
        client.keep("one")


def test_the_command(run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finishing.main(["one", str(tmp_path / "m")]) == 0
    assert finishing.main([str(run.path), str(tmp_path / "n"), "--full"]) == 0
    assert types_of(tmp_path / "n") == {"F32"}
    assert finishing.main(["none-such", str(tmp_path / "o")]) == 1
    assert "none-such" in capsys.readouterr().err


def test_the_card_of_answers_tells_accuracy_by_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(split: str) -> list[recall.Recall]:
        return [
            recall.Recall(f"it is {name} {'on ' * n}who? {name}", n) for n in (1, 3) for name in ("ann", "bo")
        ]

    monkeypatch.setitem(generators.RECALLED, "recall_en", told)
    recipe = small("lstm", steps=2).to_dict() | {
        "data": {"corpus": "recall_en", "answer_only": True}, "tokenizer": {"kind": "words"},
        "model": {"arch": "lstm", "task": "language_model", "d_embed": 8, "d_hidden": 8},
    }  # fmt: skip
    run = directory("one")
    run.write_recipe(recipe_from_dict(recipe, where="small"))
    train(run, run.recipe())
    folder = finish(run, tmp_path / "who")
    config = checkpoint.load(folder)[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    near, far = (f"{config.metrics[f'accuracy_at_{n}']:.4f}" for n in (1, 3))
    assert f"| distance | 1 | 3 |\n| --- | --- | --- |\n| accuracy, test | {near} | {far} |" in card
    assert f"| accuracy | {config.metrics['accuracy']:.4f} |" in card and "accuracy_at_" not in card
    for words in (
        "gives the last word",
        "the most frequent answer",
        "Only answers were",
        "nlptui.data.recall",
    ):
        assert words in card, words
