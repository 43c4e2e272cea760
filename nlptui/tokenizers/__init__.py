"""Text to ids and back: one interface, `Tokenizer`, for six ways to divide a text.

Libraries are imported when a kind that needs them is first used. Knows nothing of models.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tokenizers.base import MASK, SPECIAL_TOKENS, TEMPLATES, Encoding, Tokenizer
from nlptui.tokenizers.files import CONFIG_NAME, Settings, read_json, shown
from nlptui.tokenizers.splitter import split_words, word_spans

__all__ = [
    "MASK",
    "SPECIAL_TOKENS",
    "TEMPLATES",
    "TOKENIZER_KINDS",
    "Encoding",
    "Tokenizer",
    "build_tokenizer",
    "load_tokenizer",
    "split_words",
    "word_spans",
]

_CLASSES = {
    "words": ("words", "WordTokenizer"),
    "characters": ("characters", "CharacterTokenizer"),
    "bytes": ("bytes", "ByteTokenizer"),
    "sentencepiece": ("sentencepiece", "SentencePieceTokenizer"),
    "wordpiece": ("wordpiece", "WordPieceTokenizer"),
    "bytelevel": ("bytelevel", "ByteLevelTokenizer"),
}
TOKENIZER_KINDS = tuple(_CLASSES)


def tokenizer_class(kind: str) -> type[Any]:
    """The class of a kind."""
    module, name = _CLASSES[kind]
    found: type[Any] = getattr(importlib.import_module(f"nlptui.tokenizers.{module}"), name)
    return found


def load_tokenizer(path: Path | str) -> Tokenizer:
    """The tokenizer in a folder that `Tokenizer.save` wrote, or in a file that another program keeps one in.

    Such files are known by their names: `.model`, `tokenizer.json`, `vocab.txt`, `vocab.json` with
    `merges.txt`, `.tiktoken`.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path)
    if path.is_file() and _is_ours(path):
        return _load_folder(path.parent)
    if path.suffix == ".model" and path.is_file():
        opened: Tokenizer = tokenizer_class("sentencepiece").open(path)
        return opened
    if path.is_file():
        from nlptui.tokenizers.foreign import foreign_opener

        if (open_foreign := foreign_opener(path)) is not None:
            return open_foreign(path)
    if path.suffix == ".json" and path.name != CONFIG_NAME and path.is_file():
        from nlptui.tokenizers.library import open_library_file

        return open_library_file(path)
    if path.exists():
        message = _(
            "{path} is no tokenizer: give a model folder, a .model file, a tokenizer.json, a vocab.txt, "
            "a vocab.json with its merges.txt, or a .tiktoken file"
        )
    else:
        message = _("{path} does not exist: give a model folder, a .model file or a tokenizer.json")
    raise UserError(message.format(path=shown(path)))


def _is_ours(path: Path) -> bool:
    """Whether `path` is the vocabulary file of a folder that `Tokenizer.save` wrote."""
    config = path.with_name(CONFIG_NAME)
    return path.name == "vocab.txt" and config.is_file() and "kind" in read_json(config)


def _load_folder(folder: Path) -> Tokenizer:
    values = read_json(folder / CONFIG_NAME)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in _CLASSES:
        message = _("{path}: the tokenizer kind {kind} is unknown: it is one of {kinds}")
        told = visible(json.dumps(kind, ensure_ascii=False))[:80]
        file = shown(folder / CONFIG_NAME)
        raise UserError(message.format(path=file, kind=told, kinds=", ".join(TOKENIZER_KINDS)))
    tokenizer: Tokenizer = tokenizer_class(kind).read(folder, Settings(folder / CONFIG_NAME, values))
    return tokenizer


def build_tokenizer(kind: str, texts: Iterable[str | Sequence[str]], **options: Any) -> Tokenizer:
    """A new tokenizer of a kind, made from texts or from sentences that are already split into words."""
    if kind not in _CLASSES:
        message = _("the tokenizer kind {kind} is unknown: it is one of {kinds}")
        raise UserError(message.format(kind=visible(str(kind)), kinds=", ".join(TOKENIZER_KINDS)))
    build = tokenizer_class(kind).build
    _check_options(kind, options, inspect.signature(build).parameters)
    tokenizer: Tokenizer = build(texts, **options)
    return tokenizer


def _check_options(kind: str, options: dict[str, Any], parameters: Any) -> None:
    """Refuse options that the kind does not have, and values that are not like the option's default."""
    known = {name: p.default for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    for name, value in options.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1) or [", ".join(known)]
            message = _("the tokenizer kind {kind} has no option {name}: did you mean {close}?")
            raise UserError(message.format(kind=kind, name=visible(name), close=close[0]))
        if name == "specials":
            fits = value is None or (
                isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
            )
        else:
            fits = type(value) is type(known[name]) or (type(known[name]) is float and type(value) is int)
        if not fits or (type(value) is int and value < 0):
            message = _("the tokenizer option {name} cannot be {value}")
            raise UserError(message.format(name=name, value=visible(repr(value))[:80]))
