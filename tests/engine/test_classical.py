"""Models from before the networks in the engine: edits, explanations, checks, and what they refuse."""

from __future__ import annotations

import random
import shutil
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.engine.library import find_model
from nlptui.errors import UserError

TEXT = {"en": "The Zyzzyx walks to the garden, 33 times.", "zh": "我们在海边看见3只白猫。"}
NAMES = [
    f"{task}-{arch}-{language}"
    for task, language in (("pos", "en"), ("pos", "zh"), ("seg", "zh"), ("ner", "zh"))
    for arch in ("rules", "hmm", "crf")
]


@cache
def engine(name: str) -> Engine:
    return Engine.load(name, device="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_opens_and_equals_what_was_computed(name: str) -> None:
    chance, trace = random.Random(name), engine(name).trace(TEXT[name[-2:]])
    assert {"path", "probs"} <= set(trace.activations)
    for activation in trace.activations.values():
        for _n in range(8):
            index = tuple(chance.randrange(size) for size in activation.shape)
            found = engine(name).explain(trace, activation.name, index)
            assert found.formula
            same = found.value == found.total
            assert same or abs(found.value - found.total) <= 1e-5 * max(1, abs(found.value)), found


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_the_answer_and_agrees_with_all_paths(name: str) -> None:
    text = TEXT[name[-2:]]
    assert engine(name).trace(text).output == engine(name).predict(text)["output"]
    assert max(engine(name).check().values()) <= 1e-5


@pytest.mark.parametrize(
    "name", ["pos-hmm-en", "pos-crf-en", "pos-hmm-zh", "seg-crf-zh", "ner-crf-zh", "ner-lstm-zh"]
)
def test_a_cell_of_the_lattice_opens_to_emission_best_score_before_and_transition(name: str) -> None:
    trace = engine(name).trace(TEXT[name[-2:]])
    score, pointer = trace.array("score"), trace.array("backpointer")
    for t, j in product(range(1, score.shape[1]), range(score.shape[2])):
        before = int(pointer[0, t, j])
        emission, best, transition, *others = engine(name).explain(trace, "score", (0, t, j)).terms
        assert (emission.name, emission.index) == ("emission", (0, t, j))
        assert (best.name, best.index) == ("score", (0, t - 1, before))
        assert (transition.name, transition.index) == ("transition", (0, before, j))
        if np.isfinite(score[0, t, j]):
            assert score[0, t, j] == pytest.approx(emission.value + best.value + transition.value)
            assert all(term.factor == 0 for term in others)


@pytest.mark.parametrize("name", ["pos-hmm-en", "pos-crf-en"])
def test_an_edit_of_an_emission_changes_the_path(name: str) -> None:
    verb = engine(name).config.labels.index("VERB")
    before = engine(name).trace(TEXT["en"])
    after = engine(name).trace(TEXT["en"], [f"emission[0,0,{verb}]=force:100"])
    assert before.output["tags"][0]["tag"] == "DET" and after.output["tags"][0]["tag"] == "VERB"
    assert engine(name).explain(after, "emission", (0, 0, verb)).total == 100


def test_an_edit_of_a_rule_changes_the_tag() -> None:
    last = len(engine("pos-rules-en").model.rule_names) - 1
    after = engine("pos-rules-en").trace(TEXT["en"], [f"rule[0,0]=force:{last}"])
    assert after.output["tags"][0]["tag"] == "NOUN", "where no rule fits it is a noun"


@pytest.mark.parametrize(
    ("name", "instead"), [("pos-hmm-en", "emission"), ("pos-crf-en", "emission"), ("pos-rules-en", "rule")]
)
def test_probabilities_are_where_a_run_ends(name: str, instead: str) -> None:
    with pytest.raises(UserError, match=f"edit {instead} instead"):
        engine(name).trace(TEXT["en"], ["probs=zero"])


def test_they_were_not_trained_from_random_weights() -> None:
    with pytest.raises(UserError, match="pos-hmm-en was counted or written.*@before"):
        Engine.load("pos-hmm-en@before")


def test_words_that_a_crf_has_never_seen_are_no_unknown_tokens() -> None:
    assert engine("pos-crf-en").trace(TEXT["en"]).encoding.tokens[1] == "Zyzzyx"
    assert "lower=the" in engine("pos-crf-en").model.features


def test_broken_folders_are_told_by_file(tmp_path: Path) -> None:
    for name, file, words in (
        ("pos-crf-en", "features.txt", "features.txt: has .* lines, config.json asks for"),
        ("pos-hmm-en", "classes.txt", "classes.txt: has .* lines, config.json asks for"),
    ):
        folder = tmp_path / name
        shutil.copytree(find_model(name), folder)
        lines = (folder / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / file).write_text("".join(lines[:-1]), encoding="utf-8")
        with pytest.raises(UserError, match=words):
            Engine.load(folder)
    shutil.copytree(find_model("seg-rules-zh"), tmp_path / "cut")
    (tmp_path / "cut" / "words.txt").unlink()
    with pytest.raises(UserError, match="words.txt: not readable"):
        Engine.load(tmp_path / "cut")


def test_a_user_changes_rules_and_the_next_run_follows_them(tmp_path: Path) -> None:
    shutil.copytree(find_model("pos-rules-en"), tmp_path / "mine")
    file = tmp_path / "mine" / "rules.toml"
    file.write_text("otherwise = 'X'\n[[rule]]\ntag = 'INTJ'\npattern = 'The'\n", encoding="utf-8")
    tags = [tag["tag"] for tag in Engine.load(tmp_path / "mine").predict("The cat")["output"]["tags"]]
    assert tags == ["INTJ", "X"]
