"""The cache of keys and values: which of them each step of writing computes, and which it reads again.

The tokens of the text go through the network one at a time, as in generating; what the cache holds in the end
is compared with the keys and values of the one run over the whole text. Source: Pope et al. 2022,
"Efficiently Scaling Transformer Inference", section 2 (the KV cache).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.analyses.gradient import define
from nlptui.locale import _
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine
    from nlptui.nn.attention import KeyValueCache

COMPUTED, REUSED = 2, 1


def fits(config: Any) -> bool:
    """Whether a network keeps keys and values: GPT, and a translator's decoder."""
    return bool(config.arch == "gpt" or config.task == "translation")


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`used` (batch query key), `with` and `without` (batch query), and of each layer `off` (batch stat)."""
    translates = engine.config.task == "translation"
    side = "tgt" if translates else "tokens"
    rec = rec.bind(query=side, key=side)
    ids: Any = trace["target_ids" if translates else "ids"].value
    length = ids.shape[1]
    used = torch.zeros(1, length, length)
    advance = _translating(engine, trace) if translates else _writing(engine)
    caches: list[KeyValueCache] = []
    for step in range(length):
        asked.watch(step, length)
        before = caches[0].length if caches else 0
        caches = advance(ids[:, step : step + 1])
        used[0, step, :before] = REUSED
        used[0, step, before : caches[0].length] = COMPUTED
    source = (("target_ids" if translates else "ids", None),)
    words = _("2: this step computed the key and value of this position; 1: it read them from the cache")
    used_name = define(rec, "used", used, ("batch", "query", "key"), words, source)
    computed = (used == COMPUTED).sum(-1).float()
    made_of = ((used_name, None),)
    words = _("how many keys and values of each layer and head the step computes")
    define(rec, "with", computed, ("batch", "query"), words, made_of)
    words = _("how many it would compute without a cache: all up to this position")
    define(rec, "without", (used > 0).sum(-1).float(), ("batch", "query"), words, made_of)
    for number, cache in enumerate(caches):
        module = f"decoder.{number}.self_attn" if translates else f"blocks.{number}.attn"
        for kind, kept in (("k", cache.keys), ("v", cache.values)):
            whole: Any = trace[f"{module}.{kind}"].value
            assert kept is not None
            off = (kept - whole).abs().amax((1, 2, 3))[:, None]
            words = _("the largest difference between what the cache holds and the run over the whole text")
            define(rec, f"{module}.{kind}.off", off, ("batch", "stat"), words, ((f"{module}.{kind}", None),))


def _writing(engine: Engine) -> Callable[[Tensor], list[KeyValueCache]]:
    """Reads one token more of a text, and says what the caches hold then."""
    model: Any = engine.model
    memory: list[KeyValueCache] | None = None

    def advance(token: Tensor) -> list[KeyValueCache]:
        nonlocal memory
        with torch.no_grad():
            _logits, memory = model.next_logits(token, memory)
        return memory or []

    return advance


def _translating(engine: Engine, trace: Trace) -> Callable[[Tensor], list[KeyValueCache]]:
    """The same of a translation; the source is read once."""
    model: Any = engine.model
    caches = model.caches()
    with torch.no_grad():
        memory = model.encode(torch.tensor([trace.encoding.ids], device=engine.device))

    def advance(token: Tensor) -> list[KeyValueCache]:
        with torch.no_grad():
            model.next_logits(token, memory, caches)
        return [cache.target for cache in caches]

    return advance
