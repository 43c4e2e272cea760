"""Edit, undo, compare, copy and export, by keys."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import numpy as np
import pytest

from nlptui.edits import Edit
from nlptui.engine import Engine
from nlptui.tui.screens.edit import EditScreen, scopes
from nlptui.tui.screens.explain import ExplainScreen
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.views.figure import HeatTable
from tests.tui.driving import TEXT, Session, opened

pytestmark = pytest.mark.usefixtures("models")


def output(session: Session) -> np.ndarray:
    return next(part for part in session.explorer.shown.output if isinstance(part, HeatTable)).values


async def test_a_cell_is_set_to_zero_and_the_output_changes(models: Path) -> None:
    async with opened("tag-lstm") as session:
        before = output(session)
        await session.press("x")
        assert isinstance(session.app.screen, EditScreen)
        await session.press("enter")
        assert session.place.edits == ("layers.0.forward.input_gate[0,0,0]=zero",)
        assert session.pane.box.part.values[0, 0] == 0
        engine = Engine.load(models / "tag-lstm")
        expected = engine.trace(TEXT, edits=[Edit.parse(session.place.edits[0])]).array("probs")[0]
        np.testing.assert_array_equal(output(session), expected)
        assert not np.array_equal(output(session), before)
        assert "edited: layers.0.forward.input_gate[0,0,0]=zero" in session.text()


async def test_undo_takes_back_one_edit_and_clear_all() -> None:
    async with opened("tag-lstm") as session:
        before = output(session)
        await session.press("x", "enter", "l", "x", "enter", "l", "x", "enter")
        assert len(session.place.edits) == 3
        await session.press("u")
        assert len(session.place.edits) == 2 and "Taken back" in session.text()
        await session.press("X")
        assert session.place.edits == ()
        np.testing.assert_array_equal(output(session), before)
        await session.press("u")
        assert "no edit to take back" in session.text()


async def test_edits_are_listed_switched_off_and_on_and_taken_back() -> None:
    async with opened("tag-lstm") as session:
        before = output(session)
        await session.press("E")
        assert "Nothing is edited" in session.text()
        await session.press("x", "enter", "l", "x", "tab", "j", "enter", "E")
        first, second = session.place.edits
        after = output(session)
        await session.press("space")
        assert (session.place.edits, session.place.off) == ((second,), (first,))
        assert f"[ ] {first}" in session.text() and f"[x] {second}" in session.text()
        await session.press("space")
        assert session.place.edits == (first, second) and not session.place.off
        np.testing.assert_array_equal(output(session), after)
        await session.press("j", "d", "d")
        assert session.place.edits == () and isinstance(session.app.screen, ExplorerScreen)
        np.testing.assert_array_equal(output(session), before)


async def test_the_list_of_edits_opens_what_is_edited_and_the_effect_shows_both_runs() -> None:
    async with opened("tag-lstm", view="effect") as session:
        assert "Nothing is edited" in session.text()
        await session.press("4", "x", "enter", "E", "enter")
        assert (session.place.view, session.place.name) == ("activation", "layers.0.forward.input_gate")
        await session.press("6", "tab")
        assert session.place.view == "effect"
        titles = [part.title for part in session.pane.figure.parts]
        assert any("before" in title for title in titles) and any("after" in title for title in titles)
        session.pane.choose(2)
        origin = session.explorer.origin()
        assert (origin.name, origin.trace) == ("probs", 2)
        await session.press("enter")
        assert isinstance(session.app.screen, ExplainScreen)


async def test_a_head_is_scaled_by_a_number() -> None:
    async with opened("gpt", head=1) as session:
        await session.press("x")
        where = session.app.screen.query_one("#edit-where")
        where.move_to([words.split("  ")[0] for _key, words in where.choices].index("its head"))
        await session.press("tab", "j", "j", "enter", *"0.5")
        assert "blocks.0.attn.weights[0,1,:,:]=scale:0.5" in session.text()
        before = session.pane.box.part.values.copy()
        await session.press("enter")
        np.testing.assert_allclose(session.pane.box.part.values, before / 2)


async def test_a_gate_is_forced_for_every_unit_and_step() -> None:
    async with opened("tag-lstm") as session:
        await session.press("w", "w")
        assert session.pane.box.part.source.name.endswith("forget_gate")
        await session.press("x", "G", "tab", "G", "enter", "1", "enter")
        assert session.place.edits == ("layers.0.forward.forget_gate[:,:,:]=force:1",)
        assert (session.pane.box.part.values == 1).all()


async def test_a_number_that_is_none_is_asked_for_again() -> None:
    async with opened("tag-lstm") as session:
        await session.press("x", "tab", "G", "enter", *"1e999", "enter")
        assert isinstance(session.app.screen, EditScreen) and "Give a number" in session.text()
        await session.press("escape")
        assert session.place.edits == ()


def test_what_can_be_edited_around_a_cell() -> None:
    found = dict(scopes((0, 2, 5, 3), ("batch", "head", "query", "key"), (0, 2, "row", "col")))
    assert list(found) == ["0,2,5,3", "0,2,5,:", "0,2,:,3", "0,2,:,:", ":,:,:,:"]
    recurrent = dict(scopes((0, 4, 1), ("batch", "pos", "d_hidden"), (0, "col", "row")))
    assert list(recurrent) == ["0,4,1", "0,:,1", "0,4,:", ":,:,:"]
    picture = dict(scopes((0, 2), ("batch", "head", "query", "key"), ()))
    assert list(picture) == ["0,2,:,:", ":,:,:,:"]


async def test_a_head_is_switched_off_from_its_picture() -> None:
    async with opened("gpt", text="the can", view="heads") as session:
        await session.press("l", "x")
        assert isinstance(session.app.screen, EditScreen)
        await session.press("enter")
        assert session.place.edits == ("blocks.0.attn.weights[0,1,:,:]=zero",)
        await session.press("enter")
        assert session.place.view == "attention" and not session.pane.box.part.values.any()


async def test_a_whole_activation_is_edited_from_the_tree() -> None:
    async with opened("gpt", text="the can", view="tree") as session:
        tree = session.pane.widget
        tree.move_to(next(n for n, row in enumerate(tree.part.rows) if row.path == "blocks.0.attn.z"))
        await session.press("x", "enter")
        assert session.place.edits == ("blocks.0.attn.z[:,:,:,:]=zero",)
        await session.press("enter")
        assert not session.pane.box.part.values.any()


async def test_an_edit_of_what_there_is_not_is_said_and_can_be_taken_back() -> None:
    async with opened("tag-lstm", edits=("layers.9.hidden[0,0,0]=zero",), settle=True) as session:
        assert session.explorer.shown is not None and "named 'layers.9.hidden' to edit" in session.text()
        await session.press("X")
        assert "layers.9.hidden" not in session.text() and session.place.edits == ()


async def test_compare_with_another_sentence_shows_a_b_and_the_difference() -> None:
    async with opened("gpt", text="the old can") as session:
        a = session.pane.box.part.values
        await session.press("c", "i", *["backspace"] * 3, *"inn", "escape")
        parts = session.pane.figure.parts
        assert [part.title.split(" · ")[0] for part in parts] == ["A", "B", "A − B"]
        np.testing.assert_array_equal(parts[0].values, a)
        np.testing.assert_allclose(parts[2].values, parts[0].values - parts[1].values)
        assert "A = “the old can”" in session.text()


async def test_numbers_of_a_and_b_open_in_their_own_run() -> None:
    async with opened("gpt", text="the old can") as session:
        await session.press("c", "i", *["backspace"] * 3, *"inn", "escape")
        a, b = session.pane.figure.parts[:2]
        await session.press("G", "enter")
        assert isinstance(session.app.screen, ExplainScreen)
        assert session.app.screen.trail[0].explained.derivation.value == a.values[-1, 0]
        await session.press("escape", "w", "G", "enter")
        assert session.app.screen.trail[0].explained.derivation.value == b.values[-1, 0]
        await session.press("enter")
        assert session.app.screen.first.trace == 1


async def test_the_line_over_the_sentence_says_whose_number_it_is() -> None:
    async with opened("gpt", text="the old can") as session:

        def exact() -> str:
            return "".join(word.text for word in session.explorer.query_one("#exact").left)

        assert not exact().startswith(("A", "B"))
        await session.press("c", "i", *["backspace"] * 3, *"inn", "escape")
        a, b, _difference = session.pane.figure.parts
        await session.press("G")
        assert exact().startswith("A  " + str(a.values[-1, 0]))
        await session.press("w", "G")
        assert exact().startswith("B  " + str(b.values[-1, 0]))


async def test_a_difference_opens_as_a_number_of_a_minus_one_of_b() -> None:
    async with opened("gpt", text="the old can") as session:
        await session.press("c", "i", *["backspace"] * 3, *"inn", "escape")
        a, b, difference = (part.values for part in session.pane.figure.parts)
        await session.press("w", "w", "G", "enter")
        screen = session.app.screen
        assert isinstance(screen, ExplainScreen)
        derivation = screen.trail[0].explained.derivation
        assert [term.value for term in derivation.terms] == [a[-1, 0], b[-1, 0]]
        assert derivation.value == derivation.total == pytest.approx(difference[-1, 0], abs=1e-7)
        for down, values in ((0, a), (1, b)):
            await session.press(*["j"] * down, "enter")
            assert screen.trail[-1].explained.derivation.value == values[-1, 0]
            assert screen.trail[-1].explained.origin.trace == down
            await session.press("enter")
            assert screen.trail[-1].explained.origin.trace == down, "and so do its own terms"
            await session.press("backspace", "backspace")
        await session.press("v", "y")
        assert session.app.screen is screen and "A − B" in session.app.clipboard


async def test_two_heads_of_one_run_are_compared() -> None:
    """A stays at the head where it was pinned, as long as it is the same run in the same view."""
    async with opened("gpt", text="the old can", head=1) as session:
        one = session.pane.box.part.values
        await session.press("c")
        assert "another" in session.text() and not session.pane.figure.parts[2].values.any()
        await session.press(",")
        a, b, difference = (part.values for part in session.pane.figure.parts)
        np.testing.assert_array_equal(a, one)
        np.testing.assert_allclose(difference, a - b)
        assert difference.any() and "A = head 1" in session.text()
        origins = [part.origin(0, 0) for part in session.pane.figure.parts[:2]]
        assert [(origin.index[1], origin.trace) for origin in origins] == [(1, 0), (0, 1)]
        await session.press("Y")
        assert session.app.clipboard.endswith("--pin-layer 0 --pin-head 1")
        await session.press("i", *["backspace"] * 3, *"inn", "escape")
        a, b = session.pane.figure.parts[:2]
        assert a.origin(0, 0).index[1] == b.origin(0, 0).index[1] == 0, "another sentence: the same head"


async def test_two_layers_of_one_run_are_compared() -> None:
    async with opened("gpt", text="the old can", view="hidden") as session:
        await session.press("c", "]")
        a, b = session.pane.figure.parts[:2]
        assert a.origin(0, 0).name != b.origin(0, 0).name and "A = layer 0" in session.text()


async def test_compare_with_another_model_and_unpin() -> None:
    async with opened("gpt", text="the can") as session:
        await session.press("c", "m", *"bert", "enter")
        assert session.explorer.problem == ""
        assert session.pane.figure.parts[0].title.startswith("A · ")
        assert "A = gpt" in session.text()
        await session.press("c")
        assert session.place.pinned is None and len(session.pane.figure.parts) == 1


async def test_compare_with_an_edit() -> None:
    async with opened("gpt", text="the can") as session:
        await session.press("c", "x", "enter")
        difference = session.pane.figure.parts[2].values
        assert difference[0, 0] == 1 and np.count_nonzero(difference) == 1


async def test_a_model_without_the_view_compares_as_far_as_it_can() -> None:
    async with opened("gpt", text="the can") as session:
        await session.press("c", "m", *"tag-lstm", "enter")
        assert session.explorer.problem == "" and session.explorer.shown.model.arch == "lstm"


async def test_y_copies_the_number_in_full() -> None:
    async with opened("gpt") as session:
        await session.press("j", "y")
        assert session.app.clipboard == str(session.pane.box.part.values[1, 0])
        assert np.float32(session.app.clipboard) == session.pane.box.part.values[1, 0]


async def test_capital_y_copies_the_command_that_opens_this_place() -> None:
    async with opened("gpt", text="it's old") as session:
        await session.press("]", ".", "j", "l", "Y")
        assert shlex.split(session.app.clipboard) == [
            "nlptui", "it's old", "--model", "gpt", "--view", "attention", "--layer", "1", "--head", "1",
            "--at", "1,1", "--position", "1",
        ]  # fmt: skip


async def test_export_writes_the_view(tmp_path: Path) -> None:
    async with opened("gpt") as session:
        for ending, sign in ((".svg", "<svg"), (".html", "<!"), (".txt", "attention"), (".csv", "e")):
            path = tmp_path / f"figure{ending}"
            await session.press("e", "ctrl+u")
            session.app.screen.query_one("#export-path").value = str(path)
            await session.press("enter")
            assert f"Written: {path}"[:40] in session.text()
            content = path.read_text(encoding="utf-8")
            assert sign in content.lower() and "\x1b" not in content
        rows = list(csv.reader(content.splitlines()))
        assert np.float32(rows[3][2]) == session.pane.box.part.values[1, 1]


async def test_export_looks_at_the_path_before_it_writes(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("mine")
    async with opened("gpt") as session:
        await session.press("e")
        path = session.app.screen.query_one("#export-path")
        for wrong, said in (
            (tmp_path / "a.png", "ending"),
            (tmp_path / "no" / "a.svg", "no such folder"),
            (tmp_path / "there.txt", "exists"),
        ):
            path.value = str(wrong)
            await session.press("enter")
            assert said in session.app.screen.draw(), wrong
        assert (tmp_path / "there.txt").read_text() == "mine"
        await session.press("tab", "j", "enter")
        assert "attention" in (tmp_path / "there.txt").read_text()


async def test_edits_stay_with_their_model() -> None:
    async with opened("gpt", text="the can") as session:
        await session.press("x", "enter", "m", *"tag-lstm", "enter")
        assert session.place.edits == () and session.explorer.problem == ""


async def test_a_value_is_patched_from_the_pinned_run(models: Path) -> None:
    """Activation patching: of two sentences as long as each other, one gets a vector of the other's."""
    async with opened("bert", view="hidden", text="the old can", layer=1) as session:
        await session.press("c", "i", *["backspace"] * 3, *"tea", "escape")
        assert session.place.pinned is not None and session.place.text == "the old tea"
        await session.press("w", "j", "x")
        what = session.app.screen.query_one("#edit-what")
        assert what.choices[-1][0] == "from:A"
        await session.press("j", "tab", "G", "enter")
        (edit,) = session.place.edits
        assert edit.endswith("=from:A")
        engine = Engine.load(models / "bert")
        name = edit.partition("[")[0]
        index = edit.partition("[")[2].partition("]")[0]
        given = engine.trace("the old can").array(name)
        wanted = Edit.parse(f"{name}[{index}]=zero")
        patched = Edit(name, wanted.index, "from", tensor=given)
        expected = engine.trace("the old tea", edits=[patched]).array("mlm.probs")
        assert not np.array_equal(expected, engine.trace("the old tea").array("mlm.probs"))
        shown = session.app.engine.backend  # the run on screen is the patched one
        assert shown.state == "ready" and "edited:" in session.text()
        found = next(part for part in session.explorer.shown.output if hasattr(part, "labels"))
        row = expected[0, found.source.index[1]]
        np.testing.assert_allclose(found.values, row[list(found.source.rows)], atol=1e-6)
        await session.press("c")
        assert session.place.edits == ()


async def test_a_point_of_a_chart_is_opened_copied_and_said() -> None:
    async with opened("tag-lstm", view="through_time") as session:
        await session.press("l")
        await session.press("y")
        value = session.pane.box.part.series[0].y[1]
        assert f"Copied: {value}" in session.text()
        await session.press("enter")
        assert isinstance(session.app.screen, ExplainScreen)
        assert "hidden.norm[0,1]" in session.text()
