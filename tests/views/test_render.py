"""Figures as text, SVG and HTML: aligned, complete, well-formed, and safe whatever the tokens are."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.cells import cell_len

from nlptui.views import VIEWS, State
from nlptui.views import palette as colours
from nlptui.views.cells import bar, fit, number_format, shade
from nlptui.views.figure import Bars, Figure, HeatTable, Lines, Series, Token, Tokens, Tree, TreeRow
from nlptui.views.render import to_html, to_svg, to_text
from tests.views.conftest import DIFFERENT, drawn, run, shared

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x00\x07\x9b5n",
    "<script>alert(1)</script>",
    "]]>&amp;\"'",
    "[/bold]",
    "[@click=app.quit]x[/]",
    "\u202eabc\u2066",
    "\ud800",
    "\ufffe\uffff",
    "\u200b",
    "שלום",
    "中文字",
    "a\u0301\u0302",
    "\u0301",
    "👩‍👩‍👧",
    "{value}",
    "line\nbreak\ttab",
)


def table(values, rows=None, cols=None, **options):
    values = np.asarray(values, dtype=float)
    rows = rows or tuple(f"r{i}" for i in range(values.shape[0]))
    cols = cols or tuple(f"c{i}" for i in range(values.shape[1]))
    return HeatTable(options.pop("title", "t"), values, rows, cols, "pos", "unit", **options)


def one(part):
    return Figure("view", "Title", (part,), "A caption.")


def every_kind():
    """A figure with every kind of part, all its text hostile."""
    grid = np.arange(len(HOSTILE) ** 2).reshape(len(HOSTILE), -1) / 289
    return Figure(
        "view",
        HOSTILE[0],
        (
            table(grid, HOSTILE, HOSTILE, title=HOSTILE[2], note=HOSTILE[2]),
            Bars(HOSTILE[3], HOSTILE, np.arange(len(HOSTILE)), unit=HOSTILE[2]),
            Lines(
                HOSTILE[4],
                (Series(HOSTILE[2], np.arange(3), np.array([1, np.nan, 2])),),
                HOSTILE[2],
                HOSTILE[2],
            ),
            Tokens(HOSTILE[5], tuple(Token(t, i, 0, 1, tag=t, prob=0.5) for i, t in enumerate(HOSTILE))),
            Tree(HOSTILE[6], tuple(TreeRow(t, i % 3, (1, 2), t) for i, t in enumerate(HOSTILE))),
        ),
        HOSTILE[2],
    )


def unsafe(text):
    """Characters that a terminal would obey, or that no text file should hold."""
    return re.findall(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufffe\uffff]", text
    )


class Page(HTMLParser):
    """All tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "rect", "path", "br") and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.text += text


# -- text


def test_a_table_in_text():
    part = table([[0.5, -1.0], [0.0, -np.inf]], ("the", "中文"), ("can", "[/bold]"), title="scores")
    assert to_text(one(part), 60) == (
        "Title\n"
        "\n"
        "scores   shades: |value|, up to 1.00\n"
        "          can  [/bold]\n"
        "the     ▒0.50   █-1.00\n"
        "中文     0.00       −∞\n"
        "\n"
        "A caption.\n"
    )


def test_columns_line_up_by_display_width():
    labels = ("a", "中文", "汉字汉字汉字汉字", "e\u0301", "👩‍👩‍👧", "x" * 40)
    lines = to_text(one(table(np.full((6, 6), 0.25), labels, labels)), 200).splitlines()[3:10]
    ends = [{cell_len(line[: match.end()]) for match in re.finditer(r"0\.25", line)} for line in lines[1:]]
    assert all(found == ends[0] and len(found) == 6 for found in ends)
    assert {cell_len(line.rstrip()) for line in lines} == {max(ends[0])}


@pytest.mark.parametrize("width", [20, 37, 80, 200])
def test_no_line_is_wider_than_asked(width):
    figures = [
        every_kind(),
        *(VIEWS[v].draw(shared(f), State()) for f, v in [("lstm", "gates"), ("gpt", "tree")]),
    ]
    for figure in figures:
        assert max(map(cell_len, to_text(figure, width).splitlines())) <= width


def test_every_number_is_written_in_blocks_of_columns():
    values = np.arange(120).reshape(2, 60) / 1000
    text = to_text(one(table(values, digits=3)), 80)
    assert sorted(map(float, re.findall(r"0\.\d{3}", text.split("\n", 3)[3]))) == sorted(values.ravel())
    assert all(f"c{i}" in text.split() for i in range(60))


def test_what_is_left_out_is_counted():
    text = to_text(one(table(np.zeros((30, 40)))), 80, limit=10)
    assert "… and 20 more rows" in text and "… and 30 more columns" in text
    assert "r9" in text and "r10" not in text
    assert "more" not in to_text(one(table(np.zeros((30, 40)))), 80, limit=None)
    tokens = Tokens("t", tuple(Token("a", i) for i in range(30)))
    assert "… and 20 more tokens" in to_text(one(tokens), 80, limit=10)


def test_tokens_in_text_stand_over_their_ids():
    tokens = Tokens(
        "tokens", (Token("[CLS]", 101, special=True), Token("中文", 7, 0, 2), Token("a", 123456, 2, 3))
    )
    assert to_text(one(tokens), 60).splitlines()[2:6] == [
        "tokens",
        "token       [CLS]  中文       a",
        "id            101     7  123456",
        "characters      –   0–2     2–3",
    ]


def test_bars_charts_and_trees_in_text():
    bars = Bars("next", ("the", "中"), np.array([0.75, 0.25]), unit="share", scale="probability")
    assert to_text(one(bars), 40).splitlines()[2:5] == [
        "next   (share)",
        "the  0.750  " + bar(0.75, 28).rstrip(),
        "中   0.250  " + bar(0.25, 28).rstrip(),
    ]
    chart = Lines(
        "loss", (Series("train", np.arange(4), np.array([4, 3, 2, 1])), Series("dev", [], [])), "step"
    )
    lines = to_text(one(chart), 60).splitlines()
    assert lines[3].startswith("train  █▆▃▁") and "last 1, from 1 to 4" in lines[3]
    assert "dev: no values yet" in lines[4] and lines[5] == "step 0 … 3"
    tree = Tree("all", (TreeRow("blocks.0", 0), TreeRow("blocks.0.z", 1, (1, 2), "mix(weights, v)")))
    assert to_text(one(tree), 60).splitlines()[3:5] == ["blocks.0", "  z       1×2  mix(weights, v)"]


def test_long_captions_break_also_in_chinese():
    lines = to_text(
        Figure("v", "t", (), "一二三四五六七八九十" * 5 + " and words after them"), 20
    ).splitlines()
    assert max(map(cell_len, lines)) <= 20 and "".join(lines).count("十") == 5


def test_text_is_safe():
    text = to_text(every_kind(), 100)
    assert not unsafe(text)
    assert text.encode("utf-8")
    assert "[/bold]" in text and "[@click=app.quit]" in text  # markup is only text here


# -- SVG


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_svg_is_well_formed_alone_and_safe(theme):
    svg = to_svg(every_kind(), theme)
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {"svg", "title", "style", "rect", "path", "text"}
    for element in root.iter():
        assert not any(name.startswith("on") or "href" in name or name == "style" for name in element.attrib)
    assert not unsafe(svg) and "url(" not in svg and "@import" not in svg
    assert svg.encode("utf-8")
    texts = [e.text for e in root.iter(f"{SVG}text")]
    assert "<script>alert(1)</script>" in texts  # as text, not as an element
    assert ("prefers-color-scheme:dark" in svg) == (theme == "auto")


def test_svg_names_fonts_for_chinese():
    assert "Noto Sans CJK SC" in to_svg(one(table([[1.0]], ("中",))))


def test_svg_cells_cover_the_table_in_the_colours_of_their_levels():
    values = np.array([[-1.0, -1.0, 0.0, 1.0], [np.nan, 0.5, 0.5, 0.5]])
    part = table(values)
    root = ET.fromstring(to_svg(one(part)))
    area = {}
    for path in root.iter(f"{SVG}path"):
        for x0, x1, height in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)v([\d.]+)H", path.get("d")):
            area[path.get("class")] = area.get(path.get("class"), 0) + (float(x1) - float(x0)) * float(height)
    one_cell = sum(area.values()) / 8
    shares = {name: round(size / one_cell) for name, size in area.items()}
    assert shares == {
        "d0": 2,
        "d7": 1,
        "d14": 1,
        "na": 1,
        "d11": 3,
    }  # 0.5 of 7 levels beside zero: 3.5, to even


def test_svg_writes_numbers_while_there_is_room():
    small = ET.fromstring(to_svg(one(table(np.full((3, 3), 0.125), digits=3))))
    large = ET.fromstring(to_svg(one(table(np.full((3, 100), 0.125), digits=3))))
    count = [sum(e.text == "0.125" for e in root.iter(f"{SVG}text")) for root in (small, large)]
    assert count == [10, 1]  # the legend ends with one too


def test_svg_of_a_curve_goes_through_its_points():
    chart = Lines("loss", (Series("train", np.array([0, 5, 10]), np.array([4.0, 3.0, 2.0])),), "step")
    (path,) = ET.fromstring(to_svg(one(chart))).iter(f"{SVG}path")
    (x0, y0), (x1, y1), (x2, y2) = (
        map(float, point.split()) for point in path.get("d").removeprefix("M").split("L")
    )
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.1) and x2 > x0
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.1) and y2 > y0  # lower loss is further down


def test_svg_breaks_a_long_caption_and_says_that_a_scale_is_logarithmic():
    x = np.array([3.0])
    chart = Lines("norms", (Series("norms", x, np.array([0.1])),), "token", "norm", log=True)
    figure = Figure("v", "t", (chart,), "and so on and on, " * 40)
    root = ET.fromstring(to_svg(figure))
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    caption = [line for line in words if line.startswith(("and", "on", "so"))]
    assert len(caption) > 2 and " ".join(caption).split() == figure.caption.split()
    assert float(root.get("width")) < 1000 and "norm (log)" in words
    (path,) = root.iter(f"{SVG}path")
    assert path.get("d").endswith("h8"), "one point is a dash that can be seen"
    assert "norms (log)" in to_text(figure, 80)


def test_the_caption_of_pictures_holds_on_paper_too():
    """In a light picture, much weight is dark."""
    trace = shared("gpt")
    assert "Bright" not in drawn("heads", trace, State()).caption


def test_ten_thousand_points_stay_a_small_file_and_keep_their_peaks():
    y = np.sin(np.arange(100_000))
    y[54321] = 9
    chart = one(Lines("loss", (Series("train", np.arange(100_000), y),)))
    svg = to_svg(chart)
    assert len(svg) < 60_000 and ">9</" in svg


def test_a_table_of_512_tokens_is_drawn_in_time():
    trace = run("gpt", tuple(f"t{i}" for i in range(512)))
    figure = VIEWS["attention"].draw(trace, State())
    start = time.perf_counter()
    svg = to_svg(figure)
    assert time.perf_counter() - start < 2
    assert len(svg) < 8_000_000


# -- HTML


def test_html_is_well_formed_without_scripts_and_obeys_its_own_policy():
    text = to_html(every_kind())
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags)
    names = {name for name, _value in page.attributes}
    assert not any(name.startswith("on") or name in ("style", "href", "src") for name in names)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(value for name, value in page.attributes if name == "content")
    assert "default-src 'none'" in policy and f"'sha256-{digest}'" in policy and "unsafe" not in policy
    assert "<script>alert(1)</script>" in page.text and "&amp;" in page.text
    assert not unsafe(text) and text.encode("utf-8")


def test_html_tables_hold_every_number_with_its_headers():
    page = Page(to_html(one(table([[0.25, -np.inf]], ("the",), ("can", "中")))))
    assert page.tags.count("td") == 2 and page.tags.count("th") == 4
    assert "0.25" in page.text and "−∞" in page.text and "中" in page.text
    assert ("class", "na NA") in page.attributes and ("class", "d14 D14") in page.attributes


WITHOUT_WORDS = (
    "tree", "output", "heads", "lens", "sources", "timing", "positions", "next", "beam", "cache",
    "neighbours", "outputs", "systems", "effect", "eras",
)  # fmt: skip
"""Views that may show no token of the text."""


@pytest.mark.parametrize("trace", DIFFERENT, indirect=True)
@pytest.mark.parametrize("render", [to_text, to_svg, to_html])
def test_every_view_of_every_family_can_be_rendered(trace, render):
    for view in VIEWS.values():
        if view.applies(trace):
            figure = drawn(view.name, trace, State(position=3))
            rendered = render(figure)
            if render is to_svg:
                ET.fromstring(rendered)
            assert view.heading in (rendered if render is to_text else rendered.replace("&amp;", "&"))
            assert "中文" in rendered or view.name in WITHOUT_WORDS


@pytest.mark.parametrize("render", [to_text, to_svg, to_html])
def test_empty_figures_and_parts(render):
    parts = (
        table(np.zeros((0, 3))),
        HeatTable("t", np.zeros((2, 0)), ("a", "b"), (), "pos", "unit"),
        Bars("b", (), np.zeros(0)),
        Lines("l", ()),
        Lines("l", (Series("s", np.zeros(0), np.zeros(0)),)),
        Tokens("t", ()),
        Tree("t", ()),
    )
    assert "Nothing" in render(Figure("v", "Nothing", parts))


# -- colours and cells


def test_levels_keep_zero_in_the_middle_and_grow_with_the_value():
    part = table([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    assert colours.levels(part)[0, 2] == colours.SIDE
    assert (np.diff(colours.levels(part)[0]) > 0).all()
    probability = table([[0.0, 0.5, 0.999, 1.0]], scale="probability")
    assert colours.levels(probability)[0].tolist() == [0, 6, 11, 11]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_on_every_level_has_contrast(theme):
    sheet = colours.style_sheet(theme)
    pairs = re.findall(r"\.([ds]\d+)\{fill:(#\w+);.*?\}\.([DS]\d+)\{fill:(#\w+);", sheet)
    assert len(pairs) == 2 * colours.SIDE + 1 + colours.STEPS
    for _name, ground, _text, ink in pairs:
        light, dark = sorted((colours.luminance(colours.rgb(c)) for c in (ground, ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_numbers_of_a_table_have_one_format():
    write = number_format(np.array([0.001, -12.0]), 2)
    assert [write(v) for v in (0.001, -12.0, -0.0001, np.inf, -np.inf, np.nan)] == [
        "0.00",
        "-12.00",
        "0.00",
        "∞",
        "−∞",
        "",
    ]
    assert number_format(np.array([1e9]), 2)(1e9) == "1.0e+09"
    write = number_format(np.array([0, 16071, 1374561]), 0)
    assert [write(v) for v in (0, 16071, 1374561)] == ["0", "16,071", "1,374,561"]
    assert number_format(np.array([1e-9]), 2)(1e-9) == "1.0e-09"


def test_fit_cuts_and_pads_by_cells():
    assert fit("中文字", 5) == "中文…" and fit("中", 4, right=True) == "  中" and fit("abc", 3) == "abc"
    assert fit("\u0301", 3) == "◌\u0301  "
    assert [shade(v) for v in (0.0, 0.1, -1.0, float("nan"))] == [" ", "·", "█", " "]
    assert bar(0.5, 4) == "██  " and bar(1 / 32, 4) == "▏   " and bar(float("nan"), 2) == "  "


def test_texts_stand_in_the_place_of_numbers():
    part = table([[0.25, 0.5]], texts=(("NOUN", "<b>"),), scale="probability")
    text, svg, html = to_text(one(part)), to_svg(one(part)), to_html(one(part))
    assert "NOUN" in text and "<b>" in text and "0.25" not in text
    for written in (svg, html):
        assert "NOUN" in written and "&lt;b&gt;" in written and "<b>" not in written and "0.25" not in written
    by_name = table([[1, 2]], texts=(("NOUN", "VERB"),), scale="positive")
    assert "names, each with a shade" in to_text(one(by_name)) and "2.00" not in to_svg(one(by_name))
