"""Stories with questions: true answers at their places, new names in the test set, room in the context."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from nlptui.data import splits, stories
from nlptui.data.stories import Asked, Event, World, words_of
from nlptui.errors import UserError
from nlptui.tokenizers import build_tokenizer, load_tokenizer

BERT_EN = Path(__file__).resolve().parents[2] / "models" / "bert-en"
LANGUAGES = ("en", "zh")
CONTEXT = 96


SAMPLE = 3_000
"""Rows of train that are looked at; all of them take a minute to make."""


@cache
def _sample(language: str) -> list[stories.Question]:
    return stories._Teller(language, "train").rows(SAMPLE)


def rows(language: str, split: str) -> list[stories.Question]:
    if split == "train":
        return list(_sample(language))
    return splits.questions({"corpus": f"stories_{language}"}, split)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sizes_and_answers_at_their_places(language: str) -> None:
    for split, size in stories.SIZES.items():
        found = rows(language, split)
        assert len({row[:2] for row in found}) == len(found) == min(size, SAMPLE)
        assert all(answer and passage[at : at + len(answer)] == answer for _q, passage, answer, at in found)
        assert not [row for row in found if re.search(r"[{}]|  ", row[0] + row[1])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_stories_are_the_same_each_time(language: str) -> None:
    again = stories._Teller(language, "test").rows(50)
    assert again == rows(language, "test")[:50]
    assert again != stories._Teller(language, "dev").rows(50)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_place_or_object_is_shared(language: str) -> None:
    lists = words_of(language).lists
    for kind in ("people", "places", "objects", "colours"):
        parts = [{word.lower() for word in lists[f"{kind} {split}"]} for split in stories.SIZES]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)), kind
    answers = [{answer for _q, _p, answer, _at in rows(language, split)} for split in stories.SIZES]
    assert sum(map(len, answers)) == len(set.union(*answers))
    passages = [{row[1] for row in rows(language, split)} for split in stories.SIZES]
    assert not passages[0] & passages[1] and not passages[0] & passages[2]
    if language == "en":
        names = [set(re.findall(r"[A-Z]\w+", " ".join(texts))) for texts in passages]
        openers = {"A", "After", "In", "It", "Nobody", "The", "Then", "There", "With"}
        assert names[0] & names[2] <= openers and names[0] & names[1] <= openers


@pytest.mark.parametrize("split", list(stories.SIZES))
def test_english_stories_fit_the_context(split: str) -> None:
    tokenizer = load_tokenizer(BERT_EN)
    longest = sorted(rows("en", split), key=lambda row: -len(row[0]) - len(row[1]))[:1500]
    assert max(len(tokenizer.encode(question, passage)) for question, passage, _a, _at in longest) <= CONTEXT


def test_chinese_stories_fit_the_context_in_characters() -> None:
    every = [row for split in stories.SIZES for row in rows("zh", split)]
    assert max(len(question) + len(passage) + 3 for question, passage, _a, _at in every) <= CONTEXT
    texts = [text for row in rows("zh", "train")[:50] for text in row[:2]]
    names = ["pad", "unk", "cls", "sep", "mask"]
    tokenizer = build_tokenizer("characters", texts, template="cls_sep", specials=names)
    question, passage, answer, at = rows("zh", "train")[0]
    encoding = tokenizer.encode(question, passage)
    begin = encoding.offsets.index((at, at + 1), len(question) + 2)
    assert "".join(encoding.tokens[begin : begin + len(answer)]) == answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_of_every_kind_come_often(language: str) -> None:
    openings = {
        kind[1:]: [re.escape(re.split(r"\{\w+\}", template)[0]) for template in templates]
        for kind, templates in words_of(language).wordings.items()
        if kind.startswith("?") and not kind.startswith(("?find", "?did"))
    }
    assert len(openings) == 9
    if language == "en":
        counts = Counter(
            kind
            for question, _p, _a, _at in rows("en", "test")
            for kind, starts in openings.items()
            if any(re.match(start, question) for start in starts)
        )
        assert min(counts[kind] for kind in openings) > 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_in_a_story_is_part_of_another(language: str) -> None:
    assert stories._alike(["lamp", "red lamp"]) and stories._alike(["station", "train station"])
    assert stories._alike(["Ann", "Ann"]) and not stories._alike(["lamp", "book"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_practice_is_for_training_and_asks_for_the_last_mention(language: str) -> None:
    found, deeds = asked_for(language, "find_P", "find_O", "find_L"), asked_for(language, "did")
    practice = [row for row in rows(language, "train") if found(row[0]) or deeds(row[0])]
    share = len(practice) / SAMPLE
    assert abs(share - stories.PRACTICE) < 0.15
    for question, passage, answer, at in practice[:2000]:
        if found(question):
            assert passage.rindex(answer) == at
        else:
            assert passage[at + len(answer)] in ".。" and not set(answer) & set(".。")
    assert {bool(found(row[0])) for row in practice} == {True, False}
    assert not [row for row in rows(language, "test") if found(row[0]) or deeds(row[0])]


def asked_for(language: str, *kinds: str) -> Callable[[str], bool]:
    """Whether a question is one of these practice kinds: all wordings but the bare name."""
    templates = [t for kind in kinds for t in words_of(language).wordings[f"?{kind}"] if len(t) > 4]
    written = (re.sub(r"\\\{\w\\\}", r"[\\w ]+", re.escape(template)) for template in templates)
    pattern = re.compile("|".join(written))
    return lambda question: pattern.fullmatch(question) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_training_alone_has_objects_and_places_that_are_no_words(language: str) -> None:
    def share(split: str) -> float:
        lists = words_of(language).lists
        parts = [lists[f"{kind} {split}"] for kind in ("people", "places", "objects", "colours")]
        known = " ".join(word for part in parts for word in part) + " ".join(lists.get("surnames", []))
        asked = [a for q, _p, a, _at in rows(language, split)[:1000] if not a[0].isupper()]
        return sum(not all(word in known for word in a.split()) for a in asked) / len(asked)

    if language == "en":
        assert share("dev") == share("test") == 0
        assert 0.3 < share("train") < 0.7
    else:
        # Names of people are made of two or three characters in every split.
        teller = stories._Teller("zh", "train")
        common = stories.common_characters()
        assert len(set(common)) == 3755 and common[0] == "啊" and common[-1] == "座"
        made = {person[1:] for person in (teller._person() for _time in range(400))}
        given = "".join(words_of("zh").lists["people train"])
        assert 0.3 < sum(not all(c in given for c in name) for name in made) / len(made) < 0.7
        assert {len(name) for name in made} == {1, 2}
        held_out = {c for kind in ("people dev", "people test") for c in "".join(words_of("zh").lists[kind])}
        assert not held_out & set("".join(made))
        assert not stories._Teller("zh", "test")._strange()


def told(*events: Event) -> dict[tuple[str, ...], Asked]:
    world = World()
    for number, event in enumerate(events):
        assert world.allows(event), event
        world.happens(event, number)
    return {(asked.kind, *(value for value in asked.names if value)): asked for asked in world.questions()}


def test_the_last_word_counts() -> None:
    found = told(
        Event("walk", P="Ann", L="mill"),
        Event("take", P="Ann", O="cup"),
        Event("walk", P="Ann", L="barn"),
    )
    assert found["where_person", "Ann"][2:] == (2, "L")
    assert found["where_object", "cup"][2:] == (2, "L"), "what is held goes where its holder goes"
    assert found["who_has", "cup"][2:] == (1, "P")
    assert found["what_has", "Ann"][2:] == (1, "O")
    assert found["where_before", "Ann", "barn"][2:] == (0, "L")
    assert found["who_in", "barn"][2:] == (2, "P") and ("who_in", "mill") not in found


def test_what_is_put_down_stays() -> None:
    found = told(
        Event("fetch", P="Ann", O="cup", L="mill"),
        Event("drop", P="Ann", O="cup"),
        Event("walk", P="Ann", L="barn"),
    )
    assert found["where_object", "cup"][2:] == (0, "L")
    assert ("who_has", "cup") not in found and ("what_has", "Ann") not in found


def test_what_is_given_is_with_the_other() -> None:
    found = told(
        Event("walk", P="Ann", L="mill"),
        Event("take", P="Ann", O="cup"),
        Event("give", P="Ann", Q="Bob", O="cup"),
    )
    assert found["who_has", "cup"][2:] == (2, "Q")
    assert found["giver", "Bob", "cup"][2:] == (2, "P")
    assert found["receiver", "Ann", "cup"][2:] == (2, "Q")
    assert found["gift", "Ann", "Bob"][2:] == (2, "O")
    assert ("where_object", "cup") not in found, "nobody said where Bob is"


def test_what_was_left_somewhere_is_taken_there_only() -> None:
    world = World()
    world.happens(Event("deliver", P="Ann", O="cup", L="mill"), 0)
    assert [asked.kind for asked in world.questions()] == ["where_object"], "where Ann is now is not told"
    assert not world.allows(Event("take", P="Bob", O="cup"))
    world.happens(Event("walk", P="Bob", L="mill"), 1)
    assert world.allows(Event("take", P="Bob", O="cup"))
    assert not world.allows(Event("give", P="Bob", Q="Ann", O="cup"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_training_the_answer_stands_at_each_place_as_often(language: str) -> None:
    teller = stories._Teller(language, "train")
    teller.rows(4_000)
    groups: dict[tuple[str, int], list[int]] = {}
    for (kind, names, _place), count in teller.stands.items():
        groups.setdefault((kind, names), []).append(count)
    common = {group: counts for group, counts in groups.items() if sum(counts) > 150}
    assert len(common) > 4
    for group, counts in common.items():
        assert max(counts) <= stories.LEAD * min(counts) + 21, group


def test_a_recipe_may_name_them_and_only_where_questions_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    few = lambda language, split, count: stories._Teller(language, split).rows(50)  # noqa: E731
    monkeypatch.setattr(stories, "_rows", few)
    twice = splits.questions({"corpus": "stories_zh", "repeat": {"stories_zh": 2}}, "train")
    assert len(twice) == 2 * 50
    with pytest.raises(UserError, match="stories_en holds no labelled texts"):
        splits.labelled_texts({"corpus": "stories_en"}, "train")
    with pytest.raises(UserError, match="en_ewt"):
        splits.questions({"corpus": "en_ewt"}, "train")
