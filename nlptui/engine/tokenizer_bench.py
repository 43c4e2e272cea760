"""All tokenizers on one text, and the vocabulary of one: what the tokenizer screen asks. Loads no torch.

Models that share a tokenizer are one row: their files are the same to the byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nlptui.engine.library import list_models
from nlptui.engine.tokenizer import find_tokenizer, own_tokenizers, token_scores
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import models_dirs, tokenizers_dir
from nlptui.tokenizers import Tokenizer
from nlptui.tokenizers.replay import has_no_words

_FILES = ("tokenizer_config.json", "tokenizer.json", "tokenizer.model", "vocab.txt", "characters.txt")
SORTS = ("id", "token", "length", "score")


@dataclass(frozen=True)
class Row:
    """What one tokenizer makes of a text."""

    name: str
    others: tuple[str, ...]
    """Models that have the same tokenizer."""
    kind: str
    vocab_size: int
    tokens: tuple[str, ...]
    """Without the special tokens around the text; words as they are written where the model reads those."""
    unknown: int | None
    """None where there is no vocabulary to be outside of."""
    characters: int
    bytes: int
    """UTF-8 bytes of the text."""

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return len(self.tokens)

    @property
    def per_character(self) -> float:
        """Tokens for each character of the text."""
        return self.count / self.characters if self.characters else 0.0

    @property
    def bytes_each(self) -> float:
        """Bytes of the text for each token."""
        return self.bytes / self.count if self.count else 0.0


@dataclass(frozen=True)
class Entry:
    """One token of a vocabulary."""

    id: int
    token: str
    score: float | None
    special: bool


def kept_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a name, loaded once, and again when its files are others."""
    places = [Path(name).expanduser(), *(folder / name for folder in (*models_dirs(), tokenizers_dir()))]
    files = [place / _FILES[0] if place.is_dir() else place for place in places if "\0" not in name]
    return _kept(name, tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file()))


@lru_cache(maxsize=64)
def _kept(name: str, _files: tuple[tuple[str, int], ...]) -> Tokenizer:
    return find_tokenizer(name)


def groups() -> dict[str, tuple[str, ...]]:
    """The name of each different tokenizer, with the models that have the same one."""
    found: dict[str, list[str]] = {}
    for entry in list_models():
        if (entry.path / _FILES[0]).is_file():
            found.setdefault(_digest(entry.path), []).append(entry.name)
    for name in own_tokenizers():
        found.setdefault(_digest(tokenizers_dir() / name), []).append(name)
    return {names[0]: tuple(names[1:]) for names in found.values()} | {"bytes": ()}


def _digest(folder: Path) -> str:
    files = [folder / name for name in _FILES]
    return _hashed(tuple((str(f), f.stat().st_mtime_ns) for f in files if f.is_file()))


@lru_cache(maxsize=256)
def _hashed(files: tuple[tuple[str, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _time in files:
        digest.update(Path(path).name.encode() + b"\0" + Path(path).read_bytes())
    return digest.hexdigest()


def compare(text: str, more: tuple[str, ...] = ()) -> list[Row]:
    """One row for each tokenizer there is, and for those of `more`; a broken one is left out."""
    rows = []
    for name, others in (groups() | dict.fromkeys(more, ())).items():
        try:
            rows.append(measure(name, text, others))
        except UserError:
            continue
    return rows


def measure(name: str, text: str, others: tuple[str, ...] = ()) -> Row:
    """What the tokenizer of a name makes of a text."""
    tokenizer = kept_tokenizer(name)
    encoding = tokenizer.encode(text, special=False)
    kind = _kind(tokenizer)
    tokens = encoding.tokens
    unknown: int | None = encoding.ids.count(tokenizer.specials.get("unk", -1))
    if has_no_words(tokenizer):
        tokens, unknown = tuple(map(encoding.surface, range(len(encoding)))), None
    size = len(text.encode("utf-8", "replace"))
    return Row(name, others, kind, tokenizer.vocab_size, tokens, unknown, len(text), size)


def _kind(tokenizer: Tokenizer) -> str:
    """The kind; of SentencePiece, which algorithm."""
    if tokenizer.kind != "sentencepiece":
        return tokenizer.kind
    from nlptui.tokenizers.sentencepiece_model import model_kind

    return model_kind(getattr(tokenizer, "model", b""))


def vocabulary(name: str, query: str = "", sort: str = "id", descending: bool = False) -> list[Entry]:
    """The tokens that hold `query`, or have that id, in the order asked for."""
    tokenizer = kept_tokenizer(name)
    if sort not in SORTS:
        raise UserError(_("{sort}: tokens are sorted by {known}").format(sort=sort, known=", ".join(SORTS)))
    scores = token_scores(tokenizer)
    if sort == "score" and scores is None:
        raise UserError(_("the vocabulary of {name} has no scores").format(name=name))
    special = set(tokenizer.specials.values())
    wanted = query.casefold()
    entries = [
        Entry(number, token, None if scores is None else scores[number], number in special)
        for number, token in enumerate(tokenizer.vocabulary())
        if not wanted or wanted in token.casefold() or wanted == str(number)
    ]
    keys = {
        "id": lambda entry: entry.id,
        "token": lambda entry: entry.token,
        "length": lambda entry: (len(entry.token), entry.id),
        "score": lambda entry: (entry.score or 0.0, entry.id),
    }
    return sorted(entries, key=keys[sort], reverse=descending)
