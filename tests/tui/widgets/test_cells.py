"""Labels in an exact number of cells, numbers in one width for a whole table."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from nlptui.text import visible
from nlptui.tui.widgets.cells import fit, number_format
from tests.tui.widgets.hostile import HOSTILE


@pytest.mark.parametrize("right", [False, True])
def test_fit_is_exactly_as_wide_as_asked(right: bool) -> None:
    texts = ["", "a", "hello world", "床前明月光", "a床b前", "🇫🇷 flag", *map(visible, HOSTILE)]
    for text in texts:
        for width in range(14):
            assert cell_len(fit(text, width, right=right)) == width, (text, width)


def test_fit_says_that_it_cut() -> None:
    assert fit("hello", 4) == "hel…"
    assert fit("hello", 5) == "hello"
    assert fit("床前明月", 5) == "床前…"
    assert fit("床前明月", 6) == "床前… "
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("\u0301x", 3).startswith("◌")


@pytest.mark.parametrize(
    ("values", "digits", "texts"),
    [
        ([0.123, -4.5], 2, ["0.12", "-4.50"]),
        ([-0.001, 1.0], 2, ["0.00", "1.00"]),
        ([123.456, 0.0], 2, ["123.5", "0.0"]),
        ([123456.7, 1.0], 2, ["123457", "1"]),
        ([1e9, 1.0], 2, ["1.0e+09", "1.0e+00"]),
        ([1e-7, 0.0], 2, ["1.0e-07", "0.0e+00"]),
        ([np.nan, np.inf, -np.inf], 2, ["nan", "inf", "-inf"]),
    ],
)
def test_one_format_for_a_table(values: list[float], digits: int, texts: list[str]) -> None:
    written = number_format(np.array(values), digits)
    assert [written(value) for value in values] == texts
    assert written.width >= max(map(len, texts))


def test_every_number_of_a_table_fits_its_width() -> None:
    generator = np.random.default_rng(0)
    for scale in (1e-9, 1e-3, 1.0, 37.0, 1e4, 1e7, 1e30):
        values = generator.normal(size=1000) * scale
        for digits in (0, 2, 4):
            written = number_format(values, digits)
            assert max(len(written(value)) for value in values.tolist()) <= written.width


def test_a_difference_that_is_not_0_never_looks_like_0() -> None:
    values = np.array([[1.25, -0.25, 0.0], [0.004, -3e-12, 0.005]])
    written = number_format(values, 2, differences=True)
    texts = [written(value) for value in values.ravel().tolist()]
    assert texts == ["1.25", "-0.25", "0.00", "4e-3", "-3e-12", "5e-3"]
    assert written.width == 6
    assert number_format(values, 2)(0.004) == "0.00", "a probability, say"
    assert number_format(np.array([120.0, 0.01]), 2, differences=True)(0.01) == "1e-2"


def test_nothing_to_format() -> None:
    assert number_format(np.zeros(0), 2)(0.0) == "0.00"


def test_large_whole_numbers_stand_in_groups() -> None:
    written = number_format(np.array([0, 16071, 1374561]), 0)
    assert written(16071) == "16,071" and written(1374561) == "1,374,561" and written.width == 9
