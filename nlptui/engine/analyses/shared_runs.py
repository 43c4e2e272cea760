"""One logit of the text without each of its tokens, with what these texts have in common run only once.

    a chain       without token i a recurrent network is, before i, in the state that the run recorded; after
                  i all such texts read the same tokens at the same time, one row for each i
    a causal net  before i all vectors are those of the run: their keys and values are there already

Knows nothing of what the logits are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.nn import Batch
from nlptui.nn.attention import KeyValueCache
from nlptui.nn.recurrent import Moment
from nlptui.trace import Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Watch
    from nlptui.engine.analyses.one_logit import Place
    from nlptui.engine.engine import Engine

Run = Callable[["Engine", Trace, "Place", Sequence[int], "Watch"], Tensor]
AT_ONCE = 32
"""Texts of a causal network that are run in one batch; they share what stands before the first of them."""


def fitting(engine: Engine, trace: Trace, name: str) -> Run | None:
    """What runs the texts of this network, for the scores `name`; None: they have nothing in common."""
    config: Any = engine.config
    if config.arch == "gpt":
        return causal if "blocks.0.attn.k" in trace.activations else None
    chained = config.arch in ("rnn", "lstm", "gru") and trace[name].value.ndim == 3
    if chained and (config.n_layers == 1 or not config.bidirectional):
        return chains
    return None


# ------------------------------------------------------------------------------------------------ causal nets


def causal(engine: Engine, trace: Trace, place: Place, tokens: Sequence[int], watch: Watch) -> Tensor:
    """The logit at `place` of the text without each of `tokens`, which stand before that place."""
    model: Any = engine.model
    position, target = place
    ids: Any = trace["ids"].value
    found = []
    for first in range(0, len(tokens), AT_ONCE):
        watch(first, len(tokens))
        some = tokens[first : first + AT_ONCE]
        start = some[0]
        rest = [[i for i in range(start, position + 1) if i != token] for token in some]
        caches = [_cache(trace, block, start, len(some)) for block in range(engine.config.n_layers)]  # type: ignore[attr-defined]
        hidden = model.hidden(Batch(ids[0][torch.tensor(rest, device=ids.device)]), caches=caches)
        found.append(hidden[:, -1] @ model.token_embedding.weight[target])
    return torch.cat(found) if found else torch.zeros(0)


def _cache(trace: Trace, block: int, length: int, rows: int) -> KeyValueCache:
    """Keys and values of the first tokens, as the run recorded them, for so many texts."""
    cache = KeyValueCache()
    if length:
        keys, values = (
            torch.as_tensor(trace[f"blocks.{block}.attn.{kind}"].value)[:, :, :length] for kind in "kv"
        )
        cache.extend(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
    return cache


# ----------------------------------------------------------------------------------------------------- chains


def chains(engine: Engine, trace: Trace, place: Place, tokens: Sequence[int], watch: Watch) -> Tensor:
    """The logit at `place` of the text without each of `tokens`."""
    model: Any = engine.model
    position, target = place
    ways = ("forward", "backward") if engine.config.bidirectional else ("forward",)  # type: ignore[attr-defined]
    length = trace["embed"].shape[1]
    top = engine.config.n_layers - 1  # type: ignore[attr-defined]
    halves = []
    for way in ways:
        recorded: Any = trace[f"layers.{top}.{way}.hidden"].value[0]
        half = recorded[position].expand(length, -1).clone()
        before = slice(0, position) if way == "forward" else slice(position + 1, length)
        changed = _chain(model.layers, trace, way, position, watch)
        half[before] = changed if way == "forward" else changed.flip(0)
        halves.append(half)
    hidden = torch.cat(halves, -1)[list(tokens)]
    return model.head(hidden)[:, target]  # type: ignore[no-any-return]


def _chain(core: Any, trace: Trace, way: str, position: int, watch: Watch) -> Tensor:
    """The top layer's state at `position` without each token that this direction reads before it, in order.

    The rows that read on at step t are the texts without one of the tokens 0 … t − 1.
    """
    backward = way == "backward"
    x = torch.as_tensor(trace["embed"].value)[0]
    x, last = (x.flip(0), len(x) - 1 - position) if backward else (x, position)
    layers = range(core.num_layers)
    known = [_recorded(trace, f"layers.{layer}.{way}.", backward) for layer in layers]
    rows = [[torch.zeros(last, core.hidden_size).to(state) for state in states] for states in known]
    moments = [_moment(core, layer, backward) for layer in layers]
    for t in range(1, last + 1):
        if t % 64 == 1:
            watch(t, last + 1)
        reads = x[t : t + 1]
        for layer in layers:
            for held, states in zip(rows[layer], known[layer], strict=True):
                held[t - 1] = states[t - 2] if t > 1 else 0.0
            weight, bias, now = moments[layer]
            wx = torch.nn.functional.linear(reads, weight, bias)
            state = core.cell_step(wx, tuple(held[:t] for held in rows[layer]), now)
            for held, new in zip(rows[layer], state, strict=True):
                held[:t] = new
            reads = rows[layer][0][:t]
    return rows[-1][0]


def _recorded(trace: Trace, prefix: str, backward: bool) -> list[Tensor]:
    """The states of one direction of a layer (pos d_hidden), in the order in which it reads."""
    names = [f"{prefix}{kind}" for kind in ("hidden", "cell") if f"{prefix}{kind}" in trace.activations]
    found = [torch.as_tensor(trace[name].value)[0] for name in names]
    return [states.flip(0) for states in found] if backward else found


def _unrecorded(_name: str, value: Tensor, _by: str) -> Tensor:
    """A step that is not on record."""
    return value


def _moment(core: Any, layer: int, backward: bool) -> tuple[Tensor, Tensor | None, Moment]:
    """W_x, b_x, and what `cell_step` needs of one direction of a layer."""
    suffix = f"_l{layer}" + ("_reverse" if backward else "")
    names = (f"weight_ih{suffix}", f"weight_hh{suffix}", f"bias_ih{suffix}", f"bias_hh{suffix}")
    weight_ih, weight_hh, bias_ih, bias_hh = (getattr(core, name, None) for name in names)
    assert weight_ih is not None and weight_hh is not None
    return weight_ih, bias_ih, Moment(_unrecorded, weight_hh, bias_hh, None)
