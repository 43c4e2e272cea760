"""The parts of a figure: labels fit shapes, sources map cells, zero keeps its colour, text is safe."""

import numpy as np
import pytest

from nlptui.views.figure import (
    NOWHERE,
    Bars,
    Figure,
    HeatTable,
    Origin,
    Series,
    Source,
    Token,
    Tokens,
    Tree,
    TreeRow,
)


def table(values, **options):
    values = np.asarray(values)
    rows = tuple(f"r{i}" for i in range(values.shape[0]))
    cols = tuple(f"c{i}" for i in range(values.shape[1]))
    return HeatTable("t", values, rows, cols, "pos", "unit", **options)


def test_labels_must_fit_the_values():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), labels say \(1, 3\)"):
        HeatTable("t", np.zeros((2, 3)), ("a",), ("x", "y", "z"), "pos", "unit")
    with pytest.raises(ValueError, match="2 values, 1 labels"):
        Bars("b", ("a",), np.zeros(2))
    with pytest.raises(ValueError, match="3 x values, 2 y values"):
        Series("s", np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="dimensions"):
        Bars("b", ("a",), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="expected numbers"):
        Bars("b", ("a",), np.array(["x"]))
    with pytest.raises(ValueError, match="1 sources for 2 rows"):
        table(np.zeros((2, 2)), source=(Source("a", ("row", "col")),))
    with pytest.raises(ValueError, match="scale"):
        table(np.zeros((2, 2)), scale="rainbow")


def test_a_source_maps_every_cell_also_when_sorted_or_picked():
    source = Source("blocks.0.attn.weights", (0, 3, "row", "col"))
    assert source.at(1, 2) == (0, 3, 1, 2)
    picked = Source("logits", (0, "col", "row"), rows=(17, 4), cols=(9,))
    assert picked.origin(1, 0) == Origin("logits", (0, 9, 4), 0)
    with pytest.raises(ValueError, match="placeholder"):
        Source("x", ("rwo",))


def test_each_row_may_have_its_own_source():
    part = table(np.zeros((2, 3)), source=(Source("a", (0, 5, "col")), Source("b", (0, 6, "col"), trace=1)))
    assert part.origin(0, 2) == Origin("a", (0, 5, 2))
    assert part.origin(1, 2) == Origin("b", (0, 6, 2), 1)
    assert table(np.zeros((1, 1))).origin(0, 0) is None


def test_shares_keep_zero_at_zero_and_mark_what_is_not_finite():
    part = table([[-4.0, 0.0, 2.0], [1.0, -np.inf, np.nan]])
    assert part.limits == (-4.0, 4.0)
    np.testing.assert_allclose(part.shares, [[-1, 0, 0.5], [0.25, np.nan, np.nan]])
    by_row = table([[-4.0, 0.0, 2.0], [1.0, -np.inf, np.nan]], by="row")
    np.testing.assert_allclose(by_row.shares, [[-1, 0, 0.5], [1, np.nan, np.nan]])
    assert table([[0.2, 0.4]], scale="probability").limits == (0.0, 1.0)
    np.testing.assert_allclose(table([[0.2, 0.4]], scale="probability", by="row").shares, [[0.2, 0.4]])
    np.testing.assert_allclose(table([[3.0, 6.0]], scale="positive").shares, [[0.5, 1.0]])
    np.testing.assert_array_equal(table(np.zeros((2, 2))).shares, np.zeros((2, 2)))


def test_an_empty_table_is_a_table():
    part = HeatTable("t", np.zeros((0, 4)), (), ("a", "b", "c", "d"), "pos", "unit")
    assert part.shares.shape == (0, 4) and part.limits == (-0.0, 0.0)


def test_values_are_not_copied_and_cannot_be_written():
    values = np.ones((2, 2))
    part = table(values)
    assert np.shares_memory(part.values, values)
    with pytest.raises(ValueError):
        part.values[0, 0] = 3
    values[0, 0] = 5  # the owner still can
    assert part.values[0, 0] == 5


def test_text_in_a_figure_is_safe_to_show():
    hostile = "\x1b[31m\u202e\x00"
    figure = Figure(
        "v",
        hostile,
        (
            HeatTable(hostile, np.zeros((1, 1)), (hostile,), (hostile,), "pos", "unit"),
            Bars(hostile, (hostile,), np.zeros(1)),
            Tokens(hostile, (Token(hostile, 1, tag=hostile),)),
            Tree(hostile, (TreeRow(hostile, 0, (1,), hostile, ("batch",)),)),
        ),
        hostile,
    )
    assert not any(character in repr(figure.parts[0].rows) for character in "\x1b\u202e\x00")
    shown = [
        figure.title,
        figure.caption,
        *(part.title for part in figure.parts),
        figure.parts[2].tokens[0].tag,
    ]
    assert all("\x1b" not in text and "⟨U+202E⟩" in text for text in shown)


def test_a_tree_opens_leaves_only():
    tree = Tree(
        "t", (TreeRow("layers", 0), TreeRow("layers.0.hidden", 1, (1, 2), "o * tanh(c)", ("batch", "pos")))
    )
    assert tree.origin(0) is None
    assert tree.origin(1) == Origin("layers.0.hidden", ())
    assert tree.rows[1].label == "hidden"


def test_texts_of_cells_have_the_tables_shape_and_nowhere_opens_nothing():
    values, texts = np.zeros((1, 2)), (("a", "b"),)
    source = Source("sure", (0, "col"), cols=(3, NOWHERE))
    part = HeatTable("t", values, ("r",), ("x", "y"), "row", "col", source=source, texts=texts)
    assert part.origin(0, 0) == Origin("sure", (0, 3)) and part.origin(0, 1) is None
    with pytest.raises(ValueError, match="texts"):
        HeatTable("t", values, ("r",), ("x", "y"), "row", "col", texts=(("a",),))


def test_each_bar_may_have_its_own_source():
    sources = (Source("ms", (0, 0), trace=1), Source("ms", (0, 0), trace=2))
    part = Bars("t", ("a", "b"), np.ones(2), sources)
    assert [part.origin(row).trace for row in range(2)] == [1, 2]
    with pytest.raises(ValueError, match="sources"):
        Bars("t", ("a",), np.ones(1), sources)
