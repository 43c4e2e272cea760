"""Texts of one's own as corpora: a copy in the data folder, called own/NAME.

The copy's name ends in the first digits of its content's SHA-256: what a run reads never changes under it.
Knows nothing of what becomes of a text.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from nlptui import paths
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

PREFIX = "own/"
LEAST = 400
"""Characters that a text must have: a tenth of it is for dev, and another for test."""
_NAME = re.compile(r"own/([\w.-]+)\.txt")
_LOOKED_AT = 4096
"""Bytes at the beginning that say which language it is."""


def folder() -> Path:
    """Where the copies lie."""
    return paths.home_data() / "texts"


def file_of(name: str) -> Path:
    """The copy that the corpus `name` is. Raises UserError where there is none."""
    path = folder() / name.removeprefix(PREFIX)
    if _NAME.fullmatch(name) and path.is_file():
        return path
    raise UserError(
        _("corpus {name}: its text {path} is missing").format(name=visible(name), path=visible(str(path)))
    )


def keep_file(path: Path) -> str:
    """Copy a text file; returns the name of the corpus that it is then. Raises UserError."""
    from nlptui.data.readers import read_text

    return keep_text(read_text(path.expanduser()), path.stem)


def keep_text(text: str, stem: str) -> str:
    """Keep `text`; returns the name of the corpus that it is then. Raises UserError."""
    if len(text.strip()) < LEAST:
        problem = _("the text has {n} characters; to learn from it takes {least} at least")
        raise UserError(problem.format(n=len(text.strip()), least=LEAST))
    content = text.encode("utf-8")
    words = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:40] or "text"
    name = f"{words}-{hashlib.sha256(content).hexdigest()[:8]}.txt"
    path = folder() / name
    if not path.is_file():
        scratch = path.with_name(f".{name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(content)
            os.replace(scratch, path)
        except OSError as error:
            reason = error.strerror
            problem = _("{path}: cannot be written ({reason})").format(path=visible(str(path)), reason=reason)
            raise UserError(problem) from None
    return PREFIX + name


def language_of(path: Path) -> str:
    """zh where the text begins with more Chinese characters than Latin letters, else en."""
    with path.open("rb") as file:
        text = file.read(_LOOKED_AT).decode("utf-8", "ignore")
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in text)
    return "zh" if chinese > sum(character.isascii() and character.isalpha() for character in text) else "en"
