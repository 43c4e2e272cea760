"""SentencePiece, BPE or unigram, read from a `.model` or trained: pieces of normalised text, "▁" for a space.

Ids are the library's own. A piece's offset is what it stands for in the text before normalisation, the
space in front included; decoding gives the normalised text ("ﬁ" comes back as "fi", a run of spaces as
one). Knows nothing of how the pieces were chosen.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import sentencepiece

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tokenizers.base import (
    MASK,
    SPECIAL_TOKENS,
    Piece,
    Tokenizer,
    read_common,
    special_names,
    without_surrogates,
)
from nlptui.tokenizers.counted import Texts
from nlptui.tokenizers.files import Settings, check_size, read_bytes, shown, write_atomic

MODEL_NAME = "tokenizer.model"
SPACE = "▁"

MODEL_TYPES = ("unigram", "bpe")
NORMALIZATIONS = ("identity", "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf")
"""Unicode normalisations by SentencePiece's names; `cf` folds case, `nmt` also knows odd spaces."""

# In a serialised ModelProto: normalizer_spec (field 3, 2 bytes long) { add_dummy_prefix (field 3): false }.
# Protocol buffers merge a message that comes twice, so this at the end overrides the one setting and
# nothing else.
_NO_DUMMY_PREFIX = b"\x1a\x02\x18\x00"

# The trainer writes to the terminal from C++, so it runs in a process whose output is caught.
_TRAINER = "import json, sentencepiece, sys; sentencepiece.SentencePieceTrainer.train(**json.load(sys.stdin))"

_TOO_SMALL = re.compile(r"smaller than required_chars\. (\d+) vs (\d+)")

_logging = ContextVar("logging", default=False)


@contextmanager
def logged_training() -> Iterator[None]:
    """Let the library write to this process's stderr how far its training is, for whoever reads a log."""
    before = _logging.set(True)
    try:
        yield
    finally:
        _logging.reset(before)


class SentencePieceTokenizer(Tokenizer):
    """Pieces of a SentencePiece model."""

    kind = "sentencepiece"

    def __init__(
        self, model: bytes, specials: dict[str, int] | None = None, template: str = "none", joiner: str = " "
    ) -> None:
        self.model = model
        self.processor = processor(model)
        super().__init__(found_specials(self.processor) if specials is None else specials, template, joiner)
        self._inner: sentencepiece.SentencePieceProcessor | None = None
        self._folds_spaces = self.processor.normalize("a  a").count(SPACE) <= 2

    @property
    def vocab_size(self) -> int:
        return int(self.processor.vocab_size())

    def vocabulary(self) -> list[str]:
        return list(self._vocabulary)

    @cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        return tuple(self.processor.id_to_piece(list(range(self.vocab_size))))

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """Unigram: the log-probability of each piece; BPE: minus the rank of the merge that makes it."""
        return tuple(self.processor.get_score(list(range(self.vocab_size))))

    def find(self, token: str) -> int | None:
        number = int(self.processor.piece_to_id(token))
        return number if self.processor.id_to_piece(number) == token else None

    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        found = self._processor_after(text, before).encode(text, return_type="offset_mapping")
        # Some more than are needed: of the pieces that one character makes, the last says where it ends.
        some = None if limit is None else limit + 64
        ids, strings, offsets = (found[name][:some] for name in ("ids", "pieces", "offsets"))
        pieces: list[Piece] = []
        word, bare = -1, False
        spans = self._spans(ids, strings, offsets, len(text))
        for number, piece, (start, end) in zip(ids, strings, spans, strict=True):
            begins = piece.startswith(SPACE) and not bare
            word = max(word + begins, 0)
            bare = not piece.strip(SPACE)
            pieces.append(Piece(number, start, end, word))
        return pieces

    def encode_ids(self, text: str) -> list[int]:
        if "mask" in self.specials and MASK in text:
            return super().encode_ids(text)
        ids: list[int] = self.processor.encode(without_surrogates(text))
        return ids

    def encode_ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        if "mask" in self.specials and any(MASK in text for text in texts):
            return super().encode_ids_of(texts)
        # The library's own call for many texts starts threads, which costs more than it gains here.
        encode = self.processor.encode
        return [encode(without_surrogates(text)) for text in texts]

    def _processor_after(self, text: str, before: str) -> sentencepiece.SentencePieceProcessor:
        """The model itself where a text or word begins; inside a word, without the "▁" it puts first."""
        spaced = text[:1].isspace() and self._folds_spaces
        if not before or before.isspace() or spaced:
            return self.processor
        if self._inner is None:
            self._inner = processor(self.model + _NO_DUMMY_PREFIX)
        return self._inner

    def _spans(
        self, ids: list[int], pieces: list[str], offsets: list[tuple[int, int]], length: int
    ) -> Iterator[tuple[int, int]]:
        """Offsets in which every piece made from a character has that character.

        Where several pieces come from one character (its bytes, the two letters of a ligature) the library
        gives the character to the last of them and an empty stretch to the others.
        """
        if all(end > start for start, end in offsets):
            yield from offsets
            return
        later: tuple[int, int, bool] | None = (
            None  # start and end of the next piece that has a stretch; is it a byte
        )
        spans: list[tuple[int, int]] = []
        for number, piece, (start, end) in zip(
            reversed(ids), reversed(pieces), reversed(offsets), strict=True
        ):
            is_byte = self.processor.is_byte(number)
            if end > start:
                later = (start, end, is_byte)
            elif start < length and piece != SPACE:
                shared = later is not None and later[0] == start and later[2] and is_byte
                end = later[1] if shared and later is not None else start + 1
            spans.append((start, end))
        yield from reversed(spans)

    def _decode(self, ids: Sequence[int]) -> str:
        """The library's text; where spaces are folded, `[MASK]` has one in front, being a word of its own."""
        mask = self.specials.get("mask")
        text, run = "", list[int]()
        for number in [*ids, -1]:
            if number != mask and number >= 0:
                run.append(number)
                continue
            if run:
                spaced = text and self.processor.id_to_piece(run[0]).startswith(SPACE)
                text += (" " if spaced else "") + self.processor.decode(run)
            if number == mask:
                text += (" " if text and self._folds_spaces else "") + MASK
            run = []
        return text

    # Files and training.

    def _write(self, folder: Path) -> None:
        write_atomic(folder / MODEL_NAME, self.model)

    @classmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        size, specials, template, joiner = read_common(settings)
        settings.finish()
        path = folder / MODEL_NAME
        tokenizer = cls(_checked_model(path), specials, template, joiner)
        check_size(path, tokenizer.vocab_size, size)
        return tokenizer

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tokenizer of a `.model` file; its special tokens are known, none are put around a text."""
        return cls(_checked_model(path))

    @classmethod
    def build(
        cls,
        texts: Texts,
        *,
        vocab_size: int = 8000,
        model_type: str = "unigram",
        character_coverage: float = 0.9995,
        byte_fallback: bool = False,
        normalization: str = "nmt_nfkc",
        keep_spaces: bool = False,
        split_digits: bool = False,
        template: str = "none",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """Train a model in a child process; on a small text it may have fewer pieces than asked for."""
        names = special_names(template, specials)
        for option, value, known in (
            ("model_type", model_type, MODEL_TYPES),
            ("normalization", normalization, NORMALIZATIONS),
        ):
            if value not in known:
                message = _("the tokenizer option {name} cannot be {value}: it is one of {names}")
                raise UserError(message.format(name=option, value=visible(value), names=", ".join(known)))
        settings: dict[str, Any] = {
            "vocab_size": vocab_size,
            "model_type": model_type,
            "character_coverage": character_coverage,
            "byte_fallback": byte_fallback,
            "normalization_rule_name": normalization,
            "remove_extra_whitespaces": not keep_spaces,
            "split_digits": split_digits,
            # What does not depend on the wish: the same model each time, from lines of any length.
            "hard_vocab_limit": False,
            "max_sentence_length": 1 << 20,
            "num_threads": 1,
            "minloglevel": 0 if _logging.get() else 2,
        }
        lines = (line for text in texts for line in _lines(text, joiner))
        model = train(lines, settings | _special_settings(names))
        found = found_specials(processor(model))
        return cls(model, {name: found[name] for name in names}, template, joiner)


def processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    """The library's object for a serialised model; RuntimeError if it is none."""
    opened = sentencepiece.SentencePieceProcessor()
    opened.load(model_proto=model)
    return opened


def found_specials(opened: sentencepiece.SentencePieceProcessor) -> dict[str, int]:
    """The special tokens that a model declares, by what they are for."""
    ids = {
        "pad": opened.pad_id(),
        "unk": opened.unk_id(),
        "bos": opened.bos_id(),
        "eos": opened.eos_id(),
    }
    for name, spellings in {
        "cls": ("[CLS]", "<cls>"),
        "sep": ("[SEP]", "<sep>"),
        "mask": ("[MASK]", "<mask>"),
    }.items():
        numbers = ((opened.piece_to_id(spelling), spelling) for spelling in spellings)
        ids[name] = next(
            (number for number, spelling in numbers if opened.id_to_piece(number) == spelling), -1
        )
    return {name: int(ids[name]) for name in SPECIAL_TOKENS if ids[name] >= 0}


def train(lines: Iterable[str], settings: dict[str, Any]) -> bytes:
    """A model trained on lines of text, by a process of its own that writes nothing to the terminal, unless
    its log was asked for.
    """
    with tempfile.TemporaryDirectory(prefix="nlptui-") as folder:
        corpus, prefix = Path(folder) / "text", Path(folder) / "model"
        with open(corpus, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)
        wishes = settings | {"input": str(corpus), "model_prefix": str(prefix)}
        code, said = _run_trainer(wishes)
        if code:
            raise _failure(said or str(code))
        return Path(f"{prefix}.model").read_bytes()


def _run_trainer(wishes: dict[str, Any]) -> tuple[int, str]:
    """Exit status and last words of the process that trains; its log goes on to stderr where it was asked
    for.
    """
    command = [sys.executable, "-c", _TRAINER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(json.dumps(wishes))
        process.stdin.close()
        said = ""
        for line in process.stderr:
            said = line.strip() or said
            if _logging.get():
                sys.stderr.write(line)
    return process.returncode, said


def _failure(said: str) -> UserError:
    """The error for the trainer's last words."""
    if found := _TOO_SMALL.search(said):
        message = _(
            "a vocabulary of {size} is too small: the characters of the text alone take {needed}; ask for a "
            "larger one, or for a lower character coverage"
        )
        return UserError(message.format(size=found[1], needed=found[2]))
    return UserError(_("SentencePiece could not train: {reason}").format(reason=visible(said)))


def _special_settings(names: Sequence[str]) -> dict[str, Any]:
    """Our special tokens in the trainer's words; it never makes one of them from text."""
    direct = [name for name in names if name in ("pad", "unk", "bos", "eos")]
    settings: dict[str, Any] = {f"{name}_id": -1 for name in ("pad", "bos", "eos")}
    for number, name in enumerate(direct):
        settings |= {f"{name}_id": number, f"{name}_piece": SPECIAL_TOKENS[name]}
    settings["control_symbols"] = [SPECIAL_TOKENS[name] for name in names if name not in direct]
    return settings


def _lines(text: str | Sequence[str], joiner: str) -> Iterator[str]:
    whole = without_surrogates(text if isinstance(text, str) else joiner.join(text))
    return (line for line in whole.splitlines() if line.strip())


def _checked_model(path: Path) -> bytes:
    model = read_bytes(path)
    try:
        if processor(model).vocab_size() > 0:
            return model
    except (RuntimeError, OSError, ValueError):
        pass
    raise UserError(_("{path} is not a SentencePiece model, or only a part of one").format(path=shown(path)))
