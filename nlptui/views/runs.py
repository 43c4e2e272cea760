"""A training run's measurements as curves: loss on training and dev text, learning rate, and all the others.

Works on rows of `metrics.jsonl`: a training row holds step, loss, learning_rate, …; one with a `split` holds
what was measured on it. Knows nothing of run directories.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, Lines, Series
from nlptui.views.run_charts import line_words, title_of

TRAIN = "train"
_SKIPPED = ("step", "time", "split", "epoch", "seconds", "seconds_left")
_UNITS = {"loss": N_("nats")}
"""What a measurement is measured in, where that has a name."""
_LAST = ("learning_rate", "gradient_norm", "tokens_per_second")


def measured(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """metric → split → (step, value), in the order of the rows; what is no number is left out."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        step = row.get("step")
        if not _number(step):
            continue
        split = str(row.get("split") or TRAIN)
        for name, value in row.items():
            if name not in _SKIPPED and _number(value):
                points = found.setdefault(name.removeprefix(f"{split}_"), {}).setdefault(split, [])
                points.append((float(step), float(value)))  # type: ignore[arg-type]
    return found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def chart(name: str, splits: Mapping[str, list[tuple[float, float]]], log: bool = False) -> Lines:
    """One metric over the steps, one line for each split."""
    words, unit = title_of(name), _UNITS.get(name, "")
    series = []
    for split, points in splits.items():
        steps, values = np.array(points, dtype=float).T
        series.append(Series(line_words(split), steps, np.where(np.isfinite(values), values, np.nan)))
    return Lines(words, tuple(series), x_label=_("step"), y_label=_(unit), log=log)


def loss_curve(rows: Sequence[Mapping[str, Any]], log: bool = False) -> Lines:
    """Loss on training text and on dev; no series while nothing is measured."""
    return chart("loss", measured(rows).get("loss", {}), log)


def draw(rows: Sequence[Mapping[str, Any]], title: str = "", log: bool = False) -> Figure:
    """All that was measured: the loss first, then metrics, then how the training itself went."""
    found = measured(rows)
    order = sorted(found, key=lambda name: (name != "loss", name in _LAST))
    parts = tuple(chart(name, found[name], log and name == "loss") for name in order)
    caption = "" if parts else _("Nothing has been measured yet.")
    return Figure("run", title or _("Training run"), parts, caption)
