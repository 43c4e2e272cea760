"""A file of rules, read and checked: what is wrong is told with file, line and column.

Knows nothing of what the rules are then used for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from nlptui.classical.lists import read_list
from nlptui.classical.schemes import BMES
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

RULES_FILE = "rules.toml"
SCHEMES = ("words", "spans", "dictionary")
OTHERWISE = "otherwise"
DICTIONARY = "dictionary"
"""What stands for a rule where none fits; in the scheme of that name the dictionary decides."""
_LONGEST_PATTERN = 20_000
_KEYS = {"scheme": str, "otherwise": str, "joiner": str, "file": str, "words": list, "rule": list}
_RULE_KEYS = ("name", "tag", "pattern", "before", "after")
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True)
class Rule:
    """One rule; its patterns are compiled."""

    name: str
    line: int
    """Where it stands in the file."""
    begin: str
    """The label of the first word of what it fits."""
    inside: str
    """The label of the others."""
    pattern: Any
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class RuleBook:
    """A file of rules."""

    scheme: str
    otherwise: str
    joiner: str
    rules: tuple[Rule, ...]
    dictionary: frozenset[str] = frozenset()
    file: str = ""
    """The file of the dictionary, beside that of the rules."""
    longest: int = 1
    """Characters of the longest word."""


def read_rules(path: Path, labels: Sequence[str]) -> RuleBook:
    """The rules at `path`, whose tags are among `labels`. Raises UserError with file, line and column."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            _("{path}: not readable as text ({error})").format(
                path=visible(str(path)), error=visible(str(error))
            )
        ) from None
    return _Reader(path, text.replace("\r\n", "\n"), labels).book()


class _Reader:
    def __init__(self, path: Path, text: str, labels: Sequence[str]) -> None:
        self.path, self.text, self.labels = path, text, labels
        self.lines = text.split("\n")

    def book(self) -> RuleBook:
        content = self._toml()
        for key, value in content.items():
            if key not in _KEYS:
                self._wrong(None, key, _("unknown key {key!r}; known there are {known}"), known=_KEYS)
            if not isinstance(value, _KEYS[key]):
                self._wrong(None, key, _("{key!r} has a value of another type than it should have"))
        scheme = content.get("scheme", "words")
        if scheme not in SCHEMES:
            self._wrong(None, "scheme", _("unknown scheme {value!r}; choose one of {known}"), scheme, SCHEMES)
        if scheme == "dictionary" and set(self.labels) != set(BMES):
            self._wrong(None, "scheme", _("a dictionary gives the labels B, M, E and S, not {value!r}"),
                        ", ".join(self.labels))  # fmt: skip
        words = self._dictionary(content)
        return RuleBook(
            scheme,
            self._otherwise(content, scheme),
            content.get("joiner", ""),
            tuple(self._rule(n, rule, scheme) for n, rule in enumerate(content.get("rule", []))),
            words,
            content.get("file", ""),
            max(map(len, words), default=1),
        )

    def _toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = _AT.search(str(error))
            what = _AT.sub("", str(error))
            line, column = len(self.lines), 1
            if found and found[1]:
                line, column = int(found[1]), int(found[2])
            raise self._error(
                line, column, _("not readable as TOML ({error})").format(error=visible(what))
            ) from None

    def _otherwise(self, content: dict[str, Any], scheme: str) -> str:
        default = {"spans": "O", "dictionary": "S"}.get(scheme, "")
        tag = str(content.get("otherwise", default))
        if tag not in self.labels:
            self._wrong(
                None, "otherwise", _("unknown tag {value!r}; choose one of {known}"), tag, self.labels
            )
        return tag

    def _dictionary(self, content: dict[str, Any]) -> frozenset[str]:
        words = content.get("words", [])
        if not all(isinstance(word, str) for word in words):
            self._wrong(None, "words", _("{key!r} has a value of another type than it should have"))
        name = content.get("file", "")
        if name and (Path(name).name != name or name in (".", "..")):
            self._wrong(None, "file", _("{value!r} must be the name of a file beside this one"), name)
        listed = read_list(self.path.parent / name) if name else ()
        return frozenset(word for word in (*words, *listed) if len(word) > 1)

    def _rule(self, number: int, rule: Any, scheme: str) -> Rule:
        if not isinstance(rule, dict):
            self._wrong(None, "rule", _("rules are written as tables [[rule]]"))
        for key, value in rule.items():
            if key not in _RULE_KEYS:
                self._wrong(number, key, _("unknown key {key!r}; known there are {known}"), known=_RULE_KEYS)
            if not isinstance(value, str):
                self._wrong(number, key, _("{key!r} has a value of another type than it should have"))
        needed = ("pattern",) if scheme == "dictionary" else ("pattern", "tag")
        for key in needed:
            if key not in rule:
                self._wrong(number, "", _("the rule has no {value!r}"), key)
        for key in ("before", "after"):
            if key in rule and scheme != "words":
                self._wrong(
                    number, key, _("{key!r} is for the scheme words; in a pattern write (?<=…) or (?=…)")
                )
        begin, inside = self._labels_of(number, rule, scheme)
        compiled = {
            key: self._compiled(number, key, rule[key])
            for key in ("pattern", "before", "after")
            if key in rule
        }
        name = rule.get("name") or f"{rule.get('tag', 'word')} {number + 1}"
        return Rule(name, self._place(number, "")[0], begin, inside, **compiled)

    def _labels_of(self, number: int, rule: dict[str, str], scheme: str) -> tuple[str, str]:
        tag = rule.get("tag", "S")
        begin, inside = (f"B-{tag}", f"I-{tag}") if scheme == "spans" else (tag, tag)
        if begin not in self.labels or inside not in self.labels:
            marks = [label[2:] for label in self.labels if label.startswith("B-")]
            known = marks if scheme == "spans" else list(self.labels)
            self._wrong(number, "tag", _("unknown tag {value!r}; choose one of {known}"), tag, known)
        return begin, inside

    def _compiled(self, number: int, key: str, pattern: str) -> Any:
        if len(pattern) > _LONGEST_PATTERN:
            self._wrong(
                number, key, _("the pattern is longer than {value} characters"), str(_LONGEST_PATTERN)
            )
        try:
            return regex.compile(pattern)
        except regex.error as error:
            line, column = self._within(number, key, pattern, error.pos or 0)
            raise self._error(
                line, column, _("this is no regular expression: {error}").format(error=visible(error.msg))
            ) from None
        except (RecursionError, OverflowError, MemoryError, ValueError) as error:
            what = visible(str(error) or type(error).__name__)
            raise self._error(
                *self._place(number, key), _("this is no regular expression: {error}").format(error=what)
            ) from None

    # Places in the file.

    def _wrong(
        self,
        number: int | None,
        key: str,
        message: str,
        value: str = "",
        known: Sequence[str] | dict[str, Any] = (),
    ) -> None:
        words = message.format(key=visible(key), value=visible(value), known=visible(", ".join(known)))
        raise self._error(*self._place(number, key), words)

    def _error(self, line: int, column: int, what: str) -> UserError:
        return UserError(
            _("{path}, line {line}, column {column}: {what}").format(
                path=visible(str(self.path)), line=line, column=column, what=what
            )
        )

    def _place(self, number: int | None, key: str) -> tuple[int, int]:
        """Line and column of a key of the rule `number` (None: of the file), or of the rule itself."""
        begins = [n for n, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)]
        if number is not None and number >= len(begins):  # written as rule = [{…}]
            return next(
                ((n + 1, 1) for n, line in enumerate(self.lines) if re.match(r"\s*rule\s*=", line)), (1, 1)
            )
        start = 0 if number is None else begins[number]
        stop = next((n for n in begins if n > start or number is None), len(self.lines))
        for n in range(start, stop):
            if key and (found := re.match(rf"\s*(?=[\"']?{re.escape(key)}[\"']?\s*=)", self.lines[n])):
                return n + 1, found.end() + 1
        return start + 1, 1

    def _within(self, number: int, key: str, pattern: str, at: int) -> tuple[int, int]:
        """Line and column of the character `at` of a pattern, as it is written in the file."""
        line, column = self._place(number, key)
        opened = re.match(r"[^=]*=\s*('''|\"\"\"|'|\")", self.lines[line - 1][column - 1 :])
        if opened is None:
            return line, column
        column += opened.end()
        escapes, rest = (
            opened[1].startswith('"'),
            "\n".join([self.lines[line - 1][column - 1 :], *self.lines[line:]]),
        )
        if len(opened[1]) == 3 and rest.startswith("\n"):
            rest, line, column = rest[1:], line + 1, 1
        place = 0
        for _n in range(min(at, len(pattern))):
            place += _written(rest, place) if escapes else 1
        before = rest[:place].split("\n")
        return line + len(before) - 1, (column if len(before) == 1 else 1) + len(before[-1])


def _written(text: str, at: int) -> int:
    """How many characters of a TOML string stand for the one that begins at `at`."""
    if text[at : at + 1] != "\\":
        return 1
    return {"u": 6, "U": 10}.get(text[at + 1 : at + 2], 2)
