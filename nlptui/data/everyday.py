"""Sentences of our own in which everyday words keep natural company: animals eat and run, plants grow.

For word vectors: corpora of this size have a cat a few dozen times. Each sentence is a template whose slots
are filled at random, from a fixed seed; every tenth is held out. Words have no tags.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from nlptui.data.readers import UNTAGGED, Sentence, TaggedWord

PER_TEMPLATE = 60
_CLOSING = frozenset(".,?!")


def _sentences(language: str) -> list[list[str]]:
    """Every template filled PER_TEMPLATE times, without repeats, in random order."""
    text = Path(__file__).with_name(f"everyday_{language}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    slots = {
        f"<{name.strip()}>": words.split()
        for name, _colon, words in (line[1:].partition(":") for line in lines if line.startswith("="))
    }
    rng = random.Random(0)
    found: dict[tuple[str, ...], None] = {}
    for template in (line.split() for line in lines if not line.startswith("=")):
        for _turn in range(PER_TEMPLATE):
            found[tuple(rng.choice(slots[word]) if word in slots else word for word in template)] = None
    sentences = [list(words) for words in found]
    rng.shuffle(sentences)
    return sentences


def everyday(split: str, language: str) -> list[Sentence]:
    """About two thousand sentences to train on; a tenth as many are the dev and test part."""
    spaced = language != "zh"
    rows = [
        [
            TaggedWord(word, UNTAGGED, spaced and after not in _CLOSING)
            for word, after in zip(words, [*words[1:], ""], strict=True)
        ]
        for words in _sentences(language)
    ]
    return rows[::10] if split != "train" else [words for i, words in enumerate(rows) if i % 10]


everyday_en = partial(everyday, language="en")
everyday_zh = partial(everyday, language="zh")
