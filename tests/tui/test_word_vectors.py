"""The explorer on a model without layers: word vectors, at both sizes, by the keys of every group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.paths import home_config
from nlptui.tui.screens.explain import ExplainScreen
from tests.engine.models import make_model
from tests.tui.driving import opened

TEXT = "the old zyzzyva can open"
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["narrow", "wide"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    (home_config() / "settings.json").unlink(missing_ok=True)
    return make_model(tmp_path, "word2vec")


@SIZES
async def test_every_group_that_fits_opens_and_the_others_say_so(size: tuple[int, int], folder: Path) -> None:
    async with opened("word2vec", TEXT, size=size) as session:
        text = session.text()
        assert "word2vec" in text and "zyzzyva" in text
        for key, view in (("1", "tokens"), ("2", "embedding"), ("6", "output"), ("9", "tree")):
            await session.press(key)
            assert session.place.view == view, session.text()
        for key in ("3", "4", "5"):
            await session.press("2", key, "tab")
            assert session.place.view not in ("hidden", "gates", "attention")
        for key in ("[", "]", ",", ".", "g", "G", "j", "l"):
            await session.press(key)


@SIZES
async def test_the_output_is_the_company_of_the_chosen_word(size: tuple[int, int], folder: Path) -> None:
    trace = Engine.load(folder).trace(TEXT)
    assert [entry["pos"] for entry in trace.output["candidates"]] == [0, 1, 3, 4], "of known words"
    async with opened("word2vec", TEXT, size=size, view="output", position=1) as session:
        assert "draws to itself" in session.text()
        bars = session.pane.box.part
        np.testing.assert_array_equal(
            bars.values, np.sort(trace.array("probs")[0, 0])[::-1][: len(bars.values)]
        )
        await session.press("enter")
        assert isinstance(session.app.screen, ExplainScreen)
        await session.press("enter", "enter", "escape", "escape", "escape")


async def test_the_read_out_speaks_of_centre_and_company(folder: Path) -> None:
    async with opened("word2vec", TEXT, view="activation", name="logits") as session:
        assert "'the' as a centre" in session.text()
    async with opened("word2vec", TEXT, view="activation", name="probs") as session:
        assert "among the words that 'the' draws to itself" in session.text()
