"""What a translator writes: by its own search, token by token, or as it is told to.

Knows one sentence at a time. Batches of them, and the search itself, are the task's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nlptui.engine.generation import Step, TextSoFar, generate
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.sampling import Sampling
from nlptui.text import visible
from nlptui.tokenizers import Encoding

if TYPE_CHECKING:
    from nlptui.engine.engine import Engine


def translation(engine: Engine, encoding: Encoding) -> list[Step]:
    """What the task's own search finds, which is what `evaluate` measures."""
    text = TextSoFar(engine.tokenizer.decode, [])
    found = engine.task.translate(engine.model, [encoding.ids], engine.device)[0]  # type: ignore[attr-defined]
    return [Step(i, text.add(i), logprob) for i, logprob in zip(found.ids, found.logprobs, strict=True)]


def decoder_steps(
    engine: Engine, encoding: Encoding, max_tokens: int, sampling: Sampling, cache: bool
) -> Iterator[Step]:
    """What the decoder writes from its start mark on; without `cache` it reads all of it again each time."""
    model, device, specials = engine.model, engine.device, engine.tokenizer.specials
    with torch.no_grad():
        memory = model.encode(torch.tensor([encoding.ids], device=device))  # type: ignore[operator]
    caches = model.caches()  # type: ignore[operator]
    ids = [specials["bos"]]

    def scores(last: int | None) -> Tensor:
        if last is not None:
            ids.append(last)
        new = ids[-1:] if cache and last is not None else ids
        with torch.no_grad():
            target = torch.tensor([new], device=device)
            held = caches if cache else model.caches()  # type: ignore[operator]
            logits: Tensor = model.next_logits(target, memory, held)  # type: ignore[operator]
            return logits[0]

    longest = min(max_tokens, engine.config.context - 1)
    return generate(scores, engine.tokenizer.decode, longest, sampling, specials["eos"])


def target_ids(engine: Engine, encoding: Encoding, target: str | Sequence[int] | None) -> tuple[int, ...]:
    """What the decoder reads: <s>, then `target` or what it writes by itself."""
    if target is None:
        ids = tuple(step.id for step in translation(engine, encoding))
    elif not isinstance(target, str):
        ids = tuple(target)
        _check_ids(engine, ids)
    else:
        ids = engine.tokenizer.encode(target, special=False, max_length=engine.config.context - 1).ids
    return (engine.tokenizer.specials["bos"], *ids)


def _check_ids(engine: Engine, ids: Sequence[int]) -> None:
    """Raise UserError for ids that the decoder cannot read: unknown ones, or too many."""
    size, room = len(engine.tokenizer.vocabulary()), engine.config.context - 1
    wrong = [i for i in ids if not 0 <= i < size]
    if wrong:
        words = _("{model} has no token {id}; ids go from 0 to {last}")
        raise UserError(words.format(model=visible(engine.name), id=wrong[0], last=size - 1))
    if len(ids) > room:
        words = _("{n} tokens are written, but {model} can write at most {room}")
        raise UserError(words.format(n=len(ids), model=visible(engine.name), room=room))
