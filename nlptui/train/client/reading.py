"""What lies in a run's folder: measurements, samples, log, checkpoints, snapshots, recipe and parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.train.run import Parent, find_run, step_of


def metrics(name: str, since: int = 0) -> list[dict[str, Any]]:
    """The rows of the run's metrics after the first `since`.

    A training row holds step, time, loss, learning_rate, gradient_norm, tokens_per_second, seconds_left; a
    row of the dev split holds step, time, split and the task's metrics.
    """
    return find_run(name).metrics(since)


def layer_metrics(name: str, since: int = 0) -> list[dict[str, Any]]:
    """What each measurement saw of the network's layers, after the first `since`: norms, dead units, entropy.

    `nlptui.train.inside` says what the names mean: grad_norm.blocks.0.attn, entropy.blocks.0.h1, and so on.
    """
    return find_run(name).layer_metrics(since)


def samples(name: str, since: int = 0) -> list[dict[str, Any]]:
    """What the run's model made of its pinned sentence, after the first `since` lines.

    A row holds step, text ("pair" too, of two texts) and output, as `predict` gives it; or a "problem" in its
    place.
    """
    return find_run(name).samples(since)


def log(name: str, lines: int = 20) -> list[str]:
    """The last lines of what the worker wrote, each safe to show."""
    try:
        text = find_run(name).log_path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [visible(line) for line in text.splitlines()[-lines:]]


def checkpoints(name: str) -> list[int]:
    """The steps that the run can be forked from, from the first to the last."""
    return [step_of(folder) for folder in find_run(name).checkpoints()]


def snapshots(name: str) -> list[int]:
    """The steps whose weights can be looked at: those of checkpoints, and those of weights alone."""
    run = find_run(name)
    return sorted({step_of(folder) for folder in (*run.snapshots(), *run.checkpoints())})


def snapshot_folder(name: str, step: int) -> Path:
    """The model folder of the run at `step`, which is one of `snapshots`. Raises UserError for others."""
    run = find_run(name)
    for folder in (run.step_folder(step), run.snapshot_folder(step)):
        if folder.is_dir():
            return folder
    steps = ", ".join(map(str, snapshots(name))) or _("none")
    problem = _("{name} has no weights of step {step}; there are {steps}")
    raise UserError(problem.format(name=run.name, step=step, steps=steps))


def recipe_lines(name: str) -> tuple[str, ...]:
    """What the run trains, in two short lines: the network and its corpus; the settings of the training."""
    recipe = find_run(name).recipe().to_dict()
    model, train = recipe["model"], recipe["train"]
    corpus = recipe["data"]["corpus"]
    corpora = corpus if isinstance(corpus, str) else ", ".join(map(str, corpus))
    sizes = [f"{key} {value}" for key, value in model.items() if key.startswith(("d_", "n_")) and value]
    wanted = (
        "steps",
        "epochs",
        "batch_size",
        "batch_tokens",
        "learning_rate",
        "schedule",
        "optimizer",
        "seed",
    )
    settings = [f"{key} {train[key]}" for key in wanted if train.get(key)]
    return tuple(
        visible("  ".join(map(str, line)))
        for line in ((model["arch"], model["task"], corpora, *sizes), settings)
    )


def parent_of(name: str) -> Parent | None:
    """The run that the run `name` was forked from, and the step; None where it began by itself."""
    return find_run(name).parent()
