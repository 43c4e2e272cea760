"""The cards of the models that ship are what the generator writes of their config, recipe and numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nlptui.config import CLASSICAL, ModelConfig
from nlptui.train.card import Facts, write_card
from nlptui.train.recipe import read_recipe

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = sorted(path.parent.name for path in MODELS.glob("*/config.json"))


def number(text: str) -> int:
    return int(text.replace(",", ""))


def counts(text: str) -> dict[str, int]:
    return {split: number(count) for split, count in re.findall(r"(train|dev|test) ([\d,]*\d)", text)}


def facts(card: str, config: ModelConfig) -> Facts:
    """What the card says that neither config nor recipe knows."""
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    counted = next(line for line in card.splitlines() if re.match(r"[A-Z][^.`]*: train [\d,]+", line))
    texts, _mark, tokens = counted.partition(". ")[0].partition("; ")
    steps = re.search(r"([\d,]+) (?:steps of|iterations of)", card)
    took = re.search(r"It took ([\d,]+) (seconds|minutes)", card)
    written = card.partition("## What was tried")[0]
    full = dict(re.findall(r"(\w+) ([\d.]+) → [\d.]+", written))
    dev = {row[0]: row[3] for row in rows if len(row) == 4 and re.fullmatch(r"[\d.]+", row[3])}
    return Facts(
        parameters=number(re.search(r"([\d,]+) (?:parameters|rules), made", card).group(1)),  # type: ignore[union-attr]
        tokenizer=next(row[1] for row in rows if row[0] == "tokenizer"),
        examples=counts(texts),
        step=number(steps.group(1)) if steps else 0,
        seconds=float(number(took.group(1)) * (60 if took.group(2) == "minutes" else 1)) if took else 0.0,
        half="stored as float16" in written,
        full_metrics=config.metrics | {name: float(value) for name, value in full.items()},
        dev_metrics={name: float(value) for name, value in dev.items()},
        tokens=counts(tokens),
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_as_the_generator_writes_it(name: str) -> None:
    folder = MODELS / name
    card = (folder / "README.md").read_text(encoding="utf-8")
    config = ModelConfig.read(folder / "config.json")
    assert write_card(config, read_recipe(folder), facts(card, config), card) == card


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_licences_baselines_and_what_was_tried(name: str) -> None:
    card = (MODELS / name / "README.md").read_text(encoding="utf-8")
    config = ModelConfig.read(MODELS / name / "config.json")
    told = card[card.index("## Data") : card.index("## Recipe")]
    for line in told.splitlines():
        if line.startswith("- `") and "of our own" not in line:
            assert "Licence: " in line and "https://" in line, line
    assert config.baselines or config.task == "pretraining"
    assert "Baseline: " in card and "## Limits" in card
    # Rules are written by hand, and counts are counted: there is less to try.
    assert "## What was tried" in card or config.arch in CLASSICAL
