"""What a recipe's [data] table asks for: tagged sentences, labelled texts, pairs or documents, in memory.

    corpus      a name of the registry or of GENERATED, or a list of names
    train, dev, test    file names, in place of those of the registry (books: which ones)
    repeat      { name = n }: how many times the training part of a corpus is read
    side        of sentence pairs, where running text is wanted: 0 the first language (default), 1 the second
    measure     each: dev and test hold all the corpora, and metrics are told for each (default: the first)
    first       how many examples of the training part are taken: sentences, pairs, questions (default: all)
    dev_share   of a corpus that is one text: the share before the test part that is dev (default 0.02)

Where several corpora are named, all of them train; the first alone is dev and test unless `measure` says
otherwise, so that a metric has one meaning. Knows nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nlptui.data import generators, readers, registry
from nlptui.data.gazetteer import gazetteer
from nlptui.data.readers import Sentence
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

SPLITS = ("train", "dev", "test")
TEST_SHARE = 0.1
DEV_SHARE = 0.02
Row = TypeVar("Row")


@dataclass(frozen=True)
class Document:
    """A text that belongs together: a book, a poem."""

    name: str
    text: str
    whole: bool
    """Whether a model reads it in one piece, with its beginning and end (a poem), or in windows (a book)."""
    distance: int | None = None
    """Of a text whose last word is an answer: how many words lie between what was told and the question."""
    corpus: str = ""
    """The corpus that it stands in."""


def corpus_names(recipe_data: Mapping[str, Any], split: str) -> list[str]:
    """The corpora that `split` is read from. Raises UserError."""
    if split not in SPLITS:
        raise UserError(
            _("unknown split {split!r}: choose one of {known}").format(
                split=visible(split), known=", ".join(SPLITS)
            )
        )
    named = recipe_data.get("corpus")
    names = [named] if isinstance(named, str) else list(named or ())
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UserError(_("[data] corpus: a name or a list of names is needed; nlptui data list shows them"))
    return names if split == "train" or recipe_data.get("measure") == "each" else names[:1]


def split_files(name: str, split: str, recipe_data: Mapping[str, Any]) -> list[Path]:
    """The files of one split of a corpus on this machine. Raises UserError where one is missing."""
    entry = registry.corpus(name)
    folder = registry.find(name)
    if folder is None:
        raise UserError(
            _("corpus {name} is not on this machine: get it with nlptui data get {name}").format(name=name)
        )
    chosen = recipe_data.get(split)
    if chosen is None:
        names = list(entry.splits[split])
        if split == "train":
            held_out = {file for other in ("dev", "test") for file in recipe_data.get(other) or ()}
            names = [file for file in names if file not in held_out]
    else:
        names = [chosen] if isinstance(chosen, str) else list(chosen)
    files = [folder / file for file in names]
    for file in files:
        if not file.is_file():
            raise UserError(_("corpus {name}: {path} is missing").format(name=name, path=file))
    return files


def _collect(
    recipe_data: Mapping[str, Any], split: str, formats: Mapping[str, Callable[[Path], list[Row]]], what: str
) -> list[Row]:
    rows: list[Row] = []
    for name in corpus_names(recipe_data, split):
        made = name in generators.MADE
        if made or (entry := registry.corpus(name)).format not in formats:
            raise UserError(
                _("corpus {name} holds no {what}; a recipe for another task needs it").format(
                    name=name, what=what
                )
            )
        part = [row for file in split_files(name, split, recipe_data) for row in formats[entry.format](file)]
        rows += part * _repeats(recipe_data, name, split)
    return rows


def _first(recipe_data: Mapping[str, Any], split: str) -> int | None:
    """How many examples are wanted; None: all."""
    return int(recipe_data.get("first", 0)) or None if split == "train" else None


def _repeats(recipe_data: Mapping[str, Any], name: str, split: str) -> int:
    return int(recipe_data.get("repeat", {}).get(name, 1)) if split == "train" else 1


def tagged_sentences(recipe_data: Mapping[str, Any], split: str) -> list[Sentence]:
    """Sentences of words with tags; of the corpora in `words_of` only the words, with the tag UNTAGGED."""
    sentences: list[Sentence] = []
    for name in corpus_names(recipe_data, split):
        if name in generators.GENERATED:
            sentences += generators.GENERATED[name](split) * _repeats(recipe_data, name, split)
            continue
        formats: dict[str, Callable[[Path], list[Sentence]]] = {
            "conllu": readers.read_conllu,
            "iob2": partial(readers.read_iob2, spaced=_spaced(name)),
        }
        part = _collect({**recipe_data, "corpus": name}, split, formats, _("tagged sentences"))
        if name in recipe_data.get("words_of", ()):
            part = [
                [readers.TaggedWord(w.form, readers.UNTAGGED, _spaced(name)) for w in words] for words in part
            ]
        sentences += part
    return sentences[: _first(recipe_data, split)]


def names_known(recipe_data: Mapping[str, Any]) -> list[str]:
    """The words of the names that `gazetteer` in [data] adds to those of the training part; none without."""
    if not recipe_data.get("gazetteer"):
        return []
    return gazetteer(registry.corpus(corpus_names(recipe_data, "train")[0]).language).words()


def _spaced(name: str) -> bool:
    # Not every IOB2 file says where spaces were; Chinese has none between words.
    return registry.corpus(name).language != "zh"


def labelled_texts(recipe_data: Mapping[str, Any], split: str) -> list[tuple[str, ...]]:
    """Rows of a label and a text, or of a label and a pair of texts."""
    rows: list[tuple[str, ...]] = []
    for name in corpus_names(recipe_data, split):
        if name in generators.INFERENCES:
            rows += generators.INFERENCES[name](split) * _repeats(recipe_data, name, split)
            continue
        one = {**recipe_data, "corpus": name}
        rows += _collect(one, split, {"labelled": readers.read_tsv}, _("labelled texts"))
    return rows[: _first(recipe_data, split)]


def sentence_pairs(recipe_data: Mapping[str, Any], split: str) -> list[tuple[str, ...]]:
    """Rows of a sentence and its translation."""
    pairs = _collect(recipe_data, split, {"pairs": readers.read_tsv}, _("sentence pairs"))
    return pairs[: _first(recipe_data, split)]


def documents(recipe_data: Mapping[str, Any], split: str) -> list[Document]:
    """Texts in their order: books, one long text, one document a line; of other corpora, their sentences."""
    return [
        replace(document, corpus=name)
        for name in corpus_names(recipe_data, split)
        for document in _documents_of(name, recipe_data, split)
    ]


def _documents_of(name: str, recipe_data: Mapping[str, Any], split: str) -> list[Document]:
    if name in generators.RECALLED:
        rows = generators.RECALLED[name](split) * _repeats(recipe_data, name, split)
        return [Document(name, row.text, whole=True, distance=row.distance) for row in rows]
    share = float(recipe_data.get("dev_share", DEV_SHARE))
    side = int(recipe_data.get("side", 0))

    between = " " if _spaced(name) else ""

    def joined(words: Sentence) -> str:
        return between.join(word.form for word in words)

    return _collect(
        {**recipe_data, "corpus": name},
        split,
        {
            "books": lambda path: [Document(path.stem, readers.read_text(path), whole=False)],
            "text": lambda path: [_part_of_text(path, split, share)],
            "lines": lambda path: _whole(path, readers.read_lines(path)),
            "labelled": lambda path: _whole(path, [row[-1] for row in readers.read_tsv(path)]),
            "pairs": lambda path: _whole(path, [row[side] for row in readers.read_tsv(path)]),
            "conllu": lambda path: _whole(path, map(readers.sentence_text, readers.read_conllu(path))),
            "iob2": lambda path: _whole(path, [joined(words) for words in readers.read_iob2(path)]),
        },
        _("running text"),
    )


def passages(recipe_data: Mapping[str, Any], split: str) -> list[str | list[str]]:
    """Texts, line by line; where people cut them into words, sentences as words."""
    found: list[str | list[str]] = []
    for name in corpus_names(recipe_data, split):
        one = {**recipe_data, "corpus": name}
        if name in generators.GENERATED or registry.corpus(name).format in ("conllu", "iob2"):
            found += [[word.form for word in words] for words in tagged_sentences(one, split)]
        else:
            texts = (document.text for document in documents(one, split))
            found += [line for text in texts for line in text.split("\n") if line.strip()]
    return found


def _whole(path: Path, texts: Iterable[str]) -> list[Document]:
    return [Document(path.stem, text, whole=True) for text in texts]


def _part_of_text(path: Path, split: str, dev_share: float) -> Document:
    text = readers.read_text(path)
    test = int(len(text) * (1 - TEST_SHARE))
    dev = int(len(text) * (1 - TEST_SHARE - dev_share))
    part = {"train": text[:dev], "dev": text[dev:test], "test": text[test:]}[split]
    if not part:
        raise UserError(_("{path}: nothing is left for the {split} split").format(path=path, split=split))
    return Document(path.stem, part, whole=False)


def questions(recipe_data: Mapping[str, Any], split: str) -> list[tuple[str, str, str, int]]:
    """Rows of a question, its passage, the answer, and the code point of the passage where it begins."""
    rows: list[tuple[str, str, str, int]] = []
    first = _first(recipe_data, split)
    for name in corpus_names(recipe_data, split):
        if name in generators.STORIES:
            rows += generators.STORIES[name](split, first) * _repeats(recipe_data, name, split)
            continue
        one = {**recipe_data, "corpus": name}
        rows += _collect(one, split, {"questions": _read_questions}, _("questions"))
    return rows[:first]


def _read_questions(path: Path) -> list[tuple[str, str, str, int]]:
    rows = readers.read_tsv(path, 4)
    for question, _passage, _answer, at in rows:
        if not (at.isascii() and at.isdigit()):
            raise UserError(
                _("{path}, question {question!r}: {at!r} is no position").format(
                    path=path, question=visible(question), at=visible(at)
                )
            )
    return [(question, passage, answer, int(at)) for question, passage, answer, at in rows]
