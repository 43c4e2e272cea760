"""The colours of the microscope: hand-picked tables for dark and light themes, 256 and 16 colours, or none.

Knows nothing of figures or widgets. Every level is also told apart by its digits or its glyph, so colour is
never the only sign. The 256-colour codes are used on true-colour terminals too: an escape sequence of 14
bytes a cell instead of 35 keeps a full repaint below 18 kB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from rich.color import Color
from rich.style import Style
from textual.filter import LineFilter, NoColor

if TYPE_CHECKING:
    from textual.app import App

Depth = Literal["256", "16", "none"]

SIDE = 7
"""Levels on each side of zero in a diverging scale."""
STEPS = 12
"""Levels of a probability or positive scale."""
SHADES = " ·░▒▓█"
"""Glyphs from nothing to most: what a level looks like without colour."""

_BLACK, _WHITE = 0, 15
_CUBE = (0, 95, 135, 175, 215, 255)

# Blue (negative, from weak to strong), the neutral zero, orange (positive). Zero is near the background, so
# that what stands out is what is far from zero.
_DIVERGING_256 = {
    True: ((17, 18, 25, 32, 39, 75, 117), 235, (52, 94, 130, 166, 208, 214, 222)),
    False: ((189, 153, 111, 75, 32, 25, 18), 231, (230, 223, 215, 208, 172, 130, 94)),
}
# As cividis: dark blue, grey, yellow; turned round in the light theme, where more is further from the paper.
_SEQUENTIAL_256 = {
    True: (17, 18, 24, 60, 242, 101, 137, 143, 179, 185, 221, 227),
    False: (230, 229, 187, 186, 144, 143, 101, 243, 60, 24, 18, 17),
}
# As text on the plain background weak levels would vanish, so they are stronger; the glyph tells them apart.
_DIVERGING_INK = {
    True: ((25, 25, 32, 32, 39, 75, 117), 240, (130, 130, 166, 166, 208, 214, 222)),
    False: ((32, 32, 26, 26, 25, 19, 18), 247, (172, 172, 166, 166, 130, 130, 94)),
}
_SEQUENTIAL_INK = {
    True: (60, 60, 66, 66, 102, 101, 137, 143, 179, 185, 221, 227),
    False: (144, 144, 143, 101, 101, 101, 243, 60, 60, 24, 18, 17),
}
_DIVERGING_16 = {
    True: ((4, 4, 4, 4, 12, 12, 12), 0, (3, 3, 3, 3, 11, 11, 11)),
    False: ((14, 14, 14, 14, 12, 4, 4), 15, (11, 11, 11, 11, 3, 3, 1)),
}
_SEQUENTIAL_16 = {
    True: (0, 0, 4, 4, 12, 12, 6, 6, 3, 3, 11, 11),
    False: (15, 15, 11, 11, 3, 3, 6, 6, 12, 12, 4, 4),
}
_DIVERGING_INK_16 = {
    True: ((4, 4, 4, 12, 12, 12, 12), 8, (3, 3, 3, 11, 11, 11, 11)),
    False: ((12, 12, 12, 4, 4, 4, 4), 8, (3, 3, 3, 1, 1, 1, 1)),
}
_SEQUENTIAL_INK_16 = {
    True: (4, 4, 4, 12, 12, 6, 6, 6, 3, 3, 11, 11),
    False: (8, 8, 3, 3, 6, 6, 6, 12, 12, 4, 4, 4),
}
_LIGHT_OF_16 = frozenset((3, 6, 7, 9, 10, 11, 13, 14, 15))
"""Which of the 16 colours are light in common terminal palettes, so that black text reads on them."""

# Foregrounds on the plain background: colours for words and lines, (256 dark, 256 light, 16 dark, 16 light).
_INKS = {
    "faint": (245, 242, 8, 8),
    "accent": (117, 25, 14, 4),
    "special": (214, 130, 11, 5),
    "tag": (150, 28, 10, 2),
    "warning": (209, 160, 9, 1),
}
_SERIES = {
    ("256", True): (39, 214, 150, 176, 222, 81),
    ("256", False): (25, 166, 28, 90, 94, 30),
    ("16", True): (12, 11, 10, 13, 14, 9),
    ("16", False): (4, 1, 2, 5, 6, 8),
}


def rgb(code: int) -> tuple[int, int, int]:
    """Red, green and blue of a 256-colour code from 16 on (the first 16 are whatever the terminal says)."""
    if code < 16:
        raise ValueError(f"colour {code} has no fixed value")
    if code >= 232:
        grey = 8 + 10 * (code - 232)
        return grey, grey, grey
    cube = code - 16
    return _CUBE[cube // 36], _CUBE[cube // 6 % 6], _CUBE[cube % 6]


def luminance(code: int) -> float:
    """Relative luminance (WCAG 2) of a 256-colour code."""

    def linear(channel: int) -> float:
        part = channel / 255
        return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = map(linear, rgb(code))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _text_on(code: int) -> int:
    """Black or white, whichever reads better on background `code`."""
    light = luminance(code) > 0.179 if code >= 16 else code in _LIGHT_OF_16
    return _BLACK if light else _WHITE


def _paint(code: int) -> Style:
    return Style(color=Color.from_ansi(_text_on(code)), bgcolor=Color.from_ansi(code))


def _ink(code: int) -> Style:
    return Style(color=Color.from_ansi(code))


@dataclass(frozen=True)
class Palette:
    """All styles for one combination of colour depth and theme."""

    depth: Depth
    dark: bool

    @property
    def colour(self) -> bool:
        """Whether colours may be used at all."""
        return self.depth != "none"

    def levels(self, scale: str) -> tuple[Style, ...]:
        """Cell styles from the lowest level to the highest: 15 for a diverging scale, 12 otherwise."""
        return _levels(self, scale, False)

    def inks(self, scale: str) -> tuple[Style, ...]:
        """The same colours as text on the plain background, for shade glyphs and bars."""
        return _levels(self, scale, True)

    def word(self, name: str) -> Style:
        """Style for a kind of word: faint, accent, special, tag or warning; only attributes if colourless."""
        return _word(self, name)

    def series(self, number: int) -> Style:
        """The colour of line `number` in a chart."""
        if not self.colour:
            return Style.null()
        codes = _SERIES[self.depth, self.dark]
        return _ink(codes[number % len(codes)])

    def chip(self, number: int) -> Style:
        """The background of a token, another for the second sentence's; underlined if colourless."""
        return _chip(self, number % 2)

    @property
    def cursor(self) -> Style:
        """The cell cursor of a focused widget: black on white or white on black, whatever was below it."""
        return _cursor(self)

    @property
    def parked(self) -> Style:
        """The cell cursor of a widget without focus, and the headers of the cursor's row and column."""
        return Style(bold=True, underline=True)


@cache
def _levels(palette: Palette, scale: str, ink: bool) -> tuple[Style, ...]:
    diverging = scale == "diverging"
    if not palette.colour:
        return (Style.null(),) * (2 * SIDE + 1 if diverging else STEPS)
    few = palette.depth == "16"
    codes: tuple[int, ...]
    if diverging:
        tables = (_DIVERGING_INK_16, _DIVERGING_INK) if ink else (_DIVERGING_16, _DIVERGING_256)
        negative, zero, positive = tables[0 if few else 1][palette.dark]
        codes = (*reversed(negative), zero, *positive)
    else:
        ramps = (_SEQUENTIAL_INK_16, _SEQUENTIAL_INK) if ink else (_SEQUENTIAL_16, _SEQUENTIAL_256)
        codes = ramps[0 if few else 1][palette.dark]
    return tuple(_ink(code) if ink else _paint(code) for code in codes)


@cache
def _word(palette: Palette, name: str) -> Style:
    column = (0 if palette.dark else 1) + (0 if palette.depth == "256" else 2)
    bold = name in ("accent", "special", "warning")
    if not palette.colour:
        return Style(bold=bold or None, italic=name == "special" or None, dim=name == "faint" or None)
    return Style(color=Color.from_ansi(_INKS[name][column]), bold=bold or None)


@cache
def _chip(palette: Palette, number: int) -> Style:
    if not palette.colour:
        return Style(underline=True)
    if palette.depth == "16":
        return _paint((8, 4)[number] if palette.dark else (7, 14)[number])
    return _paint((238, 24)[number] if palette.dark else (253, 153)[number])


@cache
def _cursor(palette: Palette) -> Style:
    if not palette.colour:
        return Style(bold=True, reverse=True)
    front, back = (_BLACK, _WHITE) if palette.dark else (_WHITE, _BLACK)
    return Style(color=Color.from_ansi(front), bgcolor=Color.from_ansi(back), bold=True)


def palette_of(app: App[Any]) -> Palette:
    """The palette that fits the app's theme, its terminal and `NO_COLOR`."""
    dark = app.current_theme.dark
    if app.no_color or app.console.color_system is None:
        return Palette("none", dark)
    return Palette("16" if app.console.color_system in ("standard", "windows") else "256", dark)


_NO_FILTERS: tuple[LineFilter, ...] = ()
_NO_COLOUR: tuple[LineFilter, ...] = (NoColor(),)


def line_filters(app: App[Any]) -> tuple[LineFilter, ...]:
    """Filters for widgets that draw from a palette: colours go out as they are, or not at all.

    Textual would turn every palette colour into a true colour, which costs three times the bytes, and under
    NO_COLOR into a grey, which is still a colour.
    """
    return _NO_COLOUR if palette_of(app).depth == "none" else _NO_FILTERS
