"""The schema of recipes: up to date, met by every recipe that ships, as strict as the reader of recipes."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nlptui.config import CONFIG_CLASSES, TASKS
from nlptui.errors import UserError
from nlptui.train import schema
from nlptui.train.recipe import TrainConfig, data_keys, derived_fields, recipe_from_dict
from tests.train.small import FAMILIES, small
from tests.train.test_recipe import SHIPPED, plain, test_errors_name_key_and_file

WRONG = next(mark for mark in test_errors_name_key_and_file.pytestmark if mark.name == "parametrize").args[1]
BEYOND = ("train.accumulate", "train.learning_rate")
"""What no schema can say: that one number divides another, and that a number is one."""


VALIDATOR = jsonschema.Draft7Validator(json.loads(schema.PATH.read_text(encoding="utf-8")))


def valid(content: Any) -> bool:
    return bool(VALIDATOR.is_valid(content))


def test_it_is_up_to_date() -> None:
    written = json.loads(schema.PATH.read_text(encoding="utf-8"))
    assert written == schema.recipe_schema(), "run python -m nlptui.train.schema"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema.recipe_schema())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/recipe.toml")), ids=lambda path: path.parent.name)
def test_shipped_recipes_meet_it(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("family", FAMILIES)
def test_resolved_recipes_meet_it(family: str) -> None:
    assert valid(json.loads(json.dumps(small(family).to_dict())))


@pytest.mark.parametrize(("dotted", "value", "_says"), WRONG)
def test_it_refuses_what_the_reader_refuses(dotted: str, value: Any, _says: str) -> None:
    assert valid(plain())
    content: Any = plain()
    table, dot, key = dotted.partition(".")
    if dot:
        content[table][key] = value
    else:
        content[table] = value
    assert valid(content) == (dotted in BEYOND)


@pytest.mark.parametrize("missing", ["name", "data", "tokenizer", "model", "train"])
def test_it_wants_what_the_reader_wants(missing: str) -> None:
    content = plain()
    del content[missing]
    assert not valid(content)
    with pytest.raises(UserError):
        recipe_from_dict(content, "here")


def test_options_of_another_task_are_refused() -> None:
    content = plain()
    content["data"]["word_dropout"] = 0.1
    assert valid(content)
    content["data"] = {"corpus": "en_ewt", "answer_only": True}
    assert not valid(content)


def test_it_knows_every_field_and_says_what_it_is() -> None:
    written = schema.recipe_schema()["properties"]
    assert written["train"]["properties"].keys() == {item.name for item in dataclasses.fields(TrainConfig)}
    known = {key for task in TASKS for key in data_keys(task)}
    assert written["data"]["properties"].keys() == known
    for cls, table in zip(CONFIG_CLASSES, written["model"]["oneOf"], strict=True):
        fields = {item.name for item in dataclasses.fields(cls)} - derived_fields()
        assert table["properties"].keys() == fields
        assert all(value["description"] for value in table["properties"].values())
    assert all(value["description"] for value in written["train"]["properties"].values())


def test_the_docstrings_are_those_under_the_fields() -> None:
    docs = schema.docstrings(TrainConfig)
    assert docs["steps"] == "Updates of the weights; 0: as many as `epochs` needs."
    assert "measured losses are without." in docs["label_smoothing"]
