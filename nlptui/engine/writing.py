"""How a loaded model writes on: the tokens that follow a prompt, and the one that follows a run.

Brings the prompt, the network and its memory together; how a token is chosen from its scores is in
`generation`, what a decoder writes in `translating`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.generation import Step, TextSoFar, choose, generate, prompt_of, written
from nlptui.engine.translating import decoder_steps
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn import OFF, Batch
from nlptui.sampling import Sampling
from nlptui.text import visible
from nlptui.trace import Trace

if TYPE_CHECKING:
    from nlptui.engine.engine import Engine

LONGEST_CHARACTER = 8
"""Tokens that one character takes at most: its bytes, and more for safety."""


def steps_after(
    engine: Engine, prompt: str, max_tokens: int, sampling: Sampling, cache: bool = True
) -> Iterator[Step]:
    """The tokens that follow `prompt`, or translate it. Raises UserError if the model writes no text."""
    _refuse_to_write(engine)
    if engine.config.task == "translation":
        encoding = engine.encode(prompt)
        return decoder_steps(engine, encoding, max_tokens, sampling, cache) if encoding.ids else iter(())
    ids = _prompt_ids(engine, prompt)
    end = engine.tokenizer.specials.get("eos")
    scores = _cached_scores(engine, ids) if cache else _fresh_scores(engine, ids)
    return generate(scores, engine.tokenizer.decode, max_tokens, sampling, end, ids)


def step_after(engine: Engine, trace: Trace, sampling: Sampling, token: int | None) -> Step | None:
    """The token after the end of `trace`: `token`, or the one that `sampling` chooses; None at the end."""
    _refuse_to_write(engine)
    cut = trace.truncated and engine.config.task == "language_model"
    if "logits" not in trace.activations or (cut and token is None):
        # Nothing to go on from, or more than the network reads at once: a window slides over it.
        return next(steps_after(engine, trace.text, 1, sampling), None)
    end = engine.tokenizer.specials.get("eos")
    before = written(trace, end)
    ids = before[1:] if engine.config.task == "translation" else before
    text = TextSoFar(engine.tokenizer.decode, ids)
    logits: Any = trace["logits"].value[0, len(before) - 1].cpu()
    found, logprob = choose(logits, sampling, len(ids))
    if token is not None:
        found, logprob = token, float(logits.double().log_softmax(-1)[token])
    if found == end:
        return None
    added = text.add(found)
    if added or engine.config.task == "translation":
        return Step(found, added, logprob)
    return _whole_character(engine, [*ids, found], text, sampling)


def prompt_used(engine: Engine, prompt: str) -> str | None:
    """The end of `prompt` that the first token is written from, where the model cannot read all of it."""
    if engine.config.task == "translation":
        encoding = engine.encode(prompt)
        return engine.tokenizer.decode(encoding.ids) if encoding.truncated else None
    ids = _prompt_ids(engine, prompt)
    if engine.config.arch == "gpt" and len(ids) > engine.config.context:
        return engine.tokenizer.decode(ids[-engine.config.context :])
    return None


def _refuse_to_write(engine: Engine) -> None:
    """Raise UserError if the model writes no text."""
    if engine.config.task not in ("language_model", "translation"):
        words = _("{name} is a {task} model and writes no text; choose a language model or a translator")
        raise UserError(words.format(name=visible(engine.name), task=engine.config.task))


def _whole_character(engine: Engine, ids: list[int], text: TextSoFar, sampling: Sampling) -> Step | None:
    """The rest of a character of which `ids` end with a part."""
    scores = _fresh_scores(engine, ids)
    last: int | None = None
    for n in range(LONGEST_CHARACTER):
        last, logprob = choose(scores(last), sampling, len(ids) + n)
        added = "" if last == engine.tokenizer.specials.get("eos") else text.add(last)
        if added:
            return Step(last, added, logprob)
    return None


def _prompt_ids(engine: Engine, prompt: str) -> list[int]:
    """The tokens to go on from; of an empty prompt a line break, where there is one."""
    ids = prompt_of(engine.tokenizer.encode(prompt).ids, engine.tokenizer.specials.get("eos"))
    if ids:
        return ids
    newline = engine.tokenizer.find("\n")
    if newline is None:
        raise UserError(
            _("the prompt is empty: {name} needs at least one token to go on from").format(
                name=visible(engine.name)
            )
        )
    return [newline]


def _cached_scores(engine: Engine, prompt: list[int]) -> Callable[[int | None], Tensor]:
    """The scores of what follows, where the network remembers what it has read."""
    ids, memory, seen = list(prompt), None, 0
    context = engine.config.context if engine.config.arch == "gpt" else None

    def scores(last: int | None) -> Tensor:
        nonlocal memory, seen
        if last is not None:
            ids.append(last)
        if context is not None and len(ids) > context:
            # The window slides: every position changes, so nothing of the cache holds.
            memory, seen = None, len(ids) - context
        with torch.no_grad():
            new = torch.tensor([ids[seen:]], device=engine.device)
            logits, memory = engine.model.next_logits(new, memory)  # type: ignore[operator]
        seen = len(ids)
        row: Tensor = logits[0]
        return row

    return scores


def _fresh_scores(engine: Engine, prompt: list[int]) -> Callable[[int | None], Tensor]:
    """The same where the network reads all of it again for each token."""
    ids = list(prompt)

    def scores(last: int | None) -> Tensor:
        if last is not None:
            ids.append(last)
        window = ids[-engine.config.context :] if engine.config.arch == "gpt" else ids
        with torch.no_grad():
            outputs = engine.model(Batch(torch.tensor([window], device=engine.device)), OFF)
        last_row: Tensor = outputs["logits"][0, -1]
        return last_row

    return scores
