"""Charts of several training runs over each other: one measurement at a time, smoothed, over steps or time.

Works on rows of `metrics.jsonl`, those of the layers (`kind` is "layers") among them. Knows nothing of run
directories. What a chart draws are points that were measured: of more than `POINTS` of them, the smallest
and the largest of each stretch are kept, with the first and the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Array, Lines, Series
from nlptui.wording import SPLITS, metric_words

POINTS = 2000
"""Points of a line at most."""
SMOOTHING = (0.0, 0.6, 0.9, 0.99)
"""What the weight of all that came before can be."""
AXES = ("step", "time")
LAYERS = "layers"
LAYER_KINDS = ("grad_norm", "weight_norm", "dead", "saturated", "entropy", "share")
_NAMES = {
    "loss": (N_("loss"), N_("nats")),
    "learning_rate": (N_("learning rate"), ""),
    "gradient_norm": (N_("length of the gradient"), ""),
    "tokens_per_second": (N_("tokens a second"), ""),
    "perplexity": (N_("perplexity"), ""),
    "grad_norm": (N_("length of the gradient, by layer"), ""),
    "weight_norm": (N_("length of the weights, by layer"), ""),
    "dead": (N_("share of dead units, by layer"), ""),
    "saturated": (N_("share of saturated units, by layer"), ""),
    "entropy": (N_("entropy of the attention, by head"), N_("nats")),
    "share": (N_("share of the time that goes to other work than training"), ""),
}
_LINES = {
    **SPLITS,
    "evaluating": N_("measuring"),
    "looking": N_("looking into the layers"),
    "saving": N_("saving"),
    "logging": N_("writing the log"),
}
"""Lines that are no layers: splits, and what the time went to."""
_SKIPPED = ("step", "time", "split", "kind", "epoch", "seconds", "seconds_left")
_LAST = ("learning_rate", "gradient_norm", "tokens_per_second")
TRAIN = "train"


def charts_of(names: Iterable[str]) -> tuple[str, ...]:
    """Measurements in the order in which one walks them: loss, metrics, the training itself, the layers."""
    last = {name: at for at, name in enumerate((*_LAST, *LAYER_KINDS), 1)}
    return tuple(sorted(set(names), key=lambda name: (last.get(name, 0), name != "loss", name)))


def title_of(name: str) -> str:
    """A measurement in words."""
    return _(_NAMES[name][0]) if name in _NAMES else metric_words(name).replace("_", " ")


def line_words(name: str) -> str:
    """What a line stands for: a split, a layer, or what time was spent on."""
    return _(_LINES.get(name, name))


Points = dict[str, dict[str, tuple[list[float], list[float], list[float]]]]
"""measurement → line (split or layer) → steps, seconds, values."""


def take(points: Points, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add what was measured in `rows` to `points`; what is no number is left out."""
    for row in rows:
        step = row.get("step")
        if not _number(step):
            continue
        seconds = row.get("time")
        layers = row.get("kind") == LAYERS
        split = str(row.get("split") or TRAIN)
        for name, value in row.items():
            if name in _SKIPPED or not _number(value):
                continue
            if layers:
                chart, _dot, line = name.partition(".")
            else:
                chart, line = name.removeprefix(f"{split}_"), split
            steps, times, values = points.setdefault(chart, {}).setdefault(line, ([], [], []))
            steps.append(float(step))  # type: ignore[arg-type]
            times.append(float(seconds) if _number(seconds) else math.nan)  # type: ignore[arg-type]
            values.append(float(value))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def smoothed(values: Array, factor: float) -> Array:
    """The exponential mean of all values up to each: m ← f·m + (1 − f)·v, corrected for its start at 0.

    A value that is not finite is a gap, and leaves the mean as it is.
    """
    if not factor:
        return np.asarray(values, dtype=float)
    mean, weight = 0.0, 0.0
    out: list[float] = []
    for value in np.asarray(values, dtype=float).tolist():
        if not math.isfinite(value):
            out.append(math.nan)
            continue
        mean = factor * mean + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        out.append(mean / weight)
    return np.array(out)


def thinned(y: Array, most: int = POINTS) -> Array:
    """The numbers of the points to draw, in order: all, or the ends and the extremes of each stretch."""
    count = len(y)
    if count <= most:
        return np.arange(count)
    kept = {0, count - 1}
    for part in np.array_split(np.arange(count), max(1, (most - 2) // 2)):
        values = y[part]
        if np.isfinite(values).any():
            kept |= {int(part[np.nanargmin(values)]), int(part[np.nanargmax(values)])}
        else:
            kept.add(int(part[0]))
    return np.array(sorted(kept))


def overlay(
    runs: Mapping[str, Points],
    name: str,
    *,
    smooth: float = 0.0,
    log: bool = False,
    by: str = "step",
) -> Lines:
    """The measurement `name` of each run; several runs' lines are told apart by the run's name.

    Only what is measured in training is smoothed; what is measured now and then, on dev say, is as it was.
    """
    words, unit = title_of(name), _NAMES.get(name, ("", ""))[1]
    series = []
    for run, points in runs.items():
        for line, (steps, times, values) in points.get(name, {}).items():
            x = np.array(times if by == "time" else steps, dtype=float)
            y = np.array(values, dtype=float)
            y = np.where(np.isfinite(y), y, np.nan)
            if line == TRAIN:
                y = smoothed(y, smooth)
            at = thinned(y)
            shown = line_words(line) if len(runs) == 1 else f"{run} {line_words(line)}"
            series.append(Series(shown, x[at], y[at]))
    label = _("seconds") if by == "time" else _("step")
    title = words if not smooth else _("{chart}, smoothed {factor}").format(chart=words, factor=smooth)
    return Lines(title, tuple(series), x_label=label, y_label=_(unit), log=log)


def values_at(part: Lines, x: float) -> list[tuple[str, float, float]]:
    """Of each line the point nearest to `x`: its name, its own x, and its value; lines without points are
    left out.
    """
    found = []
    for series in part.series:
        usable = np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
        if len(usable):
            at = usable[int(np.argmin(np.abs(series.x[usable] - x)))]
            found.append((series.name, float(series.x[at]), float(series.y[at])))
    return found


def rows_to_points(rows: Sequence[Mapping[str, Any]]) -> Points:
    """All of `rows` as points."""
    points: Points = {}
    take(points, rows)
    return points
