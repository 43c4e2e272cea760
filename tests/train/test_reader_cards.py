"""Cards of models that read two texts: what they say of the corpus, the task and the baselines."""

from __future__ import annotations

from dataclasses import replace

from nlptui.config import BertConfig
from nlptui.train.card import Facts, write_card
from nlptui.train.recipe import Recipe, TrainConfig

FACTS = Facts(
    parameters=10, tokenizer="wordpiece", examples={"train": 3, "dev": 1, "test": 1}, step=5, seconds=1.0,
    half=False, full_metrics={}, dev_metrics={},
)  # fmt: skip


def card(config: BertConfig, corpus: str) -> str:
    recipe = Recipe(name=config.name, data={"corpus": corpus}, train=TrainConfig(steps=5))
    return write_card(config, recipe, FACTS)


def test_a_card_for_pairs_shows_what_the_second_text_gives_away() -> None:
    config = BertConfig(
        arch="bert", name="pairs", task="classification", labels=("contradiction", "entailment", "neutral"),
        metrics={"accuracy": 0.9}, baselines={"accuracy": 0.3, "second_text_accuracy": 0.25},
    )  # fmt: skip
    said = card(config, "inferences_en")
    assert "that says whether one sentence entails another" in said
    assert "`inferences_en`: pairs of sentences of our own, made by `nlptui.data.inferences`" in said
    assert "| accuracy | 0.9000 | 0.3000 |" in said and "| second_text_accuracy | – | 0.2500 |" in said
    assert "naive Bayes on the second text alone" in said
    other = card(replace(config, labels=("bad", "good")), "ambiguous_en")
    assert "gives a text one label" in other and "second text alone" not in other
    assert "sentences of our own, made by `nlptui.data.generators`" in other


def test_a_card_for_questions_names_both_baselines() -> None:
    config = BertConfig(
        arch="bert", name="asked", task="question_answering",
        metrics={"exact_match": 0.9, "same_mention": 0.8},
        baselines={"exact_match": 0.4, "random_token_exact_match": 0.1},
    )  # fmt: skip
    said = card(config, "stories_en")
    assert "`stories_en`: short stories with questions of our own, made by `nlptui.data.stories`" in said
    assert "| random_token_exact_match | – | 0.1000 |" in said
    assert "the last sentence that shares a rare word with the question" in said
