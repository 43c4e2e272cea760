"""The JSON schema of recipes, by which editors complete and check them: `recipe.schema.json`, beside this.

    python -m nlptui.train.schema        writes it anew, from the dataclasses that a recipe becomes

An editor that knows TOML (Taplo, Even Better TOML) takes it from a recipe's first line:

    #:schema PATH/TO/nlptui/train/recipe.schema.json

It says what recipes are made of; whether one makes sense as a whole, `recipe` alone says. Loads no torch.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from nlptui.config import CONFIG_CLASSES, TASKS, ModelConfig
from nlptui.tokenizers import TOKENIZER_KINDS, tokenizer_class
from nlptui.train.recipe import Recipe, TrainConfig, data_keys, derived_fields

PATH = Path(__file__).with_name("recipe.schema.json")
Schema = dict[str, Any]
_ENDS = [
    {"required": ["steps"], "properties": {"steps": {"minimum": 1}}},
    {"required": ["epochs"], "properties": {"epochs": {"exclusiveMinimum": 0}}},
]
"""What [train] needs, to know when to end."""


def _share() -> Any:
    return field(default=0.0, metadata={"low": 0, "high": 1})


@dataclass(frozen=True)
class DataTable:
    """The [data] table: the corpora, and the options of the task's reader."""

    corpus: str | list[str] = ""
    """What to train on: a corpus, or a list of them, of which the first is dev and test."""
    train: str | list[str] = ""
    """File names of the train split, in place of the corpus's own."""
    dev: str | list[str] = ""
    """File names of the dev split, in place of the corpus's own."""
    test: str | list[str] = ""
    """File names of the test split, in place of the corpus's own."""
    repeat: Mapping[str, int] = field(default_factory=dict, metadata={"low": 0})
    """How many times the training part of a corpus is read, by its name."""
    first: int = field(default=0, metadata={"low": 0})
    """How many examples of the training part are taken, of sentences, pairs and questions; 0: all."""
    side: int = field(default=0, metadata={"choices": (0, 1)})
    """Of sentence pairs, where running text is wanted: 0 the first language, 1 the second."""
    dev_share: float = _share()
    """Of a corpus that is one text: the share before the test part that is dev."""
    measure: str = field(default="", metadata={"choices": ("first", "each")})
    """each: dev and test hold all the corpora, and metrics are told for each."""
    longest_answer: int = field(default=30, metadata={"low": 1})
    """Tokens that an answer may have."""
    word_dropout: float = _share()
    """Share of tokens that training makes unknown, as practice for new words."""
    words_of: list[str] = field(default_factory=list)
    """Corpora of which only the words are learned, not the tags."""
    swap_entities: float = _share()
    """Share of entities that training replaces by others of their kind."""
    gazetteer: float = _share()
    """Share of the swapped-in entities that are names of our own lists."""
    segmentation: bool = False
    """Whether only the words' boundaries are learned, by the labels B, M, E and S of characters."""
    mask_share: float = _share()
    """Share of a text's tokens that are masked."""
    short_share: float = _share()
    """Share of stretches that are shorter than the context."""
    answer_only: bool = False
    """Whether only the last token of each text is predicted."""


def recipe_schema() -> Schema:
    """The schema, in the draft that editors know best."""
    schema = table(Recipe)
    properties = schema["properties"]
    properties["name"]["pattern"] = r"^[^./\\\u0000-\u001f-][^/\\\u0000-\u001f\u007f]*$"
    properties["data"] = table(DataTable) | {"required": ["corpus"]}
    for one in properties["data"]["properties"]["corpus"]["anyOf"]:
        one |= {"minItems": 1} if one["type"] == "array" else {"minLength": 1}
    properties["tokenizer"] = _tokenizer_schema()
    properties["model"] = _model_schema()
    properties["train"] = table(TrainConfig) | {"anyOf": _ENDS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A recipe of nlptui: what to train, on what, and how",
        **schema,
        "required": ["name", "data", "tokenizer", "model", "train"],
        "allOf": [_task_rule(task) for task in TASKS],
    }


def table(cls: type[Any], skipped: frozenset[str] = frozenset()) -> Schema:
    """The fields of a dataclass as the keys of a table, each with its type, its range and its docstring."""
    hints, docs = get_type_hints(cls), docstrings(cls)
    properties: Schema = {}
    for item in dataclasses.fields(cls):
        if item.name in skipped:
            continue
        properties[item.name] = of_type(hints[item.name], item.metadata) | _default(item)
        properties[item.name]["description"] = docs[item.name]
    described = {"description": inspect.getdoc(cls)} if cls is not Recipe else {}
    return {"type": "object", **described, "properties": properties, "additionalProperties": False}


def of_type(hint: Any, limits: Mapping[str, Any]) -> Schema:
    """What values a field may have."""
    if "choices" in limits:
        return {"enum": list(limits["choices"])}
    origin = get_origin(hint) or hint
    if origin is Mapping or origin is dict:
        return {"type": "object", "additionalProperties": of_type(get_args(hint)[1], limits)}
    if origin is list or origin is tuple:
        return {"type": "array", "items": of_type(get_args(hint)[0], {})}
    if origin in (bool, str):
        return {"type": {bool: "boolean", str: "string"}[origin]}
    if origin in (int, float):
        return {"type": {int: "integer", float: "number"}[origin]} | _range(limits)
    if dataclasses.is_dataclass(origin) or origin is Any:
        return {}
    return {"anyOf": [of_type(part, limits) for part in get_args(hint)]}


def _range(limits: Mapping[str, Any]) -> Schema:
    found: Schema = {"minimum": limits["low"]} if "low" in limits else {}
    if limits.get("high", float("inf")) != float("inf"):
        found["maximum"] = limits["high"]
    return found


def _default(item: dataclasses.Field[Any]) -> Schema:
    if item.default in (dataclasses.MISSING, ""):
        return {}
    return {"default": list(item.default) if isinstance(item.default, tuple) else item.default}


def docstrings(cls: type[Any]) -> dict[str, str]:
    """The string under each field of a dataclass and of those that it extends."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field_, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(field_, ast.AnnAssign) and isinstance(after, ast.Expr):
                found[ast.unparse(field_.target)] = " ".join(str(ast.literal_eval(after.value)).split())
    return found


def _model_schema() -> Schema:
    """One table for each kind of architecture; a recipe may set all but what comes from the data."""
    return {
        "type": "object",
        "description": docstrings(Recipe)["model"],
        "required": ["arch", "task"],
        "oneOf": [_architecture(cls) for cls in CONFIG_CLASSES],
    }


def _architecture(cls: type[ModelConfig]) -> Schema:
    schema = table(cls, derived_fields())
    for key, value in schema["properties"].items():
        if value.get("type") in ("integer", "number"):
            value["minimum"] = 0 if value["type"] == "number" or key in cls.MAY_BE_ZERO else 1
        if key == "dropout":
            value["exclusiveMaximum"] = 1
    schema["properties"]["arch"] |= {"enum": list(cls.ARCHS)}
    schema["properties"]["task"] |= {"enum": list(TASKS)}
    del schema["properties"]["arch"]["type"], schema["properties"]["task"]["type"]
    schema["properties"]["task"].pop("default", None)
    return schema


def _tokenizer_schema() -> Schema:
    """Another model's, or one of a kind with the options that its `build` takes."""
    other = {
        "type": "object",
        "properties": {"from": {"type": "string", "description": "A model whose tokenizer to take."}},
        "required": ["from"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": docstrings(Recipe)["tokenizer"],
        "oneOf": [other, *map(_tokenizer_kind, TOKENIZER_KINDS)],
    }


def _tokenizer_kind(kind: str) -> Schema:
    parameters = inspect.signature(tokenizer_class(kind).build).parameters.values()
    options: Schema = {"kind": {"enum": [kind]}}
    for option in parameters:
        if option.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if option.name == "specials":
            options[option.name] = {"type": "array", "items": {"type": "string"}}
        else:
            limits = {"low": 0} if type(option.default) is int else {}
            options[option.name] = of_type(type(option.default), limits) | {"default": option.default}
    return {"type": "object", "properties": options, "required": ["kind"], "additionalProperties": False}


def _task_rule(task: str) -> Schema:
    """[data] has the options of no other task's reader."""
    chosen = {"properties": {"model": {"properties": {"task": {"const": task}}, "required": ["task"]}}}
    names = {"properties": {"data": {"propertyNames": {"enum": list(data_keys(task))}}}}
    return {"if": chosen | {"required": ["model"]}, "then": names}


def main() -> None:
    """Write the schema."""
    PATH.write_text(json.dumps(recipe_schema(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
