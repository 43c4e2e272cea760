"""The names that complete on the command line, and which word of a command line is a command.

Knows nothing of click; loads no torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from nlptui.locale import LANGUAGES, _
from nlptui.text import visible


def model_names() -> list[str]:
    """The models that are here."""
    from nlptui.engine.library import list_models

    return [entry.name for entry in list_models()]


def recipe_names() -> list[str]:
    """The models that have a recipe."""
    from nlptui.paths import models_dirs

    return sorted({path.parent.name for folder in models_dirs() for path in folder.glob("*/recipe.toml")})


def run_names() -> list[str]:
    """The training runs."""
    from nlptui.train import client

    return [run.name for run in client.runs()]


def corpus_names() -> list[str]:
    """The corpora of the registry."""
    from nlptui.engine.corpora import corpora

    return [corpus.name for corpus in corpora()]


def view_names() -> list[str]:
    """The views."""
    from nlptui.views import VIEWS

    return list(VIEWS)


def tokenizer_names() -> list[str]:
    """What `nlptui tokenize` takes by name."""
    from nlptui.engine.tokenizer import own_tokenizers

    return [*model_names(), *own_tokenizers(), "bytes"]


def hint(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """What a person who wrote `name` may have meant, or what there is."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=cutoff)
    if close:
        return _("did you mean {names}?").format(names=", ".join(map(visible, close)))
    return _("there are {names}").format(names=", ".join(map(visible, known)) or "–")


def language_of(words: Sequence[str]) -> str:
    """What the last --lang among the words of a command line says, for errors that end before it is read."""
    found = ""
    for word, after in zip(words, (*words[1:], ""), strict=False):
        if word == "--":
            break
        value = after if word == "--lang" else word.removeprefix("--lang=") if "=" in word else ""
        found = value if value in LANGUAGES else found
    return found


def option_length(words: Sequence[str], place: int, valued: Collection[str]) -> int:
    """Words that the option at `place` takes if it is one of `valued`: 2, or 1 for --name=value; else 0."""
    name, equals, _value = words[place].partition("=")
    return 0 if name not in valued else 1 if equals else 2


def command_place(words: Sequence[str], valued: Collection[str]) -> int:
    """Where the command's name stands or would stand: behind the options of the group that have a value."""
    place = 0
    while place < len(words) and (taken := option_length(words, place, valued)):
        place += taken
    return min(place, len(words))
