"""Recipes: what is read, what is refused, and that each refusal names the key and the file."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nlptui.config import config_class
from nlptui.errors import UserError
from nlptui.train.recipe import (
    TrainConfig,
    find_recipe,
    parse_overrides,
    read_recipe,
    recipe_from_dict,
)

SHIPPED = Path(__file__).parents[2] / "models"
GOOD = """
name = "small"
[data]
corpus = "en_ewt"
repeat = { en_ewt = 2 }
[tokenizer]
kind = "words"
[model]
arch = "lstm"
task = "tagging"
d_hidden = 16
[train]
steps = 30
learning_rate = 2
"""


def plain(**train: Any) -> dict[str, Any]:
    content = tomllib.loads(GOOD)
    content["train"] |= train
    return content


def test_a_recipe_is_read_and_its_defaults_filled(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD, encoding="utf-8")
    recipe = read_recipe(path)
    assert (recipe.name, recipe.model["d_hidden"], recipe.train.steps) == ("small", 16, 30)
    assert isinstance(recipe.train.learning_rate, float)
    assert recipe.train.batch_size == TrainConfig(steps=1).batch_size
    assert read_recipe(tmp_path) == recipe


def test_overrides_win(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD, encoding="utf-8")
    overrides = parse_overrides(["train.steps=5", "model.arch=gru", 'data.corpus=["a", "b"]', "seed = 7"])
    recipe = read_recipe(path, overrides)
    assert (recipe.train.steps, recipe.model["arch"], recipe.data["corpus"], recipe.seed) == (
        5,
        "gru",
        ["a", "b"],
        7,
    )


def test_dict_and_toml_forms_come_back_equal() -> None:
    recipe = recipe_from_dict(plain(schedule="linear", clip=0), "here")
    assert recipe_from_dict(recipe.to_dict(), "there") == recipe
    assert recipe_from_dict(tomllib.loads(recipe.to_toml()), "there") == recipe


def test_running_text_may_come_from_either_side_of_pairs() -> None:
    content = plain()
    content["data"] |= {"corpus": "en_zh_tatoeba", "side": 1}
    assert recipe_from_dict(content, "here").data["side"] == 1


def test_toml_form_survives_hostile_strings() -> None:
    content = plain()
    content["data"]["train"] = ['a"b\\c', "新\n行", "\x7f\x01", "🙂"]
    recipe = recipe_from_dict(content, "here")
    assert tomllib.loads(recipe.to_toml())["data"]["train"] == content["data"]["train"]


@pytest.mark.parametrize(
    ("dotted", "value", "says"),
    [
        ("train.stepz", 3, "unknown key 'train.stepz'; known there are steps, "),
        ("train.learningrate", 3, "known there are learning_rate, "),
        ("colour", "red", "colour"),
        ("model.hidden", 3, "hidden"),
        ("model.vocab_size", 3, "vocab_size"),
        ("model.metrics", {}, "metrics"),
        ("model.arch", "lstmm", "lstmm"),
        ("model.task", "tag", "tag"),
        ("model.d_hidden", "16", "d_hidden"),
        ("model.d_hidden", -1, "d_hidden"),
        ("model.d_hidden", 0, "d_hidden is 0, but must be at least 1"),
        ("model.dropout", 1.5, "dropout is 1.5"),
        ("train.steps", "many", "train.steps"),
        ("train.steps", 1.5, "train.steps"),
        ("train.steps", True, "train.steps"),
        ("train.steps", -1, "train.steps"),
        ("train.steps", 0, "steps"),
        ("train.schedule", "zigzag", "zigzag"),
        ("train.average", 1.0, "train.average"),
        ("train.learning_rate", float("nan"), "learning_rate"),
        ("train.learning_rate", float("inf"), "learning_rate"),
        ("train.precision", "fp8", "fp8"),
        ("train.accumulate", 3, "accumulate"),
        ("data.corpus", 3, "corpus"),
        ("data.corpus", [], "corpus"),
        ("data.colour", "red", "data.colour"),
        ("tokenizer.kind", 3, "kind"),
        ("tokenizer.kind", "letters", "letters"),
        ("tokenizer.from", "bert-en", "tokenizer"),
        ("tokenizer", "words", "tokenizer"),
        ("train", 3, "train"),
        ("name", "../etc", "etc"),
        ("name", "", "name"),
        ("name", ".hidden", "hidden"),
        ("name", "a\x1b[31m", "name"),
    ],
)
def test_errors_name_key_and_file(dotted: str, value: Any, says: str) -> None:
    with pytest.raises(UserError) as caught:
        recipe_from_dict(plain(), "folder/recipe.toml", {dotted: value})
    message = str(caught.value)
    assert says in message and "folder/recipe.toml" in message
    assert "\x1b" not in message and "\n" not in message


def test_heads_must_share_the_width() -> None:
    """Told before a run starts, not by its worker."""
    model = {"arch": "gpt", "task": "language_model", "d_model": 64, "n_heads": 6}
    with pytest.raises(UserError, match="folder/recipe.toml: model: d_model is 64, but must be a multiple"):
        recipe_from_dict(plain() | {"model": model, "data": {"corpus": "recall_en"}}, "folder/recipe.toml")


def test_missing_train_table() -> None:
    content = plain()
    del content["train"]
    with pytest.raises(UserError, match=r"here.*\[train\]"):
        recipe_from_dict(content, "here")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"[train]\nsteps = 1\n[train]\n"])
def test_broken_toml_is_one_line_with_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_recipe_says_what_is_expected() -> None:
    with pytest.raises(UserError, match="no-such-model"):
        find_recipe("no-such-model")


def test_a_setting_without_equals_sign() -> None:
    with pytest.raises(UserError, match="key=value"):
        parse_overrides(["train.steps"])


def test_every_field_of_the_train_table_has_a_default() -> None:
    assert all(item.default is not dataclasses.MISSING for item in dataclasses.fields(TrainConfig))


def test_recipe_run_and_client_load_no_torch() -> None:
    code = "import sys, nlptui.train.client; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/recipe.toml")), ids=lambda path: path.parent.name)
def test_shipped_recipes_are_good(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.parent.name
    cls = config_class(recipe.model["arch"], "here")
    assert cls(**recipe.model).task == recipe.model["task"]


def test_keys_of_the_data_table_are_those_that_tasks_read() -> None:
    from nlptui.tasks import TASK_CLASSES
    from nlptui.train import recipe

    assert {name: cls.OPTIONS for name, cls in TASK_CLASSES.items() if cls.OPTIONS} == recipe._TASK_KEYS
