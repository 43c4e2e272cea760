"""Which tokens of a model are near each other, by the directions of their embeddings.

    similarity = e_w · e_x / (|e_w| |e_x|)        the cosine of the angle between two rows

Runs no network. Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nlptui.engine.analyses.neighbours import TABLES
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

if TYPE_CHECKING:
    from nlptui.engine.engine import Engine


def neighbours(engine: Engine, word: str, top: int) -> list[dict[str, Any]]:
    """[{"id", "text", "similarity"}]: the `top` tokens nearest to `word`, without itself and special ones."""
    own = _row_of(engine, word)
    rows = _directions(engine)
    similarity = rows @ rows[own]
    similarity[[own, *engine.tokenizer.specials.values()]] = -torch.inf
    best = similarity.topk(min(max(top, 0), int(similarity.isfinite().sum())))
    return [
        {"id": int(i), "text": engine.tokenizer.token(int(i)), "similarity": float(value)}
        for value, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def cosines(engine: Engine, words: Sequence[str]) -> np.ndarray:
    """The similarities of all `words` with each other, words × words."""
    own = _directions(engine)[[_row_of(engine, word) for word in words]]
    return (own @ own.T).numpy()


def _directions(engine: Engine) -> Tensor:
    """The table of token embeddings, on the CPU, each row of length 1; of a translator, the source's."""
    parameters = engine.parameters
    table = next((parameters[name] for name in TABLES if name in parameters), None)
    if table is None:
        raise UserError(
            _("{name} has no table of token embeddings, so there is nothing near a token in it").format(
                name=visible(engine.name)
            )
        )
    return torch.nn.functional.normalize(table.detach().cpu().float(), dim=-1)


def _row_of(engine: Engine, word: str) -> int:
    """The id of `word`: as the vocabulary has it, or the one token that the tokenizer makes of it."""
    found = engine.tokenizer.find(word)
    if found is not None:
        return found
    ids = engine.tokenizer.encode(word, special=False).ids
    if len(ids) != 1 or ids[0] == engine.tokenizer.specials.get("unk"):
        raise UserError(
            _("{name} has no vector for {word!r}: it is not a token of its vocabulary").format(
                name=visible(engine.name), word=visible(word)
            )
        )
    return int(ids[0])
