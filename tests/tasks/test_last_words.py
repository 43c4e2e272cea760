"""The baseline of a model for questions, against guesses worked out by hand."""

from __future__ import annotations

import pytest

from nlptui.config import BertConfig
from nlptui.tasks.last_words import LastWords
from nlptui.tasks.question_answering import QuestionAnswering, QuestionExample
from nlptui.tokenizers import build_tokenizer

PEOPLE = [f"ann{n} bob{n}".split() for n in range(50)]
WHERE = [
    (f"Where is {a} ?", f"{a} went to the mill{n}. {b} slept in the barn{n}. It rains.", f"mill{n}")
    for n, (a, b) in enumerate(PEOPLE)
]
WHO = [
    (f"Who has the cup{n} ?", f"{a} took the cup{n}. {b} went to the barn{n}.", a)
    for n, (a, b) in enumerate(PEOPLE)
]


def task() -> QuestionAnswering:
    texts = [text for row in WHERE + WHO for text in row[:2]]
    names = ["pad", "unk", "cls", "sep", "mask"]
    tokenizer = build_tokenizer("words", texts, min_count=1, template="cls_sep", specials=names)
    return QuestionAnswering(BertConfig(arch="bert", task="question_answering", context=64), tokenizer)


def examples(asked: QuestionAnswering, rows: list[tuple[str, str, str]]) -> list[QuestionExample]:
    return [asked.example(question, text, answer, text.index(answer)) for question, text, answer in rows]


def guessed(asked: QuestionAnswering, rule: LastWords, question: str, passage: str) -> str:
    first, last = rule.guess(asked.example(question, passage, passage[0], 0))
    return " ".join(asked.tokenizer.encode(question, passage).tokens[first : last + 1])


def test_training_says_which_edge_answers_which_question() -> None:
    asked = task()
    rule = LastWords(examples(asked, WHERE + WHO), {asked.tokenizer.id(".")})
    common = {asked.tokenizer.token(i) for i in rule.common}
    assert common == {"Where", "is", "Who", "has", "the", "?", "[SEP]"}
    assert rule.length == 1
    story = "ann3 took the cup1. ann3 went to the mill1. bob3 took the cup2. It rains."
    assert guessed(asked, rule, "Where is ann3 ?", story) == "mill1"
    assert guessed(asked, rule, "Who has the cup2 ?", story) == "bob3"
    # Nothing of the question stands there: the last sentence.
    assert guessed(asked, rule, "Where is ann9 ?", story) == "rains"
    # A kind of question that training lacks is answered as most are, here as often one way as the other.
    assert guessed(asked, rule, "is ann3 has", story) in ("ann3", "mill1")


def test_the_share_of_right_guesses() -> None:
    asked = task()
    train = examples(asked, WHERE + WHO)
    wrong = [("Where is ann3 ?", "ann3 went to the mill3. ann3 slept.", "mill3")]
    measured = asked.baselines(train, [*examples(asked, WHERE[:3]), *examples(asked, wrong)])
    assert measured["exact_match"] == 3 / 4
    # 15 tokens in each of the first three passages, and 9 in the last.
    assert measured["random_token_exact_match"] == pytest.approx((3 / 15 + 1 / 9) / 4)
    assert asked.baselines([], []) == {"exact_match": 0, "random_token_exact_match": 0}


def test_pieces_of_a_word_stay_together() -> None:
    asked = task()
    inside = {asked.tokenizer.id(word) for word in ("mill4", "went")}
    rule = LastWords(examples(asked, WHERE + WHO), {asked.tokenizer.id(".")}, inside)
    assert guessed(asked, rule, "Where is ann4 ?", "ann4 went to the mill4.") == "the mill4"
    assert guessed(asked, rule, "Who has ann4 ?", "ann4 went to the mill4.") == "ann4 went"
