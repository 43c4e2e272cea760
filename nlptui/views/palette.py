"""The colours of drawings in files, for light and dark paper, as one style sheet of classes.

A level is a class: `d0` … `d14` on a diverging scale (zero is `d7`), `s0` … `s11` otherwise, `na` for what is
not a finite number; text on it takes the same name in capitals. Knows nothing of figures' content.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np

from nlptui.views.figure import Array, HeatTable

RGB: TypeAlias = tuple[float, float, float]

SIDE = 7
"""Levels on each side of zero."""
STEPS = 12
"""Levels of a probability or positive scale."""
FONTS = (
    "'DejaVu Sans Mono','Noto Sans Mono','Noto Sans Mono CJK SC','Noto Sans CJK SC','Source Han Mono SC',"
    "'Sarasa Mono SC','PingFang SC','Microsoft YaHei','Noto Sans Arabic','Noto Sans Hebrew',monospace"
)

# Blue for negative, orange for positive, zero near the paper; readable with the common colour blindnesses.
_DIVERGING = {
    "light": ("#0b3a70", "#4a90c8", "#f7f7f4", "#e08a3c", "#7a3400"),
    "dark": ("#9fd0ff", "#2f6fae", "#202126", "#b8651b", "#ffc98a"),
}
# Cividis (Nuñez et al. 2018), turned round on light paper, so that more is further from the paper.
_SEQUENTIAL = {
    "light": ("#fdfbef", "#f3e38a", "#c3b369", "#8a8678", "#575d6d", "#233a6b", "#00183d"),
    "dark": ("#14161c", "#12305f", "#3b496c", "#707173", "#a59c74", "#d9c55c", "#fee838"),
}
_SERIES = {
    "light": ("#1f6fb4", "#c2570c", "#2a7f3f", "#7a3fa0", "#8a6d00", "#0f7f86"),
    "dark": ("#79b8ff", "#ffab5e", "#7bd88f", "#d2a8ff", "#e3c94d", "#5fd7d7"),
}
_PAPER = {
    "light": ("#ffffff", "#1a1b1e", "#6a6d75", "#d8d9dd"),
    "dark": ("#16171b", "#e8e8ea", "#9a9da6", "#3a3c44"),
}


def levels(table: HeatTable) -> Array:
    """The level of every cell; -1 for what is not a finite number."""
    shares = table.shares
    if table.scale == "diverging":
        found = np.rint(shares * SIDE) + SIDE
    else:
        found = np.minimum(np.floor(shares * STEPS), STEPS - 1)
    return np.where(np.isnan(found), -1, found).astype(np.int8)


def level_class(table: HeatTable, level: int) -> str:
    """The class of a level."""
    if level < 0:
        return "na"
    return f"{'d' if table.scale == 'diverging' else 's'}{level}"


def count(table: HeatTable) -> int:
    """How many levels the table's scale has."""
    return 2 * SIDE + 1 if table.scale == "diverging" else STEPS


@cache
def style_sheet(theme: str = "auto") -> str:
    """The style sheet: "light", "dark", or "auto" for what the reader's system asks for."""
    if theme != "auto":
        return _rules(theme)
    return f"{_rules('light')}@media (prefers-color-scheme:dark){{{_rules('dark')}}}"


def _rules(theme: str) -> str:
    paper, ink, faint, line = _PAPER[theme]
    rules = [
        f":root{{color-scheme:{theme}}}",
        f".paper{{fill:{paper};background:{paper};color:{ink}}}",
        f"text,.ink{{fill:{ink};color:{ink};font-family:{FONTS}}}",
        f".faint{{fill:{faint};color:{faint}}}.line{{stroke:{line};fill:none}}",
        f".chip{{fill:none;stroke:{faint}}}.special{{stroke-dasharray:3 2}}",
        f".na{{fill:{line};background:{line}}}.NA{{fill:{faint};color:{faint}}}",
        ".right{text-anchor:end}.middle{text-anchor:middle}.bold{font-weight:bold}.curve{fill:none;stroke-width:1.5}",
    ]
    for number, stroke in enumerate(_SERIES[theme]):
        rules.append(f".l{number}{{stroke:{stroke}}}.f{number}{{fill:{stroke}}}")
    for letter, anchors, size in (("d", _DIVERGING, 2 * SIDE + 1), ("s", _SEQUENTIAL, STEPS)):
        for level, colour in enumerate(ramp(anchors[theme], size)):
            text = "#000000" if luminance(colour) > 0.179 else "#ffffff"
            rules.append(f".{letter}{level}{{fill:{hex_of(colour)};background:{hex_of(colour)}}}")
            rules.append(f".{letter.upper()}{level}{{fill:{text};color:{text}}}")
    return "".join(rules)


def ramp(anchors: tuple[str, ...], size: int) -> list[RGB]:
    """`size` colours between the anchors, evenly."""
    points = np.array([rgb(anchor) for anchor in anchors])
    at = np.linspace(0, len(points) - 1, size)
    channels = [np.interp(at, np.arange(len(points)), points[:, channel]) for channel in range(3)]
    return [(float(r), float(g), float(b)) for r, g, b in zip(*channels, strict=True)]


def rgb(text: str) -> RGB:
    """Red, green and blue, 0 to 255, of "#rrggbb"."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def hex_of(colour: RGB) -> str:
    """The colour as "#rrggbb"."""
    return "#" + "".join(f"{round(channel):02x}" for channel in colour)


def luminance(colour: RGB) -> float:
    """Relative luminance (WCAG 2)."""
    parts = (channel / 255 for channel in colour)
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
