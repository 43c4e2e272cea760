"""What WordPiece and byte-level BPE share: a `tokenizer.json` of the `tokenizers` library.

Ids, offsets and words are the library's own, but special tokens are put around the text by `base`, and no
string that a person types is one. Knows nothing of how a vocabulary was learnt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

# The library warns on the terminal when a process that used its threads starts another one.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import tokenizers

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tokenizers.base import MASK, SPECIAL_TOKENS, Piece, Tokenizer, read_common, without_surrogates
from nlptui.tokenizers.counted import Texts
from nlptui.tokenizers.files import Settings, check_size, read_text, shown, write_atomic

LIBRARY_NAME = "tokenizer.json"

_SPELLINGS = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]",),
    "sep": ("[SEP]",),
    "mask": ("[MASK]", "<mask>"),
    "bos": ("<s>", "<|endoftext|>"),
    "eos": ("</s>", "<|endoftext|>"),
}
"""How vocabularies spell the special tokens."""


class LibraryTokenizer(Tokenizer):
    """A tokenizer of the `tokenizers` library."""

    def __init__(
        self,
        library: tokenizers.Tokenizer,
        specials: Mapping[str, int] | None = None,
        template: str = "none",
        joiner: str = " ",
    ) -> None:
        super().__init__(found_specials(library) if specials is None else specials, template, joiner)
        self.library = library
        # Neither padding nor cutting is the library's business here, and typed special tokens are text.
        library.no_padding()
        library.no_truncation()
        library.encode_special_tokens = True
        ids = library.get_vocab(with_added_tokens=True)
        self._list = [""] * (max(ids.values(), default=-1) + 1)
        for token, number in ids.items():
            self._list[number] = token

    @property
    def vocab_size(self) -> int:
        return len(self._list)

    def vocabulary(self) -> list[str]:
        return list(self._list)

    def find(self, token: str) -> int | None:
        number: int | None = self.library.token_to_id(token)
        return number

    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        found = self.library.encode(text, add_special_tokens=False)
        if limit is not None:
            found.truncate(limit)
        return [
            Piece(number, start, end, word)
            for number, (start, end), word in zip(found.ids, found.offsets, found.word_ids, strict=True)
        ]

    def encode_ids(self, text: str) -> list[int]:
        if "mask" in self.specials and MASK in text:
            return super().encode_ids(text)
        ids: list[int] = self.library.encode(without_surrogates(text), add_special_tokens=False).ids
        return ids

    def encode_ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        if "mask" in self.specials and any(MASK in text for text in texts):
            return super().encode_ids_of(texts)
        plain = [without_surrogates(text) for text in texts]
        return [found.ids for found in self.library.encode_batch_fast(plain, add_special_tokens=False)]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.library.decode(list(ids), skip_special_tokens=False)
        return text

    # Files.

    def _write(self, folder: Path) -> None:
        write_atomic(folder / LIBRARY_NAME, (self.library.to_str(pretty=True) + "\n").encode("utf-8"))

    @classmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        size, specials, template, joiner = read_common(settings)
        settings.finish()
        path = folder / LIBRARY_NAME
        library, kind = _read_library(path)
        if kind != cls.kind:
            message = _("{path} is a {found} tokenizer where {config} says {kind}")
            names = {"found": kind, "config": shown(settings.path), "kind": cls.kind}
            raise UserError(message.format(path=shown(path), **names))
        tokenizer = cls(library, specials, template, joiner)
        check_size(path, tokenizer.vocab_size, size)
        return tokenizer


def open_library_file(path: Path) -> Tokenizer:
    """The tokenizer in a `tokenizer.json`, with the special tokens it holds and none put around a text."""
    from nlptui.tokenizers.bytelevel import ByteLevelTokenizer
    from nlptui.tokenizers.wordpiece import WordPieceTokenizer

    library, kind = _read_library(path)
    return WordPieceTokenizer(library) if kind == "wordpiece" else ByteLevelTokenizer(library)


def _read_library(path: Path) -> tuple[tokenizers.Tokenizer, str]:
    """The library's object and its kind in our words."""
    content = read_text(path)
    try:
        library = tokenizers.Tokenizer.from_str(content)
        described = json.loads(content)
    except Exception as error:  # the library raises nothing more specific
        message = _("{path} is not a file of the tokenizers library: {reason}")
        raise UserError(message.format(path=shown(path), reason=visible(str(error))[:200])) from error
    model = described["model"].get("type", "")
    if model == "WordPiece":
        return library, "wordpiece"
    if model == "BPE" and "ByteLevel" in json.dumps(
        [described.get("pre_tokenizer"), described.get("decoder")]
    ):
        return library, "bytelevel"
    message = _("{path} holds a tokenizer of type {type}; WordPiece and byte-level BPE can be read")
    raise UserError(message.format(path=shown(path), type=visible(str(model))))


def found_specials(library: tokenizers.Tokenizer) -> dict[str, int]:
    """The special tokens of a vocabulary, by what they are for."""
    specials = {}
    for name in SPECIAL_TOKENS:
        numbers = (library.token_to_id(spelling) for spelling in _SPELLINGS[name])
        number = next((number for number in numbers if number is not None), None)
        if number is not None:
            specials[name] = number
    return specials


def whole_texts(texts: Texts, joiner: str) -> Iterator[str]:
    """Texts as strings that the library takes."""
    for text in texts:
        yield without_surrogates(text if isinstance(text, str) else joiner.join(text))


def mark_specials(library: tokenizers.Tokenizer, specials: Sequence[str]) -> dict[str, int]:
    """Tell a freshly trained tokenizer which of its tokens are special; their ids."""
    strings = [SPECIAL_TOKENS[name] for name in specials]
    library.add_special_tokens(
        [tokenizers.AddedToken(token, special=True, normalized=False) for token in strings]
    )
    ids = library.get_vocab(with_added_tokens=True)
    return {name: ids[SPECIAL_TOKENS[name]] for name in specials}
