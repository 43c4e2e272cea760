"""Changing the pooler of a classifier while it runs, and what that does to the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlptui.engine import Engine
from tests.engine.models import make_model
from tests.tui.driving import Session, opened

TEXT = "the old can"
ORDER = ("cls", "mean", "max", "attention")


@pytest.fixture
def pooled(tmp_path: Path, models: Path) -> str:
    """The folder of a classifier that has learned four poolers, and goes by the mean."""
    return str(make_model(tmp_path, "pool-bert"))


def probs(session: Session) -> np.ndarray:
    return session.explorer.shown.output[0].values


async def test_p_goes_round_the_poolers_and_every_view_follows(pooled: str) -> None:
    engine = Engine.load(Path(pooled), device="cpu")
    async with opened(pooled, text=TEXT, view="pooling") as session:
        table = session.pane.figure.parts[0]
        assert "This run goes by: mean" in session.pane.figure.caption
        for step in range(1, 5):
            await session.press("P")
            name = ORDER[(ORDER.index("mean") + step) % 4]
            expected = engine.pooled_by(name).trace(TEXT).array("probs")[0]
            assert session.place.pooling == name and f"pooled by {name}" in session.text()
            np.testing.assert_allclose(sorted(probs(session)), sorted(expected), atol=1e-6)
            np.testing.assert_allclose(session.pane.figure.parts[0].values, table.values, atol=1e-6)
            rows = session.explorer.shown.tree.rows
            assert any(row.path == f"poolers.{name}.pooled" for row in rows)


async def test_two_poolers_are_compared_and_the_command_says_so(pooled: str) -> None:
    async with opened(pooled, text=TEXT, view="output") as session:
        await session.press("c", "P")
        a, b = session.pane.figure.parts[:2]
        assert not np.allclose(a.values, b.values) and "A = pooled by mean" in session.text()
        await session.press("Y")
        assert "--pooling max" in session.app.clipboard and "--pin-pooling mean" in session.app.clipboard


async def test_a_model_with_one_pooler_says_so(models: Path) -> None:
    async with opened("class-lstm", text=TEXT) as session:
        await session.press("P")
        assert "no other pooler" in session.text() and session.place.pooling == ""
