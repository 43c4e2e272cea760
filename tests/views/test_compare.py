"""Two figures side by side: tables as A, B and A − B, with sources into the trace that each came from."""

import numpy as np

from nlptui.views import VIEWS, State, describe
from nlptui.views.cells import cell_texts
from nlptui.views.compare import compare
from nlptui.views.figure import Bars, Figure, HeatTable, Source
from tests.views.conftest import run, shared


def test_two_sentences_through_one_model():
    a, b = shared("lstm"), run("lstm", ("the", "can", "[/bold]", "may", "the"))
    view = VIEWS["hidden"]
    left, right, minus, *_rest = compare(view.draw(a, State(1)), view.draw(b, State(1))).parts
    assert [part.title[:5] for part in (left, right, minus)] == ["A · h", "B · h", "A − B"]
    np.testing.assert_array_equal(minus.values, a.array("layers.1.hidden")[0] - b.array("layers.1.hidden")[0])
    assert minus.rows == ("the", "can", "[/bold]", "中文/may", "the")
    assert (left.origin(1, 2).trace, right.origin(1, 2).trace, minus.origin(1, 2)) == (0, 1, None)
    assert left.origin(1, 2).name == right.origin(1, 2).name == "layers.1.hidden"


def test_the_same_text_through_two_models_of_other_widths():
    lstm, gpt = (VIEWS["hidden"].draw(shared(family), State()) for family in ("lstm", "gpt"))
    figure = compare(lstm, gpt)
    assert not any(part.title.startswith("A − B") for part in figure.parts)
    assert "different shapes" in figure.caption
    assert figure.title.startswith("A: ") and "B: " in figure.title


def test_masked_cells_stay_blank():
    table = HeatTable("s", np.array([[1.0, -np.inf]]), ("a",), ("b", "c"), "query", "key")
    figure = compare(Figure("v", "t", (table,)), Figure("v", "t", (table,)))
    assert figure.title == "t"
    np.testing.assert_array_equal(figure.parts[2].values, [[0, np.nan]])
    assert describe(figure, 2, 0, 0) == "A − B · s, a × b: 0"


def test_rows_with_sources_of_their_own_bars_and_a_missing_part():
    sources = (Source("x", (0, "col")), Source("y", (0, "col")))
    table = HeatTable("s", np.zeros((2, 2)), ("x", "y"), ("0", "1"), "activation", "d_hidden", source=sources)
    bars = Bars("b", ("a",), np.array([0.5]), source=Source("probs", (0, "row")))
    figure = compare(Figure("v", "t", (table, bars)), Figure("v", "t", (table,)))
    assert [part.title for part in figure.parts] == ["A · s", "B · s", "A − B · s", "A · b"]
    assert figure.parts[1].origin(1, 1).trace == 1 and figure.parts[1].origin(1, 1).name == "y"
    assert figure.parts[3].origin(0).trace == 0


def test_gates_compare_step_by_step():
    view = VIEWS["gates"]
    other = run("lstm", ("a", "b", "c", "d", "e"))
    figure = compare(view.draw(shared("lstm"), State()), view.draw(other, State()))
    differences = [part for part in figure.parts if part.title.startswith("A − B")]
    assert len(differences) == 9 and all(part.scale == "diverging" for part in differences)


def test_of_other_architectures_only_like_is_taken_from_like():
    """An LSTM has gates that a GRU has not: these stand alone."""
    view = VIEWS["gates"]
    figure = compare(view.draw(shared("lstm"), State()), view.draw(shared("gru"), State()))
    titles = [part.title for part in figure.parts]
    assert [title for title in titles if title.startswith("A − B")] == [
        "A − B · candidate", "A − B · hidden state",
    ]  # fmt: skip
    for name in ("input gate", "forget gate", "cell state"):
        assert f"A · {name}" in titles and f"B · {name}" not in titles
    for name in ("reset gate", "update gate"):
        assert f"B · {name}" in titles and f"A · {name}" not in titles
    at = titles.index("A − B · candidate")
    assert titles[at - 2 : at] == ["A · candidate", "B · candidate"]
    lstm, gru = (shared(family).array("layers.0.forward.hidden")[0] for family in ("lstm", "gru"))
    expected = (lstm - gru).T
    np.testing.assert_allclose(figure.parts[titles.index("A − B · hidden state")].values, expected)


def test_small_differences_beside_large_ones_do_not_look_like_0():
    a = HeatTable("s", np.array([[1.5, 0.5, 0.5]]), ("a",), ("b", "c", "d"), "query", "key")
    b = HeatTable("s", np.array([[0.0, 0.499, 0.5]]), ("a",), ("b", "c", "d"), "query", "key")
    minus = compare(Figure("v", "t", (a,)), Figure("v", "t", (b,))).parts[2]
    assert cell_texts(minus, 9, 9) == [["1.50", "1e-3", "0.00"]]
    assert cell_texts(a, 9, 9) == [["1.50", "0.50", "0.50"]]
