"""Files of a tokenizer: written whole or not at all, read with one clear error that names the file.

Knows nothing of what a kind keeps in them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

CONFIG_NAME = "tokenizer_config.json"

Value = TypeVar("Value")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part of either."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read_bytes(path: Path) -> bytes:
    """The content of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        message = _("{path} cannot be read: {reason}")
        raise UserError(message.format(path=shown(path), reason=reason)) from error


def read_text(path: Path) -> str:
    """The content of a UTF-8 text file, line ends as they are."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        message = _("{path} is not UTF-8 text (byte {at}): write the tokenizer again")
        raise UserError(message.format(path=shown(path), at=error.start)) from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        value = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        message = _("{path} is not JSON (line {line}): write the tokenizer again")
        raise UserError(message.format(path=shown(path), line=line)) from error
    if not isinstance(value, dict):
        raise UserError(_("{path} does not hold a JSON object").format(path=shown(path)))
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object as readable JSON."""
    write_atomic(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8"))


def shown(path: Path | str) -> str:
    """A path as it may be printed."""
    return visible(str(path))


# Vocabulary files hold one token a line; a token that is itself a line end is written as in a Python string.
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {written: token for token, written in _ESCAPES.items()}


def write_vocabulary(path: Path, tokens: Iterable[str]) -> None:
    """Write tokens in the order of their ids, one a line; backslash and line ends are escaped."""
    table = str.maketrans(_ESCAPES)
    write_atomic(path, "".join(token.translate(table) + "\n" for token in tokens).encode("utf-8"))


def read_vocabulary(path: Path, size: int) -> list[str]:
    """The tokens of a vocabulary file, which must hold `size` of them, all different."""
    tokens = [_unescape(line) for line in read_text(path).split("\n")[:-1]]
    check_size(path, len(tokens), size)
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens):
        if seen.setdefault(token, number) != number:
            message = _("{path} holds {token} twice, on lines {first} and {second}")
            first, second = seen[token] + 1, number + 1
            raise UserError(
                message.format(path=shown(path), token=visible(token), first=first, second=second)
            )
    return tokens


def check_size(path: Path, found: int, size: int) -> None:
    """Refuse a vocabulary that is not as large as the settings beside it say."""
    if found != size:
        message = _("{path} holds {found} tokens where {config} says {size}: the two do not belong together")
        raise UserError(message.format(path=shown(path), found=found, config=CONFIG_NAME, size=size))


def _unescape(line: str) -> str:
    if "\\" not in line:
        return line
    parts, at = [], 0
    while at < len(line):
        written = line[at : at + 2]
        parts.append(_UNESCAPES.get(written, line[at]))
        at += 2 if written in _UNESCAPES else 1
    return "".join(parts)


class Settings:
    """The object of a `tokenizer_config.json`, taken key by key; what is wrong or left over is an error."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path = path
        self._left = dict(values)

    def take(self, key: str, kind: type[Value]) -> Value:
        """The value of `key`, which must be there and of type `kind`."""
        if key not in self._left:
            raise UserError(_("{path} has no {key}").format(path=shown(self.path), key=key))
        value = self._left.pop(key)
        # bool is an int to Python, not to a reader of the file.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            message = _("{path}: {key} is {value}, which is not of type {type}")
            text = visible(json.dumps(value, ensure_ascii=False))[:80]
            raise UserError(message.format(path=shown(self.path), key=key, value=text, type=kind.__name__))
        return value

    def has(self, key: str) -> bool:
        """Whether `key` is there still: some settings are written only where they are used."""
        return key in self._left

    def finish(self) -> None:
        """Refuse what nobody took."""
        for key in self._left:
            raise UserError(_("{path}: unknown key {key}").format(path=shown(self.path), key=visible(key)))
