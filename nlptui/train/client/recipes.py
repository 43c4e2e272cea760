"""The recipe that a caller means: read, overridden, and the text files that it names kept as one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlptui.data import own
from nlptui.train.recipe import Recipe, read_recipe, recipe_from_dict


def resolved(recipe: str | Path | Recipe, overrides: Mapping[str, Any] | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return _with_own_texts(recipe_from_dict(recipe.to_dict(), where=recipe.name, overrides=overrides))
    return _with_own_texts(read_recipe(recipe, overrides))


def _with_own_texts(recipe: Recipe) -> Recipe:
    """Text files that the recipe names in the place of corpora are copied, and the copies named instead."""
    named = recipe.data["corpus"]
    names = [named] if isinstance(named, str) else list(named)
    kept = list(map(kept_corpus, names))
    if kept == names:
        return recipe
    data = {**recipe.data, "corpus": kept[0] if isinstance(named, str) else kept}
    return replace(recipe, data=data)


def kept_corpus(named: str) -> str:
    """The corpus that `named` is: a text file becomes one of one's own, the name of a corpus stays."""
    return own.keep_file(Path(named)) if _is_file(named) else named


def _is_file(corpus: str) -> bool:
    if corpus.startswith(own.PREFIX):
        return False
    return "/" in corpus or os.sep in corpus or corpus.endswith(".txt")


def keep_text(text: str) -> str:
    """Keep a text of one's own; returns the name of the corpus that it is then. Raises UserError."""
    return own.keep_text(text, "text")
