"""x on a number that an analysis made edits what the network computed and the number was made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nlptui.tui.screens.edit import EditScreen
from tests.tui.driving import opened

pytestmark = pytest.mark.usefixtures("models")


async def test_a_step_of_softmax_leads_to_the_score() -> None:
    async with opened("gpt", text="the can the old", view="steps", name="softmax", position=2) as session:
        await session.press("j", "x", "enter")
        assert session.place.edits == ("blocks.0.attn.scores[0,0,2,0]=zero",)
        assert session.pane.box.part.values[0, 0] == 0


async def test_a_coordinate_on_the_map_leads_to_a_vector() -> None:
    async with opened("gpt", text="the can the old", view="space", name="map") as session:
        await session.press("x")
        assert isinstance(session.app.screen, EditScreen) and session.app.screen.edited == "token_embed"


async def test_a_cosine_leads_through_its_unit_vector_to_the_vector() -> None:
    async with opened("gpt", text="the can the old", view="space") as session:
        await session.press("j", "x")
        assert isinstance(session.app.screen, EditScreen) and session.app.screen.edited == "token_embed"
        assert session.app.screen.scopes[0][0].startswith("0,1,")


async def test_what_was_given_and_what_was_learned_say_that_they_were_not_computed() -> None:
    async with opened("gpt", text="the can", view="tokens") as session:
        await session.press("x")
        assert "ids is not computed in this run" in session.text()
        await session.press("2", "x")
        assert "token_embedding.weight is not computed in this run" in session.text()
        assert session.place.edits == ()


async def test_a_difference_leads_to_the_number_of_the_run_on_screen() -> None:
    async with opened("gpt", text="the can the old") as session:
        await session.press("c")
        session.explorer.go(replace(session.place, text="the can the paint"))
        await session.settle()
        assert "A = “the can the old”" in session.text()
        await session.press("w", "w", "j", "x")
        assert isinstance(session.app.screen, EditScreen)
        await session.press("enter")
        assert session.place.edits == ("blocks.0.attn.weights[0,0,1,0]=zero",)
        a, b, gap = session.pane.figure.parts
        assert (b.values[1, 0], gap.values[1, 0]) == (0, a.values[1, 0])
