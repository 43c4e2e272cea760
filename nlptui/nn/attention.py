"""Scaled dot-product attention, one head or many, self or cross.

Knows nothing of layers, residuals or models: it gets inputs and a mask, and records each step of the
arithmetic.
Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nlptui.nn.layers import Rec
from nlptui.trace import OFF


class KeyValueCache:
    """Keys and values of the positions that one attention layer has seen."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    @property
    def length(self) -> int:
        """How many positions are kept."""
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add new positions (batch head key d_head) and return all of them."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
        self.keys, self.values = keys, values
        return keys, values


class Attention(nn.Module):
    """Multi-head attention.

        q = x W_q,  k = source W_k,  v = source W_v            split into heads of d_head
        weights = softmax(mask(q kᵀ / √d_head))
        out = join(weights v) W_o

    Recording computes each step; otherwise torch's fused kernel does. A row that may attend to nothing gets
    weights 0, and so z = 0.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not a multiple of n_heads {n_heads}")
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        self.wq = nn.Linear(d_model, d_model, bias=bias)
        self.wk = nn.Linear(d_model, d_model, bias=bias)
        self.wv = nn.Linear(d_model, d_model, bias=bias)
        self.wo = nn.Linear(d_model, d_model, bias=bias)

    def split(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch head pos d_head"]:
        """Cut the last axis into heads."""
        return x.view(x.shape[0], x.shape[1], self.n_heads, self.d_head).transpose(1, 2)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        source: Float[Tensor, "batch key d_model"] | None = None,
        mask: Bool[Tensor, "#batch #head #query #all_keys"] | None = None,
        rec: Rec = OFF,
        causal: bool = False,
        cache: KeyValueCache | None = None,
        kept: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """Attend from `x` to `source` (itself if None).

        mask: True where a query may look at a key. causal: where there is no mask, each query looks at its
        own key and earlier ones; a recorder needs that mask given, so that it can be opened (ValueError
        without). cache: keys and values of earlier positions, which the new ones join. kept: those of a
        `source` that stays the same from call to call, filled by the first. The recorder's scope calls the
        arguments `x`, `source` and `mask`.
        """
        if rec.on and causal and mask is None:
            raise ValueError("causal attention on record needs its mask: see causal_mask")
        source = x if source is None else source
        d = self.d_head
        key_axes = "batch head key d_head"
        q = rec("q", self.split(self.wq(x)), "batch head query d_head", by=f"heads(linear(x, wq), {d})")
        if kept is not None and kept.keys is not None and kept.values is not None:
            k, v = kept.keys, kept.values
        else:
            k = rec("k", self.split(self.wk(source)), key_axes, by=f"heads(linear(source, wk), {d})")
            v = rec("v", self.split(self.wv(source)), key_axes, by=f"heads(linear(source, wv), {d})")
            for memory in (cache, kept):
                k, v = (k, v) if memory is None else memory.extend(k, v)
        z = self._mix(q, k, v, mask, rec) if rec.on else self._fused(q, k, v, mask, causal)
        joined = z.transpose(1, 2).flatten(2)
        return rec("out", self.wo(joined), "batch pos d_model", by="linear(join(z), wo)")

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        # No dropout on the weights, in training either: it would cost the fused kernel, three times the time.
        # One query, the last, sees all keys that there are; torch would let it see the first alone.
        causal = causal and mask is None and q.shape[2] > 1
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        axes = "batch head query key"
        dot = rec("dot", q @ k.transpose(-1, -2), axes, by="dot(q, k)")
        scaled = rec("scaled", dot / math.sqrt(self.d_head), axes, by=f"dot / sqrt({self.d_head})")
        masked = scaled if mask is None else torch.where(mask, scaled, -math.inf)
        scores = rec("scores", masked, axes, by="scaled" if mask is None else "mask(scaled, mask)")
        weights = rec("weights", safe_softmax(scores), axes, by="softmax(scores)")
        return rec("z", weights @ v, "batch head query d_head", by="mix(weights, v)")


def safe_softmax(scores: Float[Tensor, "*lead key"]) -> Float[Tensor, "*lead key"]:
    """Softmax over the last axis; a row of nothing but −∞ becomes 0, and its gradient 0, not NaN."""
    dead = scores.amax(-1, keepdim=True) == -math.inf
    if not dead.any():
        return scores.softmax(-1)
    return scores.masked_fill(dead, 0.0).softmax(-1).masked_fill(dead, 0.0)


def causal_mask(queries: int, keys: int, device: torch.device) -> Bool[Tensor, "1 1 queries keys"]:
    """True where a query may look: at itself and what came before; the last query sees every key."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)[None, None]
