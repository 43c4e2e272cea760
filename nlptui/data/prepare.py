"""From a corpus's original files to the split files that recipes read.

Each corpus has one function, which says how; all choices are fixed (random.Random(0)), so everyone gets the
same splits. Traditional characters are made simplified with OpenCC, an extra of this package. Knows nothing
of networks or downloads.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from nlptui.data.readers import read_text
from nlptui.data.registry import Corpus, Original
from nlptui.errors import UserError
from nlptui.locale import _

Files = Mapping[str, Path]
"""Original path in its repository → the file here."""
Texts = dict[str, str]
"""Name of a split file → its content."""

HELD_OUT = 1000
TATOEBA_HELD_OUT = 500
ZH_TRAIN_FROM_DEV = 400


def prepare(corpus: Corpus, originals: Mapping[Original, Path], root: Path) -> Path:
    """Write the corpus's folder below `root`, whole or not at all, with a note on where it came from."""
    if corpus.name not in PREPARED:
        raise UserError(_("corpus {name}: there is no way to prepare it").format(name=corpus.name))
    texts = PREPARED[corpus.name]({original.path: path for original, path in originals.items()})
    target = root / corpus.name
    try:
        root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{corpus.name}-", dir=root))
    except OSError as error:
        raise UserError(
            _("{path}: cannot be written ({reason})").format(path=root, reason=error.strerror)
        ) from None
    try:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8", newline="\n")
        (scratch / "SOURCE.txt").write_text(_source_note(corpus), encoding="utf-8", newline="\n")
        scratch.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise UserError(
            _("{path}: cannot be written ({reason})").format(path=target, reason=error.strerror)
        ) from None
    return target


def differing_files(corpus: Corpus, folder: Path) -> list[str]:
    """Split files that are missing, or not those that published models were made from."""
    different = []
    for file in corpus.files:
        path = folder / file.name
        if not path.is_file() or file.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            different.append(file.name)
    return different


def _source_note(corpus: Corpus) -> str:
    lines = [
        corpus.title,
        corpus.licence,
        corpus.homepage,
        "",
        *(original.url for original in corpus.originals),
    ]
    return "\n".join(lines) + "\n"


@cache
def _opencc() -> Callable[[str], str]:
    try:
        from opencc import OpenCC  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UserError(
            _("this corpus needs OpenCC, for simplified characters: pip install 'nlptui[opencc]'")
        ) from None
    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


def _lines(texts: Sequence[str]) -> str:
    return "".join(text + "\n" for text in texts)


def _only(files: Files, end: str) -> Path:
    """The one original whose path ends like this."""
    found = [path for name, path in files.items() if name.endswith(end)]
    assert len(found) == 1, f"{end}: {sorted(files)}"
    return found[0]


# Each corpus.


def _en_ewt(files: Files) -> Texts:
    """The three release files; of the columns only 1–5 and SpaceAfter."""
    return {
        f"{split}.conllu": _conllu(_blocks(_only(files, f"-ud-{split}.conllu")), lemma=True)
        for split in ("train", "dev", "test")
    }


def _zh_ud(files: Files) -> Texts:
    """PUD, HK (both made simplified), CFL and 400 sentences of GSDSimp's dev file, shuffled: train."""
    gsd = _named(_blocks(_only(files, "gsdsimp-ud-dev.conllu")), "gsd")
    train = [
        *_named(_simplified(_blocks(_only(files, "zh_pud-ud-test.conllu"))), "pud"),
        *_named(_simplified(_blocks(_only(files, "zh_hk-ud-test.conllu"))), "hk"),
        *_named(_blocks(_only(files, "zh_cfl-ud-test.conllu")), "cfl"),
        *gsd[:ZH_TRAIN_FROM_DEV],
    ]
    random.Random(0).shuffle(train)
    test = _named(_blocks(_only(files, "gsdsimp-ud-test.conllu")), "gsd")
    parts = {"train": train, "dev": gsd[ZH_TRAIN_FROM_DEV:], "test": test}
    return {f"{split}.conllu": _conllu(blocks, lemma=False) for split, blocks in parts.items()}


def _as_they_are(names: Mapping[str, str]) -> Callable[[Files], Texts]:
    """Split file → how its original's path ends; nothing is changed."""

    def unchanged(files: Files) -> Texts:
        return {name: _only(files, end).read_bytes().decode("utf-8") for name, end in names.items()}

    return unchanged


def _en_polarity(files: Files) -> Texts:
    """Label and sentence, positive ones first, shuffled: 1,000 dev, 1,000 test, the rest train."""
    rows: list[str] = []
    with zipfile.ZipFile(_only(files, ".zip")) as archive:
        for label, end in (("positive", ".pos"), ("negative", ".neg")):
            member = next(name for name in archive.namelist() if name.endswith(end))
            text = archive.read(member).decode("latin-1")
            rows += [f"{label}\t{line.strip()}" for line in text.split("\n") if line.strip()]
    return _shuffled(rows)


def _zh_waimai(files: Files) -> Texts:
    """Label and review in the file's order, shuffled: 1,000 dev, 1,000 test, the rest train."""
    text = _only(files, ".csv").read_text(encoding="utf-8-sig")
    table = list(csv.reader(io.StringIO(text)))[1:]
    labels = {"1": "positive", "0": "negative"}
    return _shuffled([f"{labels[row[0]]}\t{' '.join(row[1].split())}" for row in table if len(row) == 2])


def _en_zh_tatoeba(files: Files) -> Texts:
    """Pairs by English sentence, sorted and shuffled: 500 sentences dev, 500 test, the rest train."""
    simplify = _opencc()
    pairs: dict[str, list[str]] = {}
    for line in read_text(_only(files, "cmn.txt")).split("\n"):
        columns = line.split("\t")
        if len(columns) >= 2:
            pairs.setdefault(columns[0].strip(), []).append(simplify(columns[1].strip()))
    english = sorted(pairs)
    random.Random(0).shuffle(english)
    first, second = TATOEBA_HELD_OUT, 2 * TATOEBA_HELD_OUT
    parts = {"dev": english[:first], "test": english[first:second], "train": english[second:]}
    return {
        f"{split}.tsv": _lines([f"{source}\t{target}" for source in sources for target in pairs[source]])
        for split, sources in parts.items()
    }


def _en_stories(files: Files) -> Texts:
    """Each book as one paragraph a line."""
    return {
        f"{_book_name(path)}.txt": _lines(book_paragraphs(path.read_bytes().decode("utf-8", "replace")))
        for path in files.values()
    }


def _book_name(path: Path) -> str:
    # …/GITenberg/<Name>_<number>/<commit>/<file>
    return path.parent.parent.name.rpartition("_")[0].lower()


_MARKER = re.compile(r"^\*\*\* ?(START|END) OF (?:THIS|THE) PROJECT GUTENBERG.*$", re.M | re.I)
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})


def book_paragraphs(text: str) -> list[str]:
    """The text between Gutenberg's markers, by paragraph: white space folded, quotes plain, -- as " - "."""
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    marks = {match[1].upper(): match for match in reversed(list(_MARKER.finditer(text)))}
    begin = marks["START"].end() if "START" in marks else 0
    end = marks["END"].start() if "END" in marks else len(text)
    folded = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text[begin:end].translate(_QUOTES)))
    return [part.replace("--", " - ") for part in folded if part and "gutenberg" not in part.lower()]


_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
_VERSE = re.compile(rf"(?:{_HAN}|[，。！？])+")


def is_regulated(poem: str) -> bool:
    """Han characters and ，。！？ only, in 4 or 8 half-lines, all of 5 or all of 7 characters."""
    halves = [half for half in re.split("[，。！？]", poem) if half]
    return (
        bool(_VERSE.fullmatch(poem))
        and len(halves) in (4, 8)
        and {len(half) for half in halves} in ({5}, {7})
    )


def _zh_tang(files: Files) -> Texts:
    """Regulated poems, simplified, each once, sorted, shuffled: 1/40 dev, 1/40 test, the rest train."""
    simplify = _opencc()
    poems: set[str] = set()
    for path in files.values():
        entries: list[dict[str, Any]] = json.loads(read_text(path))
        texts = ("".join(entry["paragraphs"]) for entry in entries)
        poems.update(simplify(text) for text in texts if is_regulated(text))
    ordered = sorted(poems)
    random.Random(0).shuffle(ordered)
    share = len(ordered) // 40
    parts = {"dev": ordered[:share], "test": ordered[share : 2 * share], "train": ordered[2 * share :]}
    return {f"{split}.txt": _lines(part) for split, part in parts.items()}


def _shuffled(rows: list[str]) -> Texts:
    random.Random(0).shuffle(rows)
    parts = {"dev": rows[:HELD_OUT], "test": rows[HELD_OUT : 2 * HELD_OUT], "train": rows[2 * HELD_OUT :]}
    return {f"{split}.tsv": _lines(part) for split, part in parts.items()}


# CoNLL-U as blocks of lines.

Block = list[str]


def _blocks(path: Path) -> list[Block]:
    return [block.split("\n") for block in read_text(path).strip("\n").split("\n\n") if block.strip()]


def _simplified(blocks: list[Block]) -> list[Block]:
    """Traditional characters made simplified: the text as a whole, each word by itself."""
    simplify = _opencc()
    return [[_simplified_line(line, simplify) for line in block] for block in blocks]


def _simplified_line(line: str, simplify: Callable[[str], str]) -> str:
    if line.startswith("#"):
        return simplify(line) if line.startswith("# text = ") else line
    columns = line.split("\t")
    return "\t".join([columns[0], simplify(columns[1]), *columns[2:]])


def _named(blocks: list[Block], source: str) -> list[Block]:
    """Sentence ids with the treebank's name before them."""
    return [[line.replace("# sent_id = ", f"# sent_id = {source}-") for line in block] for block in blocks]


def _conllu(blocks: list[Block], lemma: bool) -> str:
    """Blocks with the comments that matter, columns 1–5 (the lemma only if wanted) and SpaceAfter."""
    kept = ("# newdoc id", "# sent_id", "# text =") if lemma else ("# sent_id", "# text =")
    written = []
    for block in blocks:
        rows = [line for line in block if line.startswith(kept)]
        for line in block:
            if not line.startswith("#"):
                columns = line.split("\t")
                misc = "SpaceAfter=No" if "SpaceAfter=No" in columns[9].split("|") else "_"
                rows.append(
                    "\t".join(
                        [*columns[:2], columns[2] if lemma else "_", *columns[3:5], "_", "_", "_", "_", misc]
                    )
                )
        written.append("\n".join(rows) + "\n\n")
    return "".join(written)


PREPARED: dict[str, Callable[[Files], Texts]] = {
    "en_ewt": _en_ewt,
    "zh_ud": _zh_ud,
    "zh_gsd_ner": _as_they_are({f"{s}.iob2": f"-ud-{s}.iob2" for s in ("train", "dev", "test")}),
    "en_wnut17": _as_they_are(
        {
            "train.conll": "wnut17train.conll",
            "dev.conll": "emerging.dev.conll",
            "test.conll": "emerging.test.conll",
        }
    ),
    "en_polarity": _en_polarity,
    "zh_waimai": _zh_waimai,
    "en_zh_tatoeba": _en_zh_tatoeba,
    "en_shakespeare": _as_they_are({"input.txt": "input.txt"}),
    "en_stories": _en_stories,
    "zh_tang": _zh_tang,
}
"""Corpus → how its split files are made."""
