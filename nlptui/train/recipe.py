"""The recipe of a model: what to train, on what, and how. A TOML file becomes a frozen `Recipe`, or an error.

Knows nothing of torch, of run directories or of how training goes.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from nlptui.config import TASKS, config_class
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import models_dirs
from nlptui.text import visible
from nlptui.tokenizers import TOKENIZER_KINDS

RECIPE_FILE = "recipe.toml"
# These fields of a model's config come from the data and the measurements, never from a recipe.
_DERIVED = frozenset(
    {"name", "language", "vocab_size", "n_chars", "labels", "metrics", "baselines", "data",
     "entries", "n_classes", "n_features"}
)  # fmt: skip

# Keys of the [data] table: those of `nlptui.data.splits`, and those of each task's reader (its OPTIONS).
_DATA_KEYS = ("corpus", "train", "dev", "test", "repeat", "first", "side", "dev_share", "measure")
_TASK_KEYS: dict[str, tuple[str, ...]] = {
    "question_answering": ("longest_answer",),
    "tagging": ("word_dropout", "words_of", "swap_entities", "gazetteer", "segmentation"),
    "classification": ("word_dropout",),
    "pretraining": ("mask_share", "short_share"),
    "language_model": ("answer_only",),
}


def _bounded(default: Any, low: float, high: float = float("inf")) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _one_of(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The [train] table: how long, how fast, how often to look and to save."""

    steps: int = _bounded(0, 0)
    """Updates of the weights; 0: as many as `epochs` needs."""
    epochs: float = _bounded(0.0, 0)
    """Passes over the training examples, where `steps` is 0."""
    batch_size: int = _bounded(32, 1)
    """Examples a step, over all parts of an accumulated step."""
    accumulate: int = _bounded(1, 1)
    """Parts that a step's examples are split into, to save memory."""
    optimizer: str = _one_of("adamw", "adamw", "muon")
    """adamw; or muon, which moves the matrices inside blocks and recurrent layers by orthogonal steps."""
    matrix_rate: float = _bounded(0.02, 0)
    """The highest learning rate of muon's matrices; it follows the schedule of the other."""
    learning_rate: float = _bounded(1e-3, 0)
    """The highest learning rate, reached after the warm-up."""
    schedule: str = _one_of("cosine", "constant", "linear", "cosine")
    """How the rate goes from its highest to `final_rate` at the last step."""
    warmup: int = _bounded(0, 0)
    """Steps over which the rate rises from 0."""
    final_rate: float = _bounded(0.0, 0, 1)
    """The rate at the last step, as a share of `learning_rate`."""
    beta1: float = _bounded(0.9, 0, 0.999999)
    """AdamW's memory of the gradient."""
    beta2: float = _bounded(0.999, 0, 0.999999)
    """AdamW's memory of the squared gradient."""
    weight_decay: float = _bounded(0.01, 0)
    """AdamW's decay, of matrices only: biases and norms are left alone."""
    clip: float = _bounded(1.0, 0)
    """The largest norm of all gradients together; 0: not clipped."""
    label_smoothing: float = _bounded(0.0, 0, 0.5)
    """Share of the target's probability that the training loss spreads over all classes; measured losses are
    without."""
    average: float = _bounded(0.0, 0, 0.999999)
    """Decay of the moving average of the weights, which is then what is measured and kept; 0: off."""
    log_every: int = _bounded(10, 1)
    """Steps between two lines of the metrics file."""
    evaluate_every: int = _bounded(200, 0)
    """Steps between two measurements on the dev split; 0: only at the end."""
    evaluate_examples: int = _bounded(0, 0)
    """Dev examples that such a measurement takes, from the first on; 0: all."""
    best: str = "auto"
    """The dev metric that chooses the checkpoint to keep; auto: the task's own; none: the last."""
    save_every: int = _bounded(200, 0)
    """Steps between two checkpoints; 0: only at the end."""
    keep: int = _bounded(2, 0)
    """Latest checkpoints that are kept, beside the best; 0: all."""
    snapshots: int = _bounded(24, 0, 200)
    """Weights that are kept from all over the run, to look back on; fewer where they are large; 0: none."""
    sample: str = ""
    """The sentence that the model is asked about at each measurement; empty: one of our own. ||| stands
    between the two texts of a model that reads two."""
    threads: int = _bounded(1, 0)
    """Threads that torch uses; 0: its own choice."""
    precision: str = _one_of("fp32", "fp32", "bf16")
    """fp32, or bf16 for the forward pass only."""
    device: str = _one_of("auto", "auto", "cpu", "cuda", "mps")
    """Where to train; auto: a GPU where there is one."""
    nice: int = _bounded(10, 0, 19)
    """How far the worker steps back for other programs."""
    tensorboard: bool = False
    """Whether measurements are written as TensorBoard's event files too (the extra nlptui[tensorboard])."""

    def __post_init__(self) -> None:
        if not self.steps and not self.epochs:
            raise UserError(_("[train] needs steps or epochs, to know when to end"))
        if self.batch_size % self.accumulate:
            raise UserError(
                _(
                    "train.batch_size = {size} cannot be split into train.accumulate = {parts} equal parts"
                ).format(size=self.batch_size, parts=self.accumulate)
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training run; what `config.json` in a run directory holds."""

    name: str
    """The model's name."""
    language: str = "en"
    """The language that it learns: en, zh, or en-zh."""
    seed: int = _bounded(0, 0)
    """Where every random choice starts."""
    init: str = ""
    """A model whose weights to start from, where they fit; empty: from scratch."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The [data] table: `corpus`, a name or a list of names, and the options of the task's reader."""
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    """The [tokenizer] table: `kind` and its options, or `from`, a model whose tokenizer to take."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """The [model] table: `arch`, `task`, and fields of that architecture's config."""
    train: TrainConfig
    """The [train] table."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `recipe_from_dict` reads them back."""
        plain: dict[str, Any] = {key: getattr(self, key) for key in ("name", "language", "seed", "init")}
        for key in ("data", "tokenizer", "model"):
            plain[key] = dict(getattr(self, key))
        return plain | {"train": dataclasses.asdict(self.train)}

    def to_toml(self) -> str:
        """The recipe as a TOML file."""
        plain = self.to_dict()
        lines = [f"{key} = {_toml(plain[key])}" for key in ("name", "language", "seed", "init")]
        for table in ("data", "tokenizer", "model", "train"):
            lines += [
                "",
                f"[{table}]",
                *(f"{_toml_key(key)} = {_toml(value)}" for key, value in plain[table].items()),
            ]
        return "\n".join(lines) + "\n"


def find_recipe(recipe: str | Path) -> Path:
    """The recipe file that is meant: a file, a folder that holds `recipe.toml`, or the name of a model."""
    path = Path(recipe).expanduser()
    for candidate in (path, path / RECIPE_FILE):
        if candidate.is_file():
            return candidate
    if len(path.parts) == 1:
        for folder in models_dirs():
            if (folder / path / RECIPE_FILE).is_file():
                return folder / path / RECIPE_FILE
    raise UserError(
        _("{recipe}: no recipe there; give a TOML file or the name of a model that has a {file}").format(
            recipe=visible(str(recipe)), file=RECIPE_FILE
        )
    )


def read_recipe(recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe file, with `overrides` ({"train.steps": 500}) put in place of what it says."""
    path = find_recipe(recipe)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            _("{path}: not readable as TOML ({error})").format(path=path, error=visible(str(error)))
        ) from None
    return recipe_from_dict(content, where=str(path), overrides=overrides)


def recipe_from_dict(
    content: Mapping[str, Any], where: str, overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """The recipe that `content` describes; `where` (a file) is named in every error."""
    values: dict[str, Any] = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in content.items()
    }
    for key, value in (overrides or {}).items():
        _override(values, key, value)
    _check(values, Recipe, "", where)
    if "train" not in values:
        raise UserError(_("{where}: the table [train] is missing").format(where=where))
    _check(values["train"], TrainConfig, "train.", where)
    _check_name(values.get("name", ""), where)
    _check_tokenizer(values.get("tokenizer", {}), where)
    _check_model(values.get("model", {}), where)
    _check_data(values.get("data", {}), values["model"]["task"], where)
    floats = {item.name for item in dataclasses.fields(TrainConfig) if isinstance(item.default, float)}
    table: dict[str, Any] = {
        key: float(value) if key in floats else value for key, value in values["train"].items()
    }
    try:
        return Recipe(**(values | {"train": TrainConfig(**table)}))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def parse_overrides(settings: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """`["train.steps=500"]` → {"train.steps": 500}; values are TOML, and plain words are strings."""
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UserError(
                _("{setting}: a setting is written key=value, as in train.steps=500").format(
                    setting=visible(setting)
                )
            )
        try:
            found[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text.strip()
    return found


def data_keys(task: str) -> tuple[str, ...]:
    """Keys that the [data] table of a recipe for `task` may have."""
    return (*_DATA_KEYS, *_TASK_KEYS.get(task, ()))


def derived_fields() -> frozenset[str]:
    """Fields of a model's config that a recipe's [model] table may not set."""
    return _DERIVED


def _override(values: dict[str, Any], dotted: str, value: Any) -> None:
    table, dot, key = dotted.partition(".")
    if not dot:
        values[table] = value
        return
    if not isinstance(values.setdefault(table, {}), dict):
        raise UserError(
            _("--set {key}: {table} is not a table").format(key=visible(dotted), table=visible(table))
        )
    values[table][key] = value


def _check(table: Any, cls: type, prefix: str, where: str) -> None:
    """Every key is known, every value has the type and lies in the range that `cls` gives its field."""
    if not isinstance(table, Mapping):
        raise UserError(_("{where}: [{table}] must be a table").format(where=where, table=prefix.rstrip(".")))
    fields = {item.name: item for item in dataclasses.fields(cls)}
    hints = get_type_hints(cls)
    for key, value in table.items():
        if key not in fields:
            _unknown(prefix + str(key), sorted(fields), where)
        if key == "train" and not prefix:
            continue
        _check_type(prefix + key, value, hints[key], where)
        _check_range(prefix + key, value, fields[key].metadata, where)


def _check_type(key: str, value: Any, hint: Any, where: str) -> None:
    origin = get_origin(hint) or hint
    accepted = {float: (int, float), tuple: (list, tuple)}.get(origin, origin)
    if isinstance(value, accepted) and (not isinstance(value, bool) or origin is bool):
        return
    raise UserError(
        _("{where}: {key} = {value} is not of type {type}").format(
            where=where,
            key=visible(key),
            value=visible(repr(value))[:80],
            type={"Mapping": "table"}.get(origin.__name__, origin.__name__),
        )
    )


def _check_range(key: str, value: Any, limits: Mapping[str, Any], where: str) -> None:
    if "choices" in limits and value not in limits["choices"]:
        raise UserError(
            _("{where}: {key} = {value} is unknown; choose one of {choices}").format(
                where=where, key=key, value=visible(repr(value)), choices=", ".join(limits["choices"])
            )
        )
    if "low" in limits and not (math.isfinite(value) and limits["low"] <= value <= limits["high"]):
        top = "" if limits["high"] == float("inf") else f"{limits['high']:g}"
        raise UserError(
            _("{where}: {key} = {value} is out of range; it goes from {low} to {high}").format(
                where=where, key=key, value=value, low=f"{limits['low']:g}", high=top or "∞"
            )
        )


def _check_name(name: str, where: str) -> None:
    # The name becomes a folder's name: it may not lead out of the folder that it is put in.
    if (
        not name
        or name in (".", "..")
        or any(c in name for c in "/\\\0")
        or name.startswith((".", "-"))
        or visible(name) != name
    ):
        raise UserError(
            _("{where}: name = {name} cannot be a folder's name; use letters, digits, - and _").format(
                where=where, name=visible(repr(name))
            )
        )


def _check_data(data: Mapping[str, Any], task: str, where: str) -> None:
    known = data_keys(task)
    for key in data:
        if key not in known:
            _unknown(f"data.{key}", sorted(known), where)
    corpus = data.get("corpus")
    names = [corpus] if isinstance(corpus, str) else corpus
    if (
        not isinstance(names, list | tuple)
        or not names
        or not all(isinstance(name, str) and name for name in names)
    ):
        raise UserError(
            _('{where}: data.corpus names what to train on, as in corpus = "en_ewt"').format(where=where)
        )


def _check_tokenizer(tokenizer: Mapping[str, Any], where: str) -> None:
    given = [key for key in ("kind", "from") if isinstance(tokenizer.get(key), str)]
    if len(given) != 1:
        raise UserError(
            _('{where}: [tokenizer] needs either kind = "words" or from = "NAME OF A MODEL"').format(
                where=where
            )
        )
    if given == ["kind"] and tokenizer["kind"] not in TOKENIZER_KINDS:
        _check_range("tokenizer.kind", tokenizer["kind"], {"choices": TOKENIZER_KINDS}, where)
    if given == ["from"] and len(tokenizer) > 1:
        _unknown("tokenizer." + next(key for key in tokenizer if key != "from"), ["from"], where)


def _check_model(model: Mapping[str, Any], where: str) -> None:
    cls = config_class(model.get("arch", ""), f"{where}: model.arch")
    if model.get("task") not in TASKS:
        raise UserError(
            _("{where}: model.task = {task} is unknown; choose one of {known}").format(
                where=where, task=visible(repr(model.get("task"))), known=", ".join(TASKS)
            )
        )
    known = sorted({item.name for item in dataclasses.fields(cls)} - _DERIVED)
    hints = get_type_hints(cls)
    for key, value in model.items():
        if key not in known:
            _unknown("model." + key, known, where)
        _check_type("model." + key, value, hints[key], where)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            _check_range("model." + key, value, {"low": 0, "high": float("inf")}, where)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in model.items()}
    try:
        cls(**{"vocab_size": 1, **values})
    except UserError as error:
        raise UserError(f"{where}: model: {error}") from None


def _unknown(key: str, known: list[str], where: str) -> None:
    # What it was meant to be comes first: a narrow screen cuts the rest.
    named = {f"{key.rpartition('.')[0]}.{name}".lstrip("."): name for name in known}
    near = [named[name] for name in difflib.get_close_matches(key, named, n=2)]
    known = [*near, *(name for name in known if name not in near)]
    raise UserError(
        _("{where}: unknown key {key!r}; known there are {known}").format(
            where=where, key=visible(key), known=", ".join(known)
        )
    )


def _toml_key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    # A JSON string is a TOML basic string, but for DEL, which JSON leaves bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
