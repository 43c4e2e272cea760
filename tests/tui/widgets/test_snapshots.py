"""Pictures of the widgets in themes, 16 colours and none, in Chinese; `--snapshot-update` takes new ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from textual.widget import Widget

from nlptui.tui.widgets.bar_list import BarList
from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.tui.widgets.line_chart import LineChart
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views.figure import Bars, HeatTable, Lines, Series, Token, Tokens, Tree, TreeRow
from tests.tui.widgets.widget_host import Host

WORDS = ("[CLS]", "the", "old", "man", "the", "boat", "[SEP]")
CHINESE = ("床前", "明月光", "疑", "是", "地上", "霜")


def attention(words: tuple[str, ...]) -> HeatTable:
    """Weights that fall off with distance, each row summing to one."""
    at = np.arange(len(words))
    weights = np.exp(-np.abs(at[:, None] - at[None, :] + 1.5))
    return HeatTable(
        "weights", weights / weights.sum(1, keepdims=True), words, words, "query", "key", "probability"
    )


def scores(words: tuple[str, ...]) -> HeatTable:
    """A wave through zero, with what cannot be drawn as a colour."""
    values = np.sin(np.arange(len(words) * 8).reshape(len(words), 8) / 3)
    values[0, 1:4] = (np.nan, np.inf, -np.inf)
    return HeatTable("hidden", values, words, tuple(map(str, range(8))), "pos", "unit")


def chart() -> LineChart:
    steps = np.arange(0, 1000, 10.0)
    loss = 4 * np.exp(-steps / 200) + 0.5 + 0.2 * np.cos(steps)
    return LineChart(
        Lines(
            "loss",
            (Series("train", steps, loss), Series("dev", steps[::10], loss[::10] + 0.3)),
            "step",
            "loss",
        )
    )


def row() -> TokenRow:
    words = [*WORDS[:-1], "老人", "##s", "[/bold]", "[SEP]"]
    tokens = tuple(
        Token(word, 7 * n, None, None, special=True) if word in ("[CLS]", "[SEP]")
        else Token(word, 7 * n, 4 * n, 4 * n + len(word), "NOUN", 0.25 * (n % 4), segment=n // 6)
        for n, word in enumerate(words)
    )  # fmt: skip
    return TokenRow(Tokens("tokens", tokens))


def tree() -> TraceTree:
    rows = (
        TreeRow("ids", 0, (1, 7)),
        TreeRow("blocks.0", 0),
        TreeRow("blocks.0.attn", 1),
        TreeRow("blocks.0.attn.weights", 2, (1, 2, 7, 7), "softmax(blocks.0.attn.scores)"),
        TreeRow("blocks.0.resid_post", 1, (1, 7, 16), "blocks.0.resid_mid + blocks.0.mlp.out"),
    )
    return TraceTree(Tree("trace", rows))


def bars() -> BarList:
    return BarList(
        Bars("next", ("boat", "船", "[@click=app.quit]x[/]", "the"), np.array([0.5, 0.3, 0.15, 0.05]))
    )


CASES: dict[str, tuple[Callable[[], Widget], str, str, bool]] = {
    # name: widget, theme, TERM, without colour
    "heat_dark": (lambda: HeatTableView(scores(WORDS)), "textual-dark", "xterm-256color", False),
    "heat_light": (lambda: HeatTableView(scores(WORDS)), "textual-light", "xterm-256color", False),
    "heat_16_colours": (lambda: HeatTableView(scores(WORDS)), "textual-dark", "xterm", False),
    "heat_no_colour": (lambda: HeatTableView(scores(WORDS), show="shades"), "textual-dark", "xterm", True),
    "heat_chinese": (lambda: HeatTableView(attention(CHINESE)), "textual-dark", "xterm-256color", False),
    "chart": (chart, "textual-dark", "xterm-256color", False),
    "tokens": (row, "textual-dark", "xterm-256color", False),
    "tree": (tree, "textual-light", "xterm-256color", False),
    "bars": (bars, "textual-dark", "xterm-256color", False),
}


@pytest.mark.parametrize("name", CASES)
def test_picture(name: str, snap_compare: Any, terminal: Callable[..., None]) -> None:
    build, theme, term, no_colour = CASES[name]
    terminal(term, no_colour)
    assert snap_compare(Host(build(), theme), terminal_size=(72, 12), press=["j", "l"])
