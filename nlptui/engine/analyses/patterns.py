"""What each attention head does, as numbers: its entropy, how far it looks, which known patterns it shows.

    entropy    mean over queries of −Σ_key w log w            0 where each query looks at one token only
    distance   mean over queries of Σ_key w · |query − key|
    a pattern  mean over the queries that have such keys of Σ_key w · pattern: 1 where it looks nowhere else

    previous   the token before            first      the first token          self   the token itself
    duplicate  an earlier token with the same id
    induction  the token after an earlier one with the same id
    others     of the last two, what the queries that come after such a key and have no reason to look at it
               give it nevertheless: a head that looks there whoever asks shows no pattern

Sources: Clark et al. 2019, "What Does BERT Look At?"; Elhage et al. 2021, "A Mathematical Framework for
Transformer Circuits"; Olsson et al. 2022, "In-context Learning and Induction Heads".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

PATTERNS = ("previous", "first", "self", "duplicate", "induction")
CONTRASTED = ("duplicate", "induction")
"""Patterns that few queries of a text have, so that a head may fit one by chance."""


def fits(config: Any) -> bool:
    """Whether a model has attention heads."""
    return config.arch in ("transformer", "bert", "gpt")


def modules(trace: Trace) -> list[str]:
    """The prefixes of all attention layers, `blocks.0.attn.` and so on, in the order computed."""
    return [name.removesuffix("weights") for name in trace.activations if _is_weights(name)]


def _is_weights(name: str) -> bool:
    return name.endswith("attn.weights")


def pattern(kind: str, ids: Tensor) -> Tensor:
    """1 where the pattern `kind` has its keys, 0 elsewhere (query key), for tokens with these ids (pos)."""
    n = len(ids)
    place = torch.arange(n)
    before = place[:, None] - place[None]
    same = (ids[:, None] == ids[None]) & (before > 0)
    after_same = torch.zeros(n, n, dtype=torch.bool)
    after_same[:, 1:] = same[:, :-1]
    kinds = {
        "previous": before == 1,
        "first": (place == 0)[None] & (place > 0)[:, None],
        "self": (before == 0) & (place > 0)[None],
        "duplicate": same,
        "induction": after_same,
    }
    return kinds[kind].float()


def shares(where: Tensor) -> Tensor:
    """The pattern over the number of queries that have any of its keys, so that a sum is a mean over them."""
    return where / where.any(-1).sum().clamp(min=1)


def others(where: Tensor) -> Tensor:
    """For a pattern (query key): each of its keys seen from the later queries that it is no pattern for, so
    that Σ weights · others is the mean, over the pattern, of what those give the key; 0 where there are none.
    """
    n = len(where)
    later = (torch.arange(n)[:, None] > torch.arange(n)[None]) & (where == 0)
    each = later / later.sum(0).clamp(min=1)
    return each * shares(where).sum(0)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`{module}.entropy`, `.distance` and, of self-attention, `.{pattern}`: (batch head) each."""
    for module in modules(trace):
        weights: Any = trace[f"{module}weights"].value
        scope = rec.at(module.rstrip("."), weights=f"{module}weights")
        queries, keys = weights.shape[-2:]
        log = scope("log", weights.log(), "batch head query key", by="log(weights)")
        terms = (weights * log.masked_fill(weights == 0, 0.0)).sum((-2, -1))
        scope("entropy", -terms / queries, "batch head", by=f"-sum_all(weights * log) / {queries}")
        far = (torch.arange(queries)[:, None] - torch.arange(keys)[None]).abs().to(weights) / queries
        _scored(scope, "distance", weights, far)
        if "cross_attn" in module:
            continue
        ids = trace["target_ids" if module.startswith("decoder") else "ids"].value[0].cpu()
        for kind in PATTERNS:
            where = pattern(kind, ids)
            _scored(scope, kind, weights, shares(where).to(weights))
            if kind in CONTRASTED:
                _scored(scope, f"{kind}.others", weights, others(where).to(weights))


def _scored(scope: Recorder, kind: str, weights: Tensor, where: Tensor) -> None:
    """Σ weights · where, with `where` noted as what was given."""
    scope.input(f"{kind}.where", where[None, None], "batch head query key")
    by = f"sum_all(weights * {kind}.where)"
    scope(kind, (weights * where).sum((-2, -1)), "batch head", by=by)
