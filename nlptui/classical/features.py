"""What is to be seen of a word, as readable strings: `word=dog`, `suffix=ing`, `before=the`.

A template names one kind of feature; what it finds at a place of a sentence is `template=value`. Knows
nothing of weights. The shape of a word is what Collins 2002 and Brants 2000 read of unknown ones: kinds of
characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

EDGE = "<edge>"
"""What stands before the first word and after the last."""
Words = Sequence[str]


def shape(word: str) -> str:
    """The kind of a word: number, mixed (with a digit), sign, upper, title, hyphen, lower, or han and
    length."""
    if word and all(c.isdigit() or c in ".,:/-%" for c in word) and any(map(str.isdigit, word)):
        return "number"
    if any(map(str.isdigit, word)):
        return "mixed"
    if not any(map(str.isalpha, word)):
        return "sign"
    if any("\u4e00" <= c <= "\u9fff" for c in word):
        return f"han{min(len(word), 4)}"
    if word.isupper():
        return "upper" if len(word) > 1 else "title"
    return "title" if word[0].isupper() else "hyphen" if "-" in word else "lower"


def kind(character: str) -> str:
    """The kind of one character: digit, latin, han, numeral (a Chinese one), sign or other."""
    if character == EDGE:
        return EDGE
    if character in "〇零一二三四五六七八九十百千万亿":
        return "numeral"
    if character.isdigit():
        return "digit"
    if "\u4e00" <= character <= "\u9fff":
        return "han"
    if character.isalpha():
        return "latin"
    return "sign" if unicodedata.category(character[:1] or " ")[0] in "PSZ" else "other"


def _at(words: Words, place: int) -> str:
    return words[place] if 0 <= place < len(words) else EDGE


def _ends(n: int) -> Callable[[Words, int], str | None]:
    return lambda words, at: words[at].lower()[-n:] if len(words[at]) > n else None


def _begins(n: int) -> Callable[[Words, int], str | None]:
    return lambda words, at: words[at].lower()[:n] if len(words[at]) > n else None


TEMPLATES: dict[str, Callable[[Words, int], str | None]] = {
    "bias": lambda words, at: "",
    "word": lambda words, at: words[at],
    "lower": lambda words, at: words[at].lower(),
    "shape": lambda words, at: shape(words[at]),
    "length": lambda words, at: str(min(len(words[at]), 5)),
    "first": lambda words, at: words[at][:1],
    "last": lambda words, at: words[at][-1:],
    "begins2": _begins(2),
    "begins3": _begins(3),
    "ends1": _ends(1),
    "ends2": _ends(2),
    "ends3": _ends(3),
    "ends4": _ends(4),
    "before": lambda words, at: _at(words, at - 1).lower(),
    "after": lambda words, at: _at(words, at + 1).lower(),
    "before2": lambda words, at: _at(words, at - 2).lower(),
    "after2": lambda words, at: _at(words, at + 2).lower(),
    "before_shape": lambda words, at: shape(_at(words, at - 1)) if at else EDGE,
    "after_shape": lambda words, at: shape(_at(words, at + 1)) if at + 1 < len(words) else EDGE,
    "before_ends2": lambda words, at: _at(words, at - 1).lower()[-2:] if at else EDGE,
    "after_ends2": lambda words, at: _at(words, at + 1).lower()[-2:] if at + 1 < len(words) else EDGE,
    "before_last": lambda words, at: _at(words, at - 1)[-1:] if at else EDGE,
    "after_first": lambda words, at: _at(words, at + 1)[:1] if at + 1 < len(words) else EDGE,
    "before+word": lambda words, at: f"{_at(words, at - 1)} {words[at]}".lower(),
    "word+after": lambda words, at: f"{words[at]} {_at(words, at + 1)}".lower(),
    "before+after": lambda words, at: f"{_at(words, at - 1)} {_at(words, at + 1)}".lower(),
    "kinds": lambda words, at: " ".join(kind(_at(words, at + step)) for step in (-1, 0, 1)),
}
"""Name of a template → what it finds at a place, or None where there is nothing."""


def check_templates(names: Sequence[str]) -> None:
    """Raise UserError for a template that is none."""
    for name in names:
        if name not in TEMPLATES:
            raise UserError(
                _("unknown feature {name!r}: choose of {known}").format(
                    name=visible(name), known=", ".join(TEMPLATES)
                )
            )


def features_of(words: Words, templates: Sequence[str]) -> list[list[str]]:
    """The features of each word of a sentence, one for each template; empty where it finds nothing."""
    found = [(name, TEMPLATES[name]) for name in templates]
    rows = []
    for at in range(len(words)):
        values = ((name, read(words, at)) for name, read in found)
        rows.append(["" if value is None else f"{name}={value}" for name, value in values])
    return rows


def word_class(word: str, suffix: int) -> str:
    """The class of an unknown word: its shape, and the last `suffix` characters of a longer word."""
    return f"{shape(word)} {word.lower()[-suffix:]}" if suffix and len(word) > suffix else f"{shape(word)} "
