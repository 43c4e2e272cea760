"""The four models that are asked who it was: one size and budget, and what is left of the name at the end."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from nlptui.data.recall import DISTANCES
from nlptui.engine import Engine
from nlptui.tasks import load_examples
from nlptui.train.recipe import read_recipe

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = ("recall-rnn", "recall-lstm", "recall-gru", "recall-transformer")
KEEPERS = NAMES[1:]
SAMPLE = 40
"""Test texts of a distance that are looked at here."""


@cache
def engine(name: str) -> Engine:
    return Engine.load(MODELS / name, device="cpu")


@cache
def held_out() -> list[Any]:
    """The test split, which is the same for all: they have one corpus and one vocabulary."""
    one = engine("recall-lstm")
    return list(load_examples(one.config.data, "test", one.tokenizer, one.config))


@cache
def sampled(name: str) -> dict[str, float]:
    """The test metrics on SAMPLE texts of two distances."""
    rows = [row for n in (1, 100) for row in [r for r in held_out() if r.distance == n][:SAMPLE]]
    return engine(name).task.metrics(engine(name).model, rows, "cpu", 32)


def test_they_have_the_same_number_of_parameters() -> None:
    counts = [sum(p.numel() for p in engine(name).model.parameters()) for name in NAMES]
    assert max(counts) <= 1.05 * min(counts), counts


def test_they_have_the_same_data_vocabulary_and_budget() -> None:
    recipes = [read_recipe(MODELS / name / "recipe.toml") for name in NAMES]
    assert len({json.dumps([r.train.steps, r.train.batch_size, r.seed, dict(r.data)]) for r in recipes}) == 1
    assert all(replace(recipe.train, threads=1) == recipes[0].train for recipe in recipes), "no handicap"
    assert len({tuple(engine(name).tokenizer.vocabulary()) for name in NAMES}) == 1
    assert [recipe.model["arch"] for recipe in recipes] == ["rnn", "lstm", "gru", "gpt"]
    for recipe in recipes[:3]:
        assert not recipe.model.get("bidirectional") and recipe.model.get("n_layers", 1) == 1


@pytest.mark.parametrize("name", KEEPERS)
def test_gates_and_attention_hand_the_name_on(name: str) -> None:
    assert sampled(name)["accuracy_at_1"] >= 0.95
    assert sampled(name)["accuracy_at_100"] >= 0.9


def test_the_rnn_loses_it_on_the_way() -> None:
    rnn, lstm = sampled("recall-rnn"), sampled("recall-lstm")
    assert rnn["accuracy_at_1"] > 0.6 > rnn["accuracy_at_100"] + 0.1
    assert rnn["accuracy_at_1"] > rnn["accuracy_at_100"] + 0.25
    assert lstm["accuracy_at_100"] > rnn["accuracy_at_100"] + 0.4


@pytest.mark.parametrize("name", NAMES)
def test_the_config_tells_every_distance(name: str) -> None:
    config = engine(name).config
    wanted = {"accuracy", "loss", *(f"accuracy_at_{distance}" for distance in DISTANCES)}
    assert set(config.metrics) == set(config.baselines) == wanted
    mean = sum(config.metrics[f"accuracy_at_{distance}"] for distance in DISTANCES) / len(DISTANCES)
    assert config.metrics["accuracy"] == pytest.approx(mean)
    assert config.baselines["accuracy"] < 0.1
    card = (MODELS / name / "README.md").read_text(encoding="utf-8")
    assert "| distance | 1 | 2 | 5 | 10 |" in card and "## What was tried" in card


def test_evaluating_gives_the_numbers_on_the_card() -> None:
    one = engine("recall-lstm")
    found = one.evaluate("test")
    assert found["metrics"] == pytest.approx(one.config.metrics, abs=2e-4)
    assert found["baselines"] == pytest.approx(one.config.baselines, abs=2e-4)


def test_the_card_of_the_rnn_is_measured_too_and_weights_matter() -> None:
    one = Engine.load(MODELS / "recall-rnn", device="cpu")
    assert one.task.metrics(one.model, held_out(), "cpu", 32) == pytest.approx(one.config.metrics, abs=2e-4)
    with torch.no_grad():
        for parameter in one.model.parameters():
            parameter.zero_()
    assert one.task.metrics(one.model, held_out()[:130], "cpu", 32)["accuracy"] < 0.2


def nlptui(programs: Path, *arguments: str) -> str:
    command = [programs / "nlptui", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", KEEPERS)
def test_a_sentence_of_ones_own_is_answered(name: str, programs: Path) -> None:
    text = "The lamp belongs to Greta. There were nine pancakes on the roof. The mayor sang. Who was it?"
    candidates = json.loads(nlptui(programs, "predict", text, "--model", name, "--json"))["output"][
        "candidates"
    ]
    assert candidates[0]["tokens"][0]["text"] == "greta"


def test_the_answer_is_generated(programs: Path) -> None:
    text = "The coin was lost by Yusuf. It rained all night. Who was it?"
    told = nlptui(
        programs, "generate", text, "--model", "recall-lstm", "--max-tokens", "1", "--temperature", "0"
    )
    assert told.strip().endswith("yusuf")


def test_the_table_of_models_leaves_the_curve_to_evaluate(programs: Path) -> None:
    assert "accuracy_at_" not in nlptui(programs, "models")
    listed = {entry["name"]: entry for entry in json.loads(nlptui(programs, "models", "--json"))["models"]}
    assert (
        listed["recall-rnn"]["metrics"]["accuracy_at_100"]
        == engine("recall-rnn").config.metrics["accuracy_at_100"]
    )
