"""The sentence for each shipped model is one on which the model does what it is for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from nlptui.engine import Engine
from nlptui.tui.examples import FIRST, example, is_example
from nlptui.tui.place import Place
from tests.tui.driving import opened

MODELS = Path(__file__).resolve().parents[2] / "models"
SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/config.json"))
DUCK = "PRON VERB PRON NOUN ADP DET NOUN PUNCT"
ANSWERS = {
    "nli-bert-en": "entailment", "qa-bert-en": "garden", "qa-bert-zh": "厨房",
    "bert-en": "him", "bert-zh": "喜", "transformer-en-zh": "我明天会读这本书。",
    "recall-transformer": "mei", "recall-lstm": "mei", "recall-gru": "mei",
    "sentiment-lstm-en": "positive", "sentiment-bert-en": "positive",
    "ner-lstm-zh": "B-PER O O B-ORG I-ORG O O O O O B-LOC O",
    "pos-rnn-en": DUCK, "pos-lstm-en": DUCK, "pos-gru-en": DUCK, "pos-bert-en": DUCK,
    "pos-lstm-zh": "PRON VERB ADP ADJ PART NOUN VERB PUNCT",
}  # fmt: skip


@cache
def said(name: str) -> dict[str, object]:
    engine = Engine.load(name)
    place = Place(text=example(name, engine.config.task, engine.config.language))
    return dict(engine.predict(place.sentence, place.pair)["output"])


def first(output: dict[str, object]) -> str:
    """The likeliest answer of any kind of output."""
    if "candidates" in output:
        return str(output["candidates"][-1]["tokens"][0]["text"])
    if "labels" in output:
        return str(output["labels"][0]["label"])
    if "spans" in output:
        return str(output["spans"][0]["text"])
    if "tags" in output:
        return " ".join(tag["tag"] for tag in output["tags"])
    return str(output["text"])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_has_something_to_say_about_its_example(name: str) -> None:
    assert any(said(name).values())


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_to_the_example_is_right(name: str) -> None:
    assert ANSWERS[name] in first(said(name))


def test_the_rnn_has_lost_the_name_in_the_example_and_not_nearer_by() -> None:
    assert first(said("recall-rnn")) != "mei"
    near = Engine.load("recall-rnn").predict("The lamp waits for Mei. So who was it?")["output"]
    assert first(near) == "mei"


def test_a_model_of_ones_own_gets_the_example_of_its_task() -> None:
    assert example("mine", "language_model", "zh") == "今天"
    assert example("mine", "tagging", "en") == FIRST["en"]
    assert example("mine", "tagging", "la") == FIRST["en"]
    assert "|||" in example("mine", "question_answering", "en")


@pytest.mark.usefixtures("models")
async def test_an_example_gives_way_to_that_of_the_next_model_and_ones_own_text_does_not() -> None:
    async with opened("tag-lstm", text=FIRST["en"]) as session:
        await session.press("m", *"translator", "enter")
        assert session.place.text == example("translator", "translation", "en-zh") != FIRST["en"]
        assert is_example(session.place.text)
        session.explorer.go(Place(model="tag-lstm", text="my own words"))
        await session.settle()
        await session.press("m", *"translator", "enter")
        assert session.place.text == "my own words"
        await session.press("O")
        assert session.place.text == example("translator", "translation", "en-zh")
        assert "my own words" in session.app.settings.history
