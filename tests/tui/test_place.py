"""The place: the command line that opens it again, what a session keeps, and pairs."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlptui.tui.place import KEPT_LIMIT, TEXT_LIMIT, Place


def words(place: Place) -> list[str]:
    return shlex.split(place.command())


def test_the_command_opens_exactly_this_place() -> None:
    place = Place("bert", "it's here", view="attention", layer=2, head=1, row=3, col=4, edits=("a[0]=zero",))
    assert words(place) == [
        "nlptui", "it's here", "--model", "bert", "--view", "attention", "--layer", "2", "--head", "1",
        "--at", "3,4", "--edit", "a[0]=zero",
    ]  # fmt: skip


def test_a_table_that_is_not_the_first_has_its_number() -> None:
    assert words(Place("m", "t", row=3, col=4, part=2))[-2:] == ["--at", "3,4,2"]


def test_a_token_and_what_is_asked_about_are_named() -> None:
    place = Place("m", "t", view="attribution", position=3, target="17")
    assert words(place)[-4:] == ["--position", "3", "--target", "17"]
    assert Place.restored(place.kept()) == place


def test_an_activation_is_named() -> None:
    assert words(Place("m", "t", view="activation", name="blocks.0.attn.q"))[4:8] == [
        "--view", "activation", "--name", "blocks.0.attn.q",
    ]  # fmt: skip


def test_a_pair_has_its_own_option() -> None:
    assert words(Place("m", "one ||| two"))[:5] == ["nlptui", "one", "--pair", "two", "--model"]


def test_a_text_that_looks_like_an_option_stays_a_text() -> None:
    assert words(Place("m", "--model x"))[-2:] == ["--", "--model x"]


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
