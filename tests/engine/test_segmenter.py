"""A model of words reads raw Chinese text by way of another that finds the words; word pieces, by a rule."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nlptui import cli
from nlptui.config import config_from_dict
from nlptui.data.readers import TaggedWord
from nlptui.engine import Engine, checkpoint
from nlptui.engine.segmenter import Segmenter, segmenter_for, words_by_rule
from nlptui.errors import UserError
from nlptui.nn import build_model
from nlptui.tasks import Segment
from nlptui.tokenizers import build_tokenizer
from tests.engine.test_engine import HOSTILE, close

TEXTS = ["小林在海边的灯塔里等一只猫", "老周昨天去了山城", "海鸥飞过码头"]
ENTITIES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
TEXT = "老周在灯塔等小林。"
WORDS = ["老周", "在", "灯塔", "等", "小林", "。"]


def make(folder: Path, name: str, kind: str, texts: Any, template: str = "none", **settings: Any) -> None:
    tokenizer = build_tokenizer(
        kind, texts, template=template, **({"characters": True} if kind == "words" else {})
    )
    content = {"arch": "lstm", "task": "tagging", "language": "zh"} | settings
    sizes = {"vocab_size": tokenizer.vocab_size, "name": name}
    if content["arch"] == "lstm":
        sizes |= {"d_embed": 6, "d_hidden": 5, "n_chars": tokenizer.char_vocab_size}
    config = config_from_dict(sizes | content, where=name)
    torch.manual_seed(5)
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    checkpoint.save(folder / name, model, config, tokenizer)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmented")
    make(folder, "cutter", "characters", TEXTS, labels=("B-X", "I-X", "B-Y", "I-Y"), context=12)
    words = {"labels": ENTITIES, "crf": True, "bidirectional": True}
    make(folder, "entities", "words", [WORDS], segmenter="cutter", **words)
    make(folder, "alone", "words", [WORDS], segmenter="nobody-home", **words)
    make(folder, "writer", "characters", TEXTS, task="language_model")
    small = {"arch": "bert", "context": 16, "d_model": 8, "n_layers": 1, "n_heads": 2, "d_ff": 8}
    labels = {"language": "en", "labels": ("VERB", "NOUN")}
    make(folder, "pieces", "wordpiece", ["We can't and don't stay ."], "cls_sep", **small, **labels)
    make(folder, "led-astray", "words", [WORDS], segmenter="writer", **words)
    return folder


@pytest.fixture
def engine(models: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Engine]:
    monkeypatch.setenv("NLPTUI_MODELS", str(models))
    return lambda name: Engine.load(name, device="cpu")


def cut_as(words: list[str]) -> Segment:
    return lambda texts: [words for _text in texts]


def test_the_words_are_those_of_the_other_model(engine: Callable[[str], Engine]) -> None:
    expected = [tag["token"] for tag in engine("cutter").predict(TEXT)["output"]["tags"]]
    found = engine("entities").predict(TEXT)
    assert [tag["token"] for tag in found["output"]["tags"]] == expected
    assert "".join(expected) == TEXT and 1 < len(expected) < len(TEXT)
    assert [TEXT[token["start"] : token["end"]] for token in found["tokens"]] == expected


def test_words_keep_their_places_in_the_text(engine: Callable[[str], Engine]) -> None:
    entities = engine("entities")
    entities.task.segment = cut_as(WORDS)
    text = "老周 在灯塔\n等小林 。"
    encoding = entities.encode(text)
    assert [encoding.surface(n) for n in range(len(encoding))] == WORDS and encoding.text == text
    assert encoding.offsets[1] == (3, 4)


def test_the_output_is_the_best_path_with_its_posteriors(engine: Callable[[str], Engine]) -> None:
    entities = engine("entities")
    entities.task.segment = cut_as(WORDS)
    trace = entities.trace(TEXT)
    tags = trace.output["tags"]
    fused = entities.predict(TEXT)["output"]["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [(tag["token"], tag["tag"]) for tag in fused]
    assert [tag["prob"] for tag in tags] == pytest.approx([tag["prob"] for tag in fused], abs=1e-5)
    path, probs = trace.array("path")[0].astype(int), trace.array("probs")[0]
    assert [tag["tag"] for tag in tags] == [ENTITIES[tag] for tag in path]
    assert [tag["prob"] for tag in tags] == pytest.approx([probs[t, tag] for t, tag in enumerate(path)])
    assert trace.labels("transition", "tag_next") == ENTITIES == trace.labels("emission", "tag")
    edited = entities.trace(TEXT, ["emission[0,4,3]=force:60"]).output["tags"]
    assert edited[4]["tag"] == "B-PER" and edited[4]["prob"] > 0.99
    with pytest.raises(UserError, match="edit emission instead"):
        entities.trace(TEXT, ["probs=zero"])


def test_every_cell_opens(engine: Callable[[str], Engine]) -> None:
    entities, chance = engine("entities"), random.Random(1)
    trace = entities.trace(TEXT)
    for name, activation in trace.activations.items():
        for _n in range(6):
            index = tuple(chance.randrange(size) for size in activation.shape)
            assert close(entities.explain(trace, name, index)), (name, index)
    assert max(entities.check().values()) <= 1e-5
    assert "head" in entities.check()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(engine: Callable[[str], Engine], text: str) -> None:
    found = engine("entities").predict(text)
    places = [(token["start"], token["end"]) for token in found["tokens"]]
    assert [tag["token"] for tag in found["output"]["tags"]] == [text[a:b] for a, b in places]
    assert all(a >= before for (_x, before), (a, _y) in zip(places, places[1:], strict=False))


def test_a_text_longer_than_the_context_is_cut_after_sentences(engine: Callable[[str], Engine]) -> None:
    engine("cutter")
    segmenter = Segmenter("cutter", "entities")
    segmenter.load()
    text = "老周去了山城。海鸥飞过码头！小林在海边的灯塔里等一只猫等一只猫等一只猫\n老周"
    parts = list(segmenter._parts(text))
    assert "".join(parts) == text and all(len(part) <= 10 for part in parts)
    assert parts[:2] == ["老周去了山城。", "海鸥飞过码头！"] and parts[-1].endswith("\n老周")
    (words,) = segmenter([text])
    assert "".join(words) == text.replace("\n", "")


def test_more_words_than_the_context_holds(engine: Callable[[str], Engine]) -> None:
    entities = engine("entities")
    entities.task.segment = cut_as(["等"] * 600)
    found = entities.predict("等" * 600)
    assert found["truncated"] is True and len(found["output"]["tags"]) == 512


def test_a_model_that_is_not_there_is_named_in_one_line(engine: Callable[[str], Engine]) -> None:
    with pytest.raises(UserError, match="alone needs the model nobody-home") as caught:
        engine("alone").predict(TEXT)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="led-astray needs a tagger.*writer is a language_model"):
        engine("led-astray").predict(TEXT)


def test_other_models_have_none(engine: Callable[[str], Engine]) -> None:
    assert engine("cutter").task.segment is None
    assert segmenter_for(engine("writer").config) is None


def test_a_tagger_of_word_pieces_has_the_words_of_the_treebank(engine: Callable[[str], Engine]) -> None:
    pieces = engine("pieces")
    words = ["We", "ca", "n't", "[MASK]", "U.S.", "shops", ",", "o'clock"]
    text = "We can't [MASK] U.S. shops, o'clock"
    assert words_by_rule(text, 99) == words and words_by_rule(text, 4) == words[:4]
    assert [tag["token"] for tag in pieces.predict("We don't stay.")["output"]["tags"]] == [
        "We", "do", "n't", "stay", ".",
    ]  # fmt: skip
    (number,) = [n for n, token in enumerate(pieces.encode(text).tokens) if token == "[MASK]"]
    assert pieces.encode(text).words[number] == 3
    gold = [TaggedWord(form, "NOUN", False) for form in ("We", "do", "n't")]
    assert tuple(pieces.task.example(gold, "We don't").ids.tolist()) == pieces.encode("We don't").ids
    assert not pieces.encode("We").truncated and pieces.encode("We " * 15).truncated


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_word_pieces(engine: Callable[[str], Engine], text: str) -> None:
    found = engine("pieces").predict(text)
    assert len(found["tokens"]) <= 16
    assert all(tag["token"] in text for tag in found["output"]["tags"])


def test_the_command_line_reads_raw_text(
    engine: Callable[[str], Engine], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = engine("entities").predict(TEXT)
    capsys.readouterr()
    assert cli.run(["predict", TEXT, "--model", "entities", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(expected, ensure_ascii=False))
    assert cli.run(["trace", TEXT, "--model", "entities", "--json", "--only", "path"]) == 0
    traced = json.loads(capsys.readouterr().out)
    assert len(traced["activations"]["path"]["values"][0]) == len(expected["tokens"])
    assert cli.run(["predict", TEXT, "--model", "alone"]) == 1
    said = capsys.readouterr().err
    assert "nobody-home" in said and len(said.splitlines()) == 1
