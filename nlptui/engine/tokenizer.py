"""Find a tokenizer by the name of a model, by a path, or by kind. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from nlptui.engine.library import find_model
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tokenizers import Tokenizer, build_tokenizer, load_tokenizer


def find_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a model, of the file or folder at the path `name`, or "bytes". Raises UserError."""
    if name == "bytes":
        return build_tokenizer("bytes", [])
    path = Path(name).expanduser()
    if "\0" not in name and (path.is_file() or (path / "tokenizer_config.json").is_file()):
        return load_tokenizer(path)
    try:
        return load_tokenizer(find_model(name))
    except UserError as error:
        if path.suffix or len(path.parts) > 1:
            message = _("{path}: no tokenizer file or folder there").format(path=visible(name))
            raise UserError(message) from error
        raise
