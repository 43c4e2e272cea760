"""A run becomes a model folder: weights of its best checkpoint, measured on test, with card and recipe.

    python -m nlptui.train.finish RUN FOLDER

A folder of rules, with their recipe, in the place of a run becomes one as well.

Knows nothing of how the run went, only of its directory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nlptui.classical.rules import RuleTagger
from nlptui.classical.rules_file import RULES_FILE
from nlptui.config import CLASSICAL, ModelConfig, RulesConfig
from nlptui.engine import checkpoint
from nlptui.engine.devices import pick_device
from nlptui.engine.segmenter import segmenter_for
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tasks import load_examples, task_for
from nlptui.text import visible
from nlptui.tokenizers import Tokenizer
from nlptui.train.build import make_config, make_tokenizer
from nlptui.train.card import Facts, write_card
from nlptui.train.recipe import RECIPE_FILE, Recipe, read_recipe
from nlptui.train.run import RunDirectory, find_run, write_atomic
from nlptui.train.state import read_state

# float16 is kept where no share moves by more than this, and no loss by more than this share of itself.
_TOLERANCE = 5e-4
_BATCH = 32
# Tasks whose examples are texts of any length.
_RUNNING = ("language_model", "pretraining", "skip_gram")


@dataclass
class Measured:
    """What was measured of the weights as they are stored."""

    split: str
    """test; dev where there is no test split; empty where there is neither."""
    examples: dict[str, int]
    """Examples of each split that is here."""
    missing: str = ""
    """Why a split is not here, in one line."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    full: Mapping[str, float] = field(default_factory=dict)
    """The metrics with the weights as float32."""
    half: bool = False
    """Whether the weights are stored as float16."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens of each split, where the examples are texts that are read in windows."""


@dataclass(frozen=True)
class Finished:
    """A model folder that was written."""

    path: Path
    step: int
    """Updates that the weights have behind them."""
    measured: Measured


def finish(run: str | RunDirectory, target: Path | str, half: bool = True) -> Path:
    """Write the run's best checkpoint as a model folder at `target`, and return that.

    With `half`, weights are stored as float16 if the test metrics stay what they are.
    Raises UserError where there is no test split to measure them on.
    """
    return write_model(run, target, half, need_test=True).path


def write_model(
    run: str | RunDirectory, target: Path | str, half: bool = True, need_test: bool = False
) -> Finished:
    """As `finish`; without `need_test` it takes what there is: dev for test, or no numbers at all."""
    directory = find_run(run) if isinstance(run, str) else run
    target = Path(target).resolve()
    recipe = replace(directory.recipe(), name=target.name)
    folder = chosen_checkpoint(directory)
    step, seconds = read_state(folder)[1].step, _seconds(directory)
    model, config, tokenizer = checkpoint.load(folder)
    measured = _measure(model, config, tokenizer, recipe, half, need_test)
    facts = Facts(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        tokenizer=tokenizer.kind,
        examples=measured.examples,
        step=step,
        seconds=seconds,
        half=measured.half,
        full_metrics=measured.full,
        dev_metrics=_dev_metrics(directory, step),
        split=measured.split,
        tokens=measured.tokens,
    )
    config = replace(config, name=recipe.name, metrics={}, baselines={})
    if measured.split == "test":  # the config's numbers are those on test and no others
        config = replace(config, metrics=dict(measured.metrics), baselines=dict(measured.baselines))
    card = write_card(config, recipe, facts, _text(target / checkpoint.CARD_FILE))
    checkpoint.save(target, model, config, tokenizer, card=card, half=measured.half)
    _write_recipe(recipe, target / RECIPE_FILE)
    return Finished(target, step, measured)


def write_rules(source: Path, target: Path) -> Path:
    """The folder `source`, which holds a recipe and rules.toml, as a model folder; its numbers are of
    test."""
    recipe = replace(read_recipe(source), name=target.name)
    tokenizer = make_tokenizer(recipe)
    config = make_config(recipe, tokenizer)
    if not isinstance(config, RulesConfig):
        raise UserError(_("{path}: the recipe is not one of rules").format(path=visible(str(source))))
    model = RuleTagger.read(config, source)
    measured = _measure(model, config, tokenizer, recipe, half=False, need_test=True)
    config = replace(config, metrics=dict(measured.metrics), baselines=dict(measured.baselines))
    facts = Facts(
        parameters=len(model.book.rules),
        tokenizer=tokenizer.kind,
        examples=measured.examples,
        step=0,
        seconds=0.0,
        half=False,
        full_metrics=measured.full,
        dev_metrics={},
    )
    card = write_card(config, recipe, facts, _text(target / checkpoint.CARD_FILE))
    checkpoint.save(target, model, config, tokenizer, card=card)
    _write_recipe(recipe, target / RECIPE_FILE)
    return target


def chosen_checkpoint(directory: RunDirectory) -> Path:
    """The best checkpoint on dev, or the last where none was chosen. Raises UserError where there is none."""
    folders = directory.checkpoints()
    if not folders:
        raise UserError(
            _("{name} has no checkpoint yet; let it train until it saves one").format(name=directory.name)
        )
    best = directory.path / (read_state(folders[-1])[1].best_folder or folders[-1].name)
    return best if best in folders else folders[-1]


def _measure(
    model: nn.Module,
    config: ModelConfig,
    tokenizer: Tokenizer,
    recipe: Recipe,
    half: bool,
    need_test: bool,
) -> Measured:
    """Metrics in float32, and in float16 if wanted; `model` keeps the weights that will be stored."""
    task = task_for(config, tokenizer)
    task.segment = segmenter_for(config)
    # A run may have been trained on a device that this machine lacks; measuring needs none in particular.
    device = "cpu" if recipe.train.device == "cpu" or config.arch in CLASSICAL else pick_device("auto")
    splits, missing = _splits(recipe, config, tokenizer, need_test)
    counts = {split: len(examples) for split, examples in splits.items()}
    chosen = next((split for split in ("test", "dev") if split in splits), "")
    measured = Measured(chosen, counts, missing)
    if config.task in _RUNNING and not config.data.get("answer_only"):
        measured.tokens = {split: sum(map(_length, examples)) for split, examples in splits.items()}
    if not chosen:
        return measured
    model.to(device)

    def metrics() -> dict[str, float]:
        return task.metrics(model, splits[chosen], device, _BATCH)

    measured.full = measured.metrics = metrics()
    if "train" in splits:
        measured.baselines = task.baselines(splits["train"][: task.BASELINE_EXAMPLES], splits[chosen])
    if half:
        own = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict({name: _through_half(value) for name, value in own.items()})
        rounded = metrics()
        if all(_close(name, measured.full[name], value) for name, value in rounded.items()):
            measured.metrics, measured.half = rounded, True
        else:
            model.load_state_dict(own)
    model.to("cpu")
    return measured


def _splits(
    recipe: Recipe, config: ModelConfig, tokenizer: Tokenizer, need_test: bool
) -> tuple[dict[str, Sequence[Any]], str]:
    """The examples of each split that is here and not empty, and why one is not."""
    found: dict[str, Sequence[Any]] = {}
    missing = ""
    for split in ("train", "dev", "test"):
        try:
            found[split] = load_examples(recipe.data, split, tokenizer, config)
        except UserError as error:
            if need_test:
                raise
            missing = str(error)
    found = {split: examples for split, examples in found.items() if len(examples)}
    if need_test and "test" not in found:
        raise UserError(_("{name}: its corpus has no test split to measure it on").format(name=recipe.name))
    return found, missing


def _length(example: Any) -> int:
    """Tokens of a running text, which a task keeps as ids, alone or with what it knows of them."""
    return len(getattr(example, "ids", example))


def _through_half(value: torch.Tensor) -> torch.Tensor:
    return value.half().to(value.dtype) if value.dtype == torch.float32 else value


def _close(name: str, full: float, rounded: float) -> bool:
    scale = (
        max(abs(full), 1e-9) if name in ("loss", "perplexity") else 100.0 if name in ("bleu", "chrf") else 1.0
    )
    return abs(rounded - full) <= _TOLERANCE * scale


def _dev_metrics(directory: RunDirectory, step: int) -> dict[str, float]:
    rows = [row for row in directory.metrics() if row.get("split") == "dev" and row["step"] == step]
    return {
        key: value
        for key, value in (rows[-1] if rows else {}).items()
        if isinstance(value, float) and key != "time"
    }


def _seconds(directory: RunDirectory) -> float:
    return read_state(directory.checkpoints()[-1])[1].seconds


def _write_recipe(recipe: Recipe, path: Path) -> None:
    """Write the recipe, unless the file says the same already, in its own words and with its comments."""
    try:
        if read_recipe(path) == recipe:
            return
    except UserError:
        pass  # None there yet, or a broken one.
    write_atomic(path, recipe.to_toml().encode("utf-8"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def main(arguments: list[str]) -> int:
    """Exit status 0 when the folder stands, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m nlptui.train.finish", description=__doc__)
    parser.add_argument("run", help="name of a run, or its directory")
    parser.add_argument("target", type=Path, help="the model folder to write")
    parser.add_argument("--full", action="store_true", help="store float32 even where float16 costs nothing")
    chosen: Any = parser.parse_args(arguments)
    path = Path(chosen.run)
    try:
        if (path / RULES_FILE).is_file():
            print(write_rules(path, chosen.target.resolve()))
            return 0
        run = RunDirectory(path.resolve()) if (path / "config.json").is_file() else find_run(chosen.run)
        print(finish(run, chosen.target, half=not chosen.full))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
