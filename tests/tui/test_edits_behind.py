"""x on a number that an analysis made edits what the network computed and the number was made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nlptui.tui.screens.edit import EditScreen
from nlptui.tui.screens.explain import ExplainScreen
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


async def test_what_was_given_says_so_and_what_was_learned_is_edited() -> None:
    async with opened("gpt", text="the can", view="tokens") as session:
        await session.press("x")
        assert "ids is no parameter and not computed in this run" in session.text()
        await session.press("2", "l", "x")
        screen = session.app.screen
        assert isinstance(screen, EditScreen) and screen.edited == "token_embedding.weight"
        row = session.pane.box.part.origin(0, 1).index[0]
        assert [key for key, _words in screen.scopes] == [f"{row},1", f"{row},:", ":,1", ":,:"]
        assert "mean of its rows" in screen.query_one("#edit-what").choices[1][1]
        await session.press("j", "enter")
        assert session.place.edits == (f"token_embedding.weight[{row},:]=zero",)
        assert not session.pane.box.part.values[0].any() and session.pane.box.part.values[1].any()
        assert "edited: token_embedding.weight" in session.text()
        await session.press("enter", "enter")
        shown = session.app.screen.trail[-1].explained.derivation
        assert shown.name == "edits.token_embedding.weight.constant" or "unedited" in shown.name
        await session.press("escape", "u")
        assert session.place.edits == () and session.pane.box.part.values[0].any()


async def test_the_products_of_a_table_lead_to_the_table() -> None:
    async with opened("gpt", text="the can", view="positions") as session:
        await session.press("w", "j", "x")
        assert isinstance(session.app.screen, EditScreen)
        assert session.app.screen.edited == "pos_embedding.weight"
        await session.press("j", "enter")
        assert session.place.edits[0].endswith("=zero") and session.explorer.problem == ""
        assert "edited: pos_embedding.weight" in session.text(), "and the view of positions is still there"


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


async def test_a_term_is_edited_where_it_was_opened_and_so_is_a_weight() -> None:
    async with opened("gpt", text="the can", view="activation", name="blocks.0.attn.q") as session:
        await session.press("enter", "j", "x")
        assert isinstance(session.app.screen, EditScreen)
        await session.press("enter")
        (edit,) = session.place.edits
        assert edit == "blocks.0.norm1[0,0,1]=zero"
        screen = session.app.screen
        assert isinstance(screen, ExplainScreen) and len(screen.trail) == 1
        shown = screen.trail[0].explained.derivation
        assert shown.name == "blocks.0.attn.q" and shown.terms[1].value == 0.0
        await session.press("j", "f")  # the weight beside it, which has no terms
        weight = session.app.screen.trail[-1].explained.derivation
        assert (weight.name, weight.terms) == ("blocks.0.attn.wq.weight", ())
        await session.press("x", "tab", "G", "enter", "2", "enter")
        assert session.place.edits[1] == "blocks.0.attn.wq.weight[0,1]=force:2"
        assert session.app.screen.trail[-1].explained.derivation.value == 2.0
        await session.press("enter", "x")
        assert "edits.blocks.0.attn.wq.weight.constant is no parameter" in session.text()
        await session.press("escape")
        assert "edited: blocks.0.norm1[0,0,1]=zero  blocks.0.attn.wq.weight[0,1]=force:2" in session.text()
