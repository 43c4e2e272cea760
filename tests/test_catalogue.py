"""The translations: complete, current, and fit to be put in place of the English."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from nlptui.cli import cli
from nlptui.locale import LANGUAGES, _, set_language
from tests.conftest import ROOT

LOCALE = ROOT / "nlptui" / "locale"
# What may read the same in both languages; every entry needs a reason.
SAME = {"A: {a}   B: {b}": "A and B are the names of two runs"}
HAN = re.compile("[一-鿿]")
ASCII_MARKS = re.compile(r"[一-鿿）”》][,;:!?.](?![\w.])|[一-鿿）”》]\(|[\w}][,;:] ?(?=[一-鿿（“])")
"""Punctuation of English beside Chinese words; a mark with a space before it is a key."""


@cache
def catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "nlptui.po").open("rb") as lines:
        return read_po(lines, locale=language, abort_invalid=True)


@cache
def in_the_source() -> dict[str, str]:
    """Every string that the source marks, and where."""
    found: dict[str, str] = {}
    keywords = {"_": None, "N_": None}
    for file, line, message, _comments, _context in extract_from_dir(
        ROOT / "nlptui", method_map=[("**.py", "nlptui.locale.extract:messages")], keywords=keywords
    ):
        assert isinstance(message, str)
        found.setdefault(message, f"{file}:{line}")
    return found


def entries(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


TRANSLATIONS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_catalogue_holds_every_string_of_the_source_and_no_other(language: str) -> None:
    held = {str(message.id) for message in entries(language)}
    missing = {text: place for text, place in in_the_source().items() if text not in held}
    assert not missing, "make messages, then translate"
    assert not held - set(in_the_source()), "make messages"
    assert len(held) > 200


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_no_translation_is_empty_fuzzy_or_the_english(language: str) -> None:
    for message in entries(language):
        assert message.string, message.id
        assert not message.fuzzy, message.id
        assert message.string != message.id or message.id in SAME, message.id


def test_what_may_stay_english_is_in_the_source() -> None:
    assert set(in_the_source()) >= set(SAME)


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_translations_take_the_same_values(language: str) -> None:
    for message in entries(language):
        assert _fields(str(message.string)) == _fields(str(message.id)), message.id


def _fields(text: str) -> set[tuple[str, str | None, str | None]]:
    return {
        (name, spec, form) for _text, name, spec, form in string.Formatter().parse(text) if name is not None
    }


def test_chinese_is_chinese() -> None:
    for message in entries("zh"):
        english, chinese = str(message.id), str(message.string)
        words = "".join(text for text, *_field in string.Formatter().parse(english))
        assert HAN.search(chinese) or english in SAME or not re.search("[A-Za-z]", words), english
        # A space at an end joins the string to another one.
        assert (english[:1] == " ", english[-1:] == " ") == (chinese[:1] == " ", chinese[-1:] == " ") or (
            chinese[:1] in "，（"
        ), english


def test_chinese_is_punctuated_in_chinese() -> None:
    told = {str(message.id): str(message.string) for message in entries("zh")}
    assert not {english: chinese for english, chinese in told.items() if ASCII_MARKS.search(chinese)}


def test_what_is_to_be_typed_stands_in_the_translation_as_in_the_english() -> None:
    commands = "|".join(cli.commands)
    typed = re.compile(rf"(?<![\w-])--[a-z-]+|nlptui (?:{commands})\b|\b\w+\.toml\b|\bNLPTUI_\w+|Ctrl\+\w")
    for message in entries("zh"):
        assert sorted(typed.findall(str(message.string))) == sorted(typed.findall(str(message.id))), (
            message.id
        )


def test_the_build_compiles_it(tmp_path: Path) -> None:
    copy = tmp_path / "nlptui" / "locale" / "zh" / "LC_MESSAGES" / "nlptui.po"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((LOCALE / "zh" / "LC_MESSAGES" / "nlptui.po").read_bytes())
    (tmp_path / "hatch_build.py").write_bytes((ROOT / "hatch_build.py").read_bytes())
    subprocess.run([sys.executable, "hatch_build.py"], cwd=tmp_path, check=True, capture_output=True)
    assert copy.with_suffix(".mo").stat().st_size > 1000


def test_switching_the_language_at_run_time() -> None:
    set_language("zh")
    assert HAN.search(_("List the models that are here."))
    set_language("en")
    assert _("List the models that are here.") == "List the models that are here."


def test_no_compiled_catalogue_is_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "*.mo"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert listed.stdout == ""
