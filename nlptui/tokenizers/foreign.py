"""Vocabularies as other programs keep them: BERT's vocab.txt, GPT-2's vocab.json and merges.txt, tiktoken's
ranks.

Each is checked for what its name claims before the library gets it, and what is wrong is said in one line
with the place. What comes out is a WordPiece or a byte-level tokenizer like any other.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tokenizers.base import Tokenizer
from nlptui.tokenizers.bytelevel import ByteLevelTokenizer
from nlptui.tokenizers.files import CONFIG_NAME, read_bytes, read_json, read_text, shown
from nlptui.tokenizers.wordpiece import CONTINUES, WordPieceTokenizer, wordpiece_library

BERT_NAMES = ("vocab.txt",)
GPT_PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
"""Vocabulary and merges, by the names under which they go together."""
RANKS_SUFFIX = ".tiktoken"

# How tiktoken divides a text into words, by the file's name; without one of these, as GPT-2 did.
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {"cl100k": _CL100K, "o200k": _O200K}


def foreign_opener(path: Path) -> Callable[[Path], Tokenizer] | None:
    """What opens a file of this name; None for a name that none of these formats has."""
    if path.name in BERT_NAMES:
        return open_vocabulary
    if any(path.name in pair for pair in GPT_PAIRS):
        return open_merges
    return open_ranks if path.suffix == RANKS_SUFFIX else None


# BERT's vocab.txt


def open_vocabulary(path: Path) -> Tokenizer:
    """WordPiece from one token a line; in lower case where the settings beside it say so, or where no token
    has a capital letter.
    """
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    tokens = lines[:-1] if lines and not lines[-1] else lines
    _check_tokens(path, tokens)
    if "[UNK]" not in tokens:
        message = _("{path} is no WordPiece vocabulary: it has no [UNK], which BERT's vocab.txt must have")
        raise UserError(message.format(path=shown(path)))
    beside = path.with_name(CONFIG_NAME)
    told = read_json(beside).get("do_lower_case") if beside.is_file() else None
    bare = (token for token in tokens if not (token.startswith("[") and token.endswith("]")))
    lowercase = told if isinstance(told, bool) else not any(token != token.lower() for token in bare)
    ids = {token: number for number, token in enumerate(tokens)}
    return WordPieceTokenizer(wordpiece_library(ids, lowercase))


def _check_tokens(path: Path, tokens: list[str]) -> None:
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens, 1):
        if not token or token != token.strip():
            message = _("{path}, line {line}: a token is expected there, one on each line, without spaces")
            raise UserError(message.format(path=shown(path), line=number))
        if seen.setdefault(token, number) != number:
            message = _("{path} holds {token} twice, on lines {first} and {second}")
            names = {"token": visible(token)[:40], "first": seen[token], "second": number}
            raise UserError(message.format(path=shown(path), **names))
    if not any(token.startswith(CONTINUES) for token in tokens):
        message = _("{path} is no WordPiece vocabulary: no token begins with ##")
        raise UserError(message.format(path=shown(path)))


# GPT-2's vocab.json and merges.txt


def open_merges(path: Path) -> Tokenizer:
    """Byte-level BPE from a vocabulary and the merges beside it, whichever of the two `path` is."""
    names = next(pair for pair in GPT_PAIRS if path.name in pair)
    vocabulary_path, merges_path = (path.with_name(name) for name in names)
    for file in (vocabulary_path, merges_path):
        if not file.is_file():
            message = _("{path} goes together with {other}, which is not beside it")
            raise UserError(message.format(path=shown(path), other=file.name))
    vocabulary = read_ids(vocabulary_path)
    for letter in pre_tokenizers.ByteLevel.alphabet():
        if letter not in vocabulary:
            message = _("{path} is no byte-level vocabulary: the letter {letter} of a byte is not in it")
            raise UserError(message.format(path=shown(vocabulary_path), letter=letter))
    return byte_level(vocabulary, list(_read_merges(merges_path, vocabulary)))


def read_ids(path: Path) -> dict[str, int]:
    """A JSON object of tokens with their ids, all different."""
    found = read_json(path)
    seen: dict[int, str] = {}
    for token, number in found.items():
        if type(number) is not int or not 0 <= number < 10_000_000:
            message = _("{path}: the id of {token} is {id}, which is no id")
            told = visible(json.dumps(number, ensure_ascii=False))[:40]
            raise UserError(message.format(path=shown(path), token=visible(token)[:40], id=told))
        if seen.setdefault(number, token) != token:
            message = _("{path}: {first} and {second} have the same id {id}")
            names = {"first": visible(seen[number])[:40], "second": visible(token)[:40], "id": number}
            raise UserError(message.format(path=shown(path), **names))
    return found


def _read_merges(path: Path, vocabulary: dict[str, int]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        line = line.removesuffix("\r")
        if not line or (number == 1 and line.startswith("#version")):
            continue
        left, space, right = line.partition(" ")
        if not space or not left or not right or " " in right:
            message = _("{path}, line {line}: two tokens with a space between them are expected there")
            raise UserError(message.format(path=shown(path), line=number))
        for token in (left, right, left + right):
            if token not in vocabulary:
                message = _("{path}, line {line}: {token} is not in the vocabulary beside it")
                raise UserError(message.format(path=shown(path), line=number, token=visible(token)[:40]))
        yield left, right


def byte_level(
    vocabulary: dict[str, int], merges: list[tuple[str, str]], pattern: str = "", whole: bool = False
) -> Tokenizer:
    """A byte-level tokenizer; `pattern` divides the text into words, GPT-2's own where it is empty."""
    library = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=whole))
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern)
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated") if pattern else None
    library.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_of]) if split else bytes_of
    library.decoder = decoders.ByteLevel()
    return ByteLevelTokenizer(library)


# tiktoken's rank files


def open_ranks(path: Path) -> Tokenizer:
    """Byte-level BPE from tiktoken's ranks: a pair is merged where the whole has a rank, the lowest first.

    The file says nothing of how the text is divided into words: its name does, or GPT-2's way is taken.
    """
    ranks = read_ranks(path)
    letters = byte_letters()
    written = {token: "".join(letters[byte] for byte in token) for token in ranks}
    vocabulary = {written[token]: rank for token, rank in ranks.items()}
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        halves = ((token[:at], token[at:]) for at in range(1, len(token)))
        known = [half for half in halves if half[0] in ranks and half[1] in ranks]
        merges += sorted(known, key=lambda half: (ranks[half[0]], ranks[half[1]]))
    pattern = next((found for name, found in _PATTERNS.items() if name in path.name), "")
    return byte_level(vocabulary, [(written[a], written[b]) for a, b in merges], pattern, whole=True)


def read_ranks(path: Path) -> dict[bytes, int]:
    """Bytes and ranks: on each line a token in base64 and its number, all 256 single bytes among them."""
    ranks: dict[bytes, int] = {}
    seen: set[int] = set()
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        if not line:
            continue
        try:
            encoded, rank_text = line.split()
            token, rank = base64.b64decode(encoded, validate=True), int(rank_text)
        except (ValueError, binascii.Error):
            message = _("{path}, line {line}: a token in base64 and its rank are expected there")
            raise UserError(message.format(path=shown(path), line=number)) from None
        if not token or not 0 <= rank < 10_000_000 or token in ranks or rank in seen:
            message = _("{path}, line {line}: this token or its rank {rank} came before, or cannot be")
            raise UserError(message.format(path=shown(path), line=number, rank=rank))
        ranks[token] = rank
        seen.add(rank)
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        message = _("{path} is no rank file of tiktoken: the byte {byte} has no rank")
        raise UserError(message.format(path=shown(path), byte=f"0x{missing[0]:02X}"))
    return ranks


def byte_letters() -> list[str]:
    """How byte-level BPE writes each byte: printable ones as themselves, the others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
