"""The shipped tagger of Chinese entities: what it measures, on gold words and from raw text; what it says."""

from __future__ import annotations

import copy
import itertools
from functools import cache
from pathlib import Path

import pytest
import torch

from nlptui.data import find
from nlptui.engine import Engine
from nlptui.nn.crf import allowed_pairs
from nlptui.tasks import load_examples

MODELS = Path(__file__).resolve().parents[1] / "models"
NAME = "ner-lstm-zh"
FLOOR = 0.72
SENTENCES = [
    ("李明去年在北京大学学习历史，现在住在上海。", {"李明": "PER", "北京大学": "ORG", "上海": "LOC"}),
    ("老周昨天下午在上海的一家小店里买了三本旧书。", {"老周": "PER", "上海": "LOC"}),
    ("他们在广州的中山大学见面。", {"广州": "LOC", "中山大学": "ORG"}),
    ("这本书在德国和日本都很有名。", {"德国": "LOC", "日本": "LOC"}),
    ("今天的风很大，我们不去海边了。", {}),
]


@cache
def engine() -> Engine:
    return Engine.load(MODELS / NAME, device="cpu")


def entities(text: str) -> dict[str, str]:
    """What the model names in raw text, with its kind."""
    found: dict[str, str] = {}
    words: list[str] = []
    kind = ""
    for tag in [*engine().predict(text)["output"]["tags"], {"tag": "O", "token": ""}]:
        if not tag["tag"].startswith("I-"):
            if words:
                found["".join(words)] = kind
            words, kind = [], tag["tag"][2:]
        if tag["tag"] != "O":
            words.append(tag["token"])
    return found


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_names_in_raw_text(text: str, expected: dict[str, str]) -> None:
    assert entities(text) == expected


def test_the_floor_is_held_on_gold_words() -> None:
    metrics, baselines = engine().config.metrics, engine().config.baselines
    assert metrics["f1"] >= FLOOR > baselines["f1"]
    assert baselines["f1"] < metrics["raw_f1"] <= metrics["f1"]


def test_words_of_raw_text_come_from_a_shipped_model() -> None:
    name = engine().config.segmenter  # type: ignore[attr-defined]
    assert (MODELS / name / "config.json").is_file()
    text = "我们在海边等小林。"
    words = [tag["token"] for tag in Engine.load(MODELS / name, device="cpu").predict(text)["output"]["tags"]]
    assert [tag["token"] for tag in engine().predict(text)["output"]["tags"]] == words


def test_no_answer_is_improper() -> None:
    labels = engine().config.labels
    pairs, starts = allowed_pairs(labels)
    for text in (
        "中国银行上海分行",
        "王小明的老师叫李华",
        "，，，",
        "I am in 东京 now",
        *(t for t, _found in SENTENCES),
    ):
        tags = [labels.index(tag["tag"]) for tag in engine().predict(text)["output"]["tags"]]
        assert starts[tags[0]] and all(pairs[a, b] for a, b in itertools.pairwise(tags)), text


def test_an_edited_emission_names_something_else() -> None:
    text = "今天的风很大。"
    person = engine().config.labels.index("B-PER")
    assert entities(text) == {}
    tags = engine().trace(text, [f"emission[0,0,{person}]=force:40"]).output["tags"]
    assert tags[0]["tag"] == "B-PER" and tags[0]["prob"] > 0.99


@pytest.mark.skipif(find("zh_gsd_ner") is None, reason="the corpus zh_gsd_ner is not on this machine")
def test_evaluating_gives_the_numbers_on_the_card_and_weights_of_0_name_nothing() -> None:
    found = engine().evaluate("test")
    assert found["metrics"] == pytest.approx(dict(engine().config.metrics), abs=2e-4)
    assert found["baselines"] == pytest.approx(dict(engine().config.baselines), abs=2e-4)
    one = engine()
    rows = load_examples(one.config.data, "test", one.tokenizer, one.config)[:100]
    assert one.task.metrics(one.model, rows, "cpu", 32)["f1"] > 0.6
    empty = copy.deepcopy(one.model)
    with torch.no_grad():
        for weight in empty.parameters():
            weight.zero_()
    assert one.task.metrics(empty, rows, "cpu", 32)["f1"] == 0.0
