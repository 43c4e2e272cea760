"""Classification, translation, span extraction; and the table of tasks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nlptui.config import TASKS, BertConfig, RecurrentConfig, TransformerConfig
from nlptui.errors import UserError
from nlptui.nn import Batch
from nlptui.nn.search import Found
from nlptui.tasks import TASK_CLASSES, labels_for, task_for, texts_for_tokenizer
from nlptui.tasks.base import IGNORED
from nlptui.tasks.classification import Classification, features, naive_bayes
from nlptui.tasks.question_answering import QuestionAnswering, best_spans, passage_span
from nlptui.tasks.translation import Translation, best_partners
from nlptui.tokenizers import build_tokenizer

from .conftest import Answers, one_hot


class Writes(Answers):
    """A translator that writes what it is told, source after source, by length."""

    def __init__(self, task: Translation, written: list[str], answer: Any) -> None:
        super().__init__(answer)
        self.found = [task.tokenizer.encode(text, special=False).ids for text in written]
        self.sources = 0

    def translate(self, batch: Batch, start: int, end: int, longest: int) -> list[Found]:
        self.sources += len(batch.ids)
        lengths = batch.ids.ne(0).sum(1).tolist()
        chosen = [0 if len(self.found) == 1 or length > 8 else 1 for length in lengths]
        return [Found(list(self.found[i]), [0.0] * len(self.found[i])) for i in chosen]


def test_every_task_of_the_config_has_a_class() -> None:
    assert set(TASK_CLASSES) == set(TASKS)
    assert all(name == cls.name for name, cls in TASK_CLASSES.items())


# Classification.


def classification() -> Classification:
    recipe = {"corpus": "en_polarity"}
    tokenizer = build_tokenizer("words", texts_for_tokenizer(recipe, "classification"))
    labels = labels_for(recipe, "classification")
    task = task_for(RecurrentConfig(arch="gru", task="classification", labels=labels, data=recipe), tokenizer)
    assert isinstance(task, Classification)
    return task


def test_classification_examples_and_loss() -> None:
    task = classification()
    assert task.labels == ("negative", "positive")
    batch, targets = task.collate(task.load(task.config.data, "train"), "cpu")
    assert targets["label"].tolist() == [1, 0, 1]
    assert batch.ids.shape == (3, 3) and batch.mask is None
    loss, _numbers = task.loss({"logits": torch.zeros(3, 2)}, targets)
    assert float(loss) == pytest.approx(math.log(2))


def test_classification_metrics_baseline_and_answer() -> None:
    task = classification()
    train, test = (task.load(task.config.data, split) for split in ("train", "test"))
    always = Answers(lambda batch: {"logits": torch.tensor([[1.0, 0.0]]).repeat(len(batch.ids), 1)})
    assert task.metrics(always, test, "cpu", 8) == {"accuracy": 0.5}
    assert task.baselines(train, test) == {"accuracy": 0.5, "naive_bayes_accuracy": 1.0}
    answer = task.decode({"logits": torch.tensor([[0.0, math.log(4)]])}, task.tokenizer.encode("a film"))
    assert answer == {
        "labels": [
            {"label": "positive", "prob": pytest.approx(0.8)},
            {"label": "negative", "prob": pytest.approx(0.2)},
        ]
    }


def test_naive_bayes_by_hand() -> None:
    """Two texts a label; the features are words and pairs, each once a text, those of training only."""
    task = classification()
    train = [task.example(*row) for row in (("positive", "a b"), ("negative", "c c a"))]
    # Positive holds a, b, (a b); negative c, a, (c c), (c a): V = 6, so the sums are 3 + 6 and 4 + 6.
    positive = math.log(2 / 9) + math.log(1 / 9)  # of "a c": a known in both, c in one, (a c) never seen
    negative = math.log(2 / 10) + math.log(2 / 10)
    assert negative > positive
    assert naive_bayes(train, [task.example("positive", "a c")]) == [0]
    assert naive_bayes(train, [task.example("negative", "b !")]) == [1]
    assert features(("x", "y", "x")) == {("x",), ("y",), ("x", "y"), ("y", "x")}


def test_each_pooler_has_its_loss_and_its_accuracy() -> None:
    task = classification()
    test = task.load(task.config.data, "test")

    def answer(batch: Batch) -> dict[str, torch.Tensor]:
        rows = len(batch.ids)
        first = torch.tensor([[1.0, 0.0]]).repeat(rows, 1)
        return {"logits": first, "cls.logits": first, "mean.logits": one_hot(batch.ids[:, 0] * 0 + 1, 2)}

    found = task.metrics(Answers(answer), test[:1], "cpu", 8)
    assert found == {"accuracy": 0.0, "accuracy_cls": 0.0, "accuracy_mean": 1.0}
    batch, targets = task.collate(test, "cpu")
    outputs = answer(batch)
    both = [
        torch.nn.functional.cross_entropy(outputs[f"{n}.logits"], targets["label"]) for n in ("cls", "mean")
    ]
    assert float(task.loss(outputs, targets)[0]) == pytest.approx(float(both[0] + both[1]))


def test_words_are_dropped_and_marks_are_not() -> None:
    task = classification()
    task.config.data["word_dropout"] = 0.5
    train = task.load({"corpus": "en_polarity"}, "train")
    unknown, drawn = task.tokenizer.specials["unk"], []
    for seed in range(40):
        drawn += task.draw(train, [0, 1], np.random.default_rng(seed))
    share = sum(int((example.ids == unknown).sum()) for example in drawn) / sum(len(e.ids) for e in drawn)
    assert 0.4 < share < 0.6
    task.config.data["word_dropout"] = 0.0
    assert task.draw(train, [1], np.random.default_rng(0)) == [train[1]]


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(UserError, match="'neutral'"):
        classification().example("neutral", "a film")
    with pytest.raises(UserError, match="labels"):
        Classification(RecurrentConfig(arch="gru", task="classification"), classification().tokenizer)


# Translation.


def translation() -> Translation:
    recipe = {"corpus": "en_zh_tatoeba"}
    texts = texts_for_tokenizer(recipe, "translation")
    tokenizer = build_tokenizer(
        "characters", texts, template="bos_eos", specials=["pad", "unk", "bos", "eos"]
    )
    config = TransformerConfig(
        arch="transformer", task="translation", vocab_size=tokenizer.vocab_size, context=8, data=recipe
    )
    return Translation(config, tokenizer)


def test_targets_begin_and_end_with_marks() -> None:
    task = translation()
    example = task.load(task.config.data, "train")[0]
    assert task.tokenizer.decode(example.target.tolist()) == "你好。"
    assert example.target[0] == task.bos and example.target[-1] == task.eos
    assert len(example.source) == 8 and len(task.example("x", "天" * 50).target) <= 9
    batch, targets = task.collate(task.load(task.config.data, "train"), "cpu")
    assert batch.target_ids is not None and batch.target_ids.shape == targets["next"].shape == (2, 5)
    assert batch.target_ids[0, 1:].tolist()[:3] == targets["next"][0, :3].tolist()


def test_translation_loss_metrics_and_candidates() -> None:
    task = translation()
    size = task.tokenizer.vocab_size
    test = task.load(task.config.data, "test")

    def answer(batch: object) -> dict[str, torch.Tensor]:
        return {"logits": torch.zeros(*batch.target_ids.shape, size)}  # type: ignore[attr-defined]

    measured = task.metrics(Writes(task, ["茶。"], answer), test, "cpu", 2)
    # Two characters hold no four in a row, so that BLEU is 0 whatever they are.
    assert (measured["bleu"], measured["chrf"]) == (0, pytest.approx(100))
    assert measured["loss"] == pytest.approx(math.log(size))
    assert measured["perplexity"] == pytest.approx(size)
    baselines = task.baselines(task.load(task.config.data, "train"), test)
    assert baselines["perplexity"] < size and baselines["bleu"] < 5
    _batch, targets = task.collate(test, "cpu")
    loss, _numbers = task.loss({"logits": one_hot(targets["next"], size)}, targets)
    assert float(loss) == pytest.approx(0, abs=1e-6)
    logits = one_hot(torch.tensor([[task.tokenizer.id("你"), task.tokenizer.id("好")]]), size)
    answer_ = task.decode({"logits": logits}, task.tokenizer.encode("Hello."), top=1)
    assert answer_["candidates"][0]["pos"] == 1 and answer_["candidates"][0]["tokens"][0]["text"] == "好"


def long_translation(language: str) -> Translation:
    """A task whose tokenizer knows every character of our sentences."""
    texts = ["The ship sails at noon . 船中午开走了。", "We drink tea . 我们现在喝茶吧", "他的小船很旧 old"]
    tokenizer = build_tokenizer("characters", texts, template="none", specials=["pad", "unk", "bos", "eos"])
    config = TransformerConfig(
        arch="transformer", task="translation", language=language, vocab_size=tokenizer.vocab_size
    )
    return Translation(config, tokenizer)


def test_bleu_takes_all_references_of_a_source() -> None:
    """By hand: sacrebleu's definition with n-grams of characters, the closest reference's length."""
    task = long_translation("en-zh")
    pairs = [("We drink tea", "我们喝茶吧"), ("We drink tea", "我们现在喝茶"), ("old ship", "他的船很旧")]
    examples = [task.example(*pair) for pair in pairs]
    written = ["我们现在喝茶", "他的小船很旧"]
    model = Writes(task, written, lambda batch: {"logits": torch.zeros(*batch.target_ids.shape, 50)})
    measured = task.metrics(model, examples, "cpu", 8)
    assert model.sources == 2, "each source is translated once"
    # The first is right; the second has 5 of 6 characters, 3 of 5 pairs, 1 of 4 triples, no four.
    shares = [(6 + 5) / 12, (5 + 3) / 10, (4 + 1) / 8, (3 + 0) / 6]
    assert measured["bleu"] == pytest.approx(100 * math.prod(shares) ** 0.25, abs=1e-9)
    one_each = task.metrics(model, [examples[0], examples[2]], "cpu", 8)
    assert one_each["bleu"] < measured["bleu"] and one_each["chrf"] < measured["chrf"]


def test_bleu_of_other_languages_counts_words() -> None:
    task = long_translation("zh-en")
    score = task.quality({"a": "the old ship sails at noon"}, {"a": ["the old ship sails at noon ."]})["bleu"]
    # Six of six words in order, one short of seven: the brevity penalty alone.
    assert score == pytest.approx(100 * math.exp(1 - 7 / 6), abs=1e-9)


def test_word_by_word_takes_the_partner_that_is_always_there() -> None:
    task = long_translation("en-zh")
    examples = [task.example("d d t", "茶"), task.example("d o", "船"), task.example("t", "茶 了")]
    partner = best_partners(examples)
    names = {task.tokenizer.token(s): task.tokenizer.token(t) for s, t in partner.items()}
    assert names["t"] == "茶" and names["o"] == "船"


# Questions.


def questions(context: int = 64) -> QuestionAnswering:
    texts = ["Where is Ann ?", "Ann went to the old mill . Bob stayed at home ."]
    tokenizer = build_tokenizer(
        "words", texts, min_count=1, template="cls_sep", specials=["pad", "unk", "cls", "sep", "mask"]
    )
    return QuestionAnswering(BertConfig(arch="bert", task="question_answering", context=context), tokenizer)


PASSAGE = "Ann went to the old mill. Bob stayed at home."


def test_an_answer_is_found_among_the_tokens() -> None:
    task = questions()
    example = task.example("Where is Ann?", PASSAGE, "the old mill", 12)
    encoding = task.tokenizer.encode("Where is Ann?", PASSAGE)
    assert [encoding.tokens[i] for i in range(example.start, example.end + 1)] == ["the", "old", "mill"]
    assert example.passage == passage_span(encoding) == (6, 18)
    with pytest.raises(UserError, match="does not stand at 3"):
        task.example("Where is Ann?", PASSAGE, "the old mill", 3)


def test_an_answer_beyond_the_context_counts_as_wrong() -> None:
    task = questions(context=12)
    example = task.example("Where is Bob?", PASSAGE, "home", PASSAGE.index("home"))
    assert (example.start, example.end) == (IGNORED, IGNORED)
    _batch, targets = task.collate([example], "cpu")
    outputs = {"start.logits": torch.zeros(1, 12), "end.logits": torch.zeros(1, 12)}
    assert float(task.loss(outputs, targets)[0]) == 0
    nothing = {"exact_match": 0.0, "same_mention": 0.0}
    assert task.metrics(Answers(lambda batch: outputs), [example], "cpu", 1) == nothing


def test_span_loss_is_over_the_passage() -> None:
    task = questions()
    example = task.example("Where is Ann?", PASSAGE, "mill", PASSAGE.index("mill"))
    batch, targets = task.collate([example], "cpu")
    zeros = torch.zeros(batch.ids.shape)
    assert float(task.loss({"start.logits": zeros, "end.logits": zeros}, targets)[0]) == pytest.approx(
        math.log(12)
    )
    distracted = zeros.clone()
    distracted[0, 1] = 50.0
    outputs = {"start.logits": distracted, "end.logits": distracted}
    assert float(task.loss(outputs, targets)[0]) == pytest.approx(math.log(12))


def test_spans_are_in_order_within_the_passage() -> None:
    task = questions()
    encoding = task.tokenizer.encode("Where is Ann?", PASSAGE)
    start, end = torch.zeros(1, len(encoding)), torch.zeros(1, len(encoding))
    start[0, 9], end[0, 11], end[0, 7], start[0, 2] = 20.0, 20.0, 19.0, 90.0
    spans = task.decode({"start.logits": start, "end.logits": end}, encoding, top=3)["spans"]
    assert spans[0] == {"text": "the old mill", "start": 12, "end": 24, "prob": pytest.approx(1, abs=0.3)}
    assert len(spans) == 3 and all(span["text"] == PASSAGE[span["start"] : span["end"]] for span in spans)
    gold = task.example("Where is Ann?", PASSAGE, "the old mill", 12)
    answers = Answers(lambda batch: {"start.logits": start, "end.logits": end})
    assert task.metrics(answers, [gold], "cpu", 1) == {"exact_match": 1.0, "same_mention": 1.0}


def test_another_mention_of_the_same_words_is_right_too() -> None:
    task = questions()
    passage = "Ann went to the mill. Bob stayed at the mill."
    gold = task.example("Where is Ann?", passage, "mill", passage.index("mill"))
    tokens = task.tokenizer.encode("Where is Ann?", passage).tokens
    again = max(i for i, token in enumerate(tokens) if token == "mill")
    for place, right in ((again, True), (again - 1, False)):
        logits = torch.zeros(1, len(tokens))
        logits[0, place] = 20.0
        outputs = {"start.logits": logits, "end.logits": logits}
        measured = task.metrics(Answers(lambda batch, said=outputs: said), [gold], "cpu", 1)  # type: ignore[misc]
        assert measured == {"exact_match": float(right), "same_mention": 0.0}


def test_spans_of_probabilities_made_by_hand() -> None:
    start = torch.tensor([0.0, math.log(3), 0.0, 0.0])
    end = torch.tensor([0.0, 0.0, math.log(2), 0.0])
    spans = best_spans(start, end, (1, 4), 2)
    # Within the passage: start 3/5 1/5 1/5, end 1/4 2/4 1/4.
    assert spans[0] == (1, 2, pytest.approx(3 / 5 * 2 / 4))
    assert spans[1][2] == pytest.approx(3 / 5 * 1 / 4)
    assert best_spans(start, end, (2, 2), 5) == []
    assert best_spans(start, end, (1, 4), 1, longest=1)[0] == (1, 1, pytest.approx(3 / 5 * 1 / 4))


def test_a_recipe_says_how_long_an_answer_may_be() -> None:
    task = questions()
    encoding = task.tokenizer.encode("Where is Ann?", PASSAGE)
    start, end = torch.zeros(1, len(encoding)), torch.zeros(1, len(encoding))
    start[0, 9], end[0, 11] = 20.0, 20.0
    outputs = {"start.logits": start, "end.logits": end}
    assert task.decode(outputs, encoding, top=1)["spans"][0]["text"] == "the old mill"
    short = QuestionAnswering(replace(task.config, data={"longest_answer": 2}), task.tokenizer)
    assert len(short.decode(outputs, encoding, top=1)["spans"][0]["text"].split()) <= 2
