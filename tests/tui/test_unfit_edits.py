"""Edits that fit nothing of the text at hand are out of force, said so, and come back when they fit again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.errors import UserError
from nlptui.tui.place import Place
from nlptui.tui.screens.edits import EditsScreen
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.workbench import Workbench
from nlptui.views.figure import HeatTable
from tests.tui.driving import opened

pytestmark = pytest.mark.usefixtures("models")
PATCH, CUT = "blocks.0.attn.z=from:A", "blocks.1.attn.z[0,:,6]=zero"


@pytest.fixture
def bench(models: Path) -> Workbench:
    return Workbench("cpu")


def test_a_patch_of_another_length_leaves_the_run_to_the_other_edits(bench: Workbench) -> None:
    a = Place("gpt", "the can")
    place = Place("gpt", "the old can", "attention", edits=(PATCH, CUT), pinned=a)
    shown = bench.show(place)
    assert list(shown.unfit) == [PATCH] and "has the shape [1, 3, 7, 4]" in shown.unfit[PATCH]
    said = " ".join(shown.notices)
    assert f"edited: {CUT}" in said and f"out of force here, E says why: edit {PATCH}" in said
    assert "\n" not in said
    assert shown.place.edits == (PATCH, CUT), "nobody has taken it back"
    expected = Engine.load("gpt", device="cpu").trace("the old can", [CUT])
    np.testing.assert_array_equal(bench.trace(place).array("logits"), expected.array("logits"))
    fits = bench.show(replace(place, text="the tea"))
    assert not fits.unfit and f"edited: {PATCH}  {CUT}" in " ".join(fits.notices)


def test_every_way_not_to_fit(bench: Workbench, tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", embed=np.zeros((1, 2, 12)))
    edits = {
        "blocks.0.attn.z[0,9,0]=zero": "the index does not fit",
        "blocks.9.attn.z=zero": "no activation or parameter named",
        "token_embedding.weight[9999]=zero": "the index does not fit",
        "probs=zero": "edit logits instead",
        f"embed=from:{tmp_path / 'some.npz'}": "its tensor has the shape [1, 2, 12]",
        f"embed=from:{tmp_path / 'none.npz'}": "not readable",
        "blocks.0.mlp.post[0,1]=scale:2": "",
    }
    place = Place("gpt", "the can", edits=tuple(edits))
    unfit = bench.ran(place).unfit
    assert list(unfit) and {edit: bool(why) for edit, why in edits.items()} == {e: e in unfit for e in edits}
    assert all(edits[edit] in reason for edit, reason in unfit.items())
    assert [str(edit) for edit in bench.trace(place).edits] == ["blocks.0.mlp.post[0,1]=scale:2.0"]


def test_of_an_empty_text_only_parameters_are_edited(bench: Workbench) -> None:
    learned = "token_embedding.weight[3,:]=zero"
    place = Place("gpt", "", "activation", name="token_embedding.weight", edits=(CUT, learned))
    shown = bench.show(place)
    assert list(shown.unfit) == [CUT] and "the text is empty" in shown.unfit[CUT]
    table = next(part for part in shown.figure.parts if isinstance(part, HeatTable))
    assert not table.values[3].any() and table.values[2].any()


def test_the_same_edit_twice_is_made_twice(bench: Workbench) -> None:
    half = "embed[0,1]=scale:0.5"
    place = Place("gpt", "the can")
    once, twice = (bench.trace(replace(place, edits=(half,) * n)).array("embed")[0, 1] for n in (1, 2))
    np.testing.assert_allclose(twice, once / 2)


def test_another_trouble_is_none_of_the_edits(bench: Workbench) -> None:
    with pytest.raises(UserError, match="not a pair"):
        bench.ran(Place("gpt", "the can ||| a can", edits=(CUT,)))


async def test_a_patch_waits_in_the_list_until_it_fits(models: Path) -> None:
    """From A's text to another length and back, with every view at hand all the time."""
    async with opened("gpt", text="the can") as session:
        await session.press("c", "i", "backspace", "p", "escape", "x", "tab", "G", "enter")
        (edit,) = session.place.edits
        assert edit.endswith("=from:A") and "edited:" in session.text()
        await session.press("i", *"s", "escape")
        assert session.place.text == "the caps" and session.explorer.problem == ""
        assert f"out of force here, E says why: edit {edit[:20]}" in session.text()
        assert "edited" not in session.text()
        await session.press("4", "E")
        screen = session.app.screen
        assert isinstance(screen, EditsScreen) and f"[!] {edit}" in session.text()
        assert "its tensor has the shape" in session.text()
        await session.press("space")
        assert session.place.off == (edit,) and f"[ ] {edit}" in session.text()
        await session.press("space")
        assert f"[!] {edit}" in session.text() and "its tensor has the shape" in session.text()
        await session.press("escape", "i", "backspace", "escape")
        assert isinstance(session.app.screen, ExplorerScreen)
        assert session.place.text == "the cap" and "edited:" in session.text()
        assert not session.explorer.shown.unfit and session.place.edits == (edit,)
