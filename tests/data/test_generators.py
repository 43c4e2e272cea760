"""Our own sentences: their tags, their number, and what must never be in the training part."""

from __future__ import annotations

from collections import Counter

import pytest

from nlptui.data.everyday import everyday
from nlptui.data.generators import GENERATED, LESSON_SENTENCES, ambiguous_en, shares_stretch, short_zh
from nlptui.data.readers import UNTAGGED, UPOS, sentence_text


def test_training_sentences_share_no_stretch_with_the_lesson() -> None:
    sentences = ambiguous_en("train")
    assert 400 < len(sentences) < 2000
    assert not [s for s in sentences if shares_stretch([word.form for word in s], LESSON_SENTENCES)]


def test_a_shared_stretch_is_found_in_any_case() -> None:
    assert shares_stretch(["And", "CAN", "can", "a", "can", ",", "then"], LESSON_SENTENCES)
    assert not shares_stretch(["Can", "you", "can", "the", "can", "?"], LESSON_SENTENCES)


def test_held_out_sentences_are_fifty_and_unseen() -> None:
    held_out = ambiguous_en("test")
    assert len(held_out) == 50
    assert held_out == ambiguous_en("dev")
    seen = {sentence_text(words).lower() for words in ambiguous_en("train")}
    assert not [words for words in held_out if sentence_text(words).lower() in seen]


def test_ambiguous_words_come_in_several_parts_of_speech() -> None:
    for split in ("train", "test"):
        tags: dict[str, set[str]] = {}
        for words in ambiguous_en(split):
            for word in words:
                assert word.tag in UPOS, word
                assert "<" not in word.form and "/" not in word.form
                tags.setdefault(word.form.lower(), set()).add(word.tag)
        assert tags["can"] == {"AUX", "VERB", "NOUN"}
        assert {"AUX", "NOUN"} <= tags["will"]
        assert {"VERB", "NOUN"} <= tags["saw"]
        assert {"VERB", "NOUN", "ADJ", "ADV"} <= tags["left"]
        assert {"VERB", "NOUN"} <= tags["duck"]
        assert {"VERB", "NOUN"} <= tags["mark"]


def test_sentences_are_the_same_each_time() -> None:
    assert ambiguous_en("train") == ambiguous_en("train")
    assert short_zh("train") == short_zh("train")


def test_punctuation_stands_without_a_space() -> None:
    assert any(sentence_text(words).endswith("?") for words in ambiguous_en("train"))
    assert not [words for words in ambiguous_en("train") if " ?" in sentence_text(words)]


def test_chinese_sentences_never_hold_the_lesson() -> None:
    train, held_out = short_zh("train"), short_zh("test")
    assert len(train) > 300 and len(held_out) > 30
    texts = {sentence_text(words) for words in train}
    assert not texts & {sentence_text(words) for words in held_out}
    for words in (*train, *held_out):
        assert "我爱你" not in sentence_text(words)
        assert {word.tag for word in words} <= {"PRON", "NOUN", "VERB", "ADV", "PUNCT"}
    shapes = [tuple(word.tag for word in words) for words in train]
    assert shapes.count(("PRON", "VERB", "PRON")) > 50


@pytest.mark.parametrize(
    ("language", "words"), [("en", "i you he cat dog tree"), ("zh", "我 你 他 猫 狗 树")]
)
def test_everyday_words_come_often_and_held_out_sentences_are_others(language: str, words: str) -> None:
    train, held_out = (everyday(split, language) for split in ("train", "test"))
    assert len(train) > 1500 and len(held_out) > 150 and everyday("dev", language) == held_out
    texts = {sentence_text(words) for words in train}
    assert len(texts) == len(train) and not texts & {sentence_text(words) for words in held_out}
    forms = Counter(word.form for sentence in train for word in sentence)
    assert all(forms[word] >= 20 for word in words.split())
    assert not any(form.startswith(("<", "=")) for form in forms), "every slot is filled"
    assert {word.tag for sentence in train for word in sentence} == {UNTAGGED}
    assert GENERATED[f"everyday_{language}"]("train") == train, "the same every time"


def test_everyday_sentences_are_written_as_people_write() -> None:
    assert all(sentence_text(words).endswith((" .", " ?")) is False for words in everyday("train", "en"))
    assert not any(" " in sentence_text(words) for words in everyday("train", "zh"))
