"""The rows of an experiment as charts and tables."""

from __future__ import annotations

import gettext
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nlptui import locale
from nlptui.locale import set_language
from nlptui.train.experiments import EXPERIMENTS, Remark
from nlptui.train.experiments.parts import Row
from nlptui.views import experiment as view
from nlptui.views.figure import HeatTable, Lines
from nlptui.views.render import to_html, to_svg, to_text

HAN = re.compile("[一-鿿]")
NAN = float("nan")


@dataclass
class Chart:
    name: str
    title: str = "right answers"
    x_label: str = "words in between"
    y_label: str = "share right"
    log: bool = False


@dataclass
class About:
    title: str
    claim: str
    charts: tuple[Chart, ...]
    remarks: tuple[Remark, ...] = ()


ABOUT = About("Recall", "An RNN forgets.", (Chart("recall"), Chart("other", "loss", log=True)))
ROWS = [
    Row("recall", "RNN", 1, 10, 0.2),
    Row("recall", "RNN", 1, 1, 0.8),
    Row("recall", "RNN", 2, 1, 1.0),
    Row("recall", "RNN", 2, 10, 0.6),
    Row("recall", "LSTM", 1, 1, 1.0),
    Row("recall", "LSTM", 2, 1, NAN),
    Row("recall", "LSTM", 1, 40, 0.5),
    Row("unknown", "RNN", 1, 1, 7.0),
]


def test_lines_are_the_means_over_the_seeds_in_the_order_of_x() -> None:
    chart, means, apart = view.draw(ROWS, ABOUT).parts
    assert isinstance(chart, Lines) and isinstance(means, HeatTable) and isinstance(apart, HeatTable)
    assert [series.name for series in chart.series] == ["RNN", "LSTM"]
    assert chart.series[0].x.tolist() == [1, 10] and chart.series[0].y.tolist() == pytest.approx([0.9, 0.4])
    np.testing.assert_array_equal(chart.series[1].y, [NAN, 0.5])
    assert (chart.title, chart.x_label, chart.y_label, chart.log) == (
        "right answers", "words in between", "share right", False,
    )  # fmt: skip
    assert (means.rows, means.cols) == (("RNN", "LSTM"), ("1", "10", "40"))
    np.testing.assert_allclose(means.values, [[0.9, 0.4, NAN], [NAN, NAN, 0.5]])
    np.testing.assert_allclose(apart.values, [[0.2, 0.4, NAN], [NAN, NAN, 0.0]])
    assert "2 seeds" in means.title


def test_one_seed_lies_not_apart_and_what_was_not_measured_is_not_drawn() -> None:
    figure = view.draw([Row("other", "RNN", 1, 1, 0.01)], ABOUT)
    assert [type(part) for part in figure.parts] == [Lines, HeatTable]
    assert figure.parts[0].log and figure.parts[0].title == "loss"  # type: ignore[union-attr]
    assert figure.caption == "An RNN forgets." and figure.title == "Recall"


def test_nothing_measured_yet_and_a_quick_run() -> None:
    assert view.draw([], ABOUT).parts == () and "Nothing" in view.draw([], ABOUT).caption
    assert "quick" in view.draw(ROWS, ABOUT, quick=True).caption


def test_what_is_no_number_any_more_is_said() -> None:
    rows = [Row("recall", "RNN", 1, 1, 0.5), Row("recall", "RNN", 1, 2, NAN)]
    assert (
        view.draw(rows, ABOUT).caption == "An RNN forgets. Nothing is drawn where it was no number any more."
    )
    assert view.draw(rows[:1], ABOUT).caption == "An RNN forgets."


def test_very_small_numbers_are_told_as_powers_of_ten() -> None:
    rows = [
        Row("other", "RNN", seed, x, y)
        for x, a, b in ((1, 1e-2, 3e-2), (9, 4e-12, 1e-14))
        for seed, y in ((1, a), (2, b))
    ]
    chart, means, apart = view.draw(rows, ABOUT).parts
    assert isinstance(chart, Lines) and isinstance(means, HeatTable) and isinstance(apart, HeatTable)
    assert chart.series[0].y.tolist() == pytest.approx([2e-2, 2.005e-12])
    np.testing.assert_allclose(means.values, np.log10([[2e-2, 2.005e-12]]))
    np.testing.assert_allclose(apart.values, np.log10([[3, 400]]))
    assert "-11.7" in to_text(view.draw(rows, ABOUT)) and "log₁₀" in means.title
    linear = view.draw([Row("recall", "RNN", 1, 1, 1e-9)], ABOUT).parts[1]
    assert isinstance(linear, HeatTable) and linear.values.tolist() == [[1e-9]]


def test_a_table_of_many_columns_keeps_both_ends() -> None:
    rows = [Row("recall", "RNN", 1, x, x) for x in range(100)]
    chart, table = view.draw(rows, ABOUT).parts
    assert isinstance(chart, Lines) and isinstance(table, HeatTable)
    assert len(chart.series[0].x) == 100 and len(table.cols) == view.COLUMNS
    assert (table.cols[0], table.cols[-1]) == ("0", "99") and len(set(table.cols)) == view.COLUMNS
    assert [float(col) for col in table.cols] == table.values[0].tolist()


def test_infinities_are_gaps_and_hostile_names_are_spelled_out() -> None:
    rows = [Row("recall", "\x1b[31m[/bold]<b>", 1, x, y) for x, y in ((1, float("inf")), (2, 1.0), (3, NAN))]
    figure = view.draw(rows, ABOUT)
    for text in (to_text(figure), to_svg(figure), to_html(figure)):
        assert "\x1b" not in text and "␛[31m" in text
    ET.fromstring(to_svg(figure))
    assert np.isnan(figure.parts[0].series[0].y).tolist() == [True, False, True]  # type: ignore[union-attr]


class Marked(gettext.NullTranslations):
    """Translates every text into itself between brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


def all_rows(name: str) -> list[Row]:
    return [
        Row(chart.name, "neither", 1, x, x + 0.5) for chart in EXPERIMENTS[name].charts for x in (1, 2, 4)
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_drawn_and_all_its_words_are_translated(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = EXPERIMENTS[name]
    english = view.draw(all_rows(name), about)
    text = to_text(english, 100)
    svg = " ".join(ET.fromstring(to_svg(english)).itertext())  # a caption may take several lines
    for chart in about.charts:
        assert chart.title in text and chart.x_label in text and chart.title in svg
    assert about.title in text and about.claim in " ".join(text.split()) and about.claim in svg
    monkeypatch.setattr(locale, "_current", Marked())
    figure = view.draw(all_rows(name), about)
    words: list[Any] = [figure.title, figure.caption]
    for part in figure.parts:
        assert isinstance(part, Lines | HeatTable)
        words.append(part.title)
        if isinstance(part, Lines):
            words += [part.x_label, part.y_label, *(series.name for series in part.series)]
        else:
            words += [part.col_axis, *part.rows]
    assert all(word.startswith("⟦") and word.endswith("⟧") for word in words), words


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_drawn_in_chinese(name: str) -> None:
    set_language("zh")
    figure = view.draw(all_rows(name), EXPERIMENTS[name])
    assert HAN.search(figure.title) and HAN.search(figure.caption)
    for part in figure.parts:
        assert HAN.search(part.title), part.title
    assert HAN.search(to_text(figure, 80)) and HAN.search(to_svg(figure))


@pytest.mark.parametrize(("rnn", "said"), [((5.0, 9.0), True), ((5.0, 2.0), False)])
def test_that_the_times_are_those_of_kernels_is_said_where_it_was_seen(
    rnn: tuple[float, float], said: bool
) -> None:
    about = EXPERIMENTS["length"]
    rows = [Row("step", "RNN", 1, x, y) for x, y in zip((16, 32), rnn, strict=True)]
    rows += [Row("step", "LSTM", 1, x, 3.0) for x in (16, 32, 64)]
    assert ("the library's kernels" in view.draw(rows, about).caption) == said
    assert bool(view.remarks(rows, about)) == said
    assert "the library's kernels" not in view.draw(rows, about, quick=True).caption
