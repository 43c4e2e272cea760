"""How a number was made, on screen: from a probability down to an embedding row, and back."""

from __future__ import annotations

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.tui.panes.term_list import TermList
from nlptui.tui.screens.explain import ExplainScreen, made_by
from nlptui.tui.screens.explorer import ExplorerScreen
from tests.tui.driving import TEXT, Session, opened

pytestmark = pytest.mark.usefixtures("models")


def screen(session: Session) -> ExplainScreen:
    found = session.app.screen
    assert isinstance(found, ExplainScreen), session.text()
    return found


def terms(session: Session) -> TermList:
    return screen(session).query_one(TermList)


async def test_enter_opens_the_number_under_the_cursor(models) -> None:
    async with opened("gpt") as session:
        await session.press("j", "j", "l", "enter")
        derivation = screen(session).trail[0].explained.derivation
        assert (derivation.name, tuple(derivation.index)) == ("blocks.0.attn.weights", (0, 0, 2, 1))
        recorded = Engine.load(models / "gpt").trace(TEXT).array("blocks.0.attn.weights")[0, 0, 2, 1]
        text = session.text()
        assert f"{float(recorded):.9g}" in text and "recorded" in text and "|Δ|" in text
        assert "query=e" in text and "key=h" in text


async def test_a_sum_lists_value_factor_and_what_it_adds() -> None:
    async with opened("gpt", view="activation", name="blocks.0.attn.q") as session:
        await session.press("enter")
        explained = screen(session).trail[0].explained
        assert explained.derivation.sums
        text = session.text()
        for heading in ("term", "factor", "value", "= adds", "Σ value × factor"):
            assert heading in text
        assert np.isclose(sum(t.contribution for t in explained.derivation.terms), explained.derivation.total)
        first = explained.derivation.terms[0]
        assert (
            f"{first.value:.6g}" in text
            and f"{first.factor:.6g}" in text
            and f"{first.contribution:.6g}" in text
        )


async def test_terms_open_down_to_an_embedding_row_and_backspace_comes_back() -> None:
    async with opened("gpt") as session:
        await session.press("enter")
        seen = [screen(session).trail[-1].explained.derivation.name]
        while terms(session).count:
            list_ = terms(session)
            names = [t.name for t in screen(session).trail[-1].explained.derivation.terms]
            # Prefer what leads down to the tokens: an activation before a parameter.
            list_.move_to(next((n for n, name in enumerate(names) if "embed" in name), 0))
            await session.press("enter")
            seen.append(screen(session).trail[-1].explained.derivation.name)
            assert len(seen) < 40, seen
        assert screen(session).trail[-1].explained.kind in ("parameter", "input")
        assert "training found this number" in session.text() or "the tokenizer made it" in session.text()
        for name in reversed(seen[:-1]):
            await session.press("backspace")
            assert screen(session).trail[-1].explained.derivation.name == name
        await session.press("backspace")
        assert isinstance(session.app.screen, ExplorerScreen)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ids", "the tokenizer made it"),
        ("encoder.ids", "the tokenizer made it"),
        ("forward_path", "given, not computed"),
        ("edits.layers.0.forward.hidden.factor", "given, not computed"),
    ],
)
def test_an_input_is_said_to_be_the_tokenizers_only_where_it_is(name: str, words: str) -> None:
    assert words in made_by("input", name)


async def test_the_way_back_remembers_the_term() -> None:
    async with opened("gpt", view="activation", name="blocks.0.attn.dot") as session:
        await session.press("enter", "j", "j", "enter", "backspace")
        assert terms(session).row == 2


async def test_f_opens_the_factor() -> None:
    async with opened("gpt", view="activation", name="blocks.0.attn.q") as session:
        await session.press("enter", "j")
        term = screen(session).trail[0].explained.derivation.terms[1]
        await session.press("f")
        opened_now = screen(session).trail[-1].explained.derivation
        assert (opened_now.name, tuple(opened_now.index)) == (term.factor_name, tuple(term.factor_index))


async def test_terms_can_stand_by_size() -> None:
    async with opened("gpt", view="activation", name="blocks.0.attn.q") as session:
        await session.press("enter", "s")
        explained = screen(session).trail[0].explained.derivation
        sizes = [abs(explained.terms[n].contribution) for n in terms(session).order]
        assert sizes == sorted(sizes, reverse=True) and len(sizes) > 3
        await session.press("s")
        assert terms(session).order == list(range(len(explained.terms)))


async def test_escape_goes_to_the_view_at_once() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "enter", "enter", "escape")
        assert isinstance(session.app.screen, ExplorerScreen)
        assert session.pane.widget.has_focus


async def test_v_shows_the_whole_activation() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "enter", "v")
        assert isinstance(session.app.screen, ExplorerScreen)
        assert (session.place.view, session.place.name) == ("activation", "blocks.0.attn.scores")


async def test_the_trail_can_be_clicked() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "enter", "enter")
        assert len(screen(session).trail) == 3
        line = screen(session).query_one("#trail")
        at = next(start for start, word in line._placed() if word.action == "stop:0")
        await session.pilot.click(line, offset=(at + 2, 0))
        await session.settle()
        assert [stop.explained.derivation.name for stop in screen(session).trail] == ["blocks.0.attn.weights"]


async def test_y_copies_the_number_with_its_name() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "y")
        value = screen(session).trail[0].explained.derivation.value
        assert session.app.clipboard == f"blocks.0.attn.weights[0,0,0,0] = {value:.9g}"


async def test_help_and_palette_name_the_keys_that_hold_here() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "ctrl+p", *"factor")
        assert "open factor" in session.text() and "layer up" not in session.text()
        await session.press("escape")
        assert isinstance(session.app.screen, ExplainScreen)


async def test_every_recorded_value_of_a_recurrent_step_can_be_opened() -> None:
    async with opened("tag-lstm") as session:
        for _part in range(len(session.pane.figure.parts)):
            await session.press("enter")
            explained = screen(session).trail[0].explained
            gap = abs(explained.derivation.total - explained.derivation.value)
            assert gap <= 1e-5 * max(1, abs(explained.derivation.value))
            await session.press("escape", "w")


async def test_it_fits_a_small_terminal() -> None:
    async with opened("gpt", size=(60, 16), view="activation", name="blocks.0.attn.q") as session:
        await session.press("enter")
        lines = session.text().splitlines()
        assert len(lines) <= 16 and all(len(line) <= 60 for line in lines)
        assert "Σ value × factor" in session.text()
