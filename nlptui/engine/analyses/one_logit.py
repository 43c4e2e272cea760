"""One logit of many texts at once: without a recorder, and without the scores that nobody asks for.

The head of a language model costs as much as half of its blocks, and for one logit one row of it will do.
Knows nothing of what the texts are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.nn import OFF, Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlptui.engine.engine import Engine

Place = tuple[int, ...]
"""Where a logit stands in the scores of one text: (position, target), or (target,)."""


def left_to_right(config: Any) -> bool:
    """Whether what comes after a token has no part in its scores."""
    return config.arch == "gpt" or not getattr(config, "bidirectional", True)


def logits(engine: Engine, batch: Batch, name: str, places: Sequence[Place]) -> Tensor:
    """Of each text of the batch, the score `name` at its own place (batch). The target is the same in all."""
    config: Any = engine.config
    rows, target = torch.arange(len(places)), places[0][-1]
    if len(places[0]) == 2 and not (config.arch == "bert" and config.task != "pretraining"):
        at = torch.tensor([place[0] for place in places])
        return _at_positions(engine.model, config, batch, rows, at, target)
    scores: Tensor = engine.model(batch, OFF)[name]
    return scores[(rows, *map(torch.tensor, zip(*places, strict=True)))]


def _at_positions(model: Any, config: Any, batch: Batch, rows: Tensor, at: Tensor, target: int) -> Tensor:
    """The score of `target` in the vectors on top at (rows, at)."""
    if config.arch == "bert":
        flat = (rows * batch.ids.shape[1] + at).to(batch.ids.device)
        found: Tensor = model(replace(batch, mlm_positions=flat), OFF)["mlm.logits"]
        return found[:, target]
    if config.arch == "transformer":
        hidden = model.decode(batch.target_ids, model.encode(batch.ids), None, None)
        return hidden[rows, at] @ getattr(model, model.target).weight[target]  # type: ignore[no-any-return]
    if config.arch == "gpt":
        return model.hidden(batch)[rows, at] @ model.token_embedding.weight[target]  # type: ignore[no-any-return]
    hidden, _state = model.encode(batch)
    return model.head(hidden[rows, at])[:, target]  # type: ignore[no-any-return]
