"""What an experiment measured: its charts, one line for each thing that was varied, and the numbers below.

Works on rows that have chart, series, seed, x and y; a line is the mean over the seeds, and a table says how
far they lie apart. Knows nothing of how it was measured, or of run directories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from nlptui.lazy import numpy as np
from nlptui.locale import _
from nlptui.views.figure import Array, Figure, HeatTable, Lines, Part, Series

COLUMNS = 8
"""Columns of a table, the first and the last among them, where more x values were measured."""
Measured = Mapping[str, Mapping[float, list[float]]]
"""series → x → the values of all seeds."""


class Row(Protocol):
    """One measurement."""

    @property
    def chart(self) -> str: ...
    @property
    def series(self) -> str: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...


class Chart(Protocol):
    """What a chart is called, and its axes; words that are marked for translation."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def x_label(self) -> str: ...
    @property
    def y_label(self) -> str: ...
    @property
    def log(self) -> bool: ...


class Remark(Protocol):
    """What there is to say where one line of a chart lies above another; words marked for translation."""

    @property
    def chart(self) -> str: ...
    @property
    def above(self) -> str: ...
    @property
    def below(self) -> str: ...
    @property
    def words(self) -> str: ...


class Experiment(Protocol):
    """What an experiment is about; words that are marked for translation."""

    @property
    def title(self) -> str: ...
    @property
    def claim(self) -> str: ...
    @property
    def charts(self) -> Sequence[Chart]: ...
    @property
    def remarks(self) -> Sequence[Remark]: ...


def draw(rows: Iterable[Row], about: Experiment, quick: bool = False) -> Figure:
    """A chart and its numbers for each thing measured; below, the claim, if not `quick`."""
    found = _by_chart(rows)
    parts: list[Part] = []
    for chart in about.charts:
        if chart.name in found:
            parts += _parts(chart, found[chart.name])
    return Figure("experiment", _(about.title), tuple(parts), _caption(found, about, quick))


def _caption(found: Mapping[str, Measured], about: Experiment, quick: bool) -> str:
    if not any(chart.name in found for chart in about.charts):
        return _("Nothing has been measured yet.")
    if quick:
        return _("A quick run, to see that it runs; the numbers say nothing.")
    every = [
        y for measured in found.values() for points in measured.values() for ys in points.values() for y in ys
    ]
    words = [_(about.claim), *_remarks(found, about)]
    if not np.isfinite(every).all():
        words.append(_("Nothing is drawn where it was no number any more."))
    return " ".join(words)


def remarks(rows: Iterable[Row], about: Experiment) -> list[str]:
    """What there is to say of what was seen."""
    return _remarks(_by_chart(rows), about)


def _remarks(found: Mapping[str, Measured], about: Experiment) -> list[str]:
    said = []
    for remark in about.remarks:
        lines = found.get(remark.chart, {})
        above, below = (lines.get(name, {}) for name in (remark.above, remark.below))
        both = [x for x in above if x in below]
        if both and all(_mean(above[x]) > _mean(below[x]) for x in both):
            said.append(_(remark.words))
    return said


def _by_chart(rows: Iterable[Row]) -> dict[str, dict[str, dict[float, list[float]]]]:
    found: dict[str, dict[str, dict[float, list[float]]]] = {}
    for row in rows:
        found.setdefault(row.chart, {}).setdefault(row.series, {}).setdefault(row.x, []).append(row.y)
    return found


def lines(chart: Chart, measured: Measured) -> Lines:
    """The mean over the seeds, one line for each series; a gap where one of them is no number."""
    series = []
    for name, points in measured.items():
        x = sorted(points)
        y = np.array([_mean(points[at]) for at in x], dtype=float)
        series.append(Series(_(name), np.array(x, dtype=float), np.where(np.isfinite(y), y, np.nan)))
    return Lines(_(chart.title), tuple(series), _(chart.x_label), _(chart.y_label), chart.log)


def _parts(chart: Chart, measured: Measured) -> list[Part]:
    seeds = max(len(values) for points in measured.values() for values in points.values())
    title = _(chart.title)
    if seeds == 1:
        return [lines(chart, measured), _table(title, chart, measured, _mean)]
    means = _("{chart}: mean of {n} seeds").format(chart=title, n=seeds)
    apart = _("{chart}: how far the seeds lie apart").format(chart=title)
    return [
        lines(chart, measured),
        _table(means, chart, measured, _mean),
        _table(apart, chart, measured, _ratio if _in_powers(chart, measured) else _apart),
    ]


def _in_powers(chart: Chart, measured: Measured) -> bool:
    """Whether there are numbers that a table of three decimals cannot show."""
    smallest = min(abs(y) for points in measured.values() for values in points.values() for y in values)
    return chart.log and smallest < 0.001


def _table(title: str, chart: Chart, measured: Measured, of: Callable[[list[float]], float]) -> HeatTable:
    """Series × x; no number where nothing was measured. Of very small numbers, the power of ten."""
    places = _picked(sorted({x for points in measured.values() for x in points}))
    values: Array = np.array(
        [[of(points[x]) if x in points else np.nan for x in places] for points in measured.values()]
    )
    powers = _in_powers(chart, measured)
    if powers:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log10(values)
    return HeatTable(
        _("{chart} (log₁₀)").format(chart=title) if powers else title,
        values,
        rows=tuple(map(_, measured)),
        cols=tuple(f"{x:g}" for x in places),
        row_axis="",
        col_axis=_(chart.x_label),
        scale="diverging" if powers else "positive",
        digits=1 if powers else 3,
    )


def _picked(places: list[float]) -> list[float]:
    """At most COLUMNS of them, evenly spread."""
    if len(places) <= COLUMNS:
        return places
    last = len(places) - 1
    return [places[round(n * last / (COLUMNS - 1))] for n in range(COLUMNS)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _apart(values: list[float]) -> float:
    """Largest minus smallest; no number where one of them is none."""
    return max(values) - min(values) if np.isfinite(values).all() else float("nan")


def _ratio(values: list[float]) -> float:
    """Largest by smallest."""
    return max(values) / min(values) if np.isfinite(values).all() and min(values) > 0 else float("nan")
