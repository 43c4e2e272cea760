"""What is done in the studio, and the key that opens it."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import RUNS, STUDIO, Action

STUDIO_ACTIONS = (
    Action(
        "studio",
        ("C",),
        N_("studio"),
        N_("Open the studio: the charts of all training runs, and what can be done with them."),
        RUNS,
        show=True,
    ),
    *(
        Action(f"studio_{name}", keys, label, words, STUDIO, "studio", show)
        for name, keys, label, words, show in (
            ("train", ("t",), N_("train"), N_("Train a model in the background."), True),
            ("down", ("j", "down"), N_("run below"), N_("Choose the run below."), False),
            ("up", ("k", "up"), N_("run above"), N_("Choose the run above."), False),
            ("top", ("g",), N_("newest run"), N_("Choose the newest run."), False),
            ("bottom", ("G",), N_("oldest run"), N_("Choose the oldest run."), False),
            ("follow", ("F",), N_("watch it learn"),
             N_("See the run's newest weights in the explorer, on its own sentence, as it learns."), True),
            ("chart", ("tab",), N_("next chart"), N_("Show the next measurement."), True),
            ("chart_before", ("shift+tab",), N_("chart before"), N_("Show the measurement before."), False),
            ("mark", ("space",), N_("overlay"),
             N_("Draw this run over the chosen one, wherever one goes; again: no more."), True),
            ("left", ("h", "left"), N_("left"), N_("Move the chart's cursor to the point before."), False),
            ("right", ("l", "right"), N_("right"), N_("Move the chart's cursor to the next point."), False),
            ("far_left", ("pageup", "ctrl+left"), N_("far left"),
             N_("Move the chart's cursor a tenth of the chart to the left."), False),
            ("far_right", ("pagedown", "ctrl+right"), N_("far right"),
             N_("Move the chart's cursor a tenth of the chart to the right."), False),
            ("start", ("home",), N_("first point"), N_("Move the chart's cursor to the first point."), False),
            ("end", ("end",), N_("newest point"),
             N_("Move the chart's cursor to the newest point, and stay there."), False),
            ("smooth", ("s",), N_("smooth"),
             N_("Smooth what is measured in training, more and more, then not at all."), False),
            ("log", ("o",), N_("log scale"), N_("Draw y on a logarithmic scale, or a plain one."), False),
            ("axis", ("x",), N_("steps or time"), N_("Draw x in steps, or in seconds of training."), False),
            ("page", ("i",), N_("facts, samples, log"),
             N_("Show below the chart what the run is, what it makes of its sentence, or its log."), False),
            ("find", ("slash",), N_("filter"),
             N_("List only the runs whose name, state or error has these letters."), False),
            ("pause", ("p",), N_("pause"), N_("Let the run wait, keeping everything in memory."), True),
            ("resume", ("r",), N_("resume"),
             N_("Go on with a run that is paused, stopped, failed or lost."), True),
            ("stop", ("S",), N_("stop"), N_("Ask the run to save and stop."), True),
            ("fork", ("f",), N_("fork"),
             N_("Start a run from one of this run's checkpoints, with changed settings."), True),
            ("keep", ("K",), N_("keep as model"),
             N_("Make the run's best checkpoint a model of one's own, measured, with its card."), True),
            ("experiments", ("E",), N_("experiments"),
             N_("Start one of the experiments; its charts show here."), True),
            ("cancel", ("c",), N_("cancel"), N_("End the run at once, without saving; asks first."), False),
            ("delete", ("d", "delete"), N_("delete"),
             N_("Delete the run with all that it saved; asks first."), False),
            ("export", ("e",), N_("export"),
             N_("Write the chart to a file: SVG, HTML, text or CSV."), False),
            ("open", ("M", "enter"), N_("open its model"),
             N_("Open the run's newest checkpoint in the explorer."), False),
            ("close", ("escape", "backspace"), N_("to the explorer"),
             N_("Leave the filter, or the studio."), True),
        )
    ),
)  # fmt: skip
