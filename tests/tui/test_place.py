"""The place: the command line that opens it again, what a session keeps, and pairs."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlptui import cli
from nlptui.sampling import Sampling
from nlptui.tui.place import KEPT_LIMIT, TEXT_LIMIT, Place, with_model
from nlptui.tui.settings import Settings
from tests.tui.driving import opened


def words(place: Place) -> list[str]:
    return shlex.split(place.command())


def test_the_command_opens_exactly_this_place() -> None:
    place = Place("bert", "it's here", view="attention", layer=2, head=1, row=3, col=4, edits=("a[0]=zero",))
    assert words(place) == [
        "nlptui", "it's here", "--model", "bert", "--view", "attention", "--layer", "2", "--head", "1",
        "--at", "3,4", "--edit", "a[0]=zero",
    ]  # fmt: skip


def test_a_table_that_is_not_the_first_has_its_number() -> None:
    assert words(Place("m", "a t", row=3, col=4, part=2))[-2:] == ["--at", "3,4,2"]


def test_a_token_and_what_is_asked_about_are_named() -> None:
    place = Place("m", "a t", view="attribution", position=3, target="17")
    assert words(place)[-4:] == ["--position", "3", "--target", "17"]
    assert Place.restored(place.kept()) == place


def test_an_activation_is_named() -> None:
    assert words(Place("m", "a t", view="activation", name="blocks.0.attn.q"))[4:8] == [
        "--view", "activation", "--name", "blocks.0.attn.q",
    ]  # fmt: skip


def test_a_pair_has_its_own_option() -> None:
    assert words(Place("m", "One. ||| two"))[:5] == ["nlptui", "One.", "--pair", "two", "--model"]


@pytest.mark.parametrize("text", ["--model x", "models", "-"])
def test_a_text_that_looks_like_an_option_or_a_command_stays_a_text(text: str) -> None:
    assert words(Place("m", text))[-2:] == ["--", text]


@given(st.text())
def test_any_text_comes_back_from_the_shell(text: str) -> None:
    if "|||" not in text:
        assert text.replace("\0", "") in words(Place("m", text))


@pytest.mark.parametrize(
    ("text", "sentence", "pair"),
    [
        ("a b", "a b", None),
        ("a ||| b", "a", "b"),
        ("|||", "", ""),
        ("a|||b|||c", "a", "b|||c"),
        ("", "", None),
    ],
)
def test_two_sentences(text: str, sentence: str, pair: str | None) -> None:
    place = Place("m", text)
    assert (place.sentence, place.pair) == (sentence, pair)


def test_a_session_keeps_the_place_and_finds_it_again() -> None:
    place = Place(
        "bert", "a b", view="gates", layer=1, head=1, name="x", row=2, col=3, by="row", reading="one-hot"
    )
    assert Place.restored(place.kept()) == place


def test_what_makes_no_sense_is_left_out() -> None:
    kept = {
        "model": 3,
        "text": ["x"],
        "layer": -1,
        "head": True,
        "row": "2",
        "by": "column",
        "reading": "?",
        "new": 1,
    }
    assert Place.restored(kept) == Place()


def test_long_texts_are_cut_for_the_model_and_for_the_file() -> None:
    place = Place("m", "x" * 1_000_000)
    assert len(place.sentence) == TEXT_LIMIT and len(place.kept()["text"]) == KEPT_LIMIT


# What Y writes, read by the command line.

PATCHED = Place("m", "a ||| b", edits=("c=mean",))
PLACES = [
    Place("bert", "it's here", view="attention", layer=2, head=1, row=3, col=4, part=2, position=1),
    Place("m", "models", "activation", name="blocks.0.attn.q", mark=0, by="row", target="17"),
    Place(
        "m", "one ||| two", "tokens", tokenizer="bytes", reading="one-hot", edits=("a[0,:]=mean", "b=zero")
    ),
    Place("m", "a can", "next_token", sampling=Sampling(0.123456789, 7, 0.95, 12345678)),
    Place("m", "a can", "next_token", sampling=Sampling(0.0, 0, 1.0, 2)),
    Place("m", "白猫\n和 ‘狗’", "lens", written="12,5", edits=("a=from:A",), pinned=PATCHED),
    Place("m", "a b", "hidden", written="", pinned=Place("other", "-x", written="3,4")),
    Place("", "a b", "gates", pinned=Place("", "a c", written="")),
    Place("m", "a b", "attention", head=3, pinned=Place("m", "a b"), a_at=(1, 2)),
    Place("m", "a b", "pooling", pooling="max", pinned=Place("m", "a b", pooling="cls")),
]


class Opened(Exception):
    """The explorer was about to open at a place."""


@pytest.fixture
def open_again(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Place]:
    """The place where a command line opens the explorer, after a session that ended elsewhere."""

    def program(place: Place, *_others: Any) -> None:
        raise Opened(place)

    last = {"text": "before", "view": "tree", "layer": 5, "by": "row", "reading": "embedding", "position": 3}
    monkeypatch.setattr("nlptui.tui.guards.no_screen", lambda: "")
    monkeypatch.setattr("nlptui.tui.app.read_settings", lambda path: (Settings(last=last), ""))
    monkeypatch.setattr("nlptui.tui.app._program", program)

    def read(command: str) -> Place:
        with pytest.raises(Opened) as found:
            cli.run(shlex.split(command)[1:])
        place = found.value.args[0]
        assert isinstance(place, Place)
        return place

    return read


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_the_command_line_reads_what_y_writes(place: Place, open_again: Callable[[str], Place]) -> None:
    found = open_again(place.command())
    assert replace(found, pinned=None) == replace(place, pinned=None)
    assert (found.pinned and found.pinned.run) == (place.pinned and place.pinned.run)
    assert found.run == place.run


def test_everything_that_decides_what_is_seen_is_among_these_places() -> None:
    plain = Place()
    for field in dataclasses.fields(Place):
        # An edit that is off changes nothing that is seen of the run.
        if field.name != "off":
            there = {getattr(place, field.name) for place in PLACES}
            assert there - {getattr(plain, field.name)}, field.name


def test_a_run_compared_with_itself_is_opened_again_at_both_heads(
    open_again: Callable[[str], Place],
) -> None:
    here = Place("m", "a b", "attention", layer=1, head=2)
    place = replace(here, head=0, pinned=here)
    assert place.a_place.head == 2 and place.a_place.layer == 1
    found = open_again(place.command())
    assert (found.a_place.layer, found.a_place.head, found.head) == (1, 2, 0)
    elsewhere = (replace(place, text="a c"), replace(place, view="steps"), replace(place, edits=("q=zero",)))
    assert [there.a_place.head for there in elsewhere] == [0, 0, 0], "A goes along"


def test_a_command_typed_by_hand_looks_as_the_last_session_did(open_again: Callable[[str], Place]) -> None:
    found = open_again("nlptui 'a can' --view gates")
    assert (found.by, found.reading, found.layer) == ("row", "embedding", 0)


def test_a_pinned_run_without_a_model_is_in_the_one_that_is_opened() -> None:
    place = Place("", "t", pinned=Place("", "u"))
    found = with_model(place, "gpt")
    assert found.model == "gpt" and found.pinned == Place("gpt", "u")
    other = replace(place, pinned=Place("bert", "u"))
    assert with_model(other, "gpt").pinned == Place("bert", "u")


async def test_y_reproduces_a_patch_from_the_pinned_run(
    models: Path, open_again: Callable[[str], Place]
) -> None:
    async with opened("bert", view="hidden", text="the old can", layer=1) as session:
        await session.press("c", "i", *["backspace"] * 3, *"tea", "escape")
        await session.press("w", "j", "x", "j", "tab", "G", "enter", "Y")
        command, was, screen = session.app.clipboard, session.place, session.pane.figure
        answer = session.explorer.shown.output
    assert "--pin 'the old can'" in command and "=from:A" in command
    place = open_again(command)
    fields = {field.name: getattr(place, field.name) for field in dataclasses.fields(place)}
    async with opened(fields.pop("model"), fields.pop("text"), **fields) as session:
        assert session.explorer.problem == "" and session.place.run == was.run
        assert [part.title for part in session.pane.figure.parts] == [part.title for part in screen.parts]
        for part, before in zip(session.pane.figure.parts, screen.parts, strict=True):
            np.testing.assert_array_equal(part.values, before.values)
        for part, before in zip(session.explorer.shown.output, answer, strict=True):
            np.testing.assert_array_equal(part.values, before.values)
        assert (session.place.part, session.place.row) == (was.part, was.row)
