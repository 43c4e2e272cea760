"""What the shipped word vectors know: pronouns stand together, and animals, and plants. Cosine similarity."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
import torch

from nlptui.data import find
from nlptui.engine import Engine

MODELS = Path(__file__).resolve().parents[1] / "models"
PRONOUNS = {"word2vec-zh": "你 我 他", "word2vec-en": "you i he"}
EVERYDAY = {
    "word2vec-zh": "猫 狗 树 花 水 书 车 吃 喝 学校 今天 老师 苹果 红 大 钱",
    "word2vec-en": "cat dog tree flower water book car eat drink school today teacher apple red big money",
}
NEARER = {
    "word2vec-zh": (
        "猫 狗 树",
        "狗 猫 花",
        "树 草 猫",
        "苹果 香蕉 老师",
        "爸爸 妈妈 桌子",
        "今天 明天 狗",
        "茶 咖啡 书",
    ),
    "word2vec-en": (
        "cat dog tree",
        "dog cat flower",
        "tree flower cat",
        "apple pear teacher",
        "father mother table",
        "today tomorrow dog",
        "tea coffee book",
        "red blue school",
    ),
}
"""A word, one that is nearer, and one that is farther."""


@cache
def table(name: str) -> tuple[Engine, torch.Tensor]:
    """The model, and its rows at length 1."""
    engine = Engine.load(MODELS / name, device="cpu")
    rows = engine.parameters["token_embedding.weight"].detach().double()
    return engine, torch.nn.functional.normalize(rows, dim=-1)


def similarity(name: str, one: str, other: str) -> float:
    engine, rows = table(name)
    first, second = (engine.tokenizer.find(word) for word in (one, other))
    assert first is not None and second is not None, (one, other)
    return float(rows[first] @ rows[second])


@pytest.mark.parametrize("name", PRONOUNS)
def test_pronouns_are_nearest_each_other_among_everyday_words(name: str) -> None:
    pronouns = PRONOUNS[name].split()
    words = pronouns + EVERYDAY[name].split()
    for word in pronouns:
        nearest = sorted((w for w in words if w != word), key=lambda w: -similarity(name, word, w))
        assert set(nearest[:2]) == set(pronouns) - {word}, (word, nearest[:4])


@pytest.mark.parametrize("name", PRONOUNS)
def test_each_pronoun_has_another_near_it_in_the_whole_vocabulary(name: str) -> None:
    engine, _rows = table(name)
    more = {"word2vec-zh": "您 她 我们 你们 他们", "word2vec-en": "she we they"}[name].split()
    for word in PRONOUNS[name].split():
        near = [entry["text"] for entry in engine.neighbours(word, top=3)]
        assert set(near) & {*PRONOUNS[name].split(), *more}, (word, near)


@pytest.mark.parametrize(("name", "words"), [(name, words) for name in NEARER for words in NEARER[name]])
def test_things_of_a_kind_are_nearer(name: str, words: str) -> None:
    word, nearer, farther = words.split()
    assert similarity(name, word, nearer) > similarity(name, word, farther) + 0.1


@pytest.mark.parametrize(("name", "cat", "dog"), [("word2vec-zh", "猫", "狗"), ("word2vec-en", "cat", "dog")])
def test_cat_and_dog_are_among_each_others_ten_nearest(name: str, cat: str, dog: str) -> None:
    engine, _rows = table(name)
    assert dog in [entry["text"] for entry in engine.neighbours(cat, top=10)]
    assert cat in [entry["text"] for entry in engine.neighbours(dog, top=10)]


@pytest.mark.parametrize("name", PRONOUNS)
def test_special_tokens_are_nobodys_company(name: str) -> None:
    engine, _rows = table(name)
    text = {"word2vec-zh": "我们在海边看见一只白猫。", "word2vec-en": "I see a white cat."}[name]
    candidates = engine.predict(text)["output"]["candidates"]
    assert len(candidates) >= 5
    special = set(engine.tokenizer.specials.values())
    assert not any(token["id"] in special for entry in candidates for token in entry["tokens"])


def test_chinese_is_cut_into_words() -> None:
    engine, _rows = table("word2vec-zh")
    assert engine.encode("我们喜欢老师的猫和狗。").tokens == (
        "我们",
        "喜欢",
        "老师",
        "的",
        "猫",
        "和",
        "狗",
        "。",
    )


def test_the_card_is_measured_again_and_nothing_is_left_at_zero() -> None:
    engine, _rows = table("word2vec-zh")
    if find("zh_ud") is None:
        pytest.skip("the corpus zh_ud is not on this machine")
    # Only the held-out part is needed for the metric, which is the quicker half of `evaluate`.
    examples = engine.task.load(engine.config.data, "test")
    measured = engine.task.metrics(engine.model, examples, "cpu", 32)
    assert measured == pytest.approx(engine.config.metrics, abs=2e-4)
    assert measured["loss"] < engine.config.baselines["loss"] - 0.1
    empty = Engine.load(MODELS / "word2vec-zh", device="cpu")
    with torch.no_grad():
        for parameter in empty.model.parameters():
            parameter.zero_()
    assert empty.task.metrics(empty.model, examples, "cpu", 32)["loss"] == pytest.approx(6 * math.log(2))
