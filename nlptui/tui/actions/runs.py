"""What is done with training runs in the explorer; the studio has actions of its own."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import RUNS, Action

RUN_ACTIONS = (
    Action("train", ("t",), N_("train"), N_("Train a model in the background."), RUNS, show=True),
    Action("show_runs", ("r",), N_("runs"), N_("Open or close the panel of training runs."), RUNS),
    Action("next_run", ("greater_than_sign",), N_("next run"), N_("Choose the next training run."), RUNS),
    Action(
        "previous_run", ("less_than_sign",), N_("run before"), N_("Choose the training run before."), RUNS
    ),
    Action("stop_run", ("S",), N_("stop run"), N_("Ask the chosen run to save and stop."), RUNS),
    Action("resume_run", ("R",), N_("resume run"), N_("Resume the chosen run where it stopped."), RUNS),
    Action(
        "open_run",
        ("M",),
        N_("open run's model"),
        N_("Open the newest checkpoint of the chosen run in the explorer."),
        RUNS,
    ),
    Action(
        "follow_run",
        ("F",),
        N_("follow run"),
        N_("Show the newest weights of a run in this view, again and again as it learns; again: stay."),
        RUNS,
    ),
    Action(
        "older_snapshot", ("J",), N_("older weights"), N_("Show the weights that the run had before."), RUNS
    ),
    Action("newer_snapshot", ("K",), N_("newer weights"), N_("Show the weights that came after."), RUNS),
)
