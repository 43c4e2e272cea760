"""Charts of several runs: which there are, smoothing held against a mean by hand, thinning, exact values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlptui.views.run_charts import (
    POINTS,
    charts_of,
    overlay,
    rows_to_points,
    smoothed,
    thinned,
    title_of,
    values_at,
)

ROWS = [
    {"step": 10, "time": 1.5, "loss": 4.0, "learning_rate": 0.1, "gradient_norm": 2.0},
    {"step": 20, "time": 3.0, "loss": 2.0, "learning_rate": 0.2, "gradient_norm": math.inf},
    {"step": 20, "time": 3.1, "kind": "layers", "grad_norm.blocks.0.attn": 0.5, "entropy.blocks.0.h1": 1.25},
    {"step": 20, "time": 3.2, "split": "dev", "loss": 3.0, "accuracy": 0.75},
    {"step": "?", "loss": 1.0},
    {"step": 30, "time": 4.5, "loss": 1.0, "learning_rate": 0.3, "gradient_norm": 1.0},
]


def test_every_measurement_is_a_chart_the_loss_first_and_the_layers_last() -> None:
    points = rows_to_points(ROWS)
    assert charts_of(points) == ("loss", "accuracy", "learning_rate", "gradient_norm", "grad_norm", "entropy")
    assert all(title_of(name) for name in points)


def test_training_and_dev_stand_together() -> None:
    lines = overlay({"a": rows_to_points(ROWS)}, "loss")
    assert [series.name for series in lines.series] == ["train", "dev"]
    assert lines.series[0].x.tolist() == [10, 20, 30] and lines.series[0].y.tolist() == [4, 2, 1]
    assert lines.series[1].x.tolist() == [20] and lines.series[1].y.tolist() == [3]


def test_runs_are_told_apart_by_name() -> None:
    points = rows_to_points(ROWS)
    lines = overlay({"a": points, "b": points}, "loss")
    assert [series.name for series in lines.series] == ["a train", "a dev", "b train", "b dev"]


def test_over_time_the_same_values_stand_at_seconds() -> None:
    lines = overlay({"a": rows_to_points(ROWS)}, "loss", by="time", log=True)
    assert lines.series[0].x.tolist() == [1.5, 3.0, 4.5] and lines.series[0].y.tolist() == [4, 2, 1]
    assert lines.log


def test_layers_are_lines_of_their_own() -> None:
    (series,) = overlay({"a": rows_to_points(ROWS)}, "grad_norm").series
    assert (series.name, series.y.tolist()) == ("blocks.0.attn", [0.5])


def test_what_is_not_finite_is_a_gap() -> None:
    (series,) = overlay({"a": rows_to_points(ROWS)}, "gradient_norm").series
    assert np.isnan(series.y[1]) and series.y[[0, 2]].tolist() == [2, 1]


@pytest.mark.parametrize("factor", [0.6, 0.9, 0.99])
def test_smoothing_is_the_weighted_mean_of_all_before(factor: float) -> None:
    values = np.random.default_rng(0).normal(size=50)
    made = smoothed(values, factor)
    for n in range(50):
        weights = factor ** np.arange(n, -1, -1)
        assert made[n] == pytest.approx(np.average(values[: n + 1], weights=weights), rel=1e-12)


def test_only_training_is_smoothed() -> None:
    lines = overlay({"a": rows_to_points(ROWS)}, "loss", smooth=0.6)
    weights = np.array([0.36, 0.6, 1.0])
    assert lines.series[0].y[2] == pytest.approx((weights * [4, 2, 1]).sum() / weights.sum())
    assert lines.series[1].y.tolist() == [3]


def test_a_long_run_is_thinned_and_keeps_its_peak_and_its_ends() -> None:
    y = np.sin(np.arange(100_000) / 1000)
    y[77_777], y[5] = 50.0, np.nan
    at = thinned(y)
    assert len(at) <= POINTS and at[0] == 0 and at[-1] == 99_999
    assert 77_777 in at and np.all(np.diff(at) > 0)
    assert thinned(y[:100]).tolist() == list(range(100))


def test_the_values_of_every_line_at_a_step() -> None:
    lines = overlay({"a": rows_to_points(ROWS)}, "loss")
    assert values_at(lines, 21.0) == [("train", 20.0, 2.0), ("dev", 20.0, 3.0)]
    assert values_at(lines, 999.0)[0] == ("train", 30.0, 1.0)
