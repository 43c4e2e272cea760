"""The token that a view begins at, until somebody chooses one; runs that open in their own model."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from nlptui.tui.app import first_place
from nlptui.tui.place import Place
from nlptui.tui.widgets.token_row import TokenRow
from tests.tui.driving import Session, opened

pytestmark = pytest.mark.usefixtures("models")


def at_mask(session: Session) -> bool:
    tokens = [token.text for token in session.explorer.shown.tokens.tokens]
    row = session.explorer.query_one("#tokens", TokenRow).row
    return tokens[session.place.position] == "[MASK]" and row == session.place.position


@pytest.mark.parametrize("view", ["lens", "attribution", "sources"])
async def test_a_view_begins_at_the_mask_and_follows_it(view: str) -> None:
    async with opened("bert", "the [MASK] can", view=view) as session:
        assert at_mask(session) and not session.place.chosen
        session.explorer.go(replace(session.place, text="a can of [MASK]"))
        await session.settle()
        assert at_mask(session) and not session.place.chosen
        session.explorer.go(replace(session.place, text="[MASK]"))
        await session.settle()
        assert at_mask(session) and not session.place.chosen, "a shorter text"


async def test_a_chosen_token_stays_the_first_one_too() -> None:
    async with opened("bert", "the [MASK] can", view="lens") as session:
        before = session.place.position
        await session.press("right_parenthesis")
        assert session.place.position == before + 1 and session.place.chosen
        session.explorer.token_chosen(0)
        await session.settle()
        assert session.place.position == 0 and session.place.chosen
        assert "'[CLS]' (0)" in session.explorer.shown.figure.parts[0].title
        session.explorer.open_view("sources")
        await session.settle()
        assert session.place.position == 0 and session.place.chosen


async def test_another_view_begins_where_it_wants() -> None:
    async with opened("bert", "the [MASK] can", view="tokens") as session:
        assert session.place.position == 0
        session.explorer.open_view("lens")
        await session.settle()
        assert at_mask(session)
        session.explorer.open_view("embedding")
        await session.settle()
        assert session.place.position == 0 and not session.place.chosen


def test_the_command_and_the_settings_keep_a_chosen_token_only() -> None:
    begun = Place("bert", "a text", view="lens", position=4, chosen=False)
    assert "--position" not in shlex.split(begun.command()) and begun.kept()["position"] == 0
    first = Place("bert", "a text", view="lens", position=0, chosen=True)
    assert shlex.split(first.command())[-2:] == ["--position", "0"]
    later = Place("bert", "a text", view="lens", position=4)
    assert later.chosen and Place.restored(later.kept()) == later
    assert not Place.restored(begun.kept()).chosen
    assert first_place(Place(), "a text", "bert", view="lens", position=0).chosen
    assert not first_place(Place(), "a text", "bert", view="lens", position=None).chosen


async def test_a_place_of_the_decoder_may_lie_beyond_the_text() -> None:
    async with opened("translator", "a", view="attribution", position=2) as session:
        assert len(session.explorer.shown.tokens.tokens) == 1
        assert session.explorer.shown.positions > 3
        assert session.place.position == 2
        assert "(2)" in session.explorer.shown.figure.title
        session.explorer.action_next_token()
        await session.settle()
        assert session.place.position == 3 and "(3)" in session.explorer.shown.figure.title


async def test_gradients_before_training_open_in_their_own_run() -> None:
    async with opened("tag-lstm", view="through_time", name="both") as session:
        assert session.place.position == len(session.explorer.shown.tokens.tokens) - 1
        assert "tag-lstm@before: fresh weights" in session.explorer.shown.figure.caption
        await session.press("w")
        session.pane.move_to(len(session.pane.box.part.rows) - 1, 1)
        await session.settle()
        origin = session.explorer.origin()
        assert origin is not None and origin.trace == 2
        shown = session.pane.box.part.values[-1, 1]
        await session.press("enter")
        assert f"{shown:.6g}" in session.text() and "square" in session.text()
