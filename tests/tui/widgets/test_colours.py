"""The hand-picked tables: as many levels as promised, in order, readable; no colour where none is wanted."""

from __future__ import annotations

import pytest
from rich.style import Style

from nlptui.tui import colours
from nlptui.tui.colours import SIDE, STEPS, Palette, luminance, rgb


def test_codes_are_the_colours_of_the_256_palette() -> None:
    assert rgb(16) == (0, 0, 0) and rgb(231) == (255, 255, 255) and rgb(208) == (255, 135, 0)
    assert rgb(232) == (8, 8, 8) and rgb(255) == (238, 238, 238)
    with pytest.raises(ValueError):
        rgb(9)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("depth", ["256", "16", "none"])
def test_as_many_levels_as_a_scale_has(depth: colours.Depth, dark: bool) -> None:
    palette = Palette(depth, dark)
    for scale, count in (("diverging", 2 * SIDE + 1), ("probability", STEPS), ("positive", STEPS)):
        assert len(palette.levels(scale)) == len(palette.inks(scale)) == count <= 16


@pytest.mark.parametrize("dark", [True, False])
def test_levels_go_from_the_background_to_the_most_distant_in_order(dark: bool) -> None:
    order = 1 if dark else -1
    ramp = [luminance(code) * order for code in colours._SEQUENTIAL_256[dark]]
    assert ramp == sorted(ramp) and len(set(ramp)) == STEPS
    negative, zero, positive = colours._DIVERGING_256[dark]
    for side in (negative, positive):
        steps = [luminance(code) * order for code in side]
        assert steps == sorted(steps) and len(set(side)) == SIDE
    assert zero not in negative and zero not in positive and not set(negative) & set(positive)


@pytest.mark.parametrize("dark", [True, False])
def test_digits_read_on_every_level(dark: bool) -> None:
    codes = [
        *colours._SEQUENTIAL_256[dark],
        *colours._DIVERGING_256[dark][0],
        *colours._DIVERGING_256[dark][2],
    ]
    for code in codes:
        back = luminance(code)
        front = 0.0 if colours._text_on(code) == 0 else 1.0
        assert (max(back, front) + 0.05) / (min(back, front) + 0.05) >= 4.5


@pytest.mark.parametrize("dark", [True, False])
def test_words_and_inks_read_on_the_plain_background(dark: bool) -> None:
    back = luminance(233) if dark else 1.0
    codes = [row[0 if dark else 1] for row in colours._INKS.values()] + list(colours._SERIES["256", dark])
    for code in codes:
        front = luminance(code)
        assert (max(back, front) + 0.05) / (min(back, front) + 0.05) >= 3.0, code


def test_no_colour_leaves_only_attributes() -> None:
    palette = Palette("none", True)
    styles = [*palette.levels("diverging"), *palette.inks("positive"), palette.cursor, palette.parked]
    styles += [palette.chip(0), palette.chip(1), palette.series(0)]
    styles += [palette.word(word) for word in colours._INKS]
    assert all(style.color is None and style.bgcolor is None for style in styles)
    assert palette.cursor.reverse and palette.chip(0) != Style.null()
    assert palette.word("special") != palette.word("accent")


def test_sixteen_colours_stay_within_sixteen() -> None:
    for dark in (True, False):
        palette = Palette("16", dark)
        for style in (
            *palette.levels("diverging"),
            *palette.levels("positive"),
            palette.chip(0),
            palette.chip(1),
        ):
            assert style.color.number < 16 and style.bgcolor.number < 16  # type: ignore[union-attr,operator]
            assert style.color.number != style.bgcolor.number  # type: ignore[union-attr]
        negative, *_, positive = palette.levels("diverging")
        assert negative.bgcolor != positive.bgcolor
