"""Plain opinions of films, of our own: "This film is not bad at all." is positive.

Film critics seldom write so, and a classifier that has read them alone is at a loss where anybody would not
be. Each sentence is a template whose slots are filled at random, from a fixed seed; those held out are
written by hand, in other words.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

PER_TEMPLATE = 24
LABELS = {"+": "positive", "-": "negative"}
_CLOSING = (".", ",", "?", "!", "n't")
_VOWELS = (*"aeiou", "honest")
Opinion = tuple[str, str]
"""A label and a text."""


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def _spelled(words: list[str], rng: random.Random) -> str:
    """The words as people type them: with a capital, or all in lower case; now and then without the mark."""
    if words[-1] in _CLOSING and rng.random() < 0.1:
        words = words[:-1]
    text = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        text += word if word in _CLOSING or not text else f" {word}"
        text += "n" if word == "a" and after.startswith(_VOWELS) else ""
    return text if rng.random() < 0.5 else text[0].upper() + text[1:]


@cache
def _filled() -> tuple[Opinion, ...]:
    lines = _lines("opinions_en.txt")
    slots = {
        f"<{name}>": words.split()
        for name, _colon, words in (line[1:].partition(":") for line in lines if line.startswith("="))
    }
    rng, found = random.Random(0), {}
    for mark, *template in (line.split() for line in lines if not line.startswith("=")):
        for _turn in range(PER_TEMPLATE):
            words = tuple(rng.choice(slots[word]) if word in slots else word for word in template)
            found[words] = LABELS[mark]
    rows = list(found.items())
    rng.shuffle(rows)
    return tuple((label, _spelled(list(words), rng)) for words, label in rows)


def _held_out() -> list[Opinion]:
    rows = [line.split("\t") for line in _lines("opinions_test.txt")]
    return [(LABELS[mark], text) for mark, text in rows]


def opinions_en(split: str) -> list[Opinion]:
    """Above a thousand to train on, or those that are held out."""
    held_out = _held_out()
    if split != "train":
        return held_out
    known = {text.lower() for _label, text in held_out}
    return [(label, text) for label, text in _filled() if text.lower() not in known]
