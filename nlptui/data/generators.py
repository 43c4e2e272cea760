"""Sentences of our own with tags, for words that corpora show too seldom in all their parts of speech.

    ambiguous_en    can, will, mark, saw, duck, left, … as auxiliary, verb, noun, name, adjective, adverb
    short_zh        short sentences: who does what to whom

Texts of other modules that recipes may name too:

    everyday_en, everyday_zh    words without tags in their natural company (`everyday`)
    recall_en       a fact, words about other things, a question, and a name (`recall`)
    stories_en, stories_zh      short stories with questions (`stories`)
    inferences_en   pairs of sentences: entailment, contradiction or neutral (`inferences`)

The sentences that lessons begin with stay out of the training part, in whole and in stretches of four words;
held-out sentences of the same kind are the dev and test part. Everything is made from a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from nlptui.data import inferences, recall, stories
from nlptui.data.everyday import everyday_en, everyday_zh
from nlptui.data.readers import Sentence, TaggedWord

LESSON_SENTENCES = (
    "Can you can a can as a cancer can a can ?",
    "Can you can a can as a canner can can a can ?",
)
"""What a lesson asks the tagger; never trained on."""
LESSON_CHINESE = "我爱你"

STRETCH = 4
PER_TEMPLATE = 8
_CLOSING = frozenset(".,?!")


def shares_stretch(words: Sequence[str], others: Iterable[str], length: int = STRETCH) -> bool:
    """Whether one of the other sentences has `length` words in a row, in any case, that `words` has too."""

    def stretches(row: Sequence[str]) -> set[tuple[str, ...]]:
        lower = [word.lower() for word in row]
        return {tuple(lower[i : i + length]) for i in range(len(lower) - length + 1)}

    return any(stretches(words) & stretches(other.split()) for other in others)


def _spaced(pairs: Sequence[tuple[str, str]]) -> Sentence:
    """Words with a space after each, but before closing punctuation and at the end."""
    following = [form for form, _tag in pairs[1:]] + [""]
    return [
        TaggedWord(form, tag, space_after=bool(after) and after not in _CLOSING)
        for (form, tag), after in zip(pairs, following, strict=True)
    ]


def _pairs(line: str) -> list[tuple[str, str]]:
    return [(form, tag) for form, _slash, tag in (item.rpartition("/") for item in line.split())]


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


@cache
def _templates() -> tuple[list[list[tuple[str, str]]], dict[str, list[str]]]:
    lines = _lines("ambiguous.txt")
    slots = [line[1:].split(":") for line in lines if line.startswith("=")]
    return (
        [_pairs(line) for line in lines if not line.startswith("=")],
        {name.strip(): words.split() for name, words in slots},
    )


def _filled(
    template: list[tuple[str, str]], slots: dict[str, list[str]], rng: random.Random
) -> list[tuple[str, str]]:
    filled = [
        (rng.choice(slots[form[1:-1]]) if form.startswith("<") else form, tag) for form, tag in template
    ]
    # People also type in lower case, and without the last mark.
    if rng.random() < 0.1:
        return filled
    first, tag = filled[0]
    filled[0] = (first[0].upper() + first[1:], tag)
    return filled[:-1] if rng.random() < 0.1 else filled


def ambiguous_en(split: str) -> list[Sentence]:
    """Several hundred sentences to train on, or the 50 that are held out."""
    held_out = [_pairs(line) for line in _lines("ambiguous_test.txt")]
    if split != "train":
        return [_spaced(pairs) for pairs in held_out]
    rng = random.Random(0)
    templates, slots = _templates()
    known = {tuple(form.lower() for form, _tag in pairs) for pairs in held_out}
    sentences: list[Sentence] = []
    for template in templates:
        for _turn in range(PER_TEMPLATE):
            pairs = _filled(template, slots, rng)
            forms = tuple(form.lower() for form, _tag in pairs)
            if forms not in known and not shares_stretch(forms, LESSON_SENTENCES):
                known.add(forms)
                sentences.append(_spaced(pairs))
    rng.shuffle(sentences)
    return sentences


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PRONOUNS = _words("我 你 他 她 我们 你们 他们 她们 大家")
_NOUNS = _words("妈妈 爸爸 老师 孩子 朋友 哥哥 妹妹 医生")
_THINGS = _words("苹果 书 音乐 茶 狗 猫 花 电影 歌")
_VERBS = _words("爱 喜欢 想 帮 找 等 教 问 懂 恨 怕 认识 讨厌 帮助 看见 记得 相信 需要")
_THING_VERBS = _words("爱 喜欢 想 找 买 看 要 怕 讨厌 需要")
_ADVERBS = _words("不 也 都 很 常常 还 一直")


def short_zh(split: str) -> list[Sentence]:
    """Short Chinese sentences; every tenth is held out. None holds 我爱你."""
    rng = random.Random(0)
    rows: dict[str, list[tuple[str, str]]] = {}
    for _turn in range(700):
        pairs = _short_zh(rng)
        text = "".join(form for form, _tag in pairs)
        if LESSON_CHINESE not in text:
            rows.setdefault(text, pairs)
    sentences = [[TaggedWord(form, tag, space_after=False) for form, tag in pairs] for pairs in rows.values()]
    held_out = sentences[::10]
    return held_out if split != "train" else [words for i, words in enumerate(sentences) if i % 10]


def _short_zh(rng: random.Random) -> list[tuple[str, str]]:
    """[pronoun | noun] [adverb]? verb [pronoun | noun] [。]?"""
    subject = (rng.choice(_PRONOUNS), "PRON") if rng.random() < 0.8 else (rng.choice(_NOUNS), "NOUN")
    adverb = [(rng.choice(_ADVERBS), "ADV")] if rng.random() < 0.25 else []
    if rng.random() < 0.25:
        verb, target = rng.choice(_THING_VERBS), (rng.choice(_THINGS), "NOUN")
    else:
        verb = rng.choice(_VERBS)
        target = (rng.choice(_PRONOUNS), "PRON") if rng.random() < 0.8 else (rng.choice(_NOUNS), "NOUN")
    mark = [("。", "PUNCT")] if rng.random() < 0.5 else []
    return [subject, *adverb, (verb, "VERB"), target, *mark]


GENERATED: dict[str, Callable[[str], list[Sentence]]] = {
    "ambiguous_en": ambiguous_en,
    "short_zh": short_zh,
    "everyday_en": everyday_en,
    "everyday_zh": everyday_zh,
}
"""Names that a recipe's `corpus` may hold beside those of the registry."""

RECALLED: dict[str, Callable[[str], list[recall.Recall]]] = {"recall_en": recall.recall_en}
"""The same, of texts whose last word is an answer."""

STORIES: dict[str, Callable[[str, int | None], list[stories.Question]]] = {
    "stories_en": stories.stories_en,
    "stories_zh": stories.stories_zh,
}
"""The same, of passages with questions."""

INFERENCES: dict[str, Callable[[str], list[inferences.Inference]]] = {
    "inferences_en": inferences.inferences_en,
}
"""The same, of pairs of texts with a label."""

MADE = frozenset((*GENERATED, *RECALLED, *STORIES, *INFERENCES))
"""All of these names."""
