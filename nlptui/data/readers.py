"""Readers of corpus files: CoNLL-U, IOB2, TSV, lines, plain text; and what cuts paragraphs into sentences.

Knows nothing of which corpora there are or what a model does with them. Every error names the file and the
line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
"""The universal part-of-speech tags of Universal Dependencies, version 2."""

UNTAGGED = "_"
"""The tag of a word of which only the form is known."""


@dataclass(frozen=True, slots=True)
class TaggedWord:
    """A word as the annotators cut it, and its tag: a part of speech or an entity tag such as B-PER."""

    form: str
    tag: str
    space_after: bool = True

    @property
    def upos(self) -> str:
        """The tag, where it is a universal part of speech."""
        return self.tag


Sentence = list[TaggedWord]


def sentence_text(words: Sequence[TaggedWord]) -> str:
    """The sentence as it was written: words with a space where there was one."""
    parts = [word.form + (" " if word.space_after else "") for word in words[:-1]]
    return "".join(parts) + (words[-1].form if words else "")


def read_text(path: Path) -> str:
    """The whole file. Raises UserError where it cannot be read, or is not UTF-8 (with the line)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(_("{path}: no such file").format(path=path)) from None
    except OSError as error:
        raise UserError(
            _("{path}: cannot be read ({reason})").format(path=path, reason=error.strerror)
        ) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(_("{path}, line {line}: not UTF-8 text").format(path=path, line=line)) from None
    return text.replace("\r\n", "\n")


def read_lines(path: Path) -> list[str]:
    """The lines that are not blank, without their line ends."""
    return [line for line in read_text(path).split("\n") if line.strip()]


def _blocks(path: Path, comment: str | None) -> Iterator[list[tuple[int, str]]]:
    """Runs of lines between blank ones, each with its number; `comment` begins the lines left out, if any."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            if block:
                yield block
            block = []
        elif comment is None or not line.startswith(comment):
            block.append((number, line))
    if block:
        yield block


def _wrong_columns(path: Path, line: int, expected: str, found: int) -> UserError:
    return UserError(
        _("{path}, line {line}: {expected} needed, separated by tabs; found {found}").format(
            path=path, line=line, expected=expected, found=found
        )
    )


def read_conllu(path: Path) -> list[Sentence]:
    """Sentences of a CoNLL-U file: form and UPOS of each syntactic word.

    Of a multiword token (`2-3 didn't`) the words inside are read, with the space after its last; empty nodes
    are left out.
    """
    return [_conllu_sentence(path, block) for block in _blocks(path, "#")]


def _conllu_sentence(path: Path, block: list[tuple[int, str]]) -> Sentence:
    words: Sentence = []
    multiword_end, multiword_space = 0, True
    for number, line in block:
        columns = line.split("\t")
        if len(columns) != 10:
            raise _wrong_columns(path, number, _("10 columns"), len(columns))
        key, form, upos, misc = columns[0], columns[1], columns[3], columns[9]
        space = "SpaceAfter=No" not in misc.split("|")
        if "-" in key:
            multiword_end, multiword_space = _word_number(path, number, key.partition("-")[2]), space
            continue
        if "." in key:
            continue
        position = _word_number(path, number, key)
        if upos not in UPOS and upos != UNTAGGED:
            raise UserError(
                _("{path}, line {line}: {tag!r} is no universal part of speech").format(
                    path=path, line=number, tag=visible(upos)
                )
            )
        if position <= multiword_end:
            space = position == multiword_end and multiword_space
        words.append(TaggedWord(sys.intern(form), sys.intern(upos), space))
    return words


def _word_number(path: Path, line: int, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UserError(
            _("{path}, line {line}: {text!r} is no word number").format(
                path=path, line=line, text=visible(text)
            )
        )
    return int(text)


def read_iob2(path: Path, spaced: bool = True) -> list[Sentence]:
    """Sentences of words with entity tags: `word TAB tag`, or `number TAB word TAB tag …`.

    Of a word with several tags (`B-person,B-group`) the first is read. Where spaces were, a comment
    `# text = …` says; without one, `spaced` says whether there is one after every word.
    """
    found = (_iob2_sentence(path, block, spaced) for block in _blocks(path, comment=None))
    return [sentence for sentence in found if sentence]


def _iob2_sentence(path: Path, block: list[tuple[int, str]], spaced: bool) -> Sentence:
    words: Sentence = []
    text = ""
    for number, line in block:
        if line.startswith("# "):
            text = line.removeprefix(_TEXT) if line.startswith(_TEXT) else text
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise _wrong_columns(path, number, _("a word and a tag"), len(columns))
        form, tags = (columns[0], columns[1]) if len(columns) == 2 else (columns[1], columns[2])
        tag = tags.split(",")[0].strip()
        if tag != "O" and not re.fullmatch(r"[BI]-.+", tag):
            raise UserError(
                _("{path}, line {line}: {tag!r} is no IOB2 tag (O, B-… or I-…)").format(
                    path=path, line=number, tag=visible(tag)
                )
            )
        words.append(TaggedWord(sys.intern(form), sys.intern(tag), spaced))
    return _spaced_as_in(text, words)


_TEXT = "# text = "


def _spaced_as_in(text: str, words: Sentence) -> Sentence:
    """The words with a space after each that has one in `text`; as they are if they do not make it up."""
    found, at = [], 0
    for word in words:
        at += len(word.form)
        space = text[at : at + 1].isspace()
        found.append(replace(word, space_after=space))
        at += space
    return found if found and sentence_text(found) == text.rstrip() else words


def read_tsv(path: Path, columns: int = 2) -> list[tuple[str, ...]]:
    """Rows of exactly `columns` fields, separated by tabs."""
    rows: list[tuple[str, ...]] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        row = tuple(line.split("\t"))
        if len(row) != columns:
            raise _wrong_columns(path, number, _("{n} columns").format(n=columns), len(row))
        rows.append(row)
    return rows


_TITLES = (
    "Mr",
    "Mrs",
    "Ms",
    "Dr",
    "St",
    "Sr",
    "Jr",
    "Rev",
    "Hon",
    "Capt",
    "Col",
    "Gen",
    "Lieut",
    "Sergt",
    "Prof",
)
_OTHERS = ("Esq", "Messrs", "Mme", "Mlle", "No", "Nos", "vol", "p", "pp", "etc", "viz", "e.g", "i.e", "vs")
_ABBREVIATIONS = frozenset((*_TITLES, *_OTHERS))
# A sentence ends at . ! ? (and the closing quotes after it) before white space and something that can begin
# the next one.
_BOUNDARY = re.compile(r"([.!?][\"'”’)\]]*)\s+(?=[\"'“‘(\[_]*[A-Z0-9])")
_CHINESE_BOUNDARY = re.compile(r"(?<=[。！？；])(?![”’」』）])")


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph, by its punctuation; nothing but the space between them is lost.

    Titles (Mr., Dr.) and single initials end no sentence.
    """
    sentences: list[str] = []
    begin = 0
    for match in _BOUNDARY.finditer(paragraph):
        before = paragraph[begin : match.start()].rsplit(None, 1)
        last = before[-1].lstrip("\"'“‘([_") if before else ""
        if match[1] == "." and (last in _ABBREVIATIONS or re.fullmatch(r"[A-Z]", last) and last != "I"):
            continue
        sentences.append(paragraph[begin : match.end(1)])
        begin = match.end()
    sentences.append(paragraph[begin:])
    pieces = (piece.strip() for sentence in sentences for piece in _CHINESE_BOUNDARY.split(sentence))
    return [piece for piece in pieces if piece]
