"""What cards say of the corpus, the task and the baselines, and of what there was to learn from."""

from __future__ import annotations

from dataclasses import replace

from nlptui.config import BertConfig, GPTConfig, RecurrentConfig
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
    assert "| accuracy | 0.9000 | 0.3000 |\n" in said and "| dev |" not in said
    assert "| other baseline | test |\n| --- | --- |\n| second_text_accuracy | 0.2500 |\n" in said
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
    assert "| random_token_exact_match | 0.1000 |" in said
    assert "the last sentence that shares a rare word with the question" in said


def limits(said: str) -> str:
    return said[said.index("## Limits") :]


def test_a_card_says_how_long_the_texts_are_that_a_language_model_learned_from() -> None:
    config = GPTConfig(arch="gpt", name="writer", task="language_model", metrics={"loss": 2.0})
    recipe = Recipe(name="writer", data={"corpus": "en_shakespeare"}, train=TrainConfig(steps=5, threads=1))
    facts = replace(FACTS, tokenizer="characters", tokens={"train": 90_000, "dev": 5_000, "test": 5_000})
    said = write_card(config, recipe, facts)
    assert "Texts: train 3, dev 1, test 1; characters: train 90,000, dev 5,000, test 5,000." in said
    assert "- All it knows comes from the 90,000 characters of train.\n" in limits(said)
    assert " on one thread." in said
    assert "the 90,000 tokens of train" in write_card(config, recipe, replace(facts, tokenizer="byte_bpe"))


def test_a_card_says_what_the_weights_began_with() -> None:
    config = BertConfig(arch="bert", name="asked", task="question_answering", metrics={"exact_match": 0.9})
    recipe = Recipe(
        name="asked", init="reader", data={"corpus": "stories_en"}, tokenizer={"from": "reader"},
        train=TrainConfig(steps=5),
    )  # fmt: skip
    said = write_card(config, recipe, FACTS)
    assert "Questions, each with a passage: train 3, dev 1, test 1. Weights come from train alone" in said
    assert "the tokenizer from `reader`" in said
    assert "comes from the 3 questions of train, and from what `reader` had read." in limits(said)
    again = write_card(config, replace(recipe, init="asked"), FACTS)
    assert "Its weights start from an earlier `asked`." in again


def test_a_card_names_the_numbers_that_float16_moved_and_no_others() -> None:
    config = BertConfig(arch="bert", name="m", task="tagging", metrics={"accuracy": 0.9, "f1": 0.5})
    recipe = Recipe(name="m", data={"corpus": "zh_gsd_ner"}, train=TrainConfig(steps=5))
    facts = replace(FACTS, half=True, full_metrics={"accuracy": 0.9, "f1": 0.5002})
    assert "float16; from float32 that moved f1 0.5002 → 0.5000." in write_card(config, recipe, facts)
    facts = replace(facts, full_metrics=config.metrics)
    assert "float16, which moved none of the numbers above." in write_card(config, recipe, facts)


def test_a_card_leaves_out_settings_that_mean_nothing() -> None:
    config = RecurrentConfig(arch="lstm", name="m", task="tagging", metrics={"accuracy": 0.9})
    recipe = Recipe(name="m", data={"corpus": "en_ewt"}, train=TrainConfig(steps=5))
    said = write_card(config, recipe, FACTS)
    assert "| d_hidden |" in said and "char" not in said and "segmenter" not in said and "|  |" not in said
    said = write_card(replace(config, n_chars=7, segmenter="cutter"), recipe, FACTS)
    assert "| n_chars | 7 |" in said and "| char_kernel |" in said and "| segmenter | cutter |" in said
