"""The work of the screen that touches files only: models, recipes, training runs, exports. It never waits
for the engine.

A worker for `Backend`. Knows nothing of torch or of widgets.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import models_dirs
from nlptui.text import visible
from nlptui.tui.answers import Recipe, Runs, Snapshots, Starts
from nlptui.tui.backend import Watch
from nlptui.tui.exports import write_figure
from nlptui.tui.requests import (
    BenchRequest,
    EstimateRun,
    ListModels,
    ListRecipes,
    ListSnapshots,
    ListStarts,
    LookAtRuns,
    PlanRun,
    StartRun,
    SteerRun,
    Write,
)
from nlptui.tui.studio_desk import StudioDesk, StudioRequest
from nlptui.tui.tokenizer_desk import TokenizerDesk


class Clerk:
    """Answers requests about files."""

    def __init__(self) -> None:
        self._studio = StudioDesk()
        self._tokenizers = TokenizerDesk()

    def load(self) -> None:
        """Nothing is slow to start here."""

    def answer(self, request: Any, watch: Watch) -> Any:
        """The result for one request of this worker's kinds."""
        match request:
            case ListModels():
                from nlptui.engine.library import list_models

                return tuple(list_models())
            case ListRecipes():
                return recipes()
            case LookAtRuns(name=name, since=since):
                return look_at_runs(name, since)
            case ListSnapshots(run=run):
                return snapshots(run)
            case ListStarts():
                return starts()
            case PlanRun(wish=wish, text=text):
                from nlptui.train import client

                wanted = replace(wish, corpus=client.keep_text(text)) if text else wish
                return client.plan(wanted, going=lambda: watch(0, 1))
            case EstimateRun(recipe=recipe):
                from nlptui.train import client

                return client.estimate(recipe, settings_of(request), going=lambda: watch(0, 1))
            case StartRun():
                from nlptui.train import client

                return client.start(request.recipe, request.name or None, settings_of(request)).name
            case SteerRun(name=name, verb=verb):
                from nlptui.train import client

                match verb:
                    case "stop":
                        client.stop(name)
                    case "pause":
                        client.pause(name)
                    case "cancel":
                        client.cancel(name)
                    case "remove":
                        client.remove(name)
                    case _:
                        client.resume(name)
                return name
            case Write(figure=figure, path=path, overwrite=overwrite):
                return write_figure(figure, path, overwrite)
            case BenchRequest():
                return self._tokenizers.answer(request)
            case _ if isinstance(request, StudioRequest):
                return self._studio.answer(request)
        raise TypeError(f"the clerk has no answer to {request!r}")


def settings_of(request: StartRun | EstimateRun) -> dict[str, Any]:
    """The settings that a request changes in its recipe, as values."""
    from nlptui.train import client

    return client.parse_overrides([f"{key}={value}" for key, value in request.overrides.items()])


def starts() -> Starts:
    """Families, tasks, corpora, and the models and runs that one can start from."""
    from nlptui.train import client

    return Starts(
        tasks=client.TASKS,
        corpora={task: client.corpora_for(task) for tasks in client.TASKS.values() for task in tasks},
        own=client.OWN,
        models=client.starting_points(),
        counted=client.COUNTED,
        sizes={family: client.sizes_of(family) for family in client.TASKS},
        budgets=client.BUDGETS,
    )


def look_at_runs(name: str, since: int) -> Runs:
    """All runs, the newest first, and the log of `name` (empty: of the newest) from line `since` on."""
    from nlptui.train import client

    runs = tuple(reversed(client.runs()))
    names = [run.name for run in runs]
    chosen = name if name in names else names[0] if names else ""
    start = since if chosen == name else 0
    lines = tuple(client.metrics(chosen, start)) if chosen else ()
    return Runs(runs, chosen, start, lines)


def snapshots(run: str) -> Snapshots:
    """The weights that a run has kept. Raises UserError where there is no such run."""
    from nlptui.train import client

    now, steps = client.status(run), []
    folders = []
    for step in client.snapshots(run):
        try:
            folders.append(str(client.snapshot_folder(run, step)))
        except UserError:
            continue  # dropped meanwhile
        steps.append(step)
    return Snapshots(run, tuple(steps), tuple(folders), now.state, now.steps)


def recipes() -> tuple[Recipe, ...]:
    """Every recipe in the folders of models, by name; one that cannot be read is left out."""
    found: dict[str, Recipe] = {}
    for folder in reversed(models_dirs()):
        for path in sorted(folder.glob("*/recipe.toml")) if folder.is_dir() else []:
            recipe = _recipe(path)
            if recipe is not None:
                found[recipe.name] = recipe
    return tuple(sorted(found.values(), key=lambda recipe: recipe.name))


def _recipe(path: Path) -> Recipe | None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        corpus = content["data"]["corpus"]
        return Recipe(
            name=visible(str(content["name"])),
            path=path,
            arch=visible(str(content["model"]["arch"])),
            task=visible(str(content["model"]["task"])),
            corpus=visible(corpus if isinstance(corpus, str) else ", ".join(map(str, corpus))),
            steps=int(content["train"].get("steps", 0)),
            epochs=float(content["train"].get("epochs", 0)),
        )
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ):
        return None


def no_recipes() -> UserError:
    """What to say where there is nothing to train."""
    folders = ", ".join(visible(str(folder)) for folder in models_dirs())
    return UserError(
        _("no recipe found: put a folder with a recipe.toml into one of {folders}").format(folders=folders)
    )
