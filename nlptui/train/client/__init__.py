"""What front ends know of training: start a run, list, watch, stop, pause, resume, fork, remove.

Talks to workers through files only: many front ends may look at one run, and a run outlives them all.
Loads no torch. This is the door: the rooms behind it are called by what happens in them.
"""

from __future__ import annotations

from nlptui.config import CLASSICAL as COUNTED
from nlptui.train.client.experiments import (
    experiment_of,
    experiment_table,
    is_quick,
    read_experiment,
    start_experiment,
)
from nlptui.train.client.keeping import Kept, keep
from nlptui.train.client.planning import estimate, plan, starting_points
from nlptui.train.client.reading import (
    checkpoints,
    layer_metrics,
    log,
    metrics,
    parent_of,
    recipe_lines,
    samples,
    snapshot_folder,
    snapshots,
)
from nlptui.train.client.recipes import keep_text
from nlptui.train.client.starting import RunHandle, create, fork, start
from nlptui.train.client.steering import cancel, pause, remove, resume, stop
from nlptui.train.client.watching import follow, runs, status, wait
from nlptui.train.compose import BUDGETS, OWN, TASKS, Plan, Wish, corpora_for, sizes_of
from nlptui.train.estimate import Estimate
from nlptui.train.experiments import EXPERIMENTS
from nlptui.train.recipe import parse_overrides
from nlptui.train.run import ALIVE, STATES, Parent, RunStatus

__all__ = [
    "ALIVE", "BUDGETS", "COUNTED", "EXPERIMENTS", "OWN", "STATES", "TASKS", "Estimate", "Kept",
    "Parent", "Plan", "RunHandle", "RunStatus", "Wish", "cancel", "checkpoints", "corpora_for", "create",
    "estimate", "experiment_of", "experiment_table", "follow", "fork", "is_quick", "keep", "keep_text",
    "layer_metrics", "log", "metrics", "parent_of", "parse_overrides", "pause", "plan", "read_experiment",
    "recipe_lines", "remove", "resume", "runs", "samples", "sizes_of", "snapshot_folder", "snapshots",
    "start", "start_experiment", "starting_points", "status", "stop", "wait",
]  # fmt: skip
