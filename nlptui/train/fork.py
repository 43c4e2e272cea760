"""A run that begins where another one was: at one of its checkpoints, with other settings.

What the checkpoint holds is copied, so that either run can go on, or go, without the other. Knows nothing of
torch, nor of how runs are started.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlptui.config import ModelConfig
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.train.recipe import Recipe, recipe_from_dict
from nlptui.train.run import Parent, RunDirectory, read_json, step_of, write_json

_CONFIG_FILE = "config.json"
_PROGRESS_FILE = "train_state.json"
# Fields of a model's config that say how it is trained or used, and leave the shape of every weight alone.
FREE = frozenset(
    {"dropout", "deep_supervision", "beams", "length_power", "window", "negatives", "subsample"}
)  # fmt: skip


def checkpoint_at(run: RunDirectory, step: int | None) -> Path:
    """The run's checkpoint of `step`, or its newest. Raises UserError that names those there are."""
    folders = {step_of(folder): folder for folder in run.checkpoints()}
    if not folders:
        raise UserError(
            _("{name} has no checkpoint yet; let it train until it saves one").format(name=run.name)
        )
    step = max(folders) if step is None else step
    if step not in folders:
        raise UserError(
            _("{name} has no checkpoint of step {step}; there are {steps}").format(
                name=run.name, step=step, steps=", ".join(map(str, folders))
            )
        )
    return folders[step]


def forked_recipe(run: RunDirectory, step: int, changes: Mapping[str, Any]) -> Recipe:
    """The run's recipe with `changes`. Raises UserError for those that a checkpoint does not allow."""
    for key in changes:
        table, dot, name = key.partition(".")
        allowed = table in ("train", "data") or (table == "model" and name in FREE)
        if key != "seed" and not (dot and allowed):
            raise UserError(
                _(
                    "{key} cannot change in a fork, whose weights and tokenizer are there already; "
                    "train.…, data.…, seed and {free} of the model can"
                ).format(key=visible(key), free=", ".join(sorted(FREE)))
            )
    recipe = recipe_from_dict(run.recipe().to_dict(), where=str(run.config_path), overrides=changes)
    if recipe.train.steps and recipe.train.steps <= step:
        raise UserError(
            _("the fork begins at step {step} of {steps}; set more, as in train.steps={more}").format(
                step=step, steps=recipe.train.steps, more=2 * step
            )
        )
    return recipe


def copy_state(parent: RunDirectory, folder: Path, child: RunDirectory, recipe: Recipe) -> None:
    """Give `child` the checkpoint `folder` of `parent`, what was measured up to it, and the best so far."""
    step = step_of(folder)
    child.write_recipe(recipe)
    child.write_parent(Parent(parent.name, step))
    before = parent.recipe()
    copied = _copied(folder, child)
    _settle_config(copied / _CONFIG_FILE, before, recipe)
    progress = read_json(copied / _PROGRESS_FILE) or {}
    best = parent.path / str(progress.get("best_folder") or ".")
    comparable = before.data == recipe.data and before.train.best == recipe.train.best
    if comparable and best in parent.checkpoints() and best != folder:
        _copied(best, child)
    elif not comparable or best != folder:
        write_json(copied / _PROGRESS_FILE, progress | {"best_value": None, "best_folder": ""})
    child.copy_metrics(parent, step)
    _copy_snapshots(parent, child, step)


def _copy_snapshots(parent: RunDirectory, child: RunDirectory, step: int) -> None:
    """What there is to look back on, up to where the fork begins."""
    for folder in parent.snapshots():
        if step_of(folder) <= step:
            scratch = child.scratch_folder()
            shutil.copytree(folder, scratch / folder.name)
            child.snapshot_folder(0).parent.mkdir(exist_ok=True)
            (scratch / folder.name).rename(child.snapshot_folder(step_of(folder)))
    child.clear_scratch()


def _copied(folder: Path, child: RunDirectory) -> Path:
    """A copy of a checkpoint, that is there when it is whole."""
    scratch = child.scratch_folder()
    shutil.copytree(folder, scratch / folder.name)
    (scratch / folder.name).rename(child.path / folder.name)
    child.clear_scratch()
    return child.path / folder.name


def _settle_config(path: Path, before: Recipe, recipe: Recipe) -> None:
    """Let the model's config say what the recipe says now."""
    config = ModelConfig.read(path)
    changed: dict[str, Any] = {
        key: recipe.model[key]
        for key in FREE & recipe.model.keys()
        if before.model.get(key) != recipe.model[key]
    }
    if before.data != recipe.data:
        changed["data"] = json.loads(json.dumps(dict(recipe.data)))
    if changed:
        dataclasses.replace(config, **changed).write(path)
